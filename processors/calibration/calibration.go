// Package calibration owns the comparison of forecasts with outcomes. For a sample of the customers it records the forecast
// probability of an order within the purchase horizon (a promise), and after the horizon whether there was an order.
//
// It refuses to publish or to change any score: its results are sums of integers for operators. The sample is one customer in
// eight, by the hash of the id. It includes silent customers, whom a timer wakes when the horizon has passed: a sample of those who
// order would be biased.
package calibration

import (
	"math"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// Tenths is the number of classes of promises, by probability.
const Tenths = 10

// oneOf is the number of customers of whom one is in the sample, a power of two. To wake every customer once per horizon would cost
// more than all events when years of history are folded in minutes.
const oneOf = 8

// Units of a promise.
const (
	probabilityUnit = 10_000
	ordersUnit      = 1000
)

// Totals are sums over the promises whose outcome is recorded. The zero value is ready.
type Totals struct {
	Promises    [Tenths]int64 // number of promises, by tenth of the promised probability
	Probability [Tenths]int64 // sum of the promised probabilities, ten thousandths
	Kept        [Tenths]int64 // number of promises with a purchase day within the horizon
	Predicted   int64         // sum of the expected purchase days, thousandths
	Observed    int64         // sum of the actual purchase days
}

// Observe records the outcome of a customer's promise whose horizon has passed, and makes a new promise. It is called whenever the
// customer is scored. Its results depend on the times of the calls, which are a function of the ledger.
func (t *Totals) Observe(terms *customer.Terms, m customer.Moment, id string, s *customer.State) {
	if ledger.Class(id, oneOf) != 0 {
		return
	}
	today := math.Floor(float64(m.Local) / customer.DayMS)
	if p := &s.Promise; p.Days > 0 && today > float64(p.Day)+float64(p.Days) {
		t.recordOutcome(p, s)
		*p = customer.Promise{}
	}
	input, ok := s.Customer(terms, m)
	if s.Promise.Days > 0 || !ok || s.Gone(terms, m.Now) || today < 0 || today > math.MaxUint16 {
		return
	}
	days := terms.Settings.GetPurchaseHorizonDays()
	weeks := terms.Weeks(m, float64(days))
	s.Promise = customer.Promise{
		Day: uint32(today), Days: days,
		Probability: uint32(math.RoundToEven(float64(terms.Purchases.PAtLeastOne(input, weeks) * probabilityUnit))),
		Orders:      uint32(math.RoundToEven(min(float64(terms.Purchases.Expected(input, weeks)*ordersUnit), mostOrders))),
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

// Add adds the sums of another partition.
func (t *Totals) Add(other *Totals) {
	for i := range Tenths {
		t.Promises[i] += other.Promises[i]
		t.Probability[i] += other.Probability[i]
		t.Kept[i] += other.Kept[i]
	}
	t.Predicted += other.Predicted
	t.Observed += other.Observed
}

// Promised returns the sum of the probabilities promised in a tenth: how many of its promises are expected to be kept.
func (t *Totals) Promised(tenth int) float64 { return float64(t.Probability[tenth]) / probabilityUnit }

// PredictedOrders returns the sum of the expected purchase days.
func (t *Totals) PredictedOrders() float64 { return float64(t.Predicted) / ordersUnit }

// Next returns the time (ms) at which the outcome of the customer's promise can be recorded; 0: there is no promise.
func Next(terms *customer.Terms, s *customer.State) int64 {
	if s.Promise.Days == 0 {
		return 0
	}
	return terms.Until((int64(s.Promise.Day) + int64(s.Promise.Days) + 1) * customer.DayMS)
}

// Encode returns the totals as the state of a partition holds them; nil if no outcome was ever recorded.
func (t *Totals) Encode() *state.Calibration {
	if *t == (Totals{}) {
		return nil
	}
	return &state.Calibration{
		Promises: t.Promises[:], Probability: t.Probability[:], Kept: t.Kept[:], PredictedOrders: t.Predicted, ObservedOrders: t.Observed,
	}
}

// Decode replaces the totals by those that Encode returned.
func (t *Totals) Decode(w *state.Calibration) {
	*t = Totals{Predicted: w.GetPredictedOrders(), Observed: w.GetObservedOrders()}
	copy(t.Promises[:], w.GetPromises())
	copy(t.Probability[:], w.GetProbability())
	copy(t.Kept[:], w.GetKept())
}
