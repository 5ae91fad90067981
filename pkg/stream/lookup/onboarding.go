package lookup

import (
	"maps"
	"slices"
	"strings"

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
	daysToSecond           map[int64]int64                // customers with a second order, by the days from the first
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
		if o.daysToSecond == nil {
			o.daysToSecond = map[int64]int64{}
		}
		o.daysToSecond[after]++
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

// withSecond returns the number of customers with a second order, and the sum of the days from their first.
func (o *onboarding) withSecond() (customers, days int64) {
	for after, n := range o.daysToSecond {
		customers, days = customers+n, days+after*n
	}
	return customers, days
}

// medianDaysToSecond is the middle of the days, of an even number the mean of the two in the middle.
func (o *onboarding) medianDaysToSecond() measure.Value {
	customers, _ := o.withSecond()
	if customers == 0 {
		return measure.Ratio(0, 0, 1)
	}
	var counted, sum int64
	for _, after := range slices.Sorted(maps.Keys(o.daysToSecond)) {
		n := o.daysToSecond[after]
		for _, place := range [2]int64{(customers - 1) / 2, customers / 2} {
			if place >= counted && place < counted+n {
				sum += after
			}
		}
		counted += n
	}
	return measure.Ratio(sum, 2, 1)
}

// onboardingMeasures are the measures of how customers begin.
func onboardingMeasures() []measure.Measure[Segment] {
	all := []measure.Measure[Segment]{
		{Name: "customers", Of: func(s *Segment) measure.Value { return measure.Number(s.Customers) }},
		{Name: "days_from_first_visit", Better: measure.Less, Of: func(s *Segment) measure.Value { return measure.Ratio(s.daysFromVisit, s.visited, 1) }},
		{Name: "with_second_order", Of: func(s *Segment) measure.Value {
			customers, _ := s.withSecond()
			return measure.Number(customers)
		}},
		{Name: "median_days_to_second_order", Better: measure.Less, Of: func(s *Segment) measure.Value { return s.medianDaysToSecond() }},
		{Name: "average_days_to_second_order", Better: measure.Less, Of: func(s *Segment) measure.Value {
			customers, days := s.withSecond()
			return measure.Ratio(days, customers, 1)
		}},
	}
	for i, name := range [len(secondOrderWindows)]string{"second_order_30", "second_order_60", "second_order_90"} {
		all = append(all, measure.Measure[Segment]{Name: name, Better: measure.More, Of: func(s *Segment) measure.Value { return measure.Share(s.second[i], s.passed[i]) }})
	}
	return append(all, fewMeasure())
}

// referrals sums who was referred, and by whom customers came. Amounts are minor units.
type referrals struct {
	leads, pending, converted       int64 // people of whom a referral is known; those whose referral is neither approved nor voided; customers by one in force
	wordOfMouth                     int64 // customers by a referral in force, or who state that they heard of the shop from people
	referredHistoric, referredValue int64 // historic and total CLV of the converted
	referrers                       int64 // customers who have referred somebody
	referralValue                   int64 // what they are credited with
}

// addLead adds somebody of whom a referral is known, whether they have bought or not.
func (r *referrals) addLead(c *customer.State) {
	if known, pending := c.Lead(); known {
		r.leads++
		if pending {
			r.pending++
		}
	}
}

func (r *referrals) add(p *processors.Partition, a *processors.CustomerScores, c *customer.State) {
	r.addLead(c)
	if a.Referrer != "" {
		r.converted++
		r.referredHistoric += a.CLV.Historic
		r.referredValue += a.CLV.Historic + a.CLV.Predicted.Value
	}
	if a.Referrer != "" || slices.Contains(fromPeople(), strings.ToLower(p.Trait(c, heard))) {
		r.wordOfMouth++
	}
	if a.Promoter.Referred > 0 {
		r.referrers++
	}
	r.referralValue += a.CLV.ReferralValue
}

// fromPeople are the answers to how somebody has heard of the shop that count as word of mouth, in small letters.
func fromPeople() []string {
	return []string{"friend", "friends", "a friend", "family", "friends and family", "colleague", "word of mouth", "word_of_mouth", "recommendation", "referral"}
}

func referralMeasures() []measure.Measure[Segment] {
	return []measure.Measure[Segment]{
		{Name: "customers", Of: func(s *Segment) measure.Value { return measure.Number(s.Customers) }},
		{Name: "leads", Of: func(s *Segment) measure.Value { return measure.Number(s.leads) }},
		{Name: "pending_leads", Of: func(s *Segment) measure.Value { return measure.Number(s.pending) }},
		{Name: "converted", Of: func(s *Segment) measure.Value { return measure.Number(s.converted) }},
		{Name: "lead_conversion", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.Share(s.converted, s.leads) }},
		{Name: "referred_share", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.Share(s.converted, s.Customers) }},
		{Name: "word_of_mouth_share", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.Share(s.wordOfMouth, s.Customers) }},
		{Name: "referred_revenue", Of: func(s *Segment) measure.Value { return measure.Amount(s.referredHistoric) }},
		{Name: "average_clv_of_referred", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.AmountPer(s.referredValue, s.converted) }},
		{Name: "average_clv", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.AmountPer(s.Historic+s.Predicted, s.Customers) }},
		{Name: "referrers", Of: func(s *Segment) measure.Value { return measure.Number(s.referrers) }},
		{Name: "referring_share", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.Share(s.referrers, s.Customers) }},
		{Name: "referred_customers", Of: func(s *Segment) measure.Value { return measure.Number(s.Referred) }},
		{Name: "viral_factor", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.Ratio(s.Referred, s.Customers, 3) }},
		{Name: "referral_value", Of: func(s *Segment) measure.Value { return measure.Amount(s.referralValue) }},
		{Name: "referral_value_per_referrer", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.AmountPer(s.referralValue, s.referrers) }},
		fewMeasure(),
	}
}
