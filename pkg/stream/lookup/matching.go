package lookup

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/measure"
)

// Who joins a programme has mostly been a customer for long and buys much already, so members differ from others before the programme does
// anything. So the customers of a segment are compared with all others, and again only with those of the same tenure and value tier. What
// else decides who joins is not known here: the difference is no proof of an effect, and the raw one is less.

// stratum are the customers of whole years (of 365 days) since the first purchase day, and of a value tier.
type stratum struct {
	years int64
	tier  string
}

// compared sums customers.
type compared struct{ customers, revenue, repeat, lost int64 }

// matching sums the customers of a segment by stratum.
type matching struct{ strata map[stratum]compared }

func (m *matching) add(p *processors.Partition, a *processors.CustomerScores, c *customer.State) {
	if m.strata == nil {
		m.strata = map[stratum]compared{}
	}
	key := stratum{tier: a.CLV.ValueTier.Value}
	if today, known := p.Today(); known {
		key.years = max(0, int64(today)-int64(c.Days()[0].Day)) / year
	}
	sums := m.strata[key]
	sums.customers++
	sums.revenue += revenueOfYear(p, c)
	if a.CLV.Orders > 1 {
		sums.repeat++
	}
	if isLost(a) {
		sums.lost++
	}
	m.strata[key] = sums
}

// total sums one figure over all strata.
func (m *matching) total(of func(compared) int64) (sum, customers int64) {
	for _, k := range m.strata {
		sum, customers = sum+of(k), customers+k.customers
	}
	return sum, customers
}

// others sums one figure of all customers who are not in the segment.
func (s *Segment) others(of func(compared) int64) (sum, customers int64) {
	if s.base == nil {
		return 0, 0
	}
	own, n := s.matching.total(of)
	all, among := s.base.matching.total(of)
	return all - own, among - n
}

// beyondOthers returns by how much the customers of a segment exceed, in one figure, as many others of their stratum, and how many of them have any
// such others. The others of a stratum count as often as there are customers of the segment in it.
func (s *Segment) beyondOthers(of func(compared) int64) (sum float64, matched int64) {
	if s.base == nil {
		return 0, 0
	}
	keys := slices.SortedFunc(maps.Keys(s.strata), func(a, b stratum) int { // in one order, since floats are summed
		return cmp.Or(cmp.Compare(a.years, b.years), strings.Compare(a.tier, b.tier))
	})
	for _, key := range keys {
		own, all := s.strata[key], s.base.strata[key]
		n := all.customers - own.customers
		if n == 0 {
			continue
		}
		//mutant:matched-unweighted replace sum += float64(of(own)) - float64(of(all)-of(own))
		sum += float64(of(own)) - float64(float64(own.customers)*float64(of(all)-of(own))/float64(n))
		matched += own.customers
	}
	return sum, matched
}

func matchedMeasures() []measure.Measure[Segment] {
	customers := func(k compared) int64 { return k.customers }
	all := []measure.Measure[Segment]{
		{Name: "customers", Of: func(s *Segment) measure.Value { return measure.Number(s.Customers) }},
		{Name: "revenue_share", Of: func(s *Segment) measure.Value {
			whole := s.whole()
			return measure.Share(s.Historic, whole.Historic)
		}},
		{Name: "matched_share", Of: func(s *Segment) measure.Value {
			_, matched := s.beyondOthers(customers)
			if s.base == nil {
				return measure.Share(0, 0)
			}
			return measure.Share(matched, s.Customers)
		}},
	}
	money := func(sum float64, n int64) measure.Value { return measure.AmountPer(int64(math.Round(sum)), n) }
	share := func(sum float64, n int64) measure.Value {
		const fine = 1_000_000 // parts of a customer
		return measure.Share(int64(math.Round(sum*fine)), n*fine)
	}
	for _, figure := range []struct {
		names  [3]string
		better measure.Better
		of     func(compared) int64
		per    func(sum float64, customers int64) measure.Value
	}{
		{[3]string{"average_revenue_365", "average_revenue_365_of_others", "average_revenue_365_beyond_matched"}, measure.More, func(k compared) int64 { return k.revenue }, money},
		{[3]string{"repeat_share", "repeat_share_of_others", "repeat_share_beyond_matched"}, measure.More, func(k compared) int64 { return k.repeat }, share},
		{[3]string{"lost_share", "lost_share_of_others", "lost_share_beyond_matched"}, measure.Less, func(k compared) int64 { return k.lost }, share},
	} {
		exact := func(sum, n int64) measure.Value { return figure.per(float64(sum), n) }
		all = append(all,
			measure.Measure[Segment]{Name: figure.names[0], Better: figure.better, Of: func(s *Segment) measure.Value { return exact(s.matching.total(figure.of)) }},
			measure.Measure[Segment]{Name: figure.names[1], Of: func(s *Segment) measure.Value { return exact(s.others(figure.of)) }},
			measure.Measure[Segment]{Name: figure.names[2], Of: func(s *Segment) measure.Value { return figure.per(s.beyondOthers(figure.of)) }})
	}
	return append(all, fewMeasure())
}
