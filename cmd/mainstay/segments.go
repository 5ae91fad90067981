package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/stream/report"
)

func (p *program) segmentsCommand() *cobra.Command {
	about, names := make([]string, 0), make([]string, 0)
	for _, d := range lookup.Dimensions() {
		about, names = append(about, "  "+d.Name+": "+d.About), append(names, d.Name)
	}
	cmd := &cobra.Command{
		Use: "segments", Short: "Groups of customers against all: value, orders, churn, promoters", Args: cobra.NoArgs,
		Long: "Segments reads all customers who have a standing order, and sums them by a dimension. The last row is of all of them. The dimensions are\n" +
			strings.Join(about, "\n"),
		Example: "  " + p.name + " report segments --by churn_risk\n  " + p.name + " report segments --by cohort --csv",
		RunE:    p.interruptible(p.segmentsReport),
	}
	addChoiceFlag(cmd, "by", "", "value_tier", "dimension", names...)
	addFormFlags(cmd)
	return cmd
}

func (p *program) segmentsReport(ctx context.Context, cmd *cobra.Command, _ []string) error {
	by, err := lookup.DimensionNamed(choiceOf(cmd, "by"))
	if err != nil {
		return usageError{err}
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
	return p.print(cmd, &sheet{
		report.Segments(segments[0]), "No customer has a standing order.",
		fmt.Sprintf("Few: below %d customers averages are those of a few people.", lookup.FewCustomers),
	})
}
