package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

func (p *program) reportCommand() *cobra.Command {
	return commandGroup("report", "Retention, revenue and cohorts by month, and segments, from Redis", p.retentionCommand(), p.revenueCommand(), p.cohortsCommand(), p.segmentsCommand())
}

func (p *program) retentionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "retention", Short: "Customers who came, stayed, returned and were lost", Args: cobra.NoArgs,
		Long: `Retention counts customers by month or quarter. A customer is lost from the day on which the account is closed or a subscription ends
(lost_said) or silence makes the churn risk high (lost_silent), until the next purchase day. Refunds, cancellations and late events change the
months that they concern, whenever they arrive.`,
		Example: "  " + p.name + " report retention --by quarter\n  " + p.name + " report retention --from 2026-01 --current --csv",
		RunE:    p.interruptible(p.periodReport(calendar.Retention())),
	}
	addReportFlags(cmd)
	addChoiceFlag(cmd, "by", "", "month", "length of a period", "month", "quarter")
	return cmd
}

func (p *program) revenueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "revenue", Short: "Revenue from new, repeat and reactivated customers", Args: cobra.NoArgs,
		Long: `Revenue sums the net value of standing orders by month or quarter: of customers in the month of their first purchase (new), of those who
were lost at the start of the month (reactivated), and of all others (repeat).`,
		Example: "  " + p.name + " report revenue\n  " + p.name + " report revenue --by quarter --csv",
		RunE:    p.interruptible(p.periodReport(calendar.Sales())),
	}
	addReportFlags(cmd)
	addChoiceFlag(cmd, "by", "", "month", "length of a period", "month", "quarter")
	return cmd
}

func (p *program) cohortsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cohorts", Short: "Customers by the month of their first purchase, and what they did since", Args: cobra.NoArgs,
		Long: `Cohorts follows the customers who first bought in the same month. The table shows one measure by months since then; JSON and CSV have a
row for each cohort and month, with all measures.`,
		Example: "  " + p.name + " report cohorts\n  " + p.name + " report cohorts --measure value_per_customer",
		RunE:    p.interruptible(p.cohortReport),
	}
	addReportFlags(cmd)
	var names []string
	for _, m := range calendar.Cohort()[1:] { // the first stands in front of each row
		names = append(names, m.Name)
	}
	addChoiceFlag(cmd, "measure", "", "buying_share", "measure that the table shows", names...)
	return cmd
}

func addReportFlags(cmd *cobra.Command) {
	addFormFlags(cmd)
	cmd.Flags().String("from", "", "first month, such as 2026-01 (default: that of the first purchase)")
	cmd.Flags().String("to", "", "last month (default: the last that is over)")
	cmd.Flags().Bool("current", false, "include the month that is not over, as it stands")
	cmd.MarkFlagsMutuallyExclusive("to", "current")
}

func addFormFlags(cmd *cobra.Command) {
	cmd.Flags().Bool("csv", false, "print CSV")
	addOutputFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("csv", "output")
}

// reportMonths are the flags that say which months a report has.
type reportMonths struct {
	from, to calendar.Month
	fromSet  bool
	toSet    bool
	current  bool
}

func monthsOf(cmd *cobra.Command) (m reportMonths, err error) {
	for _, flag := range []struct {
		name  string
		month *calendar.Month
		set   *bool
	}{{"from", &m.from, &m.fromSet}, {"to", &m.to, &m.toSet}} {
		text, _ := cmd.Flags().GetString(flag.name)
		if text == "" {
			continue
		}
		if *flag.month, err = calendar.ParseMonth(text); err != nil {
			return m, usage("--%s: %v", flag.name, err)
		}
		*flag.set = true
	}
	m.current, _ = cmd.Flags().GetBool("current")
	if m.fromSet && m.toSet && m.from > m.to {
		return m, usage("--from: %v is after --to, %v", m.from, m.to)
	}
	return m, nil
}

// readCalendar reads the calendar, and sets the last month of a report.
func (p *program) readCalendar(ctx context.Context, cmd *cobra.Command) (*lookup.Calendar, reportMonths, error) {
	months, err := monthsOf(cmd)
	if err != nil {
		return nil, months, err
	}
	a, g, err := p.openRedis(ctx, cmd)
	if err != nil {
		return nil, months, err
	}
	defer a.Close()
	c, err := lookup.ReadCalendar(ctx, a.Redis, a.Config.Namespace, g)
	switch {
	case err != nil:
		return nil, months, err
	case months.toSet && months.to >= c.Current:
		return nil, months, usage("--to: %v is not over: the ledger's time is %s; --current shows the month as it stands", months.to, timestamp.Append(nil, c.AsOf))
	case months.current:
		months.to = c.Current
	case !months.toSet:
		months.to = c.Current - 1
	}
	return c, months, nil
}

func (p *program) periodReport(measures []measure.Measure[calendar.Period]) func(context.Context, *cobra.Command, []string) error {
	return func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		c, months, err := p.readCalendar(ctx, cmd)
		if err != nil {
			return err
		}
		by := choiceOf(cmd, "by")
		length := map[string]calendar.Month{"month": 1, "quarter": 3}[by]
		s := sheet{asOf: c.AsOf, unit: c.Unit, empty: noMonth, header: []string{by}}
		for _, m := range measures {
			s.header = append(s.header, m.Name)
		}
		for _, period := range c.Periods(length, months.to) {
			if months.fromSet && period.From < months.from {
				continue
			}
			name := period.From.String()
			if by == "quarter" {
				name = period.From.Quarter()
			}
			row := []cell{{text: name}}
			for _, m := range measures {
				row = append(row, cell{value: m.Of(&period)})
			}
			s.rows = append(s.rows, row)
		}
		return p.print(cmd, &s)
	}
}

func (p *program) cohortReport(ctx context.Context, cmd *cobra.Command, _ []string) error {
	c, months, err := p.readCalendar(ctx, cmd)
	if err != nil {
		return err
	}
	measures := calendar.Cohort()
	s := sheet{asOf: c.AsOf, unit: c.Unit, empty: noMonth, header: []string{"cohort", "month"}}
	for _, m := range measures {
		s.header = append(s.header, m.Name)
	}
	shown := choiceOf(cmd, "measure")
	triangle := sheet{asOf: c.AsOf, unit: c.Unit, empty: noMonth, header: []string{"cohort", measures[0].Name}}
	for _, age := range c.Ages(months.to) {
		if months.fromSet && age.Cohort < months.from {
			continue
		}
		row := []cell{{text: age.Cohort.String()}, {text: age.Month.String()}}
		for i, m := range measures {
			v := cell{value: m.Of(&age)}
			row = append(row, v)
			switch {
			case i == 0 && age.Month == age.Cohort:
				triangle.rows = append(triangle.rows, []cell{row[0], v})
			case m.Name == shown:
				last := len(triangle.rows) - 1
				triangle.rows[last] = append(triangle.rows[last], v)
			}
		}
		s.rows = append(s.rows, row)
		if n := int(age.Month-age.Cohort) + 3; n > len(triangle.header) {
			triangle.header = append(triangle.header, fmt.Sprint("+", n-3))
		}
	}
	if asCSV, _ := cmd.Flags().GetBool("csv"); asJSON(cmd) || asCSV {
		return p.print(cmd, &s)
	}
	return p.print(cmd, &triangle)
}

const noMonth = "No month is reported: none with a purchase is over. --current shows the present month."
