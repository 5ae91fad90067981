package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/processors/segment"
)

// segmentsCommand is the command of a report of segments.
func (p *program) segmentsCommand(r *lookup.SegmentReport) *cobra.Command {
	about, names := make([]string, 0), make([]string, 0)
	for _, d := range lookup.Dimensions(nil) {
		about, names = append(about, "  "+d.Name+": "+d.About), append(names, d.Name)
	}
	cmd := &cobra.Command{
		Use: r.Name, Short: r.About, Args: cobra.NoArgs,
		Long: strings.ToUpper(r.Name[:1]) + r.Name[1:] + " reads all customers who have a standing order, and sums them by a dimension. The last row is of all of them.\n" +
			"docs/measures.md has the formula of each column. The dimensions are those of the setting attributes, and\n" + strings.Join(about, "\n"),
		Example: "  " + p.name + " report " + r.Name + " --by churn_risk\n  " + p.name + " report " + r.Name + " --by cohort --csv",
		RunE:    p.interruptible(func(ctx context.Context, cmd *cobra.Command, _ []string) error { return p.segmentsReport(ctx, cmd, r) }),
	}
	cmd.Flags().String("by", r.By, "dimension")
	_ = cmd.RegisterFlagCompletionFunc("by", func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		c, _ := p.config(cmd)
		return append(names, c.Attributes.Names()...), cobra.ShellCompDirectiveNoFileComp
	}) // fails only for a flag that does not exist
	addFormFlags(cmd)
	return cmd
}

func (p *program) segmentsReport(ctx context.Context, cmd *cobra.Command, r *lookup.SegmentReport) error {
	c, err := p.config(cmd)
	if err != nil {
		return err
	}
	by, err := lookup.DimensionNamed(choiceOf(cmd, "by"), c.Attributes.Names())
	if err != nil {
		return usageError{fmt.Errorf("--by: %w", err)}
	}
	a, g, err := p.openRedis(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	bar := p.bar("reading customers", false)
	segments, err := lookup.ReadSegments(ctx, a.Redis, a.Config.Namespace, g, []lookup.Dimension{by}, func(read int64) { _ = bar.Set64(read) })
	_ = bar.Finish() // an error of drawing does not stop the command
	if err != nil {
		return err
	}
	segments[0].NPSBenchmark = c.Surveys.Benchmark()
	return p.print(cmd, &sheet{
		report.Segments(r, segments[0]), says("No customer has a standing order."),
		says("Few: below %d customers averages are those of a few people.", segment.FewCustomers),
	})
}
