package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/models/backtest"
	"github.com/mainstay/mainstay/pkg/models/orderfile"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/importer"
	"github.com/mainstay/mainstay/pkg/sandbox/demo"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/stream/refit"
	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// fileDemo is a demonstration with the orders of a file.
type fileDemo struct {
	p       *program
	cmd     *cobra.Command
	path    string
	mapping eventfile.Mapping // by which the file is read
	machine bool
	bar     *progressbar.ProgressBar // of the step that runs
	refused []*eventfile.RowError    // to print
	result  fileDemoResult
}

// fileDemoResult is what the demonstration of a file prints as JSON.
type fileDemoResult struct {
	Address  string            `json:"address"`
	Rows     importer.Counts   `json:"import"`
	AsOf     time.Time         `json:"as_of"` // of the last event of the file
	Model    demo.Model        `json:"model"`
	Today    []json.RawMessage `json:"today"`
	Segments *report.Report    `json:"segments"`
	Cohorts  *report.Report    `json:"cohorts"`
	Backtest *backtest.Result  `json:"backtest"`                   // null: there was none
	Untested string            `json:"backtest_refused,omitempty"` // why
}

// The sizes of what the demonstration of a file prints.
const (
	calls          = 10
	cohortsShown   = 12
	cohortColumns  = 2 + 1 + 12 // the cohort and its size, the month of the first purchase, and twelve more
	segmentsByRisk = "churn_risk"
)

// segmentColumns are those of segments that a terminal has room for.
var segmentColumns = []string{segmentsByRisk, "customers", "historic_revenue", "average_clv", "average_order_value", "orders_per_year", "repeat_share"}

// callColumns are likewise those of customers.
var callColumns = []string{"customer_id", "value_at_stake", "churn_risk", "last_order_at", "why"}

func (p *program) demoOfFile(ctx context.Context, cmd *cobra.Command, path string) error {
	settings, err := p.config(cmd)
	if err != nil {
		return err
	}
	mapping, err := fileMapping(cmd, app.EventOptions(settings, nil).Currencies)
	if err != nil {
		return err
	}
	if mapping.Timezone, err = time.LoadLocation(settings.Timezone); err != nil { // --timezone is that setting, too
		return usage("timezone: %v", err)
	}
	log, err := p.demoLogger(cmd)
	if err != nil {
		return err
	}
	d := &fileDemo{p: p, cmd: cmd, path: path, machine: asJSON(cmd), bar: p.bar("reading "+filepath.Base(path), false)}
	show, _ := cmd.Flags().GetInt("show-refused")
	c := demo.FileConfig{
		Path: path, Settings: settings, Listen: "127.0.0.1:0", Log: log, Now: p.now, Random: app.Random,
		Started: d.started, Progress: d.progress, Imported: d.imported, Answered: d.answered,
		Refused: func(r *eventfile.RowError) {
			if len(d.refused) < show {
				d.refused = append(d.refused, r)
			}
		},
	}
	c.Exit, _ = cmd.Flags().GetBool("exit")
	err = p.readFile(path, mapping, func(m eventfile.Mapping) error {
		c.Mapping, d.mapping = m, m
		d.mapping.Opened = nil // it is said once how the file is read
		return demo.RunFile(ctx, c, p.stopping)
	})
	_ = d.bar.Finish() // an error of drawing does not stop the command
	if errors.Is(err, demo.ErrStopped) && !c.Exit {
		return nil // the regular end without --exit
	}
	return err
}

func (d *fileDemo) started(address string) error {
	d.result.Address = address
	if open, _ := d.cmd.Flags().GetBool("open"); open {
		d.p.openPages(address)
	}
	if d.machine {
		return nil
	}
	return d.p.printf("  %s\n\nMainstay reads %s. Open the address: the pages fill as orders are read.\n\n", address, filepath.Base(d.path))
}

func (d *fileDemo) progress(step string, done, total int64) {
	d.bar.Describe(step)
	setProgress(d.bar, done, total)
}

