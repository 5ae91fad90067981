package lookup

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/processors/segment"
	"github.com/mainstay/mainstay/processors/trait"
)

// referrals sums who was referred, and by whom customers came. Amounts are minor units.
type referrals struct {
	leads, pending, converted       int64 // people of whom a referral is known; those whose referral is neither approved nor voided; customers by one in force
	wordOfMouth                     int64 // customers by a referral in force, or who state that they heard of the shop from people
	referredHistoric, referredValue int64 // historic and total CLV of the converted
	referrers                       int64 // customers who have referred somebody
	referralValue                   int64 // what they are credited with

	// Of the converted: whose first purchase day is among the last 365, and what all of them bought on these days.
	recentConverted, recentRevenue int64
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
		days := c.Days()
		if from, known := yearAgo(p); known && int64(days[0].Day) > from {
			r.recentConverted++
		}
		r.recentRevenue += revenueOfYear(p, c)
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
		{Name: "converted_365", Of: func(s *Segment) measure.Value { return measure.Number(s.recentConverted) }},
		{Name: "referred_revenue_365", Of: func(s *Segment) measure.Value { return measure.Amount(s.recentRevenue) }},
		{Name: "referred_equity", Of: func(s *Segment) measure.Value { return measure.Amount(s.referredValue) }},
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

// year is a window of days, the present one included.
const year = 365

// yearAgo returns the last civil day before the window of a year; false while the ledger's time is not known.
func yearAgo(p *processors.Partition) (day int64, known bool) {
	today, known := p.Today()
	return int64(today) - year, known
}

// revenueOfYear is the net value of what a customer bought in the window.
func revenueOfYear(p *processors.Partition, c *customer.State) (net int64) {
	from, known := yearAgo(p)
	for _, d := range c.Days() {
		//mutant:revenue-of-all-years if known || $
		if known && int64(d.Day) > from {
			net += d.Net
		}
	}
	return net
}

// topReferrers are the customers of the greatest referral value, of all that a walk has come to, the greatest first. Only so many are told
// apart: of a segment for each referrer the memory would grow with their number.
type topReferrers []referrer

const mostReferrers = 100

type referrer struct {
	id    string
	state *customer.State
}

func (t *topReferrers) add(id string, s *customer.State) {
	if s.Referred() == 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(*t, referrer{id, s}, func(a, b referrer) int {
		return cmp.Or(cmp.Compare(b.state.ReferralValue(), a.state.ReferralValue()), strings.Compare(a.id, b.id))
	})
	if i < mostReferrers {
		*t = slices.Insert((*t)[:min(len(*t), mostReferrers-1)], i, referrer{strings.Clone(id), s})
	}
}

// of returns the segment of whoever was referred by a customer, also under the id of one who was merged into that customer since.
func (t topReferrers) of(by string) string {
	if by == "" {
		return segment.None
	}
	i := slices.IndexFunc(t, func(r referrer) bool { return r.id == by || r.state.HasMerged(by) })
	if i < 0 {
		return trait.Other
	}
	return t[i].id
}
