// Package shop owns a simulated shop whose ground truth is known: customers arrive, buy, receive refunds, answer surveys, refer
// friends and are lost, and the shop emits the events. Answers can be compared with the ground truth: which customers are still
// alive, how many orders are to be expected of them, and who referred them.
//
// It refuses all I/O, clocks and hidden randomness: a seed and a start define a shop, and the same configuration gives the
// same events, byte for byte, on the same processor architecture.
//
// Read in this order: Config and Shop here; population.go, the parameters of a customer; life.go, the simulation; emit.go and
// encode.go, the events; groundtruth.go, the record of it.
package shop

import (
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
)

// Config makes a shop. The zero value of a field stands for its default.
type Config struct {
	Seed       uint64
	Customers  int         // who buy at least once, referred or not; default 1000
	Days       int         // simulated; default 365. New customers come in the first three quarters
	Start      time.Time   // default 2025-01-01 UTC; whole seconds
	Currency   string      // ISO 4217 or IRT; default EUR
	Population *Population // default DefaultPopulation()
	Mix        *Mix        // default DefaultMix()
}

// Mix holds the frequencies of everything besides purchases, as shares from 0 to 1.
type Mix struct {
	Refund       float64 // of orders, refunded in part or in full, at once or in two parts
	Cancel       float64 // of orders, cancelled as a whole within a day
	SameDay      float64 // of orders, followed by another one on the same day (UTC)
	Survey       float64 // of orders, after which a survey is sent; customers differ in whether they answer
	Referral     float64 // of orders, after which a customer of average satisfaction refers a friend
	Subscription float64 // of customers, who also have a subscription, cancelled after they are lost
	Account      float64 // of lost customers, who close their account
	Duplicate    float64 // of events, emitted twice with the same bytes
	Late         float64 // of events, emitted an hour to five days after they happened
	Aliases      float64 // of events, in the field names of other specifications
	CloudEvents  float64 // of events, as CloudEvents, half in binary and half in structured mode
}

// DefaultMix returns the mix of an ordinary shop.
func DefaultMix() Mix {
	return Mix{
		Refund: .06, Cancel: .02, SameDay: .03, Survey: .5, Referral: .03, Subscription: .05, Account: .03,
		Duplicate: .004, Late: .01, Aliases: .15, CloudEvents: .1,
	}
}

// Event is a record that the shop emits.
type Event struct {
	At         time.Time // emitted; UTC, whole seconds, never before the event before it
	Kind       event.Kind
	Key, Value []byte // the key may be nil
	Headers    []Header
}

// Kinds returns the kinds of events that a shop emits.
func Kinds() []event.Kind {
	return []event.Kind{event.Purchase, event.Cancellation, event.Referral, event.Survey}
}

// Header is a record header.
type Header struct{ Key, Value string }

// Shop is a simulated shop. It is safe for concurrent use.
type Shop struct {
	cfg     Config
	mix     Mix
	pop     Population
	unit    money.Unit
	recount func() *GroundTruth
}

// New checks the configuration. Its errors name the field and the bound.
func New(cfg Config) (*Shop, error) {
	s := &Shop{cfg: cfg, mix: DefaultMix(), pop: DefaultPopulation()}
	if cfg.Mix != nil {
		s.mix = *cfg.Mix
	}
	if cfg.Population != nil {
		s.pop = *cfg.Population
	}
	if s.cfg.Customers == 0 {
		s.cfg.Customers = 1000
	}
	if s.cfg.Days == 0 {
		s.cfg.Days = 365
	}
	if s.cfg.Start.IsZero() {
		s.cfg.Start = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if s.cfg.Currency == "" {
		s.cfg.Currency = "EUR"
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	s.recount = sync.OnceValue(s.recordGroundTruth)
	return s, nil
}

func (s *Shop) check() error {
	if s.cfg.Customers < 0 {
		return errors.New("shop: Customers must be 1 or more")
	}
	if s.cfg.Days < 0 || s.cfg.Days > 36_500 {
		return errors.New("shop: Days must be 1 to 36500")
	}
	if y := s.cfg.Start.UTC().Year(); y < 1990 || y > 2200 {
		return errors.New("shop: Start must lie in 1990 to 2200")
	}
	currencies, err := money.NewTable(nil)
	if err != nil {
		return fmt.Errorf("shop: Currency: %w", err)
	}
	unit, ok := currencies.Lookup([]byte(s.cfg.Currency))
	if !ok {
		return errors.New("shop: Currency must be a code of ISO 4217, or IRT")
	}
	s.unit = unit
	m := s.mix
	for _, share := range []struct {
		name  string
		value float64
	}{
		{"Refund", m.Refund},
		{"Cancel", m.Cancel},
		{"Refund and Cancel", m.Refund + m.Cancel},
		{"SameDay", m.SameDay},
		{"Survey", m.Survey},
		{"Referral", m.Referral},
		{"Subscription", m.Subscription},
		{"Account", m.Account},
		{"Duplicate", m.Duplicate},
		{"Late", m.Late},
		{"Aliases", m.Aliases},
		{"CloudEvents", m.CloudEvents},
		{"Aliases and CloudEvents", m.Aliases + m.CloudEvents},
	} {
		if !(share.value >= 0 && share.value <= 1) {
			return fmt.Errorf("shop: Mix: %s must be 0 to 1", share.name)
		}
	}
	return s.pop.check()
}

// Events returns the shop's events in the order in which it emits them. It is lazy: only the customers still alive and their
// scheduled steps are in memory. Each use starts from the beginning.
func (s *Shop) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		newRun(s, yield, nil).play()
	}
}

// GroundTruth returns the record of all customers and orders. The first call runs the simulation once more, without events.
func (s *Shop) GroundTruth() *GroundTruth { return s.recount() }

func (s *Shop) recordGroundTruth() *GroundTruth {
	t := &GroundTruth{byID: map[string]int{}}
	newRun(s, nil, t).play()
	return t
}
