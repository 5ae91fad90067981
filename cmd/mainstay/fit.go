package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/models/parameters"
)

func (p *program) fitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "fit FILE", Short: "Fit the models to a file of purchases and write the parameters to a file", Args: cobra.ExactArgs(1),
		Long: `Fit fits MBG/NBD (purchase counts) and Gamma-Gamma (purchase values) with weak priors to a file of purchases and writes the
parameters to a YAML file, which it overwrites; the setting model.parameters_file applies that file. A failed fit is not
written. Use ` + p.name + ` backtest to measure how well the models predict.

The columns are mapped as for import. Days are those of --timezone, or of the timezone setting. Kafka and Redis are not needed.`,
		Example: "  " + p.name + " fit cdnow.csv --map customer_id=sampleid,occurred_at=date,total=sales --time-format 20060102 --currency USD --to cdnow.yaml",
		RunE:    p.interruptible(p.fit),
	}
	addPurchasesFlags(cmd)
	cmd.Flags().String("until", "", "YYYY-MM-DD, last day to fit to (default: the day of the last purchase)")
	cmd.Flags().String("to", "parameters.yaml", "file to write the parameters to; - for standard output")
	addOutputFlag(cmd)
	return cmd
}

func (p *program) fit(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	until, err := dayFlag(cmd, "until")
	if err != nil {
		return err
	}
	bar := p.bar("reading and fitting", false)
	read, err := p.readPurchases(cmd, args[0])
	if err != nil {
		return err
	}
	o := parameters.FitOptions{MinorPerUnit: read.minorPerUnit(), Currency: read.unit.Code, Now: p.now(), Until: math.MinInt32}
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
	e := f.Diagnostics.StandardErrors
	rows := [][]string{
		{"r", formatFloat(f.Purchases.R), formatFloat(e.R)},
		{"alpha", formatFloat(f.Purchases.Alpha), formatFloat(e.Alpha)},
		{"a", formatFloat(f.Purchases.A), formatFloat(e.A)},
		{"b", formatFloat(f.Purchases.B), formatFloat(e.B)},
	}
	if f.Spend != nil {
		e := f.Diagnostics.SpendErrors
		rows = append(rows, [][]string{
			{"p", formatFloat(f.Spend.P), formatFloat(e.P)}, {"q", formatFloat(f.Spend.Q), formatFloat(e.Q)}, {"v", formatFloat(f.Spend.V), formatFloat(e.V)},
		}...)
	}
	if err := p.table([]string{"PARAMETER", "VALUE", "STANDARD ERROR"}, rows); err != nil {
		return err
	}
	if err := p.printf("\n%s, version %d: %s, on %d customers, %d of them repeat buyers, from %s to %s\n",
		f.Model, f.Version, f.Status, f.Diagnostics.Customers, f.Diagnostics.RepeatBuyers, f.Source.First, f.Source.Until); err != nil {
		return err
	}
	return p.printf("written to %s\n", to)
}

func formatFloat(v float64) string { return fmt.Sprintf("%.4g", v) }
