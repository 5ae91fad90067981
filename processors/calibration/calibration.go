// Package calibration owns whether promises are kept: of some customers it notes the probability of an order within the
// purchase horizon, and when the horizon has passed, whether there was one.
//
// It refuses to say or to change anything: what it finds are sums of integers, for operators to look at. Customers are taken
// by hash, one in eight, whatever they do: whoever is silent must be settled too, and time must wake him for it.
package calibration

import (
	"math"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// Tenths are the classes of promises, by probability.
const Tenths = 10

// oneOf is a power of two. Waking every customer once a horizon would cost more than all events where years of history go
// by in minutes.
const oneOf = 8

// Units of a promise.
const (
	probabilityUnit = 10_000
	ordersUnit      = 1000
)

// Totals are the promises that are settled. The zero value is ready.
type Totals struct {
	Promises    [Tenths]int64
	Probability [Tenths]int64 // sums, ten thousandths
	Kept        [Tenths]int64
	Predicted   int64 // purchase days, thousandths
	Observed    int64 // purchase days
}

// Observe records the outcome of a promise whose horizon has passed, and makes a new promise. It is called whenever a customer is scored; what it notes depends
// on when that is, and that is a function of the ledger.
func (t *Totals) Observe(terms *customer.Terms, m customer.Moment, id string, s *customer.State) {
	if ledger.Class(id, oneOf) != 0 {
		return
	}
	today := math.Floor(float64(m.Local) / customer.DayMS)
	if p := &s.Promise; p.Days > 0 && today > float64(p.Day)+float64(p.Days) {
		t.recordOutcome(p, s)
		*p = customer.Promise{}
	}
	summary, ok := s.Summary(terms, m)
	if s.Promise.Days > 0 || !ok || s.Closed(m.Now) || today < 0 || today > math.MaxUint16 {
		return
	}
	days := terms.Settings.GetPurchaseHorizonDays()
	weeks := float64(days) / customer.DaysPerWeek
	s.Promise = customer.Promise{
		Day: uint32(today), Days: days,
		Probability: uint32(math.RoundToEven(float64(terms.Purchases.PAtLeastOne(summary, weeks) * probabilityUnit))),
		Orders:      uint32(math.RoundToEven(min(float64(terms.Purchases.Expected(summary, weeks)*ordersUnit), mostOrders))),
	}
}

const mostOrders = 1 << 30

func (t *Totals) recordOutcome(p *customer.Promise, s *customer.State) {
	history := s.Days()
	n := int64(len(history.Until(int32(p.Day+p.Days))) - len(history.Until(int32(p.Day)))) //nolint:gosec // days of this age
	tenth := min(p.Probability*Tenths/probabilityUnit, Tenths-1)
	t.Promises[tenth]++
	t.Probability[tenth] += int64(p.Probability)
	if n > 0 {
		t.Kept[tenth]++
	}
	t.Predicted += int64(p.Orders)
	t.Observed += n
}

// Next is when the customer's promise can be settled, ms; 0: nothing is promised.
func Next(terms *customer.Terms, s *customer.State) int64 {
	if s.Promise.Days == 0 {
		return 0
	}
	return terms.Until((int64(s.Promise.Day) + int64(s.Promise.Days) + 1) * customer.DayMS)
}

// Encode is the form in which a partition keeps them; nil when nothing was ever settled.
func (t *Totals) Encode() *state.Calibration {
	if *t == (Totals{}) {
		return nil
	}
	return &state.Calibration{
		Promises: t.Promises[:], Probability: t.Probability[:], Kept: t.Kept[:], PredictedOrders: t.Predicted, ObservedOrders: t.Observed,
	}
}

// Decode takes over what Encode gave.
func (t *Totals) Decode(w *state.Calibration) {
	*t = Totals{Predicted: w.GetPredictedOrders(), Observed: w.GetObservedOrders()}
	copy(t.Promises[:], w.GetPromises())
	copy(t.Probability[:], w.GetProbability())
	copy(t.Kept[:], w.GetKept())
}
