// Package orderfile owns reading a file of purchases as the stream reads it: rows are decoded by intake's decoder and applied to the
// state of their customer by the code that folds events. Cancelled and refunded orders, snapshots, anonymous customers, the
// normalisation of ids and the choice of the amount therefore count as in the stream.
//
// It refuses a file with amounts in several currencies: without the exchange rates of each day they cannot be added.
package orderfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// Options state how the stream would read the file.
type Options struct {
	Mapping eventfile.Mapping // its Type is set
	Event   event.Options     // of intake; its Currency is that of rows that state none
	Zone    *time.Location    // in which days begin and end
	Now     time.Time         // times more than 48 h after it are refused
	// Each is called for every row that counts, in the order of the file; nil: it is not. What it gets is valid until it returns.
	Each func(customer string, e *ledger.Event) error
}

// Orders are the standing orders of a file.
type Orders struct {
	// Histories has one entry for each customer with a standing order, in the order of first appearance, without ids.
	Histories []lifetimes.History
	// Unit is that of the amounts. Its code is empty, with two decimals, if no row states a currency and there is no default.
	Unit money.Unit
	// Refused are the rows that do not count, with the reason.
	Refused []*eventfile.RowError
	// Anonymous is the number of orders of nobody in particular, which the stream skips.
	Anonymous int
	// Skipped is the number of rows that are no orders, such as lines of credit notes.
	Skipped int
}

// ErrCurrencies is returned for a file with amounts in several currencies.
var ErrCurrencies = errors.New("give one currency at a time")

// standIn is the currency of rows that state none, without a default. It has two decimals.
const standIn = "USD"

// Read reads a file whole.
func Read(path string, o Options) (orders *Orders, err error) {
	o.Mapping.Type = event.Purchase.String()
	table, err := money.NewTable(o.Mapping.Currencies)
	if err != nil {
		return nil, fmt.Errorf("order file: %w", err)
	}
	f, err := eventfile.Open(path, o.Mapping)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file and the row
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := reader{each: o.Each, now: o.Now.UnixMilli(), zone: o.Zone, table: table, places: map[string]int{}, out: new(Orders)}
	if o.Mapping.Currency != "" {
		o.Event.Currency = o.Mapping.Currency
	}
	if r.currency = o.Event.Currency; r.currency == "" {
		o.Event.Currency = standIn
	}
	if r.decoder, err = event.NewDecoder(o.Event); err != nil {
		return nil, fmt.Errorf("order file: %w", err)
	}
	for {
		row, err := f.Next()
		bad := (*eventfile.RowError)(nil)
		switch {
		case errors.Is(err, io.EOF):
			return r.orders(), nil
		case errors.As(err, &bad):
			r.out.Refused = append(r.out.Refused, bad)
			continue
		case err != nil:
			return nil, err //nolint:wrapcheck // it names the file and the row
		case row.Skip != "":
			r.out.Skipped++
			continue
		}
		if err := r.add(&row); err != nil {
			return nil, err
		}
	}
}

type reader struct {
	each     func(customer string, e *ledger.Event) error
	now      int64 // ms
	zone     *time.Location
	currency string // of rows that state none; empty: none
	table    *money.Table
	decoder  *event.Decoder
	result   event.Result
	terms    *customer.Terms // of the currency of the first row; nil before it
	places   map[string]int  // of customers, in states
	states   []*customer.State
	out      *Orders
}

// add applies a row to the state of its customer.
func (r *reader) add(row *eventfile.Row) error {
	err := r.decoder.Decode(event.Purchase, &event.Message{Key: row.Key, Value: row.Value, Timestamp: row.At.UnixMilli()}, r.now, &r.result)
	refused := (*event.Refused)(nil)
	switch {
	case errors.As(err, &refused):
		r.refuse(row, refused.Field, refused.Error())
		return nil
	case err != nil:
		return fmt.Errorf("order file: line %d: %w", row.Line, err)
	case r.result.Skip == event.SkipAnonymous:
		r.out.Anonymous++
		return nil
	case r.result.Skip != "":
		return nil // a test, or a draft
	}
	if err := r.checkCurrency(row); err != nil {
		return err
	}
	e := &r.result.Event
	change := r.state(r.result.Customer).RecordPurchase(r.terms, r.terms.At(r.now, 0, false), e, e.GetPurchase())
	//mutant:over-refunds-are-refused if $ || change.Reason != ""
	if change.Reason == output.OrderConflict { // of a refund beyond the order's total only the excess is not applied
		r.refuse(row, "order_id", "stated before, with another time or total")
		return nil
	}
	if r.each != nil {
		return r.each(r.result.Customer, e)
	}
	return nil
}

func (r *reader) refuse(row *eventfile.Row, field, reason string) {
	r.out.Refused = append(r.out.Refused, &eventfile.RowError{Line: row.Line, Field: field, Reason: reason})
}

// checkCurrency takes the currency of the first row for that of the file, and refuses another one.
func (r *reader) checkCurrency(row *eventfile.Row) error {
	var stated struct {
		Currency string `json:"currency"`
	}
	if err := json.Unmarshal(row.Value, &stated); err != nil {
		return fmt.Errorf("order file: line %d: read back: %w", row.Line, err)
	}
	code := stated.Currency
	if code == "" {
		code = r.currency
	}
	unit, ok := r.table.Lookup([]byte(code))
	if !ok { // no currency is stated
		unit = money.Unit{Currency: standIn, Decimals: 2}
	}
	switch {
	case r.terms == nil:
		values := settings.Default()
		values.MemoryDays, values.MemoryOrders = 36500, 1<<16 // the upper bounds of the settings: a file is remembered whole
		r.terms = &customer.Terms{Settings: values, Unit: unit, Zone: r.zone}
	case unit != r.terms.Unit:
		return fmt.Errorf("order file: line %d: the file has amounts in %q and in %q: %w", row.Line, r.terms.Unit.Code, unit.Code, ErrCurrencies)
	}
	return nil
}

func (r *reader) state(id string) *customer.State {
	place, known := r.places[id]
	if !known {
		place = len(r.states)
		r.places[strings.Clone(id)] = place
		r.states = append(r.states, customer.New())
	}
	return r.states[place]
}

// orders collects the customers with a standing order.
func (r *reader) orders() *Orders {
	r.out.Unit = money.Unit{Decimals: 2}
	if r.terms != nil && r.terms.Unit.Code != "" {
		r.out.Unit = r.terms.Unit
	}
	for _, s := range r.states {
		if days := s.Days(); len(days) > 0 {
			r.out.Histories = append(r.out.Histories, days)
		}
	}
	return r.out
}
