package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/locale"
	"github.com/mainstay/mainstay/pkg/models/lift"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/outcomes"
)

func (p *program) liftCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "lift", Short: "Compare the treated customers of a rule with those in control", Args: cobra.NoArgs,
		Long: fmt.Sprintf(`Lift compares what the customers of a rule did after their alert: those in group treated, on whose alerts somebody was to act, with those
in group control. alerts.control_share draws the groups. For each length of a window it prints the share who bought again, their revenue
and the change of their total CLV, in the mean and as of customers of whom the model predicted the same.

difference_low and difference_high contain the true difference with a probability of 95%%, at all looks together: look as often as you
like, and stop when you like. Each measure has its own 95%%. Below %d expected customers in the smaller group, and while the bounds contain
0, the verdict is too few to tell.

A customer counts once, with their first alert of the rule that has a group, after the days of the window are over. It folds the ledger: it
takes as long as an audit, writes nothing, and can run beside a live system. See docs/lift.md.`, lift.Least),
		Example: "  " + p.name + " report lift --rule churn_risk_high\n  " + p.name + " report lift --rule churn_risk_high --days 90 --since 2026-01-01 --csv",
		RunE:    p.interruptible(p.liftReport),
	}
	f := cmd.Flags()
	f.String("rule", "", "alert rule")
	f.String("days", "30,60,90", "lengths of the windows in days, separated by commas")
	f.String("since", "", "only alerts that were raised from this time on")
	addFormFlags(cmd)
	return cmd
}

func (p *program) liftReport(ctx context.Context, cmd *cobra.Command, _ []string) error {
	var q outcomes.LiftQuery
	q.Rule, _ = cmd.Flags().GetString("rule")
	if q.Rule == "" {
		return usage("give --rule: the rule whose alerts were acted on")
	}
	days, _ := cmd.Flags().GetString("days")
	var err error
	if q.Days, err = outcomes.ParseDays(days); err != nil {
		return usage("--days: %v", err)
	}
	if q.Since, err = p.sinceFlag(cmd); err != nil {
		return err
	}
	var l *outcomes.Lift
	err = p.foldOutcomes(ctx, cmd, func(cfg outcomes.Config, a *app.App) error {
		l, err = outcomes.MeasureLift(ctx, cfg, a.Kafka, q)
		return err
	})
	switch {
	case errors.Is(err, outcomes.ErrNoRule):
		return usageError{err}
	case err != nil:
		return err
	}
	return p.print(cmd, &sheet{l.Report, says("No alert of %s has a group: set alerts.control_share, and raise settings_revision.", q.Rule), liftNote(l)})
}

// liftNote says what the figures rest on.
func liftNote(l *outcomes.Lift) phrase {
	return func(in *locale.Locale) string {
		notes := []string{
			in.F("A share of %g is in control; below %d customers in both groups nothing is stated.", l.Share, l.Fewest),
			in.T("The bounds hold at every look; each measure has its own 95%."),
			in.F("%s have not had all days of the window.", in.C("waiting_customers")),
		}
		if l.Others > 0 {
			notes = append(notes, in.F("%d customers are left out: their groups were drawn with another share or salt.", l.Others))
		}
		return strings.Join(notes, " ")
	}
}

func (p *program) beforeAfterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "before-after", Short: "Compare the days after an action on all customers with those before it, and with what was expected", Args: cobra.NoArgs,
		Long: `Before-after compares the days from a day on with as many days before it: customers who buy, orders and revenue per day. For those who had
bought before it also prints what the model expected of them on that day, with the parameters that were in force then.

There is no control group: season, prices, other actions and chance are in the differences too. Use it where nobody could be left out, and
alerts.control_share with report lift wherever some can. It folds the ledger: it takes as long as an audit, writes nothing, and can run beside a
live system. See docs/lift.md.`,
		Example: "  " + p.name + " report before-after --date 2026-03-01\n  " + p.name + " report before-after --date 2026-03-01 --days 30 --csv",
		RunE:    p.interruptible(p.beforeAfterReport),
	}
	cmd.Flags().String("date", "", "first day of the action, such as 2026-03-01")
	cmd.Flags().Int("days", 60, "days that are compared, before and after")
	addFormFlags(cmd)
	return cmd
}

func (p *program) beforeAfterReport(ctx context.Context, cmd *cobra.Command, _ []string) error {
	text, _ := cmd.Flags().GetString("date")
	days, _ := cmd.Flags().GetInt("days")
	if text == "" {
		return usage("give --date: the first day of the action")
	}
	day, err := outcomes.ParseDate(text)
	switch {
	case err != nil:
		return usage("--date: %v", err)
	case days < 1 || days > outcomes.MostDays:
		return usage("--days: must be from 1 to %d; it is %d", outcomes.MostDays, days)
	}
	var c *outcomes.Change
	err = p.foldOutcomes(ctx, cmd, func(cfg outcomes.Config, a *app.App) (err error) {
		c, err = outcomes.BeforeAfter(ctx, cfg, a.Kafka, day, days)
		return err
	})
	var period *outcomes.PeriodError
	switch {
	case errors.As(err, &period):
		return usage("--%s: %v", period.Flag, period)
	case err != nil:
		return err
	}
	return p.print(cmd, &sheet{Report: c.Report, note: func(in *locale.Locale) string {
		note := in.T("There is no control group: season, prices, other actions and chance are in the differences too.")
		if c.Status == string(lifetimes.StatusPrior) {
			note += " " + in.T("The model was not fitted to this shop on that day, so what it expected says little: see mainstay fit.")
		}
		return note
	}})
}

// foldOutcomes connects, folds and draws how far it has come.
func (p *program) foldOutcomes(ctx context.Context, cmd *cobra.Command, measure func(outcomes.Config, *app.App) error) error {
	a, g, err := p.openLedger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	bar := p.bar("folding the ledger", false)
	err = measure(outcomes.Config{Namespace: a.Config.Namespace, Genesis: g, Progress: func(done, total int64) { setProgress(bar, done, total) }}, a)
	_ = bar.Finish() // an error of drawing does not stop the command
	return err
}
