package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/measure"
)

func (p *program) reportCommand() *cobra.Command {
	all := []*cobra.Command{p.retentionCommand(), p.revenueCommand(), p.cohortsCommand(), p.returnsCommand()}
	for _, r := range lookup.SegmentReports() {
		all = append(all, p.segmentsCommand(&r))
	}
	return commandGroup("report", "Retention, revenue, cohorts and returns by month, and segments, from Redis; customer equity and segments by day, from Kafka; what alerts and actions have achieved, from the ledger",
		append(all, p.trendCommand(), p.equityCommand(), p.liftCommand(), p.beforeAfterCommand())...)
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
	addChoiceFlag(cmd, "by", "", report.Month, "length of a period", report.Month, report.Quarter)
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
	addChoiceFlag(cmd, "by", "", report.Month, "length of a period", report.Month, report.Quarter)
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
	for _, m := range report.TriangleMeasures() {
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

// readCalendar reads the calendar, and which months a report covers.
func (p *program) readCalendar(ctx context.Context, cmd *cobra.Command) (*lookup.Calendar, report.Months, error) {
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
	return c, months, err
}

func monthsOf(cmd *cobra.Command) (report.Months, error) {
	from, _ := cmd.Flags().GetString("from")
	to, _ := cmd.Flags().GetString("to")
	current, _ := cmd.Flags().GetBool("current")
	months, err := report.ParseMonths(from, to, current)
	return months, asUsage(err)
}

func (p *program) periodReport(measures []measure.Measure[calendar.Period]) func(context.Context, *cobra.Command, []string) error {
	return func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		c, months, err := p.readCalendar(ctx, cmd)
		if err != nil {
			return err
		}
		r, err := report.Periods(c, measures, choiceOf(cmd, "by"), months)
		if err != nil {
			return asUsage(err)
		}
		return p.print(cmd, &sheet{Report: r, empty: noMonth()})
	}
}

func (p *program) cohortReport(ctx context.Context, cmd *cobra.Command, _ []string) error {
	c, months, err := p.readCalendar(ctx, cmd)
	if err != nil {
		return err
	}
	var r *report.Report
	if asCSV, _ := cmd.Flags().GetBool("csv"); asJSON(cmd) || asCSV {
		r, err = report.Cohorts(c, months)
	} else {
		r, err = report.Triangle(c, choiceOf(cmd, "measure"), months)
	}
	if err != nil {
		return asUsage(err)
	}
	return p.print(cmd, &sheet{Report: r, empty: noMonth()})
}

// asUsage names the flag of a parameter that is wrong.
func asUsage(err error) error {
	var wrong *report.ParameterError
	if !errors.As(err, &wrong) {
		return err
	}
	return usage("--%s: %v", wrong.Parameter, wrong.Err)
}

func noMonth() phrase {
	return says("No month is reported: none with a purchase is over. --current shows the present month.")
}
