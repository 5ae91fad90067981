// Package clv answers what a customer is worth: what he has brought, and what he is expected to bring.
//
// It refuses to count referrals into it: what others bring on his word is told beside, since it is their value already.
package clv

import (
	"math"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/output"
)

// Answer is a customer's value at a moment, in minor units.
type Value struct {
	Historic       int64
	Orders         int64
	ReferralValue  int64
	Predicted      int64 // within the prediction horizon
	PredictedKnown bool  // false without a standing order
	Expected       float64
	Percentile     float64 // -1: unknown
	Tier           customer.Tier
	Gone           bool // the account is closed
}

// Total is the historic and the predicted value.
func (a *Value) Total() int64 { return a.Historic + a.Predicted }

const (
	daysPerYear  = 365.25
	weeksPerYear = daysPerYear / customer.DaysPerWeek
)

// Score is the answer at a moment. What was said is needed for the tier, which does not flap at its edge.
func Score(t *customer.Terms, m customer.Moment, s *customer.State, last *customer.LastPublished) Value {
	a := Value{Historic: s.Historic(), Orders: s.Orders(), ReferralValue: s.ReferralValue(), Percentile: -1}
	summary, ok := s.Summary(t, m)
	if !ok {
		return a
	}
	a.PredictedKnown = true
	if a.Gone = s.Closed(m.Now); !a.Gone {
		horizon := float64(t.Settings.GetPredictionHorizonDays()) / customer.DaysPerWeek
		a.Expected = t.Purchases.Expected(summary, horizon)
		worth := a.Expected
		if rate := t.Settings.GetDiscountRateAnnual(); rate > 0 {
			worth = t.Purchases.Discounted(summary, horizon, lifetimes.DiscountRate(rate, weeksPerYear))
		}
		value := t.Settings.GetMargin() * worth * spend(t, s).ExpectedSpend(summary.X, summary.M)
		if a.Predicted, ok = t.Unit.Minor(value); !ok || a.Predicted > mostPredicted {
			a.Predicted = mostPredicted
		}
	}
	rank(t, &a, last)
	return a
}

// spend is the model of an order's value. A prior knows no currency's scale, so the customer's own average stands in for the
// base's: one of a single purchase day is expected to spend the same again.
func spend(t *customer.Terms, s *customer.State) lifetimes.GammaGamma {
	if t.Spend != (lifetimes.GammaGamma{}) {
		return t.Spend
	}
	if s.Net() <= 0 {
		return t.Spend // expects nothing
	}
	return lifetimes.PriorGammaGamma(t.Unit.Major(s.Net()) / float64(len(s.Days())))
}

// mostPredicted keeps sums over customers inside int64.
const mostPredicted = 1 << 52

// Material says that the answer differs enough from what was last last.
func Material(t *customer.Terms, a *Value, last *customer.LastPublished) bool {
	if !last.CLV {
		return a.Orders != 0 || a.Historic != 0 || a.ReferralValue != 0
	}
	if a.Historic != last.Historic || a.Orders != last.Orders || a.ReferralValue != last.ReferralValue || a.Tier != last.Tier ||
		a.PredictedKnown != last.PredictedKnown {
		return true
	}
	total, before := a.Total(), last.Historic+last.Predicted
	return total != before && math.Abs(float64(total-before)) >= float64(t.Settings.GetClvMaterial()*math.Abs(float64(before)))
}

// Remember notes that the answer is last.
func SetPublished(a *Value, last *customer.LastPublished) {
	last.CLV = true
	last.Historic, last.Orders, last.ReferralValue = a.Historic, a.Orders, a.ReferralValue
	last.PredictedKnown, last.Predicted, last.Tier = a.PredictedKnown, a.Predicted, a.Tier
}

