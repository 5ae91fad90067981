// Package clv owns customer lifetime value: the historic CLV of a customer and the predicted one, when to publish them, and the
// value tier.
//
// It refuses to add referrals: revenue of referred customers is part of their own CLV, so it is published as a separate figure.
package clv

import (
	"math"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/output"
)

// Value is a customer's value at a moment. Amounts are minor units.
type Value struct {
	Historic       int64         // historic CLV: realised net revenue
	Orders         int64         // number of standing orders
	ReferralValue  int64         // sum of the credits for referred customers
	Predicted      int64         // predicted CLV, within the prediction horizon
	PredictedKnown bool          // false without a standing order
	Expected       float64       // number of orders expected within the prediction horizon
	Percentile     float64       // of the total CLV among all customers; -1: unknown
	Tier           customer.Tier // by the total CLV
	Gone           bool          // the account is closed, or a subscription has ended

	orders float64 // Expected, discounted where the settings say so
	exact  float64 // Predicted before it is rounded

	ordersVariance, deviation int64 // as in customer.LastPublished; Spread and Describe set them
}

// Total returns the total CLV: historic plus predicted.
func (a *Value) Total() int64 { return a.Historic + a.Predicted }

const (
	daysPerYear  = 365.25
	weeksPerYear = daysPerYear / customer.DaysPerWeek
)

// Score returns a customer's value at a moment. The tier depends on the tier published last, so that it does not flap at a bound.
func Score(t *customer.Terms, m customer.Moment, s *customer.State, last *customer.LastPublished) Value {
	a := Value{Historic: s.Historic(), Orders: s.Orders(), ReferralValue: s.ReferralValue(), Percentile: -1}
	input, ok := s.Customer(t, m)
	if !ok {
		return a
	}
	a.PredictedKnown = true
	if a.Gone = s.Gone(t, m.Now); !a.Gone {
		a.Expected = t.Purchases.Expected(input, horizon(t, m))
		a.orders = a.Expected
		if rate := discount(t, m); rate > 0 {
			a.orders = t.Purchases.Discounted(input, horizon(t, m), rate)
		}
		value := t.Settings.GetMargin() * a.orders * spend(t, s).ExpectedSpend(input.X, input.M)
		a.exact = value / t.Unit.Major(1)
		a.Predicted = amount(t, value)
	}
	rank(t, &a, last)
	return a
}

// horizon returns the prediction horizon from a moment on, in weeks of the models' time.
func horizon(t *customer.Terms, m customer.Moment) float64 {
	return t.Weeks(m, float64(t.Settings.GetPredictionHorizonDays()))
}

// discount returns the rate at which the value of an order falls with each week of the models' time that it is ahead; 0: it does not. A
// discount is of civil time: with a season, that of the whole horizon is exact, and within it the season is averaged.
func discount(t *customer.Terms, m customer.Moment) float64 {
	rate := t.Settings.GetDiscountRateAnnual()
	if !(rate > 0) {
		return 0
	}
	perWeek := lifetimes.DiscountRate(rate, weeksPerYear)
	if t.Season != nil {
		perWeek *= float64(t.Settings.GetPredictionHorizonDays()) / customer.DaysPerWeek / horizon(t, m)
	}
	return perWeek
}

// Expect returns what the model expects of a customer within some civil days from a moment on: purchase days, and their worth in minor units.
// Neither is discounted, nor multiplied by the margin.
func Expect(t *customer.Terms, m customer.Moment, s *customer.State, days int) (purchaseDays, revenue float64) {
	input, ok := s.Customer(t, m)
	if !ok || s.Gone(t, m.Now) {
		return 0, 0
	}
	purchaseDays = t.Purchases.Expected(input, t.Weeks(m, float64(days)))
	return purchaseDays, purchaseDays * spend(t, s).ExpectedSpend(input.X, input.M) / t.Unit.Major(1)
}

// spend returns the model of spend per purchase day. The prior has no scale, since it does not depend on the currency; it is scaled
// by the customer's own average, so a customer with one purchase day is expected to spend the same again.
func spend(t *customer.Terms, s *customer.State) lifetimes.GammaGamma {
	if t.Spend != (lifetimes.GammaGamma{}) {
		return t.Spend
	}
	if s.Net() <= 0 {
		return t.Spend // the zero model, which expects a spend of 0
	}
	return lifetimes.PriorGammaGamma(t.Unit.Major(s.Net()) / float64(len(s.Days())))
}

// mostPredicted bounds a predicted CLV, so that sums over customers do not overflow int64.
const mostPredicted = 1 << 52

// Material reports whether the value differs enough from the one published last to be published.
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

