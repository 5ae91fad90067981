package lookup

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/segment"
)

// RFM compares each customer with all others: a score from 1 to 5 for recency, frequency and monetary value, and by the three a group. The
// scores need the ranks of the whole base, so a dimension of groups takes a walk of its own before the one that sums. To keep what is summed of
// each customer until the walk has ended was rejected: it takes a hundred bytes a customer, the ranks take sixteen, for the time of the walk.

// rfmGroups are the groups by the recency score, from 5 down, then by the mean of the scores of frequency and monetary value, from 1. The
// names, and what they mean, are Shopify's.
var rfmGroups = [5][5]string{ //nolint:gochecknoglobals // the one table
	{"new", "new", "active", "champions", "champions"},
	{"promising", "promising", "active", "loyal", "loyal"},
	{"promising", "promising", "needs_attention", "loyal", "loyal"},
	{"almost_lost", "almost_lost", "at_risk", "at_risk", "previously_loyal"},
	{"dormant", "dormant", "at_risk", "at_risk", "previously_loyal"},
}

// rfmOrder is the order in which groups are listed.
func rfmOrder() []string {
	return []string{"champions", "loyal", "active", "new", "promising", "needs_attention", "at_risk", "previously_loyal", "almost_lost", "dormant"}
}

// bounds are the values above which the scores 2 to 5 begin.
type bounds[T cmp.Ordered] [4]T

// boundsOf sorts the values of all customers, at least one, and returns their bounds: a score counts the fifths of all that are strictly lower.
func boundsOf[T cmp.Ordered](values []T) (b bounds[T]) {
	slices.Sort(values)
	for k := range b {
		//mutant:rfm-fifths-of-the-others replace b[k] = values[(k+1)*(len(values)-1)/5]
		b[k] = values[((k+1)*len(values)+4)/5-1]
	}
	return b
}

func (b *bounds[T]) score(v T) int {
	score := 1
	for _, bound := range b {
		if v > bound {
			score++
		}
	}
	return score
}

// rfm are the bounds of a base.
type rfm struct {
	recency   bounds[int32] // the latest purchase day
	frequency bounds[int32] // the number of standing orders
	monetary  bounds[int64] // the historic CLV, minor units
}

// ranks are what ranked dimensions compare a customer with.
type ranks struct {
	*rfm      // nil if nobody has a standing order
	referrers topReferrers
}

// readRanks walks through all customers.
func readRanks(ctx context.Context, through Walk) (*ranks, error) {
	var days, orders []int32
	var values []int64
	r := new(ranks)
	walked := onlyOnce{}
	_, err := through(ctx, nil, func(p *processors.Partition, id string, s *customer.State) {
		if walked.again(p, id) {
			return
		}
		r.referrers.add(id, s)
		if s.Orders() > 0 {
			days, orders, values = append(days, lastDay(s)), append(orders, few(s)), append(values, s.Historic())
		}
	})
	if err != nil {
		return nil, err
	}
	if len(days) > 0 {
		r.rfm = &rfm{boundsOf(days), boundsOf(orders), boundsOf(values)}
	}
	return r, nil
}

func lastDay(s *customer.State) int32 {
	days := s.Days()
	return days[len(days)-1].Day
}

func few(s *customer.State) int32 { return int32(min(s.Orders(), math.MaxInt32)) } //nolint:gosec // cut

// groupOf returns the group of a customer with a standing order; none if there was nobody when the ranks were read.
func (b *rfm) groupOf(s *customer.State) string {
	if b == nil {
		return segment.None
	}
	recency, frequency, monetary := b.recency.score(lastDay(s)), b.frequency.score(few(s)), b.monetary.score(s.Historic())
	return rfmGroups[5-recency][(frequency+monetary+1)/2-1]
}

// onlyOnce tells customers to whom a walk comes twice from others.
type onlyOnce struct {
	number int32
	seen   map[uint64]struct{} // of the partition under way, by the hash of the id
}

func (o *onlyOnce) again(p *processors.Partition, id string) bool {
	if n := p.Number(); o.seen == nil || n != o.number {
		o.number, o.seen = n, map[uint64]struct{}{}
	}
	hash := xxhash.Sum64String(id)
	_, again := o.seen[hash]
	o.seen[hash] = struct{}{}
	return again
}
