package whatif

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/money"
)

// Totals are the sums over the customers at the ledger's end, each valued as `customer get` would: the customers who are erased are in
// none of them.
type Totals struct {
	Customers      int64            `json:"customers"`
	Prospects      int64            `json:"prospects"`
	Revenue        json.Number      `json:"historic_revenue"`
	FutureValue    json.Number      `json:"future_value"`
	CustomerEquity json.Number      `json:"customer_equity"`
	HighRisk       int64            `json:"customers_at_high_risk"`
	Tiers          map[string]int64 `json:"customers_by_tier"` // none: without a tier
}

// Portfolio is what becomes of the totals.
type Portfolio struct {
	Before Totals     `json:"before"`
	After  Totals     `json:"after"`
	Moves  []TierMove `json:"tier_moves"`
}

// TierMove is how many customers would have another tier.
type TierMove struct {
	From      string `json:"from"`
	To        string `json:"to"`
	Customers int64  `json:"customers"`
}

const noTier = "none"

// Tiers returns the keys of Totals.Tiers.
func Tiers() []string { return []string{"top_10", "top_20", "rest", noTier} }

// sums are totals in minor units.
type sums struct{ revenue, future, equity int64 }

func (t *Totals) add(s *sums, a *processors.CustomerScores) (tier string) {
	s.revenue += a.CLV.Historic
	if a.CLV.Orders > 0 {
		t.Customers++
		s.future += a.CLV.Predicted.Value
		s.equity += a.CLV.Total.Value
	} else {
		t.Prospects++
	}
	if a.Churn.Risk == customer.High.String() {
		t.HighRisk++
	}
	tier = noTier
	if a.CLV.ValueTier.Known {
		tier = a.CLV.ValueTier.Value
	}
	t.Tiers[tier]++
	return tier
}

func (t *Totals) set(s sums, unit money.Unit) {
	amount := func(minor int64) json.Number { return json.Number(unit.Append(nil, minor)) }
	t.Revenue, t.FutureValue, t.CustomerEquity = amount(s.revenue), amount(s.future), amount(s.equity)
}

// portfolio sums both folds.
func (f *folds) portfolio() Portfolio {
	p := Portfolio{Before: Totals{Tiers: map[string]int64{}}, After: Totals{Tiers: map[string]int64{}}, Moves: []TierMove{}}
	var before, after sums
	moves := map[[2]string]int64{}
	for _, t := range f.parts {
		t.was.Customers.Each(func(id string, s *customer.State) {
			if s.MergedInto() != "" {
				return
			}
			a := processors.ScoreCustomer(t.was.State, id, s)
			from, to := p.Before.add(&before, &a), noTier
			if s, _ := t.would.Customers.Customer(id); s != nil && s.MergedInto() == "" { // it never fails
				b := processors.ScoreCustomer(t.would.State, id, s)
				to = p.After.add(&after, &b)
			}
			if from != to {
				moves[[2]string{from, to}]++
			}
		})
		t.would.Customers.Each(func(id string, s *customer.State) {
			if other, _ := t.was.Customers.Customer(id); other == nil && s.MergedInto() == "" { // a referrer of whom nothing else is known
				b := processors.ScoreCustomer(t.would.State, id, s)
				p.After.add(&after, &b)
			}
		})
		p.Before.set(before, t.was.State.Unit())
		p.After.set(after, t.was.State.Unit())
	}
	for _, m := range slices.SortedFunc(maps.Keys(moves), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	}) {
		p.Moves = append(p.Moves, TierMove{m[0], m[1], moves[m]})
	}
	return p
}
