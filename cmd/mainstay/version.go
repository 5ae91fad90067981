package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

func (p *program) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "version", Short: "Which program this is", Args: cobra.NoArgs,
		RunE: p.work(func(_ context.Context, cmd *cobra.Command, _ []string) error {
			machine, err := asJSON(cmd)
			if err != nil {
				return err
			}
			b := telemetry.ReadBuild()
			if machine {
				return p.json(b)
			}
			return p.say("mainstay %s\nrevision %s, %s\n%s\n", b.Version, dash(b.Revision), dash(b.Time), b.Go)
		}),
	}
	outputFlag(cmd)
	return cmd
}

// probeCommand stands in for curl where an image has nothing but this program.
func (p *program) probeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "probe [HOST:PORT]", Short: "Ask a running process whether it is ready (http.listen by default)", Args: cobra.MaximumNArgs(1),
		RunE: p.work(func(ctx context.Context, cmd *cobra.Command, args []string) error {
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
			return p.say("ready\n")
		}),
	}
}
