package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/processors/segment"
	"github.com/mainstay/mainstay/schemas/output"
)

func (p *program) trendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "trend", Short: "Segments day by day: customer equity of each, or another measure", Args: cobra.NoArgs,
		Long: `Trend reads the segments of closed days that the output topic still holds. The table shows one measure, a column for each segment; JSON and CSV
have a row for each day and segment, with all measures. Of a dimension with more than 120 segments the largest were published, and the others as one.`,
		Example: "  " + p.name + " report trend --by country\n  " + p.name + " report trend --by churn_risk --measure customers --days 90\n  " + p.name + " report trend --by source --csv",
		RunE:    p.interruptible(p.trendReport),
	}
	var measures []string
	for _, m := range segment.Measures() {
		measures = append(measures, m.Name)
	}
	cmd.Flags().String("by", "value_tier", "dimension: any of report segments but rfm; all: all customers together")
	addChoiceFlag(cmd, "measure", "", "customer_equity", "of the table", measures...)
	cmd.Flags().Int("days", 30, "the last so many closed days")
	addFormFlags(cmd)
	return cmd
}

func (p *program) trendReport(ctx context.Context, cmd *cobra.Command, _ []string) error {
	days, _ := cmd.Flags().GetInt("days")
	if days < 1 {
		return usage("--days: a number from 1 on is wanted")
	}
	a, g, err := p.openLedger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	name, _ := cmd.Flags().GetString("by")
	by, err := segment.DimensionNamed(name, a.Config.Attributes.Names())
	if err != nil {
		return usage("--by: %v", err)
	}
	zone, err := time.LoadLocation(g.GetTimezone())
	if err != nil {
		return fmt.Errorf("timezone of the ledger: %w", err)
	}
	outputs, err := a.Outputs(g)
	if err != nil {
		return err
	}
	all, err := readSegmentDays(ctx, encoded.Reader{Client: a.Kafka, Outputs: outputs}, output.Segments.Name(a.Config.Namespace), by.Name)
	if err != nil {
		return err
	}
	r := report.TrendOf(all, &by, choiceOf(cmd, "measure"), days, zone)
	if asCSV, _ := cmd.Flags().GetBool("csv"); asJSON(cmd) || asCSV {
		r = report.Trend(all, &by, days, zone)
	}
	return p.print(cmd, &sheet{Report: r, empty: says("No closed day is published yet.")})
}

// readSegmentDays reads the segments of a dimension that the output topic holds, in the order of publication.
func readSegmentDays(ctx context.Context, published encoded.Reader, topic, dimension string) (all []report.SegmentDay, err error) {
	const publishing = 0 // the ledger partition that publishes them
	bounds, err := published.ListOffsets(ctx, topic, []int32{publishing})
	if err != nil {
		return nil, fmt.Errorf("read the segments: %w", err)
	}
	_, err = published.ReadCommitted(ctx, topic, publishing, bounds[publishing].Start, bounds[publishing].LastStable, func(r kafka.Record) error {
		if !strings.HasPrefix(string(r.Key), dimension+"/") {
			return nil
		}
		d, err := report.ReadSegmentDay(r.Value)
		all = append(all, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the segments: %w", err)
	}
	return all, nil
}
