package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
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
	segments, err := lookup.ReadSegments(ctx, a.Redis, a.Config.Namespace, g, by, func(read int64) { _ = bar.Set64(read) })
	_ = bar.Finish() // an error of drawing does not stop the command
	if err != nil {
		return err
	}
	measures := lookup.SegmentMeasures()
	s := sheet{asOf: segments.AsOf, unit: segments.Unit, empty: "No customer has a standing order.", header: []string{by.Name}}
	for _, m := range measures {
		s.header = append(s.header, m.Name)
	}
	all := segments.All
	if len(all) > 0 {
		all = append(all, segments.Base)
	}
	for i := range all {
		row := []cell{{text: all[i].Name}}
		for _, m := range measures {
			row = append(row, cell{value: m.Of(&all[i])})
		}
		s.rows = append(s.rows, row)
	}
	s.note = fmt.Sprintf("Few: below %d customers averages are those of a few people.", lookup.FewCustomers)
	return p.print(cmd, &s)
}
