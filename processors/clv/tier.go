package clv

import (
	"sort"

	"github.com/mainstay/mainstay/processors/customer"
)

// rank places a customer among the base: percentile and tier by total value. Both stay unknown without a standing order,
// and while the base is smaller than tiers_min_customers.
func rank(t *customer.Terms, a *Value, last *customer.LastPublished) {
	bounds := t.Thresholds
	if bounds == nil || a.Orders == 0 || bounds.GetCustomers() < int64(t.Settings.GetTiersMinCustomers()) || len(bounds.GetPercentiles()) < 2 {
		return
	}
	total := a.Total()
	a.Percentile = percentile(bounds.GetPercentiles(), total)
	switch {
	case total >= bounds.GetTop_10():
		a.Tier = customer.Top10
	case total >= bounds.GetTop_20():
		a.Tier = customer.Top20
	default:
		a.Tier = customer.Rest
	}
	// A tier is kept until the value falls clearly below its bound; what a refund takes is taken at once.
	if last.CLV && a.Historic >= last.Historic && a.Tier > last.Tier {
		switch {
		case last.Tier == customer.Top10 && total >= edge(bounds.GetTop_10()):
			a.Tier = customer.Top10
		case last.Tier == customer.Top20 && total >= edge(bounds.GetTop_20()):
			a.Tier = customer.Top20
		}
	}
}

// Standing is tier and percentile of what was last said, under other thresholds: what a change of those alone does.
func TierOf(t *customer.Terms, last *customer.LastPublished) (customer.Tier, float64) {
	a := Value{Historic: last.Historic, Orders: last.Orders, Predicted: last.Predicted, Percentile: -1}
	rank(t, &a, last)
	return a.Tier, a.Percentile
}

// edge is 2% below a bound.
func edge(bound int64) int64 { return bound - bound/50 }

// percentile is the share of the base strictly below a value plus half of the ties, by the values that stand at equal
// shares of it, rising from the least to the greatest.
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
