package lookup

import (
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/measure"
)

// secondOrderWindows are the days after the first order within which a second one is counted.
var secondOrderWindows = [...]int64{30, 60, 90} //nolint:gochecknoglobals // a constant

// onboarding sums how customers begin. Days are civil days.
type onboarding struct {
	visited, daysFromVisit int64                          // customers who were engaged on a day before that of the first order, and the days in between
	passed, second         [len(secondOrderWindows)]int64 // customers for whom a window is over, and those of them who ordered a second time within it
	daysToSecond           counts                         // customers with a second order, by the days from the first
}

func (o *onboarding) add(p *processors.Partition, a *processors.CustomerScores, c *customer.State) {
	days := c.Days()
	first, after := int64(days[0].Day), int64(-1)
	switch {
	case days[0].Orders > 1:
		after = 0
	case len(days) > 1:
		after = int64(days[1].Day) - first
	}
	if after >= 0 {
		o.daysToSecond.add(after)
	}
	today, known := p.Today()
	for i, window := range secondOrderWindows {
		//mutant:open-windows-count if true || $
		if known && int64(today) > first+window {
			o.passed[i]++
			if after >= 0 && after <= window {
				o.second[i]++
			}
		}
	}
	if visit, known := firstVisit(p, a); known && visit < first {
		o.visited++
		o.daysFromVisit += first - visit
	}
}

// onboardingMeasures are the measures of how customers begin.
func onboardingMeasures() []measure.Measure[Segment] {
	all := []measure.Measure[Segment]{
		{Name: "customers", Of: func(s *Segment) measure.Value { return measure.Number(s.Customers) }},
		{Name: "days_from_first_visit", Better: measure.Less, Of: func(s *Segment) measure.Value { return measure.Ratio(s.daysFromVisit, s.visited, 1) }},
		{Name: "with_second_order", Of: func(s *Segment) measure.Value {
			customers, _ := s.daysToSecond.sum()
			return measure.Number(customers)
		}},
		{Name: "median_days_to_second_order", Better: measure.Less, Of: func(s *Segment) measure.Value { return s.daysToSecond.median() }},
		{Name: "average_days_to_second_order", Better: measure.Less, Of: func(s *Segment) measure.Value {
			customers, days := s.daysToSecond.sum()
			return measure.Ratio(days, customers, 1)
		}},
	}
	for i, name := range [len(secondOrderWindows)]string{"second_order_30", "second_order_60", "second_order_90"} {
		all = append(all, measure.Measure[Segment]{Name: name, Better: measure.More, Of: func(s *Segment) measure.Value { return measure.Share(s.second[i], s.passed[i]) }})
	}
	return append(all, fewMeasure())
}
