package lifetimes

import (
	"fmt"
	"sort"
)

// Percentiles is the distribution function of the values of a population, with ties counted
// half: Share[i], from 0 to 1, is the share of the population below At[i]. At is ascending
// and has at most 257 points; Of interpolates linearly between them.
type Percentiles struct{ At, Share []float64 }

const percentilePoints = 256

// newPercentiles computes the percentiles of the values; it sorts values in place.
func newPercentiles(values []float64) Percentiles {
	sort.Float64s(values)
	n := len(values)
	var distinct, share []float64
	for i := 0; i < n; {
		j := i
		for j < n && values[j] == values[i] {
			j++
		}
		distinct, share = append(distinct, values[i]), append(share, float64(i+j)/2/float64(n))
		i = j
	}
	if len(distinct) <= percentilePoints+1 {
		return Percentiles{distinct, share}
	}
	// Keep a point for each 1/256 of share, and the two ends.
	var p Percentiles
	last := -1.0
	for i := range distinct {
		if share[i]-last >= 1.0/percentilePoints || i == len(distinct)-1 {
			p.At, p.Share = append(p.At, distinct[i]), append(p.Share, share[i])
			last = share[i]
		}
	}
	return p
}

// Of is the share of the population below v, with ties counted half. It is between 0 and 1
// and does not decrease with v. It is 0.5 for an empty population and for NaN.
func (p Percentiles) Of(v float64) float64 {
	n := len(p.At)
	if n == 0 || n != len(p.Share) || v != v {
		return 0.5
	}
	low, high := 0, n
	for low < high {
		if mid := (low + high) / 2; p.At[mid] < v {
			low = mid + 1
		} else {
			high = mid
		}
	}
	switch {
	case low == n:
		return 1
	case p.At[low] == v:
		return p.Share[low]
	case low == 0:
		return 0
	}
	part := (v - p.At[low-1]) / (p.At[low] - p.At[low-1])
	return p.Share[low-1] + float64(part*(p.Share[low]-p.Share[low-1]))
}

// validate returns an error that wraps ErrParameter for points that are not ascending, shares
// outside 0 to 1 or descending, or more than 258 points.
func (p Percentiles) validate() error {
	if len(p.At) != len(p.Share) || len(p.At) > percentilePoints+2 {
		return fmt.Errorf("%w: percentiles have %d points and %d shares, want as many, and at most %d", ErrParameter, len(p.At), len(p.Share), percentilePoints+2)
	}
	for i := range p.At {
		before := 0.0
		if i > 0 {
			before = p.Share[i-1]
		}
		if !isFinite(p.At[i]) || i > 0 && !(p.At[i] > p.At[i-1]) || !(p.Share[i] >= before && p.Share[i] <= 1) {
			return fmt.Errorf("%w: percentiles: point %d is (%v, %v), want ascending points and shares from 0 to 1", ErrParameter, i, p.At[i], p.Share[i])
		}
	}
	return nil
}