// Describe fills in an output: everything but what is common to all and the previous.
func Describe(t *customer.Terms, m customer.Moment, a *Value, s *customer.State, e *output.CLVUpdated) {
	e.Model = t.Model
	e.Historic, e.Orders, e.ReferralValue = a.Historic, a.Orders, a.ReferralValue
	e.HorizonDays = int64(t.Settings.GetPredictionHorizonDays())
	e.ValueTier = output.Text(a.Tier.String())
	e.Percentile = output.Opt[float64]{Value: a.Percentile, Known: a.Percentile >= 0}
	e.Total = output.Some(a.Total())
	e.Predicted, e.PredictedOrders, e.AverageOrderValue = output.Opt[int64]{}, output.Opt[float64]{}, output.Opt[int64]{}
	e.AverageDaysBetweenOrders, e.Simple = output.Opt[float64]{}, output.Opt[int64]{}
	e.ExpectedDateOfNextOrder, e.DaysOverdue = output.Opt[int64]{}, output.Opt[float64]{}
	if !a.PredictedKnown {
		return
	}
	e.Predicted, e.PredictedOrders = output.Some(a.Predicted), output.Some(a.Expected)
	days := s.Days()
	first, last := days[0], days[len(days)-1]
	average, _ := t.Unit.Minor(t.Unit.Major(s.Net()) / float64(a.Orders))
	e.AverageOrderValue = output.Some(average)
	if repeats := len(days) - 1; repeats > 0 {
		e.AverageDaysBetweenOrders = output.Some((float64(last.Day) - float64(first.Day)) / float64(repeats))
	}
	// average order value x orders / years x lifespan, in which the orders cancel out
	if simple, ok := t.Unit.Minor(t.Unit.Major(s.Net()) / years(m, first.Day) * t.Settings.GetSimpleClvLifespanYears()); ok {
		e.Simple = output.Some(simple)
	}
	if next, ok := Next(t, s); ok && !a.Gone {
		e.ExpectedDateOfNextOrder = output.Some(next)
		e.DaysOverdue = output.Some(float64(max(0, m.Now-next)) / customer.DayMS)
	}
}

// years since the first order, at least one: whole days, in hundredths of a year, so that a date's anniversary is a whole
// number of years whether or not leap days lie between.
func years(m customer.Moment, first int32) float64 {
	days := math.Floor(float64(m.Local)/customer.DayMS) - float64(first)
	return max(1, math.RoundToEven(days/daysPerYear*100)/100)
}

// Next is the median time of the next order given that the customer was alive at the last one, to the second; silence does
// not move it. False when that lies beyond the prediction horizon, or without a standing order.
//
// Alive and with x repeats at age T, the chance of no order within t is ((alpha+T)/(alpha+T+t))^(r+x): half of it at
// t = (alpha+T)(2^(1/(r+x)) - 1).
func Next(t *customer.Terms, s *customer.State) (int64, bool) {
	last, ok := s.LastOrderAt()
	if !ok {
		return 0, false
	}
	days := s.Days()
	age := (float64(days[len(days)-1].Day) - float64(days[0].Day)) / customer.DaysPerWeek
	weeks := (t.Purchases.Alpha + age) * doublings(t.Purchases.R+float64(len(days)-1))
	wait := float64(weeks * customer.DaysPerWeek)
	if !(wait <= float64(t.Settings.GetPredictionHorizonDays())) {
		return 0, false
	}
	return last + int64(math.RoundToEven(float64(wait*86400)))*1000, true
}

// doublings is 2^(1/n) - 1 for n > 0, from the series of e^y - 1 and its doubling; the same on every machine, which the
// platform's own powers are not.
func doublings(n float64) float64 {
	y, halved := math.Ln2/n, 0
	if !(y < 64) {
		return math.Inf(1)
	}
	for ; y > .5; halved++ {
		y /= 2
	}
	term, sum := y, y
	for k := 2.0; term > 1e-18*sum; k++ {
		term = float64(term * y / k)
		sum += term
	}
	for ; halved > 0; halved-- {
		sum = float64(sum * (sum + 2))
	}
	return sum
}
