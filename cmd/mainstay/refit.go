package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/stream/refit"
)

func (p *program) refitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "refit", Short: "Fit the models to the live customers and put the parameters in force", Args: cobra.NoArgs,
		Long: `Refit reads what Redis holds of every customer, fits MBG/NBD and Gamma-Gamma with their weak priors, and appends the parameters to
the ledger, for all partitions at once. Folds then score every customer anew, beside the stream, and say what has changed by a
material amount with trigger refit.

A fit that did not converge, or that foresees the last purchase horizon worse than the parameters in force, is refused: exit
status 3, and nothing is changed. Folds should be running and have caught up. See refit.interval to do this on schedule.`,
		Example: "  " + p.name + " refit --dry-run",
		RunE:    p.work(p.refit),
	}
	cmd.Flags().Bool("dry-run", false, "fit and judge, and change nothing")
	outputFlag(cmd)
	return cmd
}

func (p *program) refit(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	dryRun, err := cmd.Flags().GetBool("dry-run")
	if err != nil {
		return err
	}
	a, g, err := p.ledger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	result, err := a.Refit(ctx, g, dryRun)
	if err != nil {
		return err
	}
	if machine {
		err = p.json(result)
	} else {
		err = p.refitTable(result)
	}
	switch {
	case err != nil:
		return err
	case result.Outcome == refit.NotConverged || result.Outcome == refit.Worse:
		return errFound
	}
	return nil
}

func (p *program) refitTable(r *refit.Result) error {
	row := func(what string, v refit.Parameters) []string {
		return []string{what, fmt.Sprint(v.Version), v.Status, figure(v.R), figure(v.Alpha), figure(v.A), figure(v.B), figure(v.P), figure(v.Q), figure(v.V)}
	}
	rows := [][]string{row("in force", r.InForce)}
	if r.Fitted.Version > 0 {
		rows = append(rows, row("fitted", r.Fitted))
	}
	if err := p.table([]string{"PARAMETERS", "VERSION", "STATUS", "R", "ALPHA", "A", "B", "P", "Q", "V"}, rows); err != nil {
		return err
	}
	if err := p.say("\n%d customers, %d of them repeat buyers\n", r.Customers, r.RepeatBuyers); err != nil {
		return err
	}
	if h := r.Holdout; h.Customers > 0 {
		if err := p.say("log loss on the last %g days, %d customers: %.4f as fitted, %.4f in force\n", h.Days, h.Customers, h.Candidate, h.InForce); err != nil {
			return err
		}
	}
	switch r.Outcome {
	case refit.Appended:
		return p.say("appended to the ledger as version %d\n", r.Fitted.Version)
	case refit.DryRun:
		return p.say("a dry run: would be appended as version %d\n", r.Fitted.Version)
	default:
		return p.say("%s: %s\n", r.Outcome, r.Reason)
	}
}
