package whatif

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Orders are purchases that are in no ledger yet.
type Orders struct {
	Currency string // base currency
	Timezone string
	Settings *ledger.SettingsValues // under which they would be folded, but for the terms
	all      []order
}

type order struct {
	at       int64
	customer string
	payload  []byte
}

// Add adds a purchase.
func (o *Orders) Add(customer string, e *ledger.Event) error {
	payload, err := e.MarshalVT()
	if err != nil {
		return fmt.Errorf("encode an order: %w", err)
	}
	if o.Currency == "" {
		o.Currency = e.GetPurchase().GetCurrency()
	}
	o.all = append(o.all, order{e.GetOccurredAt(), strings.Clone(customer), payload})
	return nil
}

// Len returns the number of purchases.
func (o *Orders) Len() int { return len(o.all) }

// Source folds the purchases as a ledger of one partition would have them if each had been reported when it happened, with a tick at
// each beginning of a day, and one at the last order.
func (o *Orders) Source(progress Progress) Source {
	slices.SortStableFunc(o.all, func(a, b order) int { return cmp.Compare(a.at, b.at) })
	return func(ctx context.Context, terms Terms) (*Result, error) {
		w, err := o.begin(terms)
		if err != nil {
			return nil, err
		}
		for i, one := range o.all {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			if err := w.passTo(one.at); err != nil {
				return nil, err
			}
			w.read++
			if err := w.append(&ledger.Entry{Kind: ledger.Kind_KIND_EVENT, Customer: one.customer, Time: one.at, Payload: one.payload}); err != nil {
				return nil, err
			}
			progress.report("folding the orders twice", int64(i), int64(len(o.all)))
		}
		if err := w.tick(w.now); err != nil {
			return nil, err
		}
		return w.comparison.result(), nil
	}
}

// written is the ledger that is made of orders while it is folded.
type written struct {
	comparison *comparison
	zone       *time.Location
	offset     int64 // of the next entry
	now        int64 // time of the last entry
	read       int64 // orders
}

func (o *Orders) begin(terms Terms) (*written, error) {
	g := &ledger.Genesis{
		LedgerId: "orders", Partitions: 1, CustomerHash: settings.CustomerHash, CustomerNormalisation: "none", Clock: ledger.Clock_CLOCK_LIVE,
		Currency: o.Currency, Timezone: o.Timezone,
	}
	w := &written{comparison: newComparison(g, terms, 0, []map[string]int64{{}})}
	w.zone = w.comparison.episodes.zone
	if err := w.appendBody(ledger.Kind_KIND_GENESIS, g); err != nil {
		return nil, err
	}
	return w, w.appendBody(ledger.Kind_KIND_SETTINGS, &ledger.Settings{Revision: 1, Hash: settings.Hash(o.Settings), Values: o.Settings})
}

// passTo appends a tick at every beginning of a day up to a time.
func (w *written) passTo(at int64) error {
	for w.now > 0 {
		y, m, d := time.UnixMilli(w.now).In(w.zone).Date()
		midnight := time.Date(y, m, d+1, 0, 0, 0, 0, w.zone).UnixMilli()
		if midnight > at {
			break
		}
		if err := w.tick(midnight); err != nil {
			return err
		}
	}
	w.now = max(w.now, at)
	return nil
}

const ordersTopic = "orders"

func (w *written) tick(at int64) error {
	w.now = at
	return w.appendBody(ledger.Kind_KIND_TICK, &ledger.Tick{
		Revision: 1, Inputs: []*ledger.Input{{Topic: ordersTopic, Partitions: 1}},
		Readings: []*ledger.Reading{{Topic: ordersTopic, Offset: w.read, Time: at, AtEnd: true}},
	})
}

func (w *written) appendBody(kind ledger.Kind, body interface{ MarshalVT() ([]byte, error) }) error {
	payload, err := body.MarshalVT()
	if err != nil {
		return fmt.Errorf("encode an entry: %w", err)
	}
	return w.append(&ledger.Entry{Kind: kind, Time: w.now, Payload: payload})
}

// append folds an entry, and what the fold as it was sends, as its partition would have it.
func (w *written) append(e *ledger.Entry) error {
	for all := []*ledger.Entry{e}; len(all) > 0; all = all[1:] {
		next := all[0]
		next.Version = processors.EntryVersion
		if err := w.comparison.fold(0, w.offset, next); err != nil {
			return err
		}
		for i, s := range w.comparison.folds.parts[0].was.Out.Sends {
			s.Entry.Origin = &ledger.Origin{Offset: w.offset, Ordinal: uint32(i)}
			all = append(all, &s.Entry)
		}
		w.offset++
	}
	return nil
}
