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
		Use: "fit FILE", Short: "Fit the models to a file of purchases and write their parameters, for run to start from", Args: cobra.ExactArgs(1),
		Long: `Fit fits MBG/NBD (purchases) and Gamma-Gamma (their value) to a file of purchases, with weak priors, and writes the parameters
to a file of YAML, over one that is there. A fit that failed is not written. See ` + p.name + ` backtest for how good it is.

The file is mapped as for import. Days are days of --timezone, or else of the timezone setting. It needs neither Kafka nor Redis.`,
		Example: "  " + p.name + " fit cdnow.csv --map customer_id=sampleid,occurred_at=date,total=sales --time-format 20060102 --currency USD --to cdnow.yaml",
		RunE:    p.work(p.fit),
	}
	purchasesFlags(cmd)
	cmd.Flags().String("until", "", "YYYY-MM-DD, last day that counts; that of the last purchase by default")
	cmd.Flags().String("to", "parameters.yaml", "file to write the parameters to; - prints them")
	outputFlag(cmd)
	return cmd
}

func (p *program) fit(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
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
	_ = bar.Finish() // a bar that cannot be drawn stops nothing
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
		return p.say("%s", content)
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
		{"r", figure(f.Purchases.R), figure(e.R)},
		{"alpha", figure(f.Purchases.Alpha), figure(e.Alpha)},
		{"a", figure(f.Purchases.A), figure(e.A)},
		{"b", figure(f.Purchases.B), figure(e.B)},
	}
	if f.Spend != nil {
		e := f.Diagnostics.SpendErrors
		rows = append(rows, [][]string{
			{"p", figure(f.Spend.P), figure(e.P)}, {"q", figure(f.Spend.Q), figure(e.Q)}, {"v", figure(f.Spend.V), figure(e.V)},
		}...)
	}
	if err := p.table([]string{"PARAMETER", "VALUE", "STANDARD ERROR"}, rows); err != nil {
		return err
	}
	if err := p.say("\n%s, version %d: %s, on %d customers, %d of them repeat buyers, from %s to %s\n",
		f.Model, f.Version, f.Status, f.Diagnostics.Customers, f.Diagnostics.RepeatBuyers, f.Source.First, f.Source.Until); err != nil {
		return err
	}
	return p.say("written to %s\n", to)
}

func figure(v float64) string { return fmt.Sprintf("%.4g", v) }
