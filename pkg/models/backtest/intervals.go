package backtest

import (
	"fmt"
	"math"
	"slices"

	"github.com/mainstay/mainstay/pkg/lifetimes"
)

// Intervals compares predicted 80% intervals of purchase days with the observed ones.
type Intervals struct {
	// Covered is the share of customers whose number was in their interval, and Least and Most the smallest and the greatest such share
	// of the tenths of customers by predicted number. Since numbers are whole, an interval can only contain 80% or more; a number at
	// a bound counts by the part of its probability that is within the 80% (a randomised probability integral transform), so that the
	// share of a right model is 80%.
	Covered float64 `json:"covered"`
	Least   float64 `json:"held_least_tenth"`
	Most    float64 `json:"held_most_tenth"`
	// Low and High are the interval of the sum over all customers, and Actual is the sum.
	Low    float64 `json:"sum_low"`
	High   float64 `json:"sum_high"`
	Actual float64 `json:"sum_actual"`
	// The same of what they spend, in units of the currency.
	SpendLow    float64 `json:"spend_low"`
	SpendHigh   float64 `json:"spend_high"`
	SpendActual float64 `json:"spend_actual"`
}

const (
	intervalLevel = 0.8
	// normalBound is the standard normal bound of the interval.
	normalBound = 1.2815515655446004
)

// intervals measures those of a candidate that the stream can run.
func (h *holdout) intervals(c candidate, spend spendFit) *Intervals {
	n := len(h.customers)
	expected, within, order := make([]float64, n), make([]float64, n), make([]int, n)
	e, sum, variance, value, valueVariance := c.ordersError(), 0.0, 0.0, 0.0, 0.0
	for i, customer := range h.customers {
		order[i], expected[i] = i, c.predictor.Expected(customer, h.horizon)
		counts := c.predictor.Counts(customer, h.horizon, expected[i], e)
		within[i] = partWithin(counts, int(h.actual[i]))
		sum += expected[i]
		variance += counts.Variance()
		value += expected[i] * spend.ExpectedSpend(customer.X, customer.M)
		valueVariance += counts.SpendVariance(spend.GammaGamma, customer.X, customer.M)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case expected[a] < expected[b]:
			return -1
		case expected[a] > expected[b]:
			return 1
		}
		return 0
	})
	r := &Intervals{Least: 1}
	for d := range 10 {
		share, of := 0.0, order[d*n/10:(d+1)*n/10]
		for _, i := range of {
			share += within[i]
		}
		r.Covered += share / float64(n)
		if share /= float64(len(of)); len(of) > 0 {
			r.Least, r.Most = math.Min(r.Least, share), math.Max(r.Most, share)
		}
	}
	r.Low, r.High = lifetimes.SumInterval(sum, variance, e, normalBound)
	r.SpendLow, r.SpendHigh = lifetimes.SumInterval(value, valueVariance, math.Hypot(e, spend.error), normalBound)
	for i, a := range h.actual {
		r.Actual += a
		r.SpendActual += h.spent[i]
	}
	return r
}

// partWithin returns the part of the probability of n that lies between the bounds of the distribution function.
func partWithin(c *lifetimes.Counts, n int) float64 {
	const least, most = (1 - intervalLevel) / 2, (1 + intervalLevel) / 2
	from, to := 1-c.AtLeast(n), 1-c.AtLeast(n+1)
	if !(to > from) {
		return 0
	}
	return math.Max(0, math.Min(to, most)-math.Max(from, least)) / (to - from)
}

// ordersError is the relative standard error of the sum of expected purchases.
func ordersError[M lifetimes.PurchaseModel](h *holdout, f *lifetimes.Fit[M]) float64 {
	const most = 1000
	step := (len(h.rows) + most - 1) / most
	return f.RelativeError(func(m M) float64 {
		sum := 0.0
		for i := 0; i < len(h.rows); i += step {
			sum += m.Expected(h.rows[i], h.horizon)
		}
		return sum
	})
}

// String is the note of a report.
func (r *Intervals) String() string {
	return fmt.Sprintf("Its 80%% intervals covered the purchase days of %.0f%% of the customers (of each tenth by predicted number: %.0f%% to %.0f%%). The interval of the sum was %s to %s, and the sum %s; that of their value %s to %s, and the value %s.",
		100*r.Covered, 100*r.Least, 100*r.Most, grouped(int(r.Low)), grouped(int(r.High)), grouped(int(r.Actual)),
		grouped(int(r.SpendLow)), grouped(int(r.SpendHigh)), grouped(int(r.SpendActual)))
}
