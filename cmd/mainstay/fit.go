package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/models/parameters"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/processors/season"
)

func (p *program) fitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "fit FILE", Short: "Fit the models to a file of purchases and write the parameters to a file", Args: cobra.ExactArgs(1),
		Long: `Fit fits a model of purchase counts and Gamma-Gamma (purchase values) with weak priors to a file of purchases and writes the
parameters to a YAML file, which the setting model.parameters_file puts in force. The setting model.choice names the model; auto
compares all models on the last purchase horizon of the file, with a season too, unless model.season is off. What cannot be fitted is replaced by a simpler model, and a note
says so. An existing file is replaced only if it has the same source and is not better; see --overwrite. Use ` + p.name + ` backtest
to measure how well the models predict.

The columns are mapped as for import. Days are those of --timezone, or of the timezone setting. Kafka and Redis are not needed.`,
		Example: "  " + p.name + " fit cdnow.csv --map customer_id=sampleid,occurred_at=date,total=sales --time-format 20060102 --currency USD --to cdnow.yaml",
		RunE:    p.interruptible(p.fit),
	}
	addPurchasesFlags(cmd)
	cmd.Flags().String("until", "", "YYYY-MM-DD, last day to fit to (default: the day of the last purchase)")
	cmd.Flags().String("to", "parameters.yaml", "file to write the parameters to; - for standard output")
	cmd.Flags().Bool("overwrite", false, "replace an existing file in any case")
	addOutputFlag(cmd)
	return cmd
}

