package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

func (p *program) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "version", Short: "Print version, revision and Go version", Args: cobra.NoArgs,
		RunE: p.interruptible(func(_ context.Context, cmd *cobra.Command, _ []string) error {
			machine := asJSON(cmd)
			b := telemetry.ReadBuild()
			if machine {
				return p.json(b)
			}
			revision := b.Revision
			switch {
			case b.Time != "":
				revision += ", committed " + b.Time
			case revision == telemetry.UnknownRevision:
				revision += " (go build records it in a Git checkout; go run needs -buildvcs=true)"
			}
			return p.printf("mainstay %s\nrevision %s\n%s\n", b.Version, revision, b.Go)
		}),
	}
	addOutputFlag(cmd)
	return cmd
}

// probeCommand replaces curl in an image that contains only this program.
func (p *program) probeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "probe [HOST:PORT]", Short: "Ask a running process whether it is ready (default: the one at http.listen)", Args: cobra.MaximumNArgs(1),
		RunE: p.interruptible(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			c, err := p.config(cmd)
			if err != nil {
				return err
			}
			address := c.HTTP.Listen
			if len(args) == 1 {
				address = args[0]
			}
			if err := server.Probe(ctx, address); err != nil {
				return err
			}
			return p.printf("ready\n")
		}),
	}
}