func (d *fileDemo) imported(g *ledger.Genesis, counts importer.Counts) error {
	_ = d.bar.Clear() // likewise
	d.result.Rows = counts
	if d.machine {
		return nil
	}
	return d.p.importReport(false, false, g, counts, d.refused)
}

// answered reads the answers, tests on the same orders how far to trust them, and prints both.
func (d *fileDemo) answered(ctx context.Context, a demo.Answers) error {
	d.result.AsOf, d.result.Model = a.At.UTC(), a.Model
	q, err := lookup.CallList(calls, nil)
	if err != nil {
		return err
	}
	listing, err := lookup.List(ctx, a.App.Redis, a.App.Config.Namespace, a.Genesis, q)
	if err != nil {
		return err
	}
	by, err := lookup.DimensionNamed(segmentsByRisk, nil)
	if err != nil {
		return err
	}
	segments, err := lookup.ReadSegments(ctx, a.App.Redis, a.App.Config.Namespace, a.Genesis, []lookup.Dimension{by}, nil)
	if err != nil {
		return err
	}
	d.result.Segments = report.Segments(new(lookup.ReportNamed("segments")), segments[0])
	months, err := lookup.ReadCalendar(ctx, a.App.Redis, a.App.Config.Namespace, a.Genesis)
	if err != nil {
		return err
	}
	if d.result.Cohorts, err = lastCohorts(months); err != nil {
		return err
	}
	if err := d.backtest(ctx); err != nil {
		return err
	}
	_ = d.bar.Clear() // an error of drawing does not stop the command
	if d.machine {
		columns, err := lookup.ColumnsNamed(lookup.ColumnNames(nil), nil)
		if err != nil {
			return err
		}
		d.result.Today = listedJSON(columns, listing.Rows)
		return d.p.json(d.result)
	}
	return d.print(a, listing)
}

// lastCohorts reports the last cohorts over their first year.
func lastCohorts(c *lookup.Calendar) (*report.Report, error) {
	r, err := report.Triangle(c, "buying_share", report.Months{})
	if err != nil {
		return nil, err
	}
	r.Rows = r.Rows[max(0, len(r.Rows)-cohortsShown):]
	for i, row := range r.Rows {
		r.Rows[i] = row[:min(len(row), cohortColumns)]
	}
	r.Columns = r.Columns[:min(len(r.Columns), cohortColumns)]
	return r, nil
}

// backtest measures on the file how well its second half could have been predicted from its first. A history that is too short for that
// is no failure.
func (d *fileDemo) backtest(ctx context.Context) error {
	c, err := d.p.config(d.cmd)
	if err != nil {
		return err
	}
	read, err := d.p.orderOptions(d.cmd, c, d.mapping)
	if err != nil {
		return err
	}
	orders, err := orderfile.Read(d.path, read)
	if errors.Is(err, orderfile.ErrCurrencies) { // which the stream converts by its rates
		d.result.Untested = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	o, err := d.p.backtestOptions(d.cmd, orders.Unit)
	if err != nil {
		return err
	}
	o.Progress = func(step string, done, total int) { d.progress(step, int64(done), int64(total)) }
	if d.result.Backtest, err = backtest.Run(ctx, orders.Histories, o); ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		d.result.Untested = err.Error()
	}
	return nil
}

// print prints the answers for people.
func (d *fileDemo) print(a demo.Answers, calls *lookup.Listing) error {
	columns, err := lookup.ColumnsNamed(callColumns, nil)
	if err != nil {
		return err
	}
	in, err := d.p.locale(d.cmd)
	if err != nil {
		return err
	}
	return errors.Join(
		d.p.printf("\n%s\n\nWHOM TO CALL, the greatest value at stake first, as of %s\n\n", d.modelLine(), a.At.UTC().Format(time.DateOnly)),
		d.p.listTable(in, time.UTC, columns, calls.Rows),
		d.p.printf("\nCUSTOMERS BY CHURN RISK\n\n"),
		d.p.print(d.cmd, &sheet{Report: d.result.Segments.Only(segmentColumns...), empty: says("No customer has a standing order.")}),
		d.p.printf("\nSHARE OF CUSTOMERS WHO BOUGHT, by the month of their first purchase and months since then\n\n"),
		d.p.print(d.cmd, &sheet{Report: d.result.Cohorts, empty: noMonth()}),
		d.p.printf("\nHOW FAR TO TRUST IT\n\n%s\n", d.trustLine()),
		d.printNextSteps(a),
	)
}

