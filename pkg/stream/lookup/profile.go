package lookup

import (
	"context"
	"slices"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Profile is what is known of one customer, all of it read at one moment.
type Profile struct {
	Listed
	Explanation processors.Explanation
	partition   *processors.Partition
	state       *customer.State
}

// ReadProfile reads a customer; for one who was merged into another, the other. The errors are those of Customer.
func ReadProfile(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, id string) (*Profile, error) {
	p, remains, state, err := read(ctx, r, namespace, g, id)
	if err != nil {
		return nil, err
	}
	profile := NewProfile(p, remains, state)
	profile.Scores.Asked = normalised(g, id)
	return profile, nil
}

// NewProfile makes a profile of what was read already.
func NewProfile(p *processors.Partition, id string, state *customer.State) *Profile {
	return &Profile{
		Listed:      NewListed(p, id, state),
		Explanation: processors.Explain(p, id, state), partition: p, state: state,
	}
}

// Point is what the scores say as of a time.
type Point struct {
	At          int64               // ms
	Probability output.Opt[float64] // of churn
	Risk        string
	Historic    int64 // minor units
	Total       output.Opt[int64]
	Orders      int64
}

// Path returns what the terms in force today say of the customer as of times from the first order until now, and of silence after that for
// a fifth of that time, at least 30 days. The times are evenly spaced, with more around the purchase days, so that each order shows. They
// are at most 320.
func (p *Profile) Path() []Point {
	days := p.state.Days()
	if len(days) == 0 {
		return nil
	}
	const (
		steps    = 120
		shown    = 100           // purchase days, the last ones
		zone     = 14 * 3600_000 // by which a civil day begins before that of UTC, at most
		silence  = 30 * customer.DayMS
		fraction = 5
	)
	now := p.Scores.AsOf / 1000 * 1000
	from := int64(days[0].Day)*customer.DayMS - zone
	span := max(now-from, customer.DayMS)
	until := now + max(span/fraction, silence)
	at := []int64{now}
	for i := range int64(steps + 1) {
		at = append(at, (from+i*(until-from)/steps)/1000*1000)
	}
	for _, d := range days[max(0, len(days)-shown):] {
		before, after := int64(d.Day)*customer.DayMS-zone, int64(d.Day+1)*customer.DayMS+zone
		if after < now {
			at = append(at, before, after)
		}
	}
	slices.Sort(at)
	var path []Point
	for _, t := range slices.Compact(at) {
		s, known := processors.ScoreCustomerAsOf(p.partition, p.Scores.Customer, p.state, t)
		if !known {
			continue
		}
		path = append(path, Point{t, s.Churn.Probability, s.Churn.Risk, s.CLV.Historic, s.CLV.Total, s.CLV.Orders})
	}
	return path
}
