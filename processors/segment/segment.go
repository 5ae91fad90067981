// Package segment owns the groups of customers: the dimensions, by each of which a customer belongs to one segment, and what is summed and
// measured of a segment.
//
// It refuses to know where customers come from: the close of a day sums them as it values them, a query as it reads them.
package segment

import (
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/processors/trait"
)

// Customer is a customer as of a moment.
type Customer struct {
	State  *customer.State
	Scores *customer.LastPublished // as they would be published at the moment
	Terms  *customer.Terms
	Moment customer.Moment
	Day    int64 // the last civil day that counts as one of theirs
	Texts  *trait.Texts
}

// Sums are sums over customers with a standing order. Amounts are minor units.
type Sums struct {
	Customers, Orders               int64
	Historic, Net, Predicted        int64
	Repeat                          int64 // customers with more than one order
	Gaps, GapDays                   int64 // gaps between a customer's purchase days, and the days from their first to their last
	CustomerDays                    int64 // from the first purchase day on
	Probability                     int64 // ten thousandths, summed over those whose churn probability is known
	Known                           int64 // how many these are
	Lost                            int64 // customers whose risk is high, or who are churned
	Promoters, Passives, Detractors int64
	Referred                        int64 // customers whom they referred
}

// list is the order in which the ledger states sums. A new one is appended.
func (s *Sums) list() [16]*int64 {
	return [...]*int64{
		&s.Customers, &s.Orders, &s.Historic, &s.Net, &s.Predicted, &s.Repeat, &s.Gaps, &s.GapDays, &s.CustomerDays, &s.Probability, &s.Known, &s.Lost,
		&s.Promoters, &s.Passives, &s.Detractors, &s.Referred,
	}
}

// Add adds a customer with a standing order.
func (s *Sums) Add(c *Customer) {
	days := c.State.Days()
	first, last := int64(days[0].Day), int64(days[len(days)-1].Day)
	s.Customers++
	s.Orders += c.Scores.Orders
	s.Historic += c.Scores.Historic
	s.Net += c.State.Net()
	s.Predicted += c.Scores.Predicted
	if c.Scores.Orders > 1 {
		s.Repeat++
	}
	s.Gaps += int64(len(days) - 1)
	s.GapDays += last - first
	s.CustomerDays += max(c.Day, last) - first + 1
	if c.Scores.Probability >= 0 {
		s.Known++
		s.Probability += int64(c.Scores.Probability)
	}
	if c.Scores.Churn == customer.High || c.Scores.Churn == customer.Churned {
		s.Lost++
	}
	switch c.Scores.Category {
	case customer.Promoter:
		s.Promoters++
	case customer.Passive:
		s.Passives++
	case customer.Detractor:
		s.Detractors++
	case customer.CategoryNotPublished, customer.Unknown:
	}
	s.Referred += int64(c.State.Referred())
}

// plus adds other sums n times.
func (s *Sums) plus(other *Sums, n int64) {
	to := s.list()
	for i, v := range other.list() {
		*to[i] += n * *v
	}
}

// FewCustomers is the number of customers below which a segment is marked: its averages are those of a few people.
const FewCustomers = 30

// Few reports whether the segment has too few customers to tell anything by its averages.
func (s *Sums) Few() bool { return s.Customers < FewCustomers }

// Answered is the number of customers with an answer that counts.
func (s *Sums) Answered() int64 { return s.Promoters + s.Passives + s.Detractors }

// NPS is the net promoter score, -100 to 100.
func (s *Sums) NPS() measure.Value {
	return measure.Ratio(100*(s.Promoters-s.Detractors), s.Answered(), 1)
}

// Measures are the measures of a segment.
func Measures() []measure.Measure[Sums] {
	return []measure.Measure[Sums]{
		{Name: "customers", Of: func(s *Sums) measure.Value { return measure.Number(s.Customers) }},
		{Name: "historic_revenue", Of: func(s *Sums) measure.Value { return measure.Amount(s.Historic) }},
		{Name: "customer_equity", Of: func(s *Sums) measure.Value { return measure.Amount(s.Historic + s.Predicted) }},
		{Name: "average_historic_clv", Better: measure.More, Of: func(s *Sums) measure.Value { return measure.AmountPer(s.Historic, s.Customers) }},
		{Name: "average_predicted_clv", Better: measure.More, Of: func(s *Sums) measure.Value { return measure.AmountPer(s.Predicted, s.Customers) }},
		{Name: "average_clv", Better: measure.More, Of: func(s *Sums) measure.Value { return measure.AmountPer(s.Historic+s.Predicted, s.Customers) }},
		{Name: "average_order_value", Better: measure.More, Of: func(s *Sums) measure.Value { return measure.AmountPer(s.Net, s.Orders) }},
		{Name: "orders_per_year", Better: measure.More, Of: func(s *Sums) measure.Value { return measure.Ratio(s.Orders*36525, s.CustomerDays*100, 2) }},
		{Name: "days_between_orders", Better: measure.Less, Of: func(s *Sums) measure.Value { return measure.Ratio(s.GapDays, s.Gaps, 1) }},
		{Name: "average_churn_probability", Better: measure.Less, Of: func(s *Sums) measure.Value { return measure.Share(s.Probability, s.Known*10_000) }},
		{Name: "lost_share", Better: measure.Less, Of: func(s *Sums) measure.Value { return measure.Share(s.Lost, s.Customers) }},
		{Name: "nps", Better: measure.More, Of: func(s *Sums) measure.Value { return s.NPS() }},
		{Name: "repeat_share", Better: measure.More, Of: func(s *Sums) measure.Value { return measure.Share(s.Repeat, s.Customers) }},
		{Name: "referred_customers", Of: func(s *Sums) measure.Value { return measure.Number(s.Referred) }},
		{Name: "few", Of: func(s *Sums) measure.Value { return measure.Bool(s.Few()) }},
	}
}
