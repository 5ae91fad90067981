package eventfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/schemas/event"
)

// Preset is how the export of a shop system or a payment provider is read. It says nothing that flags could not say.
type Preset struct {
	Name   string
	Doc    string   // what it is an export of
	Note   string   // what to know of the answers
	Header []string // the columns by which it is recognised: all of them, in the syntax of columns.go

	Mapping Mapping
}

// The values of Mapping.Preset besides the names of presets.
const (
	PresetAuto = "auto" // a file that lacks columns of the fields' own names is read by the preset whose header it has
	PresetNone = "none"
)

// Presets are the exports that are known. Statuses, times and ids are those of the vendor's format in the stream (pkg/format), as far as the file has
// them, so that what was imported and what the stream tells agree.
var Presets = []Preset{ //nolint:gochecknoglobals // a table
	{
		Name: "shopify-orders",
		Doc:  "Orders of Shopify: Orders, Export, CSV.",
		Note: "The customer is the e-mail address, which is all that the file has; records of the stream name customers by their ids. Only the first row of an order " +
			"states it; further rows are its other line items.",
		Header: []string{"Name", "Email", "Financial Status", "Created at", "Total"},
		Mapping: Mapping{
			Type: "purchase",
			//mutant:preset-total-of-each-line replace Lines: LinesSum
			Lines: LinesFirst,
			Columns: map[string]string{
				"customer_id": "Email|=null", "order_id": "Name", "occurred_at": "Created at", "total": "Total", "currency": "Currency|=",
				"status": "Financial Status", "cancelled_at": "Cancelled at|=", refunded: "Refunded Amount|=",
				"subtotal": "Subtotal|=", "tax": "Taxes|=", "shipping": "Shipping|=", "discount": "Discount Amount|=",
				"coupon": "Discount Code|=", "channel": "Source|=", "country": "Shipping Country|Billing Country|=",
			},
			Statuses: map[string]string{"unpaid": "pending", "expired": "pending"}, // a payment term that has passed is no cancellation
		},
	},
	{
		Name: "woocommerce-orders",
		Doc:  "Orders of WooCommerce, as WebToffee's plugin Order Export & Order Import writes them.",
		Note: "Guests, whose customer_id is 0, are skipped as in the stream; --map customer_id=billing_email names all customers by their addresses. " +
			"Refunds are those of refund_items.",
		Header: []string{"order_id", "order_date", "status", "order_total", "order_currency"},
		Mapping: Mapping{
			Type: "purchase",
			Columns: map[string]string{
				"customer_id": "customer_id|billing_email|=null", "order_id": "order_id", "occurred_at": "order_date", "total": "order_total",
				"currency": "order_currency", "status": "status", refunded: "refund_items|=", "subtotal": "order_subtotal|=",
				"tax": "tax_total|=", "shipping": "shipping_total|=", "discount": "discount_total|=", "country": "shipping_country|billing_country|=",
			},
		},
	},
	{
		Name:   "stripe-payments",
		Doc:    "Payments of Stripe: Payments, Export.",
		Note:   "Payments without a customer are skipped as in the stream; --map 'customer_id=Customer Email|=null' names all customers by their addresses.",
		Header: []string{"id", "Created date (UTC)|Created (UTC)|Created", "Amount", "Amount Refunded", "Status"},
		Mapping: Mapping{
			Type: "purchase",
			Columns: map[string]string{
				"customer_id": "Customer ID|Customer Email|=null", "order_id": "id", "occurred_at": "Created date (UTC)|Created (UTC)|Created",
				"total": "Amount", "currency": "Currency|=", "status": "Status", refunded: "Amount Refunded",
			},
			Statuses: map[string]string{
				"succeeded": "paid", "partial_refund": "partially_refunded", // of what follows nothing was taken
				"failed": "draft", "canceled": "draft", "blocked": "draft", "incomplete": "draft", "uncaptured": "draft", "processing": "draft",
				"requires_payment_method": "draft", "requires_confirmation": "draft", "requires_action": "draft", "requires_capture": "draft",
			},
			Timezone: time.UTC,
		},
	},
	{
		Name: "uci-retail",
		Doc:  "The data sets Online Retail and Online Retail II of the UCI Machine Learning Repository.",
		Note: "Amounts are quantity times price, summed by invoice. Credit notes, which begin with C, name no invoice: they are skipped, and nothing is taken off for them. " +
			"Invoices without a customer are skipped.",
		Header: []string{"Invoice|InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "Price|UnitPrice", "Customer ID"},
		Mapping: Mapping{
			Type: "purchase",
			Columns: map[string]string{
				"customer_id": "Customer ID|=null", "order_id": "Invoice|InvoiceNo", "occurred_at": "InvoiceDate",
				"total": "Quantity*Price|Quantity*UnitPrice", "country": "Country|=",
			},
			Lines: LinesSum, Currency: "GBP", WholeIDs: true, CreditNotes: "C",
		},
	},
}

// PresetNames returns the values of Mapping.Preset.
func PresetNames() []string {
	names := []string{PresetAuto, PresetNone}
	for _, p := range Presets {
		names = append(names, p.Name)
	}
	return names
}

// FindPreset returns the preset of a name.
func FindPreset(name string) (*Preset, bool) {
	i := slices.IndexFunc(Presets, func(p Preset) bool { return p.Name == name })
	if i < 0 {
		return nil, false
	}
	return &Presets[i], true
}

// presetOf returns the name of the preset whose header a header is, of several the one that needs the most columns; "" for none.
func presetOf(kind event.Kind, header []string) string {
	best, columns := "", 0
	for i := range Presets {
		p := &Presets[i]
		if kind == event.Purchase && len(p.Header) > columns && p.recognises(header) {
			best, columns = p.Name, len(p.Header)
		}
	}
	return best
}

func (p *Preset) recognises(header []string) bool {
	for _, names := range p.Header {
		if !slices.ContainsFunc(strings.Split(names, "|"), func(name string) bool {
			i, err := find(header, name)
			return i >= 0 && err == nil
		}) {
			return false
		}
	}
	return true
}

// applyPreset makes the mapping that of the caller, and of a preset where the caller states nothing.
func (r *Reader) applyPreset(name string) error {
	r.mapping, r.preset = r.given, ""
	switch p, ok := FindPreset(name); {
	case ok && r.kind != event.Purchase:
		return fmt.Errorf("event file: the preset %s is of purchases, not of the kind %s", name, r.kind)
	case ok:
		r.mapping, r.preset = r.given.with(&p.Mapping), name
	case name != "" && name != PresetAuto && name != PresetNone:
		return fmt.Errorf("event file: there is no preset %q; there are %s", name, strings.Join(PresetNames(), ", "))
	}
	r.bound = r.mapping.bind(r.fields)
	return r.newDecoder()
}

// with returns a mapping that takes from a preset what it does not state itself.
func (m Mapping) with(preset *Mapping) Mapping {
	columns, statuses := maps.Clone(preset.Columns), maps.Clone(preset.Statuses)
	maps.Copy(columns, m.Columns)
	if statuses == nil {
		statuses = m.Statuses
	} else {
		maps.Copy(statuses, m.Statuses)
	}
	m.Columns, m.Statuses = columns, statuses
	if m.Lines == LinesUnknown {
		m.Lines = preset.Lines
	}
	if m.Currency == "" {
		m.Currency = preset.Currency
	}
	if m.CreditNotes == "" {
		m.CreditNotes = preset.CreditNotes
	}
	if preset.Timezone != nil { // the export says in which zone its times are; that of the caller is the zone of days
		m.Timezone = preset.Timezone
	}
	m.WholeIDs = m.WholeIDs || preset.WholeIDs
	return m
}

// Flags returns the flags of commands that say the same as a mapping, each with its value.
func (m *Mapping) Flags() []string {
	var flags []string
	add := func(name, value string) {
		if value != "" {
			flags = append(flags, "--"+name+" "+value)
		}
	}
	if len(m.Columns) > 0 {
		add("map", "'"+MapText(m.Columns)+"'")
	}
	add("lines", string(m.Lines))
	add("statuses", pairs(m.Statuses))
	add("currency", m.Currency)
	add("credit-notes", m.CreditNotes)
	if m.Timezone != nil {
		add("timezone", m.Timezone.String())
	}
	if m.WholeIDs {
		flags = append(flags, "--whole-ids")
	}
	return flags
}

// MapText writes columns as ParseMap reads them, in the order of the fields.
func MapText(columns map[string]string) string {
	var text []string
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		column := columns[name]
		if strings.ContainsAny(column, `,"`) {
			column = `"` + strings.ReplaceAll(column, `"`, `""`) + `"`
		}
		text = append(text, name+"="+column)
	}
	return strings.Join(text, ",")
}

func pairs(all map[string]string) string {
	var text []string
	for _, from := range slices.Sorted(maps.Keys(all)) {
		text = append(text, from+"="+all[from])
	}
	return strings.Join(text, ",")
}
