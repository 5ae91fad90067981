package lookup

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// Segment sums customers with a standing order, and of others those whose referral is known as leads. Amounts are minor units.
type Segment struct {
	Name                            string
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

	onboarding
	referrals
}

// FewCustomers is the number of customers below which a segment is marked: its averages are those of a few people.
const FewCustomers = 30

// Few reports whether the segment has too few customers to tell anything by its averages.
func (s *Segment) Few() bool { return s.Customers < FewCustomers }

// SegmentMeasures are the measures of a segment.
func SegmentMeasures() []measure.Measure[Segment] {
	return []measure.Measure[Segment]{
		{Name: "customers", Of: func(s *Segment) measure.Value { return measure.Number(s.Customers) }},
		{Name: "historic_revenue", Of: func(s *Segment) measure.Value { return measure.Amount(s.Historic) }},
		{Name: "customer_equity", Of: func(s *Segment) measure.Value { return measure.Amount(s.Historic + s.Predicted) }},
		{Name: "average_historic_clv", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.AmountPer(s.Historic, s.Customers) }},
		{Name: "average_predicted_clv", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.AmountPer(s.Predicted, s.Customers) }},
		{Name: "average_clv", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.AmountPer(s.Historic+s.Predicted, s.Customers) }},
		{Name: "average_order_value", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.AmountPer(s.Net, s.Orders) }},
		{Name: "orders_per_year", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.Ratio(s.Orders*36525, s.CustomerDays*100, 2) }},
		{Name: "days_between_orders", Better: measure.Less, Of: func(s *Segment) measure.Value { return measure.Ratio(s.GapDays, s.Gaps, 1) }},
		{Name: "average_churn_probability", Better: measure.Less, Of: func(s *Segment) measure.Value { return measure.Share(s.Probability, s.Known*10_000) }},
		{Name: "lost_share", Better: measure.Less, Of: func(s *Segment) measure.Value { return measure.Share(s.Lost, s.Customers) }},
		{Name: "nps", Better: measure.More, Of: func(s *Segment) measure.Value { return s.nps() }},
		{Name: "repeat_share", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.Share(s.Repeat, s.Customers) }},
		{Name: "referred_customers", Of: func(s *Segment) measure.Value { return measure.Number(s.Referred) }},
		fewMeasure(),
	}
}

// Segments are the segments of a dimension.
type Segments struct {
	By   Dimension
	AsOf int64 // the least time of the ledger at which a customer was read, ms; 0: nothing is known yet
	Unit money.Unit
	All  []Segment
	Base Segment // of all customers
}

// ReadSegments reads all customers of a namespace and sums them by each of some dimensions. It is a scan, as List is; another dimension
// costs little more, unless it is the first that is ranked: then there are two scans.
func ReadSegments(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, by []Dimension, scanned func(int64)) ([]*Segments, error) {
	return SumSegments(ctx, inRedis(r, namespace, g), by, scanned)
}

// SumSegments sums the customers of a walk by each of some dimensions.
func SumSegments(ctx context.Context, through Walk, by []Dimension, scanned func(int64)) ([]*Segments, error) {
	base, unit := Segment{Name: "all"}, money.Unit{}
	segments := make([]map[string]*Segment, len(by))
	for i := range segments {
		segments[i] = map[string]*Segment{}
	}
	var ranks *rfm
	if slices.ContainsFunc(by, func(d Dimension) bool { return d.Ranked }) {
		var err error
		if ranks, err = readRFM(ctx, through); err != nil {
			return nil, err
		}
	}
	walked := onlyOnce{}
	asOf, err := through(ctx, scanned, func(p *processors.Partition, id string, c *customer.State) {
		known, _ := c.Lead()
		if c.Orders() == 0 && !known || walked.again(p, id) {
			return
		}
		a := processors.ScoreCustomer(p, id, c)
		unit = a.CLV.Currency
		base.add(p, &a, c)
		one := counted{p, &a, c, ranks}
		for i := range by {
			name := cmp.Or(by[i].of(&one), noSegment)
			if segments[i][name] == nil {
				segments[i][name] = &Segment{Name: name}
			}
			segments[i][name].add(p, &a, c)
		}
	})
	if err != nil {
		return nil, err
	}
	sums := make([]*Segments, len(by))
	for i := range by {
		sums[i] = &Segments{By: by[i], AsOf: asOf, Unit: unit, All: by[i].sorted(segments[i]), Base: base}
	}
	return sums, nil
}

// sorted returns segments in the order of the dimension.
func (d *Dimension) sorted(segments map[string]*Segment) (all []Segment) {
	for _, s := range segments {
		all = append(all, *s)
	}
	place := func(s *Segment) int {
		if i := slices.Index(d.order, s.Name); i >= 0 {
			return i
		}
		return len(d.order)
	}
	slices.SortFunc(all, func(a, b Segment) int {
		return cmp.Or(cmp.Compare(place(&a), place(&b)), strings.Compare(a.Name, b.Name))
	})
	return all
}

// add adds a customer, or a lead who has not bought.
func (s *Segment) add(p *processors.Partition, a *processors.CustomerScores, c *customer.State) {
	if c.Orders() == 0 {
		s.addLead(c)
		return
	}
	days := c.Days()
	first, last := int64(days[0].Day), int64(days[len(days)-1].Day)
	s.Customers++
	s.Orders += a.CLV.Orders
	s.Historic += a.CLV.Historic
	s.Net += c.Net()
	s.Predicted += a.CLV.Predicted.Value
	if a.CLV.Orders > 1 {
		s.Repeat++
	}
	s.Gaps += int64(len(days) - 1)
	s.GapDays += last - first
	if today, known := p.Today(); known {
		s.CustomerDays += max(int64(today), last) - first + 1
	}
	if a.Churn.Probability.Known {
		s.Known++
		s.Probability += int64(a.Churn.Probability.Value*10_000 + .5)
	}
	if a.Churn.Risk == customer.High.String() || a.Churn.Risk == customer.Churned.String() {
		s.Lost++
	}
	switch a.Promoter.Category {
	case customer.Promoter.String():
		s.Promoters++
	case customer.Passive.String():
		s.Passives++
	case customer.Detractor.String():
		s.Detractors++
	}
	s.Referred += a.Promoter.Referred
	s.onboarding.add(p, a, c)
	s.referrals.add(p, a, c)
}
