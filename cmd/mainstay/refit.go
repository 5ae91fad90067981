package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/stream/refit"
)

func (p *program) refitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "refit", Short: "Fit the models to the live customers and apply the parameters", Args: cobra.NoArgs,
		Long: `Refit reads every customer from Redis, fits a model of purchase counts (the setting model.choice) and Gamma-Gamma with weak priors,
and appends the parameters to all partitions of the ledger. The folds then rescore every customer in the background and publish material changes with the trigger refit.

A fit that does not converge, or that predicts the last purchase horizon worse than the current parameters, is refused: exit
code 3, and nothing changes. Run it while the folds are running and caught up. The setting refit.interval runs it on a schedule.`,
		Example: "  " + p.name + " refit --dry-run",
		RunE:    p.interruptible(p.refit),
	}
	cmd.Flags().Bool("dry-run", false, "fit and evaluate without appending anything")
	addOutputFlag(cmd)
	return cmd
}

func (p *program) refit(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	dryRun, err := cmd.Flags().GetBool("dry-run")
	if err != nil {
		return err
	}
	a, g, err := p.openLedger(ctx, cmd)
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
		return errFindings
	}
	return nil
}

func (p *program) refitTable(r *refit.Result) error {
	row := func(what string, v refit.Parameters) []string {
		pareto := "-"
		if m := v.Pareto; m != nil {
			pareto = strings.Join([]string{formatFloat(m.R), formatFloat(m.Alpha), formatFloat(m.S), formatFloat(m.Beta)}, " ")
		}
		return []string{
			what, fmt.Sprint(v.Version), v.Model, v.Status, formatFloat(v.R), formatFloat(v.Alpha), formatFloat(v.A), formatFloat(v.B), pareto,
			formatFloat(v.P), formatFloat(v.Q), formatFloat(v.V),
		}
	}
	rows := [][]string{row("current", r.InForce)}
	if r.Fitted.Version > 0 {
		rows = append(rows, row("fitted", r.Fitted))
	}
	if err := p.table([]string{"PARAMETERS", "VERSION", "MODEL", "STATUS", "R", "ALPHA", "A", "B", "PARETO R ALPHA S BETA", "P", "Q", "V"}, rows); err != nil {
		return err
	}
	if err := p.printf("\n%d customers, %d of them repeat buyers\n", r.Customers, r.RepeatBuyers); err != nil {
		return err
	}
	if err := p.choice(r.Choice); err != nil {
		return err
	}
	for _, note := range r.Notes {
		if err := p.printf("note: %s\n", note); err != nil {
			return err
		}
	}
	if h := r.Holdout; h.Customers > 0 {
		if err := p.printf("log loss on the last %g days, %d customers: %.4f fitted, %.4f current\n", h.Days, h.Customers, h.Candidate, h.InForce); err != nil {
			return err
		}
	}
	switch r.Outcome {
	case refit.Appended:
		return p.printf("appended to the ledger as version %d\n", r.Fitted.Version)
	case refit.DryRun:
		return p.printf("dry run: would be appended as version %d\n", r.Fitted.Version)
	default:
		return p.printf("%s: %s\n", r.Outcome, r.Reason)
	}
}
