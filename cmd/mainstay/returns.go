package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/stream/report"
)

func (p *program) returnsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "returns", Short: "What new customers cost and are worth, and what keeping customers brings", Args: cobra.NoArgs,
		Long: `Returns compares the costs that were stated with ` + p.name + ` costs set with what they brought, by month, quarter or year, or by the month and the
source of new customers. It reads all customers. A figure is not known where a cost of any month of the period is not stated.`,
		Example: "  " + p.name + " report returns --by year\n  " + p.name + " report returns --by source --from 2026-01 --csv",
		RunE:    p.interruptible(p.returnsReport),
	}
	addReportFlags(cmd)
	addChoiceFlag(cmd, "by", "", report.Month, "length of a period, or the source of new customers month by month", report.ReturnsBy()...)
	return cmd
}

func (p *program) returnsReport(ctx context.Context, cmd *cobra.Command, _ []string) error {
	months, err := monthsOf(cmd)
	if err != nil {
		return err
	}
	a, g, err := p.openRedis(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	bar := p.bar("reading customers", false)
	all, err := lookup.ReadReturns(ctx, a.Redis, a.Config.Namespace, g, func(read int64) { _ = bar.Set64(read) })
	_ = bar.Finish() // an error of drawing does not stop the command
	if err != nil {
		return err
	}
	r, err := report.Returns(all, choiceOf(cmd, "by"), months)
	if err != nil {
		return asUsage(err)
	}
	return p.print(cmd, &sheet{Report: r, empty: noMonth()})
}
