package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/importer"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func (p *program) importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Import history from a CSV, NDJSON, JSON, Excel or Parquet file", Args: cobra.ExactArgs(1),
		Long: `Import sends the rows of a file as events to the input topic of their kind, keyed by customer. The file is CSV, NDJSON, a JSON
array, in UTF-8 or UTF-16, plain or compressed (gzip, zstd, zip), an Excel workbook (XLSX; --sheet if it has several), or Parquet. Titles before the
header of a table are skipped.

A workbook is read as it stores its cells, not as it shows them. It keeps 15 digits of a number, so longer ids must be text in it. Workbooks and Parquet
are unpacked into a temporary file, which takes as much room as their CSV.

A file whose header is that of a known export (` + p.name + ` formats list) is read as such; --preset names one, --preset none turns it off. Of another
file the columns are guessed by usual names: on a terminal you are asked, elsewhere the error has the guess.

--map assigns columns to fields, and overrides those of a preset; a field that is not mapped is read from the column of its own name.

  customer_id=Buyer No              a column; case, spaces and punctuation do not matter
  total="Total, incl. VAT"          its name has a comma
  kind==refund                      a constant
  total=Quantity*Unit price         the product of columns
  customer_id=Customer ID|Email     the first of these columns that the file has
  customer_id=Email|=null           rows without an address are of nobody in particular, and skipped
  coupon=Discount code|=            a column that the file may lack
  refunded=Refunded amount          what was paid back of the order

A row without an identity (such as an order id) gets one from the file's content and its
line number, so importing the same file again changes nothing. Refused rows are printed with line and reason, and skipped.

--resume continues an import that was interrupted.`,
		Example: "  " + p.name + " import cdnow.csv --type purchase --map customer_id=sampleid,occurred_at=date,total=sales --time-format 20060102 --currency USD",
		RunE:    p.interruptible(p.importFile),
	}
	addFileFlags(cmd)
	addChoiceFlag(cmd, "type", "", "", "kind of the events", event.KindNames()...)
	p.addTopicFlag(cmd, "input topic (default: the first of the kind in kafka.topics)")
	f := cmd.Flags()
	f.Bool("resume", false, "continue an interrupted import of this file; fail if there is none")
	f.Bool("again", false, "send every row, including those that an earlier import of this file sent")
	f.Bool("dry-run", false, "validate every row, send nothing")
	addOutputFlag(cmd)
	return cmd
}

func (p *program) importFile(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	c, err := p.config(cmd)
	if err != nil {
		return err
	}
	im := importer.Import{Path: args[0], Namespace: c.Namespace, Now: p.now, Random: app.Random}
	if im.Mapping, err = fileMapping(cmd, app.EventOptions(c, nil).Currencies); err != nil {
		return err
	}
	if im.Kind, err = event.ParseKind(im.Mapping.Type); err != nil {
		return usage("--type: %v", err)
	}
	if im.Topic, err = topicFor(cmd, c, im.Kind); err != nil {
		return err
	}
	im.DryRun, _ = cmd.Flags().GetBool("dry-run")
	im.Resume, _ = cmd.Flags().GetBool("resume")
	im.Again, _ = cmd.Flags().GetBool("again")
	a, genesis, err := p.importTarget(ctx, cmd, im.DryRun)
	if err != nil {
		return err
	}
	defer a.Close()
	//mutant:import-reads-utc if false && $
	if !cmd.Flags().Changed("timezone") { // times without a zone are of the ledger's, as in the stream
		if im.Mapping.Timezone, err = time.LoadLocation(genesis.GetTimezone()); err != nil {
			return fmt.Errorf("timezone of the ledger: %w", err)
		}
	}
	im.Ledger, im.Convertible = ledger.FirstID(genesis), a.Config.Money.Convertible
	if im.Decoder, err = a.Decoder(genesis); err != nil {
		return err
	}
	counts, refused, err := p.runImport(ctx, cmd, a, &im)
	if err != nil {
		return err
	}
	return p.importReport(machine, im.DryRun, genesis, counts, refused)
}

