package clv

import (
	"sort"

	"github.com/mainstay/mainstay/processors/customer"
)

// rank sets the percentile and the tier by the total CLV. Both stay unknown without a standing order, for a customer who is gone, and while there are fewer
// customers than tiers_min_customers.
func rank(t *customer.Terms, a *Value, last *customer.LastPublished) {
	bounds := t.Thresholds
	if !t.HasTiers() || a.Orders == 0 || a.Gone || len(bounds.GetPercentiles()) < 2 && len(bounds.GetLevels()) == 0 {
		return
	}
	total := a.Total()
	if levels := bounds.GetLevels(); len(levels) > 0 {
		a.Percentile = level(levels, bounds.GetCustomers(), total)
	} else {
		a.Percentile = percentile(bounds.GetPercentiles(), total)
	}
	switch {
	case total >= bounds.GetTop_10():
		a.Tier = customer.Top10
	case total >= bounds.GetTop_20():
		a.Tier = customer.Top20
	default:
		a.Tier = customer.Rest
	}
	// A customer keeps a tier until the total CLV falls 2% below its bound, but loses it at once when a refund lowers the historic
	// CLV.
	if last.CLV && a.Historic >= last.Historic && a.Tier > last.Tier {
		switch {
		case last.Tier == customer.Top10 && total >= keepBound(bounds.GetTop_10()):
			a.Tier = customer.Top10
		case last.Tier == customer.Top20 && total >= keepBound(bounds.GetTop_20()):
			a.Tier = customer.Top20
		}
	}
}

// TierOf returns the tier and percentile of the CLV published last under the thresholds in force: the effect of a change of
// thresholds alone.
func TierOf(t *customer.Terms, last *customer.LastPublished) (customer.Tier, float64) {
	a := Value{Historic: last.Historic, Orders: last.Orders, Predicted: last.Predicted, Percentile: -1, Gone: last.Churn == customer.Churned}
	rank(t, &a, last)
	return a.Tier, a.Percentile
}

// keepBound returns the total CLV down to which a customer keeps a tier: 2% below its bound.
func keepBound(bound int64) int64 { return bound - bound/50 }

// level returns the percentile of a value, to a tenth of a point: that of the greatest value in levels at or below it. With fewer than
// 1,000 customers levels holds the value of each of them, and the percentile is that of the nearest: the value of a customer who has
// done nothing has fallen a little since, and not to that of the next.
func level(levels []int64, customers, v int64) float64 {
	n := sort.Search(len(levels), func(i int) bool { return levels[i] > v })
	if n == 0 {
		return 0
	}
	if next := n; customers < 1000 && next < len(levels) && levels[next]-v < v-levels[n-1] {
		for n++; n < len(levels) && levels[n] == levels[next]; n++ {
		}
	}
	return float64(n-1) / 10
}

// percentile returns the percentage of customers strictly below a value plus half of the ties. values are the quantiles of the
// customers' values at equal fractions, from the least to the greatest.
func percentile(values []int64, v int64) float64 {
	steps := len(values) - 1
	below := sort.Search(len(values), func(i int) bool { return values[i] >= v })
	above := sort.Search(len(values), func(i int) bool { return values[i] > v })
	var place float64
	switch {
	case below < above: // ties
		place = float64(below+above-1) / 2
	case below == 0:
		place = 0
	case below == len(values):
		place = float64(steps)
	default:
		low, high := values[below-1], values[below]
		place = float64(below-1) + float64(v-low)/float64(high-low)
	}
	return 100 * place / float64(steps)
}
