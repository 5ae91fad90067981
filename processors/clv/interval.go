package clv

import (
	"math"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/output"
)

// Level is the probability with which a future figure lies within its published interval.
const Level = 0.8

// intervals returns the intervals of the number of orders within the horizon and of their value, by the predictive distribution of
// the customer. A discount lowers the value of all orders by the same factor.
//
// They are computed for outputs only: no other answer depends on them, and they cost more than the rest of a score.
func intervals(t *customer.Terms, m customer.Moment, a *Value, s *customer.State) (orders, value output.Interval[int64]) {
	orders = output.Interval[int64]{Low: output.Some[int64](0), High: output.Some[int64](0)}
	input, ok := s.Customer(t, m)
	if !ok || a.Gone || !(a.Expected > 0) {
		return orders, orders
	}
	counts := a.spread(t, m, input, s)
	level := Level
	//mutant:interval-narrow insert level = 0.6
	low, high := counts.Interval(level)
	orders.Low, orders.High = output.Some(int64(low)), output.Some(int64(high))
	least, most := counts.SpendInterval(spend(t, s), input.X, input.M, t.SpendError, level)
	factor := t.Settings.GetMargin() * (a.orders / a.Expected)
	value.Low, value.High = output.Some(amount(t, float64(factor*least))), output.Some(amount(t, float64(factor*most)))
	return orders, value
}

// Spread sets what the sums over customers need of the value's distribution. It is for a value that Describe does not describe, and
// costs as much as the score.
func (a *Value) Spread(t *customer.Terms, m customer.Moment, s *customer.State) {
	if input, ok := s.Customer(t, m); ok && !a.Gone && a.Expected > 0 {
		a.spread(t, m, input, s)
	}
}

// spread sets the variances, and returns the distribution of the number of orders.
func (a *Value) spread(t *customer.Terms, m customer.Moment, input lifetimes.Customer, s *customer.State) *lifetimes.Counts {
	counts := t.Purchases.Counts(input, horizon(t, m), a.Expected, t.OrdersError)
	a.ordersVariance = thousandths(counts.Variance())
	factor := t.Settings.GetMargin() * (a.orders / a.Expected)
	a.deviation = amount(t, float64(factor*math.Sqrt(counts.SpendVariance(spend(t, s), input.X, input.M))))
	return counts
}

// thousandths rounds a number of orders, or its variance, so that sums over customers do not depend on their order.
func thousandths(v float64) int64 {
	const most = 1 << 40
	return int64(math.RoundToEven(math.Min(float64(v*1000), most)))
}

// amount returns a predicted amount in minor units.
func amount(t *customer.Terms, value float64) int64 {
	minor, ok := t.Unit.Minor(value)
	if !ok || minor > mostPredicted {
		minor = mostPredicted
	}
	return t.Unit.Round(minor)
}