func (d *fileDemo) modelLine() string {
	switch m := d.result.Model; {
	case m.Outcome != refit.Appended:
		return fmt.Sprintf("Customers are scored with %s, %s. No model was fitted to these orders: %s.", m.InForce.Model, m.InForce.Status, m.Reason)
	case m.InForce.Status != string(lifetimes.StatusFitted):
		return fmt.Sprintf("Customers are scored with %s, %s: these orders alone are too few for a fit.", m.InForce.Model, m.InForce.Status)
	default:
		return fmt.Sprintf("Customers are scored with %s, fitted to these orders.", m.InForce.Model)
	}
}

func (d *fileDemo) trustLine() string {
	r := d.result.Backtest
	if r == nil {
		return "The orders do not suffice for a test of the predictions: " + d.result.Untested
	}
	text := fmt.Sprintf("Fitted to the orders up to %s alone, the models had to predict those until %s. Best: %s.\n%s\n%s", r.Split, r.Until, r.Recommended, r.Trust, r.Why)
	if in := d.result.Model.InForce.Model; r.Choice != in {
		text += fmt.Sprintf("\nCustomers are scored with %s above; --model-choice=%s scores them with the best one.", in, r.Choice)
	}
	return text
}

// printNextSteps says how to look further, and how to go live with the same orders.
func (d *fileDemo) printNextSteps(a demo.Answers) error {
	name, c := d.p.name, a.App.Config
	var text strings.Builder
	if exit, _ := d.cmd.Flags().GetBool("exit"); !exit {
		fmt.Fprintf(&text, "\nEverything keeps running until Ctrl-C: %s, or from another terminal\n\n", d.result.Address)
		if d.p.directory != "" {
			fmt.Fprintf(&text, "    cd %s\n", shellQuote(d.p.directory))
		}
		fmt.Fprintf(&text, "    export MAINSTAY_KAFKA_BROKERS=%s MAINSTAY_REDIS_ADDRESSES=%s\n    %s today --limit 50\n    %s customer list --sort total_clv\n",
			c.Kafka.Brokers[0], c.Redis.Addresses[0], name, name)
	}
	fmt.Fprintf(&text, "\nTo go live, with a Kafka and a Redis that keep what they are given:\n\n    export MAINSTAY_KAFKA_BROKERS=host:9092 MAINSTAY_REDIS_ADDRESSES=host:6379\n    export MAINSTAY_MONEY_CURRENCY=%s MAINSTAY_TIMEZONE=%s\n",
		c.Money.Currency, shellQuote(c.Timezone))
	fmt.Fprintf(&text, "    %s topics apply\n    %s run &\n    %s\n    %s refit\n", name, name, d.importLine(), name)
	return d.p.printf("%s", text.String())
}

// importLine is the command line that imports the file, with the flags that describe it.
func (d *fileDemo) importLine() string {
	described := new(cobra.Command)
	addFileFlags(described)
	line := []string{d.p.name, "import", shellQuote(d.path), "--type=" + choiceOf(d.cmd, "type")}
	d.cmd.Flags().Visit(func(f *pflag.Flag) {
		if described.Flags().Lookup(f.Name) != nil && f.Name != "show-refused" {
			line = append(line, "--"+f.Name+"="+shellQuote(f.Value.String()))
		}
	})
	return strings.Join(line, " ")
}