// SetPublished records that the value is published on a civil day. Describe or Spread must have been called before.
func SetPublished(a *Value, day int32, last *customer.LastPublished) {
	last.BeforeCLV = customer.CLVBefore{
		Day: day, Historic: last.Historic, Predicted: last.Predicted, ReferralValue: last.ReferralValue, Orders: last.Orders, Tier: last.Tier,
	}
	last.CLV = true
	last.Historic, last.Orders, last.ReferralValue = a.Historic, a.Orders, a.ReferralValue
	last.PredictedKnown, last.Predicted, last.Tier = a.PredictedKnown, a.Predicted, a.Tier
	last.ExpectedOrders, last.OrdersVariance, last.PredictedDeviation = thousandths(a.Expected), a.ordersVariance, a.deviation
}

// Describe sets all fields of an output except About and Previous; last is what was published before.
func Describe(t *customer.Terms, m customer.Moment, a *Value, s *customer.State, last *customer.LastPublished, e *output.CLVUpdated) {
	e.Model = t.Model
	e.Historic, e.Orders, e.ReferralValue = a.Historic, a.Orders, a.ReferralValue
	e.HorizonDays = int64(t.Settings.GetPredictionHorizonDays())
	e.ValueTier = output.Text(a.Tier.String())
	e.Percentile = output.Opt[float64]{Value: a.Percentile, Known: a.Percentile >= 0}
	e.Total = output.Some(a.Total())
	e.Reasons.Reset()
	describeMoves(t, a, last, &e.Reasons)
	e.Predicted, e.PredictedOrders, e.AverageOrderValue = output.Opt[int64]{}, output.Opt[float64]{}, output.Opt[int64]{}
	e.PredictedInterval, e.PredictedOrdersInterval = output.Interval[int64]{}, output.Interval[int64]{}
	e.AverageDaysBetweenOrders, e.Simple = output.Opt[float64]{}, output.Opt[int64]{}
	e.ExpectedDateOfNextOrder, e.DaysOverdue = output.Opt[int64]{}, output.Opt[float64]{}
	if !a.PredictedKnown {
		return
	}
	e.Predicted, e.PredictedOrders = output.Some(a.Predicted), output.Some(a.Expected)
	e.PredictedOrdersInterval, e.PredictedInterval = intervals(t, m, a, s)
	days := s.Days()
	first, newest := days[0], days[len(days)-1]
	average, _ := t.Unit.Minor(t.Unit.Major(s.Net()) / float64(a.Orders))
	e.AverageOrderValue = output.Some(t.Unit.Round(average))
	if repeats := len(days) - 1; repeats > 0 {
		e.AverageDaysBetweenOrders = output.Some((float64(newest.Day) - float64(first.Day)) / float64(repeats))
	}
	// average order value x orders / years x lifespan, in which the orders cancel out
	if simple, ok := t.Unit.Minor(t.Unit.Major(s.Net()) / years(m, first.Day) * t.Settings.GetSimpleClvLifespanYears()); ok {
		e.Simple = output.Some(t.Unit.Round(simple))
	}
	if next, ok := Next(t, s); ok && !a.Gone {
		e.ExpectedDateOfNextOrder = output.Some(next)
		e.DaysOverdue = output.Some(float64(max(0, m.Now-next)) / customer.DayMS)
	}
}

// years returns the years since the first order, at least 1: whole days, rounded to hundredths of a year, so that an anniversary is
// a whole number of years whether or not there are leap days in between.
func years(m customer.Moment, first int32) float64 {
	days := math.Floor(float64(m.Local)/customer.DayMS) - float64(first)
	return max(1, math.RoundToEven(days/daysPerYear*100)/100)
}

// longest bounds a wait (days) that is converted: more than any prediction horizon.
const longest = 1e6

// Next returns the median time of the next order, given that the customer was alive at the last one, to the second; silence does
// not move it. It returns false if that time is beyond the prediction horizon, and without a standing order.
func Next(t *customer.Terms, s *customer.State) (int64, bool) {
	last, ok := s.LastOrderAt()
	if !ok {
		return 0, false
	}
	days := s.Days()
	bought := t.Silence(len(days)-1, days[0].Day, days[len(days)-1].Day, 0)
	wait := float64(t.Purchases.MedianWait(bought) * customer.DaysPerWeek)
	if newest := days[len(days)-1].Day; t.Season != nil && wait <= longest {
		wait = max(0, t.Season.Civil(float64(newest)+t.Season.Bought(newest)+wait)-float64(newest))
	}
	if !(wait <= float64(t.Settings.GetPredictionHorizonDays())) {
		return 0, false
	}
	return last + int64(math.RoundToEven(float64(wait*86400)))*1000, true
}
