package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/advance"
	"github.com/mainstay/mainstay/pkg/ops/timeflag"
)

func (p *program) advanceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "advance --to TIME", Short: "Let time pass, under the event clock", Args: cobra.NoArgs,
		Long: `Under the event clock time is the events' own, and stands still behind the last of them. Advance says that it has passed:
it waits until an intake has read all inputs to their end, and then appends the time to the ledger. Time does not go back.`,
		RunE: p.work(p.advance),
	}
	cmd.Flags().String("to", "", "RFC 3339, a day, now, or from now (+30d)")
	cmd.Flags().Duration("timeout", time.Minute, "how long to wait until the inputs are read")
	_ = cmd.MarkFlagRequired("to") // has just been added
	outputFlag(cmd)
	return cmd
}

func (p *program) advance(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	text, _ := cmd.Flags().GetString("to")
	to, err := timeflag.Parse(text, p.now())
	if err != nil {
		return usage("--to: %v", err)
	}
	timeout, err := cmd.Flags().GetDuration("timeout")
	if err != nil {
		return err
	}
	a, g, err := p.ledger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	step := advance.Request{Namespace: a.Config.Namespace, Genesis: g, To: to, Timeout: timeout, Now: p.now, Random: app.Random}
	for topic := range app.Inputs(a.Config) {
		step.Inputs = append(step.Inputs, topic)
	}
	if err := step.Run(ctx, a.Kafka); err != nil {
		return err
	}
	if machine {
		return p.json(map[string]any{"to": to.UTC(), "partitions": g.GetPartitions()})
	}
	return p.say("time advanced to %s in %d ledger partitions\n", to.Format(time.RFC3339), g.GetPartitions())
}
