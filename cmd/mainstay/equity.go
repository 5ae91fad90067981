package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
	"github.com/mainstay/mainstay/pkg/stream/report"
)

func (p *program) equityCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "equity", Short: "Customer equity day by day, and what has moved it", Args: cobra.NoArgs,
		Long: `Equity reads the final portfolios of closed days that the output topic still holds. The change since the close before is divided by its
causes: new customers, purchases with refunds and cancellations, silence, lost customers, new parameters of the model, new settings, events that
came late, and customers who were forgotten. The parts sum to the change.`,
		Example: "  " + p.name + " report equity --days 90\n  " + p.name + " report equity --csv",
		RunE:    p.interruptible(p.equityReport),
	}
	cmd.Flags().Int("days", 30, "the last so many closed days")
	addFormFlags(cmd)
	return cmd
}

func (p *program) equityReport(ctx context.Context, cmd *cobra.Command, _ []string) error {
	days, _ := cmd.Flags().GetInt("days")
	if days < 1 {
		return usage("--days: a number from 1 on is wanted")
	}
	a, g, err := p.openLedger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	zone, err := time.LoadLocation(g.GetTimezone())
	if err != nil {
		return fmt.Errorf("timezone of the ledger: %w", err)
	}
	outputs, err := a.Outputs(g)
	if err != nil {
		return err
	}
	f, err := views.NewPortfolio(encoded.Reader{Client: a.Kafka, Outputs: outputs}, a.Config.Namespace, p.now).Read(ctx)
	if err != nil {
		return err
	}
	r, err := report.Equity(f.Closes, days, zone)
	if err != nil {
		return err
	}
	return p.print(cmd, &sheet{Report: r, empty: says("No closed day is published yet.")})
}
