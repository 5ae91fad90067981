package lookup

import (
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/measure"
)

// Loyalty is shown as several figures side by side. To weigh them into one number was rejected: nobody could say what it measures.

// scale counts customers by a whole number from 0 on; who has more than the last counts as the last.
type scale []uint32

func (c scale) add(v int64) { c[min(v, int64(len(c)-1))]++ }

// quartile is the least number that at least so many quarters of the customers do not exceed; false: nobody is counted.
func (c scale) quartile(quarters int64) (v int64, known bool) {
	var n, upto int64
	for _, k := range c {
		n += int64(k)
	}
	for v, k := range c {
		//mutant:quartile-of-the-next if n > 0 && 4*upto > quarters*n
		if upto += int64(k); n > 0 && 4*upto >= quarters*n {
			return int64(v), true
		}
	}
	return 0, false
}

// spectrum counts customers by what is known of their loyalty.
type spectrum struct {
	probabilities [101]uint32 // of churn, in hundredths, rounded
	categories    [17]uint32  // in which they have bought; no more are remembered of a customer
	friends       [21]uint32  // customers whom they referred
	scores        [11]uint32
	bought        map[string]struct{} // categories; of all customers alone
}

func (u *spectrum) add(a *processors.CustomerScores, c *customer.State) {
	if v := a.Churn.Probability; v.Known {
		scale(u.probabilities[:]).add(int64(100*v.Value + .5))
	}
	if v := a.Promoter.Score; v.Known {
		scale(u.scores[:]).add(v.Value)
	}
	scale(u.friends[:]).add(a.Promoter.Referred)
	if n := len(c.Categories()); n > 0 {
		scale(u.categories[:]).add(int64(n))
	}
}

// addCategories notes in which categories anybody has bought: partitions number them differently.
func (u *spectrum) addCategories(p *processors.Partition, c *customer.State) {
	if u.bought == nil {
		u.bought = map[string]struct{}{}
	}
	for _, n := range c.Categories() {
		u.bought[p.Category(n)] = struct{}{}
	}
}

// whole is the segment of all customers.
func (s *Segment) whole() *Segment {
	if s.base == nil {
		return s
	}
	return s.base
}

// spectrumMeasures are the quartiles: the figure that a quarter, a half and three quarters of the customers do not exceed.
func spectrumMeasures() []measure.Measure[Segment] {
	all := []measure.Measure[Segment]{{Name: "customers", Of: func(s *Segment) measure.Value { return measure.Number(s.Customers) }}}
	for _, figure := range []struct {
		names  [3]string
		better measure.Better
		counts func(s *Segment) scale
		per    func(s *Segment, v int64) measure.Value
	}{
		{
			[3]string{"churn_probability_25", "churn_probability_50", "churn_probability_75"},
			measure.Less,
			func(s *Segment) scale { return s.probabilities[:] }, func(_ *Segment, v int64) measure.Value { return measure.Share(v, 100) },
		},
		{
			[3]string{"category_share_25", "category_share_50", "category_share_75"},
			measure.More,
			func(s *Segment) scale { return s.categories[:] }, func(s *Segment, v int64) measure.Value { return measure.Share(v, int64(len(s.whole().bought))) },
		},
		{
			[3]string{"referred_25", "referred_50", "referred_75"},
			measure.More,
			func(s *Segment) scale { return s.friends[:] }, func(_ *Segment, v int64) measure.Value { return measure.Ratio(v, 1, 0) },
		},
		{
			[3]string{"score_25", "score_50", "score_75"},
			measure.More,
			func(s *Segment) scale { return s.scores[:] }, func(_ *Segment, v int64) measure.Value { return measure.Ratio(v, 1, 0) },
		},
	} {
		unknown := figure.per(new(Segment), 0).Unknown()
		for i, name := range figure.names {
			all = append(all, measure.Measure[Segment]{Name: name, Better: figure.better, Of: func(s *Segment) measure.Value {
				v, known := figure.counts(s).quartile(int64(i + 1))
				if !known {
					return unknown
				}
				return figure.per(s, v)
			}})
		}
	}
	return append(all, fewMeasure())
}
