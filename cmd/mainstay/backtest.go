package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mainstay/mainstay/pkg/models/backtest"
	"github.com/mainstay/mainstay/processors/season"
	"github.com/mainstay/mainstay/schemas/money"
)

func (p *program) backtestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backtest FILE", Short: "Measure how well the models would have predicted a file of purchases", Args: cobra.ExactArgs(1),
		Long: `Backtest fits every model to the purchases up to --split, predicts those up to --until and compares with the actual purchases.
For each model it prints MAE, RMSE, correlation, bias, AUC, ECE, log score, spend error and log-likelihood, next to simple
baselines. With model.season: auto it also compares MBG/NBD and Pareto/NBD in the season that the purchases up to --split show, with the
campaigns of model.campaigns. It recommends a model and states how far to trust it. --report writes charts as a single HTML page.

The columns are mapped as for import. Days are those of --timezone, or of the timezone setting. Kafka and Redis are not needed.`,
		Example: "  " + p.name + " backtest cdnow.csv --map customer_id=sampleid,occurred_at=date,total=sales --time-format 20060102 --currency USD --split 1997-09-30 --report cdnow.html",
		RunE:    p.interruptible(p.backtest),
	}
	addPurchasesFlags(cmd)
	cmd.Flags().String("split", "", "YYYY-MM-DD, last day of the training period (default: the middle of the file's time span)")
	cmd.Flags().String("until", "", "YYYY-MM-DD, last day of the holdout period (default: the day of the last purchase)")
	cmd.Flags().String("report", "", "HTML file to write the report to")
	addOutputFlag(cmd)
	return cmd
}

func (p *program) backtest(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	split, err := dayFlag(cmd, "split")
	if err != nil {
		return err
	}
	until, err := dayFlag(cmd, "until")
	if err != nil {
		return err
	}
	bar := p.bar("reading "+filepath.Base(args[0]), false)
	read, err := p.readPurchases(cmd, args[0], nil)
	if err != nil {
		return err
	}
	o, err := p.backtestOptions(cmd, read.unit)
	if err != nil {
		return err
	}
	o.Split, o.Until = split, until
	o.Progress = func(step string, done, total int) {
		bar.Describe(step)
		setProgress(bar, int64(done), int64(total))
	}
	result, err := backtest.Run(ctx, read.all, o)
	_ = bar.Finish() // an error of drawing does not stop the command
	if err != nil {
		return err
	}
	if read.refused > 0 {
		result.Notes = append(result.Notes, fmt.Sprintf("%d rows of the file were refused and are not included.", read.refused))
	}
	report, _ := cmd.Flags().GetString("report")
	if report != "" {
		if err := writeReport(result, report, "Backtest of "+filepath.Base(args[0])); err != nil {
			return err
		}
	}
	if machine {
		return p.json(result)
	}
	if err := p.backtestTable(result); err != nil {
		return err
	}
	if report != "" {
		if err := p.printf("report: %s\n", report); err != nil {
			return err
		}
	}
	return p.printf("fit the recommended model with\n  %s\n", p.fitLine(cmd, args[0], result))
}

// backtestOptions are those that the settings state, for amounts in a unit.
func (p *program) backtestOptions(cmd *cobra.Command, unit money.Unit) (o backtest.Options, err error) {
	c, err := p.config(cmd)
	if err != nil {
		return o, err
	}
	o.Seasons, o.MinorPerUnit = c.Model.Seasons(), minorPerUnit(unit)
	if o.Campaigns, err = season.ParseCampaigns(c.Model.Campaigns); err != nil {
		return o, fmt.Errorf("model.campaigns: %w", err)
	}
	return o, nil
}

// fitLine returns the command line that fits a model to the file of a backtest, with the flags of the backtest that describe the
// file, and the settings.
func (p *program) fitLine(cmd *cobra.Command, file string, r *backtest.Result) string {
	line := []string{p.name, "fit", shellQuote(file)}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "split", "until", "report", "output", "show-refused", "model-choice", "model-season":
		default:
			line = append(line, "--"+f.Name+"="+shellQuote(f.Value.String()))
		}
	})
	line = append(line, "--model-choice="+r.Choice)
	if r.SeasonChoice == "off" {
		line = append(line, "--model-season=off")
	}
	return strings.Join(append(line, "--to=parameters.yaml"), " ")
}

func writeReport(r *backtest.Result, path, title string) error {
	f, err := os.Create(path) //nolint:gosec // the user names the file
	if err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	if err := r.Report(f, title); err != nil {
		_ = f.Close() // the first error is returned
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	return nil
}

func (p *program) backtestTable(r *backtest.Result) error {
	if err := p.printf("%d customers by %s, %d of them repeat buyers; until %s %d of them bought, on %d days\n\n",
		r.Customers, r.Split, r.RepeatBuyers, r.Until, r.HoldoutBuyers, r.HoldoutPurchases); err != nil {
		return err
	}
	columns := backtest.Columns()
	header := []string{"MODEL"}
	for _, c := range columns {
		header = append(header, c.Heading())
	}
	var rows [][]string
	for _, m := range r.All() {
		row := []string{m.Name}
		for _, c := range columns {
			row = append(row, c.Text(m))
		}
		rows = append(rows, row)
	}
	if err := p.table(header, rows); err != nil {
		return err
	}
	if err := p.printf("\nrecommended: %s\n%s\n%s\n", r.Recommended, r.Trust, r.Why); err != nil {
		return err
	}
	for _, note := range r.Notes {
		if err := p.printf("%s\n", note); err != nil {
			return err
		}
	}
	return nil
}
