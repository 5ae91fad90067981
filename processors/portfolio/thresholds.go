package portfolio

import (
	"slices"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// hour is the least base time between two thresholds that are computed between closes, ms.
const hour = 3_600_000

// Redraw returns new thresholds if those in force no longer describe the customers at a base time (ms): the number of customers has
// crossed least, below which there are no tiers, or an hour after the last ones a tier changes for more than a share of the customers.
// Where the values of all customers are known, any difference counts. It returns nil otherwise.
func Redraw(t *ledger.Thresholds, sum *ledger.Contribution, least int64, share float64, base int64) *ledger.Thresholds {
	n := counted(sum)
	if had := t.GetCustomers() >= least; had != (n >= least) || !had {
		if had == (n >= least) {
			return nil
		}
		return DrawThresholds(sum)
	}
	//mutant:bounds-at-any-time if false && $
	if base < t.GetTime()+hour {
		return nil
	}
	next := DrawThresholds(sum)
	if exact := int64(len(sum.Values)) == n && n <= ExactCustomers; exact {
		if t.GetCustomers() == n && t.GetTop_10() == next.GetTop_10() && t.GetTop_20() == next.GetTop_20() && slices.Equal(t.Levels, next.Levels) {
			return nil
		}
		return next
	}
	was10, was20, _ := Tiers(sum, t)
	is10, is20, _ := Tiers(sum, next)
	//mutant:bounds-for-any-change if false && $
	if moved := abs(was10-is10) + abs(was10+was20-is10-is20); float64(moved) <= share*float64(n) {
		return nil
	}
	return next
}

func abs(n int64) int64 { return max(n, -n) }

// counted returns the number of customers in a histogram.
func counted(sum *ledger.Contribution) (n int64) {
	for _, count := range sum.GetHistogram() {
		n += count
	}
	return n
}

// tenths is the number of levels of a percentile that outputs can tell apart: tenths of a point.
const tenths = 1000

// drawExact sets the bounds from the values of all customers, rising, each less the one before. A customer's percentile is the share
// of those strictly below plus half of those with the same value; top_10 begins at the 90th percentile, top_20 at the 80th.
// A bound lies half-way to the next lower value: a customer's own value as the bound would be missed after any silence.
func drawExact(differences []int64, t *ledger.Thresholds) {
	n := int64(len(differences))
	value := int64(0)
	t.Levels = make([]int64, 0, tenths+1)
	some10, some20 := false, false
	for i := int64(0); i < n; {
		lower := value
		value += differences[i]
		bound := value - (value-lower)/2
		if i == 0 {
			bound = value
		}
		upTo := i + 1
		for upTo < n && differences[upTo] == 0 {
			upTo++
		}
		twice := i + upTo // twice the number of customers below, ties counted half
		for level := roundHalfEven(twice*tenths, 2*n); int64(len(t.Levels)) <= level; {
			t.Levels = append(t.Levels, value)
		}
		if !some20 && twice*10 >= 2*n*8 {
			t.Top_20, some20 = bound, true
		}
		if !some10 && twice*10 >= 2*n*9 {
			t.Top_10, some10 = bound, true
		}
		i = upTo
	}
	// Where too many have the greatest value, nobody is in the tier.
	if !some20 {
		t.Top_20 = value + 1
	}
	if !some10 {
		t.Top_10 = value + 1
	}
}

// roundHalfEven returns v/n for v >= 0, rounded half to even.
func roundHalfEven(v, n int64) int64 {
	q, r := v/n, v%n
	if 2*r > n || 2*r == n && q%2 == 1 {
		q++
	}
	return q
}

// DrawThresholds computes the thresholds of the value tiers and of the percentiles: exact ones where the sums have the values of all
// customers. Otherwise they come from the histogram, whose customers are taken to be spread evenly over their bucket.
func DrawThresholds(sum *ledger.Contribution) *ledger.Thresholds {
	t := &ledger.Thresholds{Customers: max(0, counted(sum))}
	switch {
	case t.Customers == 0:
		return t
	case int64(len(sum.Values)) == t.Customers:
		drawExact(sum.Values, t)
		return t
	}
	q := quantiles{histogram: sum.GetHistogram(), customers: t.GetCustomers()}
	t.Percentiles = make([]int64, fractions+1)
	for i := range t.Percentiles {
		t.Percentiles[i] = q.valueAt(int64(i))
	}
	t.Top_20, t.Top_10 = t.Percentiles[fractions/10*8], t.Percentiles[fractions/10*9]
	return t
}

// fractions is the number of equal parts into which quantiles divide the customers, each a fifth of a percentile point. Between two
// quantiles customers are taken to be spread evenly. Those of the uppermost percentile point are not, so 100 parts would be too few.
const fractions = 500

// quantiles walks a histogram upwards.
type quantiles struct {
	histogram []int64
	customers int64
	bucket    int
	below     int64 // customers in lower buckets
}

// valueAt returns the value below which so many fractions of the customers are; parts must rise from call to call.
func (q *quantiles) valueAt(parts int64) int64 {
	// rank = parts/fractions x customers, kept as a multiple of 1/fractions
	rank := parts * q.customers
	for q.bucket < len(q.histogram)-1 && (q.below+q.histogram[q.bucket])*fractions <= rank {
		q.below += q.histogram[q.bucket]
		q.bucket++
	}
	floor, width := Floor(q.bucket), Floor(q.bucket+1)-Floor(q.bucket)
	n := q.histogram[q.bucket]
	if n <= 0 || width == 1 {
		return floor
	}
	within := min(max(0, rank-q.below*fractions), n*fractions)
	// floor + width x within/(n x fractions), without leaving int64
	return floor + int64(float64(width)*(float64(within)/float64(n*fractions)))
}
