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
		Use: "advance --to TIME", Short: "Advance the time of a ledger with the event clock", Args: cobra.NoArgs,
		Long: `A ledger with the event clock takes its time from the events, so time stops at the latest event. Advance waits until intake
has read all inputs to their end and then appends the new time to the ledger, which fires the deadlines up to it. Time never
goes back.`,
		RunE: p.interruptible(p.advance),
	}
	cmd.Flags().String("to", "", "RFC 3339, a day, now, or relative to now (+30d)")
	cmd.Flags().Duration("timeout", time.Minute, "how long to wait until intake has read the inputs")
	_ = cmd.MarkFlagRequired("to") // fails only for a flag that does not exist
	addOutputFlag(cmd)
	return cmd
}

func (p *program) advance(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	text, _ := cmd.Flags().GetString("to")
	to, err := timeflag.Parse(text, p.now())
	if err != nil {
		return usage("--to: %v", err)
	}
	timeout, err := cmd.Flags().GetDuration("timeout")
	if err != nil {
		return err
	}
	a, g, err := p.openLedger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	step := advance.Request{Namespace: a.Config.Namespace, Genesis: g, To: to, Timeout: timeout, Now: p.now, Random: app.Random, Inputs: sortedInputs(a.Config)}
	if err := step.Run(ctx, a.Kafka); err != nil {
		return err
	}
	if machine {
		return p.json(map[string]any{"to": to.UTC(), "partitions": g.GetPartitions()})
	}
	return p.printf("time advanced to %s in %d ledger partitions\n", to.Format(time.RFC3339), g.GetPartitions())
}