// importTarget opens the ledger that the events are for; a dry run connects to nothing.
func (p *program) importTarget(ctx context.Context, cmd *cobra.Command, dry bool) (*app.App, *ledger.Genesis, error) {
	if !dry {
		return p.openLedger(ctx, cmd)
	}
	a, err := p.openApp(cmd)
	if err != nil {
		return nil, nil, err
	}
	return a, a.Config.Genesis(), nil
}

func (p *program) runImport(ctx context.Context, cmd *cobra.Command, a *app.App, im *importer.Import) (importer.Counts, []*eventfile.RowError, error) {
	most, _ := cmd.Flags().GetInt("show-refused")
	refused := []*eventfile.RowError{}
	im.Refused = func(r *eventfile.RowError) {
		if len(refused) < most {
			refused = append(refused, r)
		}
	}
	bar := p.bar("importing", true)
	im.Progress = func(done, total int64) { setProgress(bar, done, total) }
	var counts importer.Counts
	err := p.readFile(im.Path, im.Mapping, func(m eventfile.Mapping) (err error) {
		im.Mapping = m
		counts, err = im.Run(ctx, a.Kafka)
		return err
	})
	_ = bar.Finish() // an error of drawing does not stop the command
	return counts, refused, err
}

// importReport prints the result. A file of which no row is an event is an error: it is not what the user meant to import.
func (p *program) importReport(machine, dry bool, g *ledger.Genesis, c importer.Counts, refused []*eventfile.RowError) error {
	var nothing error
	switch {
	case c.Rows == 0:
		nothing = errors.New("the file has no rows; nothing was sent")
	case c.Refused == c.Rows:
		nothing = errors.New("every row was refused; nothing was sent")
	}
	if machine {
		sendable := c.Rows - c.Refused - c.Skipped - c.Summed
		return errors.Join(p.json(map[string]any{
			"rows": c.Rows, "sendable": sendable, "sent": c.Sent, "duplicates": c.Known, "refused": c.Refused, "summed": c.Summed, "skipped": c.Skipped,
			"skipped_by_reason": c.Skips, "resumed_after": c.From, "first_event": c.First, "last_event": c.Last, "columns": c.Columns,
			"dry_run": dry, "refused_rows": refused, "warning": c.Warning,
		}), nothing)
	}
	for _, r := range refused {
		if err := p.printf("refused: %v\n", r); err != nil {
			return err
		}
	}
	if more := c.Refused - int64(len(refused)); more > 0 {
		if err := p.printf("refused: %d more\n", more); err != nil {
			return err
		}
	}
	done := "sent"
	n := c.Sent
	if dry {
		done, n = "would be sent", c.Rows-c.Refused-c.Skipped-c.Summed
	}
	if err := p.printf("%d rows: %d %s, %d refused, %d skipped%s; events from %s to %s\n",
		c.Rows, n, done, c.Refused, c.Skipped, skipReasons(c.Skips), formatTime(c.First), formatTime(c.Last)); err != nil {
		return err
	}
	if c.Warning != "" {
		if err := p.printf("warning: %s\n", c.Warning); err != nil {
			return err
		}
	}
	if c.Summed > 0 {
		if err := p.printf("%d of these rows are further lines of their orders, each of which is sent once\n", c.Summed); err != nil {
			return err
		}
	}
	if nothing != nil {
		return nothing
	}
	if c.Known > 0 {
		if err := p.printf("%d of these rows were sent by an earlier import of this file, and not again by this one\n", c.Known); err != nil {
			return err
		}
	}
	if !dry && g.GetClock() == ledger.Clock_CLOCK_LIVE {
		return p.printf("the ledger's clock is live, so the events are backfilled as late events; no alerts are raised for them\n")
	}
	return nil
}

// skipReasons is " (anonymous 3, test 1)", or "" if no row was skipped.
func skipReasons(skips map[string]int64) string {
	if len(skips) == 0 {
		return ""
	}
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(skips)) {
		reasons = append(reasons, fmt.Sprintf("%s %d", reason, skips[reason]))
	}
	return " (" + strings.Join(reasons, ", ") + ")"
}
