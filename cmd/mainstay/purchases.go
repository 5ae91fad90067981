package main

import (
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/models/orderfile"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timeform"
)

// addFileFlags adds the flags that describe the format of a file of events.
func addFileFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.String("map", "", "column of each field: field=column,field=column; also products, alternatives and constants: see mainstay import --help")
	addPresetFlags(cmd)
	f.String("time-format", "auto", "format of times: a Go layout (2006-01-02), strftime (%Y-%m-%d), or one of "+strings.Join(timeform.Names(), ", "))
	f.String("timezone", "", "IANA name of the time zone of times that state none (default: that of the ledger)")
	f.String("currency", "", "currency of rows that state none")
	f.String("delimiter", "", "CSV delimiter: , ; | or tab (default: detected)")
	f.Bool("decimal-comma", false, "amounts have a decimal comma: 49,90")
	addChoiceFlag(cmd, "lines", "", "", "rows with one order id and different totals: sum adds them up, first takes the total of the first if the others have none, "+
		"refuse keeps the first (default: an error)", string(eventfile.LinesSum), string(eventfile.LinesFirst), string(eventfile.LinesRefuse))
	f.Bool("no-header", false, "the CSV has no header line; its columns are named 1, 2, 3 ...")
	f.String("sheet", "", "sheet of a workbook that has several")
	f.Int("show-refused", 20, "number of refused rows to print; all are counted")
}

// addPurchasesFlags adds the flags that describe a file of purchases.
func addPurchasesFlags(cmd *cobra.Command) {
	addFileFlags(cmd)
	cmd.Flags().Lookup("timezone").Usage = "IANA name of the time zone of days, and of times that state none"
	addChoiceFlag(cmd, "type", "", event.Purchase.String(), "kind of the events", event.Purchase.String())
}

// purchases are those of a file, as histories of anonymous customers.
type purchases struct {
	all     []lifetimes.History
	unit    money.Unit
	refused int
}

func (s purchases) minorPerUnit() float64 { return minorPerUnit(s.unit) }

func minorPerUnit(u money.Unit) float64 { return math.Pow10(u.Decimals) }

// readPurchases reads a file in the format that the flags describe, and prints the refused rows. each is called for every row that counts,
// unless it is nil.
func (p *program) readPurchases(cmd *cobra.Command, path string, each func(customer string, e *ledger.Event) error) (purchases, error) {
	read, err := p.readOrders(cmd, path, each)
	if err != nil {
		return purchases{}, err
	}
	show, _ := cmd.Flags().GetInt("show-refused")
	out := purchases{all: read.Histories, unit: read.Unit, refused: len(read.Refused)}
	printed := read.Refused[:min(max(show, 0), len(read.Refused))]
	for _, r := range printed {
		p.printErr("refused: %v\n", r)
	}
	if more := out.refused - len(printed); more > 0 {
		p.printErr("refused: %d more\n", more)
	}
	return out, nil
}

// readOrders is readPurchases without the refused rows.
func (p *program) readOrders(cmd *cobra.Command, path string, each func(customer string, e *ledger.Event) error) (*orderfile.Orders, error) {
	c, err := p.config(cmd)
	if err != nil {
		return nil, err
	}
	m, err := fileMapping(cmd, app.EventOptions(c, nil).Currencies)
	if err != nil {
		return nil, err
	}
	o, err := p.orderOptions(cmd, c, m)
	if err != nil {
		return nil, err
	}
	o.Each = each
	var read *orderfile.Orders
	err = p.readFile(path, o.Mapping, func(m eventfile.Mapping) (err error) {
		o.Mapping = m
		read, err = orderfile.Read(path, o)
		return err
	})
	return read, err
}

// orderOptions are those of a file that is read as the mapping says.
func (p *program) orderOptions(cmd *cobra.Command, c config.Config, m eventfile.Mapping) (o orderfile.Options, err error) {
	zone := m.Timezone
	if !cmd.Flags().Changed("timezone") {
		if zone, err = time.LoadLocation(c.Timezone); err != nil {
			return o, usage("timezone: %v", err)
		}
		m.Timezone = zone
	}
	o = orderfile.Options{Mapping: m, Event: app.EventOptions(c, nil), Zone: zone, Now: p.now()}
	o.Event.Normalise = event.Normalise(c.Ledger.CustomerNormalisation)
	return o, nil
}

// dayFlag reads a flag that holds a day; the zero time if it is not set.
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

// fileMapping reads the flags that describe the format of a file.
func fileMapping(cmd *cobra.Command, currencies map[string]money.Alias) (eventfile.Mapping, error) {
	f := cmd.Flags()
	m := eventfile.Mapping{Timezone: time.UTC}
	m.Type = choiceOf(cmd, "type")
	m.TimeFormat, _ = f.GetString("time-format")
	m.Currency, _ = f.GetString("currency")
	m.DecimalComma, _ = f.GetBool("decimal-comma")
	m.NoHeader, _ = f.GetBool("no-header")
	m.Sheet, _ = f.GetString("sheet")
	m.Lines = eventfile.Lines(choiceOf(cmd, "lines"))
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
	return m, presetFlags(cmd, &m)
}
