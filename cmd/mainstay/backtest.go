package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/models/backtest"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/schemas/money"
)

func (p *program) backtestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backtest FILE", Short: "How good the predictions would have been: on a file of purchases, split at a day", Args: cobra.ExactArgs(1),
		Long: `Backtest fits every model to the purchases up to --split, lets it predict those up to --until, and compares with what came:
per model MAE, RMSE, correlation, bias, AUC, ECE, log score, error of spend and log-likelihood, beside the simple rules that
anybody would try first. It recommends one and says in a sentence how far to trust it. --report draws it all as one page of HTML.

The file is mapped as for import. Days are days of --timezone, or else of the timezone setting. It needs neither Kafka nor Redis.`,
		Example: "  " + p.name + " backtest cdnow.csv --map customer_id=sampleid,occurred_at=date,total=sales --time-format 20060102 --currency USD --split 1997-09-30 --report cdnow.html",
		RunE:    p.work(p.backtest),
	}
	purchasesFlags(cmd)
	cmd.Flags().String("split", "", "YYYY-MM-DD, last day of the first part; the middle of the time by default")
	cmd.Flags().String("until", "", "YYYY-MM-DD, last day of the second part; that of the last purchase by default")
	cmd.Flags().String("report", "", "file of HTML to write the report to")
	outputFlag(cmd)
	return cmd
}

// purchasesFlags say how a file of purchases is written, like those of import.
func purchasesFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.String("type", "purchase", "kind of the events; only purchases can be fitted to")
	f.String("map", "", "field=column,field=column")
	f.String("time-format", "auto", "of times: a Go layout (2006-01-02), strftime (%Y-%m-%d), rfc3339, unix, unix_ms or auto")
	f.String("timezone", "", "IANA name; of times that do not state theirs (UTC), and of days")
	f.String("currency", "", "of rows that state none")
	f.String("delimiter", "", "of CSV: , ; | or tab; found out by default")
	f.Bool("decimal-comma", false, "amounts are written 49,90")
	f.Bool("no-header", false, "the CSV has no line of names; its columns are 1, 2, 3 ...")
	f.Int("show-refused", 20, "refused rows that are printed; all are counted")
}

// purchases are those of a file, as histories of nameless customers.
type purchases struct {
	all     []lifetimes.History
	unit    money.Unit
	refused int
	from    []*eventfile.RowError
}

func (s purchases) minorPerUnit() float64 { return math.Pow10(s.unit.Decimals) }

// readPurchases reads the file that the flags describe.
func (p *program) readPurchases(cmd *cobra.Command, path string) (purchases, error) {
	var out purchases
	c, err := p.config(cmd)
	if err != nil {
		return out, err
	}
	m, err := mapping(cmd, app.EventOptions(c, nil).Currencies)
	if err != nil {
		return out, err
	}
	zone := m.Timezone
	if !cmd.Flags().Changed("timezone") {
		if zone, err = time.LoadLocation(c.Timezone); err != nil {
			return out, usage("timezone: %v", err)
		}
	}
	read, unit, refused, err := eventfile.Purchases(path, m)
	if err != nil {
		return out, err
	}
	show, _ := cmd.Flags().GetInt("show-refused")
	out = purchases{all: backtest.Gather(read, zone), unit: unit, refused: len(refused), from: refused[:min(max(show, 0), len(refused))]}
	for _, r := range out.from {
		p.complain("refused: %v\n", r)
	}
	if more := out.refused - len(out.from); more > 0 {
		p.complain("refused: %d more\n", more)
	}
	return out, nil
}

// dayFlag reads a day; the zero time where there is none.
func dayFlag(cmd *cobra.Command, name string) (time.Time, error) {
	text, err := cmd.Flags().GetString(name)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, usage("--%s must be a day such as 2026-01-31; it is %q", name, text)
	}
	return day, nil
}

func (p *program) backtest(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	var o backtest.Options
	if o.Split, err = dayFlag(cmd, "split"); err != nil {
		return err
	}
	if o.Until, err = dayFlag(cmd, "until"); err != nil {
		return err
	}
	bar := p.bar("reading "+filepath.Base(args[0]), false)
	read, err := p.readPurchases(cmd, args[0])
	if err != nil {
		return err
	}
	o.MinorPerUnit = read.minorPerUnit()
	o.Progress = func(step string, done, total int) {
		bar.Describe(step)
		at(bar, int64(done), int64(total))
	}
	result, err := backtest.Run(ctx, read.all, o)
	_ = bar.Finish() // a bar that cannot be drawn stops nothing
	if err != nil {
		return err
	}
	if read.refused > 0 {
		result.Notes = append(result.Notes, fmt.Sprintf("%d rows of the file were refused and have no part in this.", read.refused))
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
	if err := p.backtestTable(result); err != nil || report == "" {
		return err
	}
	return p.say("report: %s\n", report)
}

func writeReport(r *backtest.Result, path, title string) error {
	f, err := os.Create(path) //nolint:gosec // the person names the file
	if err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	if err := r.Report(f, title); err != nil {
		_ = f.Close() // the first failure is the one to tell
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	return nil
}

func (p *program) backtestTable(r *backtest.Result) error {
	if err := p.say("%d customers by %s, %d of them repeat buyers; until %s %d of them bought, on %d days\n\n",
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
	if err := p.say("\nrecommended: %s\n%s\n%s\n", r.Recommended, r.Trust, r.Why); err != nil {
		return err
	}
	for _, note := range r.Notes {
		if err := p.say("%s\n", note); err != nil {
			return err
		}
	}
	return nil
}
