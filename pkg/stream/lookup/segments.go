package lookup

import (
	"cmp"
	"context"
	"slices"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/processors/segment"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// Segment sums customers with a standing order, and of others those whose referral is known as leads.
type Segment struct {
	Name string
	segment.Sums
	onboarding
	referrals
	matching
	spectrum
	falls

	base      *Segment // of all customers, with whom some measures compare; of a segment that was read
	benchmark output.Opt[float64]
}

// SegmentMeasures are the measures of a segment.
func SegmentMeasures() []measure.Measure[Segment] {
	var all []measure.Measure[Segment]
	for _, m := range segment.Measures() {
		all = append(all, measure.Measure[Segment]{Name: m.Name, Better: m.Better, Of: func(s *Segment) measure.Value { return m.Of(&s.Sums) }})
	}
	return all
}

// Segments are the segments of a dimension.
type Segments struct {
	By   Dimension
	AsOf int64 // the least time of the ledger at which a customer was read, ms; 0: nothing is known yet
	Unit money.Unit
	All  []Segment
	Base Segment // of all customers

	NPSBenchmark output.Opt[float64] // surveys.nps_benchmark
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
	var among *ranks
	if slices.ContainsFunc(by, func(d Dimension) bool { return d.Ranked }) {
		var err error
		if among, err = readRanks(ctx, through); err != nil {
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
		one := counted{p.SegmentCustomer(&a, c), among}
		base.add(p, &a, &one.Customer)
		base.addCategories(p, c)
		for i := range by {
			name := cmp.Or(by[i].of(&one), segment.None)
			if segments[i][name] == nil {
				segments[i][name] = &Segment{Name: name}
			}
			segments[i][name].add(p, &a, &one.Customer)
		}
	})
	if err != nil {
		return nil, err
	}
	sums := make([]*Segments, len(by))
	for i := range by {
		sums[i] = &Segments{By: by[i], AsOf: asOf, Unit: unit, All: by[i].sorted(segments[i]), Base: base}
		for k := range sums[i].All {
			sums[i].All[k].base = &base
		}
	}
	return sums, nil
}

// sorted returns segments in the order of the dimension.
func (d *Dimension) sorted(segments map[string]*Segment) (all []Segment) {
	for _, s := range segments {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Segment) int { return d.Compare(a.Name, b.Name) })
	return all
}

// isLost reports whether a customer's risk is high, or they are churned.
func isLost(a *processors.CustomerScores) bool {
	return a.Churn.Risk == customer.High.String() || a.Churn.Risk == customer.Churned.String()
}

// add adds a customer, or a lead who has not bought.
func (s *Segment) add(p *processors.Partition, a *processors.CustomerScores, c *segment.Customer) {
	if c.State.Orders() == 0 {
		s.addLead(c.State)
		return
	}
	s.Sums.Add(c)
	s.onboarding.add(p, a, c.State)
	s.referrals.add(p, a, c.State)
	s.matching.add(p, a, c.State)
	s.spectrum.add(a, c.State)
	s.falls.add(p, c.State)
}
