// Package shop owns a simulated shop whose truth is known: customers arrive, buy, are refunded, answer surveys, bring
// friends and one day are gone, and the shop emits what shops emit. It exists so that answers can be measured against
// what really happened (who was alive, how much was to be expected of whom, who brought whom).
//
// It refuses all I/O, clocks and hidden randomness: a seed and a start make a shop, and the same configuration gives the
// same events, byte for byte, on the same processor architecture.
//
// The story is read in this order: Config and Shop here; population.go, what a customer is like; life.go, what it
// does; emit.go, how the shop tells it; truth.go, what really was.
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
	Customers  int         // who ever buy, brought by friends or not; default 1000
	Days       int         // simulated; default 365. New customers come in the first three quarters
	Start      time.Time   // default 2025-01-01 UTC; whole seconds
	Currency   string      // ISO 4217 or IRT; default EUR
	Population *Population // default DefaultPopulation()
	Mix        *Mix        // default DefaultMix()
}

// Mix says how often things besides purchases happen. All are shares from 0 to 1.
type Mix struct {
	Refund       float64 // of orders, refunded in part or in full, at once or in two parts
	Cancel       float64 // of orders, cancelled as a whole within a day
	SameDay      float64 // of orders, followed by another one on the same day (UTC)
	Survey       float64 // of orders, after which a survey is sent; who answers is up to the customer
	Referral     float64 // of orders, after which a customer of middling satisfaction tells a friend
	Subscription float64 // of customers, who also have a subscription, cancelled once they are gone
	Account      float64 // of customers who are gone, who cancel their account
	Duplicate    float64 // of events, emitted twice with the same bytes
	Late         float64 // of events, emitted an hour to five days after they happened
	Aliases      float64 // of events, in the field names of other specifications
	CloudEvents  float64 // of events, as CloudEvents, half in binary and half in structured mode
}

// DefaultMix is an ordinary shop.
func DefaultMix() Mix {
	return Mix{
		Refund: .06, Cancel: .02, SameDay: .03, Survey: .5, Referral: .03, Subscription: .05, Account: .03,
		Duplicate: .004, Late: .01, Aliases: .15, CloudEvents: .1,
	}
}

// Event is a record as the shop emits it.
type Event struct {
	At         time.Time // emitted; UTC, whole seconds, never before the event before it
	Kind       event.Kind
	Key, Value []byte // a key is the shop's own choice and may be nil
	Headers    []Header
}

// Header is a record header.
type Header struct{ Key, Value string }

// Shop is a simulated shop. It is safe for concurrent use.
type Shop struct {
	cfg     Config
	mix     Mix
	pop     Population
	unit    money.Unit
	recount func() *Truth
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
	s.recount = sync.OnceValue(s.live)
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
	currencies, err := money.NewTable(map[string]money.Alias{"IRT": {As: "IRR", Times: 10}})
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
		name string
		is   float64
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
		if !(share.is >= 0 && share.is <= 1) {
			return fmt.Errorf("shop: Mix: %s must be 0 to 1", share.name)
		}
	}
	return s.pop.check()
}

// Events is the life of the shop in the order in which it emits. It is lazy: only the customers still alive, and what
// is still to come of them, are held in memory. Each use starts from the beginning.
func (s *Shop) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		newRun(s, yield, nil).play()
	}
}

// Truth is what really was. It lives the shop once more, in silence, the first time that it is asked for, and holds
// every customer and order.
func (s *Shop) Truth() *Truth { return s.recount() }

func (s *Shop) live() *Truth {
	t := &Truth{byID: map[string]int{}}
	newRun(s, nil, t).play()
	return t
}
