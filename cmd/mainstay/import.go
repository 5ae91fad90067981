package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/importer"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

func (p *program) importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Bring history: a CSV or NDJSON file of purchases, cancellations, referrals or surveys", Args: cobra.ExactArgs(1),
		Long: `Import sends the rows of a file, plain or gzipped, as events into the input topic of their kind, keyed by customer.

--map says which column holds which field; fields that are not mapped are found under their own names. A column that begins
with = is a constant: --map kind==refund. A row without an identity (an order id, say) gets one from the file's content and
its line, so that importing a file again is all duplicates. Refused rows are reported with line and reason, and left out.

An import that was cut off goes on with --resume.`,
		Example: "  " + p.name + " import cdnow.csv --type purchase --map customer_id=sampleid,occurred_at=date,total=sales --time-format 20060102 --currency USD",
		RunE:    p.work(p.importFile),
	}
	f := cmd.Flags()
	f.String("type", "", "kind of the events: purchase, cancellation, referral or survey")
	f.String("map", "", "field=column,field=column")
	f.String("time-format", "auto", "of times: a Go layout (2006-01-02), strftime (%Y-%m-%d), rfc3339, unix, unix_ms or auto")
	f.String("timezone", "", "IANA name; of times that do not state theirs (UTC)")
	f.String("currency", "", "of rows that state none")
	f.String("delimiter", "", "of CSV: , ; | or tab; found out by default")
	f.Bool("decimal-comma", false, "amounts are written 49,90")
	f.Bool("no-header", false, "the CSV has no line of names; its columns are 1, 2, 3 ...")
	f.String("topic", "", "input topic; the first of its kind in kafka.topics by default")
	f.Bool("resume", false, "go on where an import of this file was cut off, and fail if none was")
	f.Bool("again", false, "send every row, also those that an earlier import of this file has sent")
	f.Bool("dry-run", false, "read and judge every row, send nothing")
	f.Int("show-refused", 20, "refused rows that are printed; all are counted")
	outputFlag(cmd)
	return cmd
}

// mapping reads the flags that say how the file is written.
func mapping(cmd *cobra.Command, currencies map[string]money.Alias) (eventfile.Mapping, error) {
	f := cmd.Flags()
	m := eventfile.Mapping{Timezone: time.UTC}
	m.Type, _ = f.GetString("type")
	m.TimeFormat, _ = f.GetString("time-format")
	m.Currency, _ = f.GetString("currency")
	m.DecimalComma, _ = f.GetBool("decimal-comma")
	m.NoHeader, _ = f.GetBool("no-header")
	columns, _ := f.GetString("map")
	var err error
	if m.Columns, err = eventfile.ParseMap(columns); err != nil {
		return m, usage("--%v", err)
	}
	if zone, _ := f.GetString("timezone"); zone != "" {
		if m.Timezone, err = time.LoadLocation(zone); err != nil {
			return m, usage("--timezone: %v", err)
		}
	}
	switch d, _ := f.GetString("delimiter"); d {
	case "":
	case "tab", `\t`, "\t":
		m.Delimiter = '\t'
	case ",", ";", "|":
		m.Delimiter = rune(d[0])
	default:
		return m, usage("--delimiter must be , ; | or tab; it is %q", d)
	}
	m.Currencies = currencies
	return m, nil
}

func (p *program) importFile(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	c, err := p.config(cmd)
	if err != nil {
		return err
	}
	im := importer.Import{Path: args[0], Namespace: c.Namespace, Now: p.now, Random: app.Random}
	if im.Mapping, err = mapping(cmd, app.EventOptions(c, nil).Currencies); err != nil {
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
	a, genesis, err := p.destination(ctx, cmd, im.DryRun)
	if err != nil {
		return err
	}
	defer a.Close()
	im.Ledger = genesis.GetLedgerId()
	if im.Decoder, err = a.Decoder(genesis); err != nil {
		return err
	}
	counts, refused, err := p.runImport(ctx, cmd, a, &im)
	if err != nil {
		return err
	}
	return p.importReport(machine, im.DryRun, genesis, counts, refused)
}

// destination is the ledger that the events are for; a dry run needs no server.
func (p *program) destination(ctx context.Context, cmd *cobra.Command, dry bool) (*app.App, *ledger.Genesis, error) {
	if !dry {
		return p.ledger(ctx, cmd)
	}
	a, err := p.open(cmd)
	if err != nil {
		return nil, nil, err
	}
	return a, app.Genesis(a.Config), nil
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
	im.Progress = func(done, total int64) { at(bar, done, total) }
	counts, err := im.Run(ctx, a.Kafka)
	_ = bar.Finish() // a bar that cannot be drawn stops nothing
	return counts, refused, err
}

func (p *program) importReport(machine, dry bool, g *ledger.Genesis, c importer.Counts, refused []*eventfile.RowError) error {
	if machine {
		return p.json(map[string]any{
			"rows": c.Rows, "sent": c.Sent, "duplicates": c.Known, "refused": c.Refused, "skipped": c.Skipped, "resumed_after": c.From,
			"first_event": c.First, "last_event": c.Last, "columns": c.Columns, "dry_run": dry, "refused_rows": refused,
		})
	}
	for _, r := range refused {
		if err := p.say("refused: %v\n", r); err != nil {
			return err
		}
	}
	if more := c.Refused - int64(len(refused)); more > 0 {
		if err := p.say("refused: %d more\n", more); err != nil {
			return err
		}
	}
	done := "sent"
	n := c.Sent
	if dry {
		done, n = "would be sent", c.Rows-c.Refused-c.Skipped
	}
	if err := p.say("%d rows: %d %s, %d refused, %d skipped; events from %s to %s\n", c.Rows, n, done, c.Refused, c.Skipped, when(c.First), when(c.Last)); err != nil {
		return err
	}
	if c.Known > 0 {
		if err := p.say("%d of those sent are duplicates: an earlier import of this file had sent them, and they were not sent again\n", c.Known); err != nil {
			return err
		}
	}
	if !dry && g.GetClock() == ledger.Clock_CLOCK_LIVE {
		return p.say("the ledger's clock is live: history counts as late events; its state is right at once, and its old alerts do not fire\n")
	}
	return nil
}