func (p *program) fit(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	until, err := dayFlag(cmd, "until")
	if err != nil {
		return err
	}
	c, err := p.config(cmd)
	if err != nil {
		return err
	}
	campaigns, err := season.ParseCampaigns(c.Model.Campaigns)
	if err != nil {
		return fmt.Errorf("model.campaigns: %w", err)
	}
	bar := p.bar("reading and fitting", false)
	read, err := p.readPurchases(cmd, args[0], nil)
	if err != nil {
		return err
	}
	o := parameters.FitOptions{
		MinorPerUnit: read.minorPerUnit(), Currency: read.unit.Code, Now: p.now(), Until: math.MinInt32,
		Model: c.Model.Choice, HorizonDays: float64(c.Churn.PurchaseHorizonDays),
		Seasons: c.Model.Seasons(), Campaigns: campaigns,
	}
	for _, h := range read.all {
		last, _ := h.Last()
		o.Until = max(o.Until, last)
	}
	if !until.IsZero() {
		o.Until = int32(until.Unix() / int64(24*time.Hour/time.Second)) //nolint:gosec // good for five million years
	}
	if len(read.all) == 0 {
		return fmt.Errorf("%s: no purchases to fit to; %d rows were refused: check --map", args[0], read.refused)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	f, err := parameters.Fit(read.all, o)
	_ = bar.Finish() // an error of drawing does not stop the command
	if err != nil {
		return err
	}
	if err := f.Stamp(args[0]); err != nil {
		return err
	}
	to, _ := cmd.Flags().GetString("to")
	if to == "-" && !machine {
		content, err := f.Encode()
		if err != nil {
			return err
		}
		return p.printf("%s", content)
	}
	if to != "-" {
		if overwrite, _ := cmd.Flags().GetBool("overwrite"); !overwrite {
			if err := f.MayReplace(to); err != nil {
				return fmt.Errorf("%w; give another --to, or --overwrite", err)
			}
		}
		if err := f.Write(to); err != nil {
			return err
		}
	}
	if machine {
		return p.json(f)
	}
	return p.fitTable(f, to)
}

func (p *program) fitTable(f *parameters.File, to string) error {
	var rows [][]string
	add := func(model, name string, value float64, standardError *float64) {
		text := "-"
		if standardError != nil {
			text = formatFloat(*standardError)
		}
		rows = append(rows, []string{model, name, formatFloat(value), text})
	}
	errors := f.Diagnostics
	if v := f.Purchases; v != nil {
		e, name := errors.StandardErrors, f.Model
		if f.Model == model.Blended {
			name = model.MBGNBD
			if f.Blend.BGNBD {
				name = model.BGNBD
			}
		}
		if e == nil {
			e = new(parameters.Purchases)
		}
		add(name, "r", v.R, positive(e.R))
		add(name, "alpha", v.Alpha, positive(e.Alpha))
		add(name, "a", v.A, positive(e.A))
		add(name, "b", v.B, positive(e.B))
	}
	if v := f.Pareto; v != nil {
		e := errors.ParetoErrors
		if e == nil {
			e = new(parameters.Pareto)
		}
		add(model.ParetoNBD, "r", v.R, positive(e.R))
		add(model.ParetoNBD, "alpha", v.Alpha, positive(e.Alpha))
		add(model.ParetoNBD, "s", v.S, positive(e.S))
		add(model.ParetoNBD, "beta", v.Beta, positive(e.Beta))
	}
	if v := f.Blend; v != nil {
		add(f.Model, "pareto in odds", v.ParetoInOdds, nil)
		add(f.Model, "pareto in counts", v.ParetoInCounts, nil)
		add(f.Model, "lift", v.Lift, nil)
		add(f.Model, "shift", v.Shift, nil)
		add(f.Model, "slope", v.Slope, nil)
		add(f.Model, "level", v.Level, nil)
		add(f.Model, "power", v.Power, nil)
	}
	if s := f.Season; s != nil {
		for i, v := range s.Weekly {
			add("season", time.Weekday((i+1)%len(s.Weekly)).String(), v, nil)
		}
		for i, v := range s.Yearly {
			add("season", time.Month(i+1).String(), v, nil)
		}
		for _, v := range s.Events {
			add("season", v.Name, v.Multiplier, nil)
		}
		for _, v := range s.Campaigns {
			add("season", v.Name+", "+v.First+" to "+v.Last, v.Multiplier, nil)
		}
	}
	if v := f.Spend; v != nil {
		e := errors.SpendErrors
		add("gamma_gamma", "p", v.P, positive(e.P))
		add("gamma_gamma", "q", v.Q, positive(e.Q))
		add("gamma_gamma", "v", v.V, positive(e.V))
	}
	if err := p.table([]string{"MODEL", "PARAMETER", "VALUE", "STANDARD ERROR"}, rows); err != nil {
		return err
	}
	if err := p.printf("\n%s, version %d: %s, on %d customers, %d of them repeat buyers, from %s to %s\n",
		f.Model, f.Version, f.Status, f.Diagnostics.Customers, f.Diagnostics.RepeatBuyers, f.Source.First, f.Source.Until); err != nil {
		return err
	}
	if err := p.choice(f.Choice); err != nil {
		return err
	}
	for _, note := range f.Notes {
		if err := p.printf("note: %s\n", note); err != nil {
			return err
		}
	}
	if to == "-" {
		return nil
	}
	return p.printf("written to %s; put it in force with\n  %s run --model-parameters-file=%s\n", to, p.name, to)
}

// positive returns a pointer to v, and nil for 0, which means that the data do not determine a standard error.
func positive(v float64) *float64 {
	if v > 0 {
		return &v
	}
	return nil
}

// choice prints how a model was chosen; nothing if it was given.
func (p *program) choice(c *parameters.Choice) error {
	switch {
	case c == nil:
		return nil
	case len(c.Compared) == 0:
		return p.printf("chosen: %s, since there are too few purchases to compare models on the last %g days\n", c.Model, c.Days)
	}
	name := c.Model
	if c.Season {
		name += " with a season"
	}
	if err := p.printf("chosen: %s, on the last %g days, with %d customers, %d of whom bought\n\n", name, c.Days, c.Customers, c.Buyers); err != nil {
		return err
	}
	rows := make([][]string, len(c.Compared))
	for i, m := range c.Compared {
		name := m.Model
		if m.Season {
			name += ", season"
		}
		rows[i] = []string{name, fmt.Sprintf("%.4f", m.LogLoss), fmt.Sprintf("%.4f", m.RMSE), fmt.Sprintf("%+.1f%%", 100*m.Bias)}
	}
	if err := p.table([]string{"MODEL", "LOG LOSS", "RMSE", "BIAS"}, rows); err != nil {
		return err
	}
	if err := p.printf("\n"); err != nil {
		return err
	}
	for _, reason := range c.NoSeason {
		if err := p.printf("no season: %s\n", reason); err != nil {
			return err
		}
	}
	return nil
}

func formatFloat(v float64) string { return fmt.Sprintf("%.4g", v) }
