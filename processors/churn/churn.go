// Package churn owns churn risk: the probability that a customer will never order again, its class, when to publish it, and the
// time at which silence alone changes it.
//
// It refuses to know why a customer is scored: an event, a timer and new parameters give the same risk.
package churn

import (
	"math"
	"strconv"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Risk is a customer's churn risk at a moment.
type Risk struct {
	Class       customer.Class
	Probability float64 // 1 - P(alive); NaN when unknown
	Horizon     float64 // probability of an order within the purchase horizon; NaN when unknown
	LastAt      int64   // time of the last standing order, ms; 0: none
	Graced      bool    // the class is low only because of a recent order

	input lifetimes.Customer // the models' input
}

// tolerance makes a probability that rounding left just below a limit reach it at the time computed in closed form. It is far above
// rounding errors and far below the decimals of any output.
const tolerance = 1e-9

// unit is the unit of a published probability: ten thousandths.
const unit = 10_000

// Score returns a customer's churn risk at a moment.
func Score(t *customer.Terms, m customer.Moment, s *customer.State) Risk {
	a := Risk{Class: customer.None, Probability: math.NaN(), Horizon: math.NaN()}
	a.LastAt, _ = s.LastOrderAt()
	input, ok := s.Customer(t, m)
	switch {
	case s.Gone(t, m.Now):
		a.Class = customer.Churned
		return a
	case !ok:
		return a
	}
	a.input = input
	a.Probability = 1 - t.Purchases.PAlive(input.Summary)
	switch graced := m.Now < graceEnd(t, a.LastAt); {
	case a.Probability < t.Settings.GetChurnMedium()-tolerance:
		a.Class = customer.Low
	case graced:
		a.Class, a.Graced = customer.Low, true
	case a.Probability < t.Settings.GetChurnHigh()-tolerance:
		a.Class = customer.Medium
	default:
		a.Class = customer.High
	}
	//mutant:notice-ignored if false && $
	if s.SubscriptionCancelled() && t.Settings.GetChurnSubscriptionEnd() != ledger.SubscriptionEnd_SUBSCRIPTION_END_IGNORE {
		a.Class, a.Graced = customer.High, false
	}
	return a
}

// graceEnd returns the time (ms) up to which the last order alone keeps the class low.
func graceEnd(t *customer.Terms, lastAt int64) int64 {
	return lastAt + int64(t.Settings.GetChurnGraceDays())*customer.DayMS
}

// Rounded returns the probability as it is published, in ten thousandths; -1: unknown.
func (a *Risk) Rounded() int32 {
	if math.IsNaN(a.Probability) {
		return -1
	}
	return int32(math.RoundToEven(a.Probability * unit))
}

// Known reports whether the probability is known.
func (a *Risk) Known() bool { return !math.IsNaN(a.Probability) }

// Material reports whether the risk differs enough from the one published last to be published. The first risk is not published for
// a customer without a standing order, unless the account is closed.
func Material(t *customer.Terms, a *Risk, last *customer.LastPublished) bool {
	if last.Churn == customer.ClassNotPublished {
		return a.Class != customer.None
	}
	if a.Class != last.Churn {
		return true
	}
	return a.Known() && last.Probability >= 0 &&
		math.Abs(a.Probability-float64(last.Probability)/unit) >= t.Settings.GetChurnMaterial()-tolerance
}

// SetPublished records that the risk is published.
func SetPublished(a *Risk, last *customer.LastPublished) {
	last.Churn, last.Probability = a.Class, a.Rounded()
}

// Next returns the first time (ms) after now at which silence changes the risk enough to be published: when the probability reaches
// the limit of the next class, or has moved far enough from the one published last, or when the account closes; 0: never. It is
// computed in closed form and rounded up to the ms.
func Next(t *customer.Terms, m customer.Moment, a *Risk, s *customer.State, last *customer.LastPublished) int64 {
	closes := int64(0)
	if s.AccountClosedAt > m.Now && a.LastAt <= s.AccountClosedAt {
		closes = s.AccountClosedAt
	}
	if s.SubscriptionEndedAt > m.Now && s.Gone(t, s.SubscriptionEndedAt) {
		closes = earlier(closes, s.SubscriptionEndedAt)
	}
	if !a.Known() {
		return closes
	}
	limit := 1.0
	switch a.Class {
	case customer.Low:
		limit = t.Settings.GetChurnMedium()
	case customer.Medium:
		limit = t.Settings.GetChurnHigh()
	default: // nothing is above high
	}
	// The lower of the two probabilities is reached first. The other deadline is computed only where the grace period delays the
	// class: it costs as much as all other scores.
	moved := math.Inf(1)
	if last.Probability >= 0 {
		moved = MovedTo(t, last)
	}
	if moved <= limit {
		return earlier(reaches(t, m, a, s, moved), closes)
	}
	next, delayed := reaches(t, m, a, s, limit), false
	if grace := graceEnd(t, a.LastAt); a.Class == customer.Low && next != 0 && next < grace {
		next, delayed = grace, true
	}
	if delayed || next == 0 {
		next = earlier(next, reaches(t, m, a, s, moved))
	}
	return earlier(next, closes)
}

// MovedTo returns the probability at which silence makes the risk material, whatever the class.
func MovedTo(t *customer.Terms, last *customer.LastPublished) float64 {
	return float64(last.Probability)/unit + t.Settings.GetChurnMaterial()
}

func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// latest is the latest time that is returned: the end of the year 9999.
const latest = 253_402_300_799_999

// reaches returns the time (ms) after now at which the probability reaches p in silence; 0: never.
func reaches(t *customer.Terms, m customer.Moment, a *Risk, s *customer.State, p float64) int64 {
	local, ok := localOf(t, a, s, p)
	if !ok {
		return 0
	}
	if local <= float64(m.Local) {
		return m.Now + 1 // rounding left the probability just below p
	}
	return max(t.Until(int64(local)), m.Now+1)
}

// localOf returns the time, past or future, at which the probability reaches p in silence, on the clock of the ledger's time zone.
func localOf(t *customer.Terms, a *Risk, s *customer.State, p float64) (float64, bool) {
	if p >= 1 {
		return 0, false
	}
	weeks, ok := t.Purchases.AliveUntil(a.input.Summary, 1-p)
	if !ok {
		return 0, false
	}
	first, _ := s.Days().First()
	//mutant:deadline-late insert weeks *= 1.0001
	local := t.LocalAt(first, weeks)
	return local, local < latest
}

// Crosses returns the time, past or future, from which silence keeps the probability at or above p after the grace period, in
// closed form; false: never.
func Crosses(t *customer.Terms, a *Risk, s *customer.State, p float64) (int64, bool) {
	if !a.Known() {
		return 0, false
	}
	local, ok := localOf(t, a, s, p)
	if !ok {
		return 0, false
	}
	return afterGrace(t, a, local), true
}

// afterGrace returns the later of a time on the clock of the ledger's time zone and the end of the grace period.
func afterGrace(t *customer.Terms, a *Risk, local float64) int64 {
	end := graceEnd(t, a.LastAt)
	if local <= float64(t.Local(end)) {
		return end
	}
	return max(t.Until(int64(local)), end)
}

// Graced reports whether the last order is so recent that the class is low whatever the probability.
func Graced(t *customer.Terms, m customer.Moment, a *Risk) bool {
	return m.Now < graceEnd(t, a.LastAt)
}

// AtOnce returns the probability directly after the last order. Silence has added the rest.
func AtOnce(t *customer.Terms, a *Risk) float64 {
	s := a.input.Summary
	s.T = s.Tx
	return 1 - t.Purchases.PAlive(s)
}

// Describe sets all fields of an output except About and Previous.
func Describe(t *customer.Terms, m customer.Moment, a *Risk, s *customer.State, last *customer.LastPublished, e *output.ChurnRiskUpdated) {
	e.Model = t.Model
	e.Risk = a.Class.String()
	e.HorizonDays = int64(t.Settings.GetPurchaseHorizonDays())
	e.Probability, e.PurchaseInHorizon = output.Opt[float64]{}, output.Opt[float64]{}
	e.DaysSinceLastOrder, e.LastOrderAt, e.NextCheckAt = output.Opt[float64]{}, output.Opt[int64]{}, output.Opt[int64]{}
	if a.Known() {
		e.Probability = output.Some(a.Probability)
		e.PurchaseInHorizon = output.Some(t.Purchases.PAtLeastOne(a.input, t.Weeks(m, float64(t.Settings.GetPurchaseHorizonDays()))))
	}
	if a.LastAt != 0 {
		e.LastOrderAt = output.Some(a.LastAt)
		e.DaysSinceLastOrder = output.Some(silence(m, a))
	}
	if next := Next(t, m, a, s, last); next != 0 {
		e.NextCheckAt = output.Some(next)
	}
	e.Reasons.Reset()
	describeReasons(t, m, a, s, &e.Reasons)
}

func silence(m customer.Moment, a *Risk) float64 {
	return float64(max(0, m.Now-a.LastAt)) / customer.DayMS
}

// describeReasons adds why the risk is what it is; equal risks have equal reasons.
func describeReasons(t *customer.Terms, m customer.Moment, a *Risk, s *customer.State, r *output.Reasons) {
	switch {
	case a.Class == customer.Churned && s.Closed(m.Now):
		r.End(AppendEnding(r.Text(), "account closed on ", s.AccountClosedAt, s.AccountCloseReason))
		return
	case a.Class == customer.Churned:
		r.End(AppendEnding(r.Text(), "subscription ended on ", s.SubscriptionEndedAt, s.SubscriptionEndReason))
		return
	case !a.Known():
		r.Add("no standing order")
		return
	}
	r.End(append(appendDays(r.Text(), silence(m, a)), " since the last order"...))
	if n := s.Days(); len(n) > 1 {
		span := float64(n[len(n)-1].Day) - float64(n[0].Day)
		r.End(appendDays(append(r.Text(), "orders every "...), span/float64(len(n)-1)))
	} else {
		r.Add("ordered on one day only")
	}
	if a.Graced {
		text := strconv.AppendInt(append(r.Text(), "within "...), int64(t.Settings.GetChurnGraceDays()), 10)
		r.End(append(text, " days of an order"...))
	}
	switch {
	case s.SubscriptionEndedAt == 0:
	case s.SubscriptionEndedAt <= m.Now:
		r.End(AppendEnding(r.Text(), "subscription ended on ", s.SubscriptionEndedAt, s.SubscriptionEndReason))
	default:
		r.End(AppendEnding(r.Text(), "subscription ends on ", s.SubscriptionEndedAt, s.SubscriptionEndReason))
	}
}

// AppendEnding appends the end of a subscription or an account: its day, and the code of its reason where there is one.
func AppendEnding(text []byte, kind string, at int64, reason string) []byte {
	text = timestamp.AppendDay(append(text, kind...), at)
	if reason == "" {
		return text
	}
	return append(append(append(text, " ("...), reason...), ')')
}

func appendDays(text []byte, n float64) []byte {
	return append(strconv.AppendFloat(text, n, 'f', 1, 64), " days"...)
}
