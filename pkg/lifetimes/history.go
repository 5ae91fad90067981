package lifetimes

import (
	"math"
	"sort"
)

// Day is one purchase day of a customer.
type Day struct {
	// Day is the civil day, counted from 1970-01-01.
	Day int32
	// Orders is the number of orders of that day that were not cancelled.
	Orders uint32
	// Net is the value of these orders, minus refunds, in minor money units.
	Net int64
}

// History holds the purchase days of a customer in ascending order, each with at least one
// standing order (one that was not cancelled). It is a sufficient statistic for all models
// of this package, and it does not depend on the order in which the events were applied.
//
// Like append, the methods that change a History may reuse its memory: use the result and
// not the receiver. Sums saturate on overflow.
type History []Day

// Add records a standing order with its net value in minor units.
func (h History) Add(day int32, net int64) History {
	i := h.indexOf(day)
	if i < len(h) && h[i].Day == day {
		if h[i].Orders < math.MaxUint32 {
			h[i].Orders++
		}
		h[i].Net = addSaturating(h[i].Net, net)
		return h
	}
	h = append(h, Day{})
	copy(h[i+1:], h[i:])
	h[i] = Day{Day: day, Orders: 1, Net: net}
	return h
}

// Adjust adds delta, in minor units, to the net value of a standing order, for a partial
// refund or a correction. A day without a standing order is not changed.
func (h History) Adjust(day int32, delta int64) History {
	if i := h.indexOf(day); i < len(h) && h[i].Day == day {
		h[i].Net = addSaturating(h[i].Net, delta)
	}
	return h
}

// Remove removes an order that was cancelled or refunded in full; net is its remaining net
// value in minor units. A day without another standing order is removed too, which may
// change x, the first and the last day. A day without a standing order is not changed.
func (h History) Remove(day int32, net int64) History {
	i := h.indexOf(day)
	if i == len(h) || h[i].Day != day {
		return h
	}
	if h[i].Orders <= 1 {
		return append(h[:i], h[i+1:]...)
	}
	h[i].Orders--
	if net == math.MinInt64 {
		net++ // -math.MinInt64 overflows
	}
	h[i].Net = addSaturating(h[i].Net, -net)
	return h
}

// Merge returns the combined history of two parts of a log, or of two accounts of one
// person. It does not change its arguments.
func Merge(a, b History) History {
	out := make(History, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Day < b[0].Day:
			out, a = append(out, a[0]), a[1:]
		case a[0].Day > b[0].Day:
			out, b = append(out, b[0]), b[1:]
		default:
			d := a[0]
			d.Net = addSaturating(d.Net, b[0].Net)
			d.Orders += b[0].Orders
			if d.Orders < b[0].Orders {
				d.Orders = math.MaxUint32
			}
			out, a, b = append(out, d), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// Summary returns the input of the models as of now, in civil days from 1970-01-01, which
// may be fractional. Times are divided by daysPerUnit (7 for weeks), money by minorPerUnit
// (100 for cents); a divisor that is not positive counts as 1. If now is NaN or before the
// last purchase, the last purchase day is used. Without a standing order X is -1, for which
// Validate returns ErrNoPurchase.
func (h History) Summary(now, daysPerUnit, minorPerUnit float64) Summary {
	if len(h) == 0 {
		return Summary{X: -1}
	}
	daysPerUnit, minorPerUnit = positiveOr1(daysPerUnit), positiveOr1(minorPerUnit)
	first, last := float64(h[0].Day), float64(h[len(h)-1].Day)
	if !(now > last) {
		now = last
	}
	s := Summary{
		X:  len(h) - 1,
		Tx: (last - first) / daysPerUnit,
		T:  math.Min(now-first, math.MaxInt32) / daysPerUnit,
	}
	if s.X > 0 {
		s.T = math.Max(s.T, s.Tx)
		s.M = float64(h[1:].Net()) / (float64(s.X) * minorPerUnit)
	}
	return s
}

// SummaryWithGaps is Summary with LogGaps, which costs one logarithm for each purchase day.
// FitMBGCNBD with k > 1 needs LogGaps; scores do not.
func (h History) SummaryWithGaps(now, daysPerUnit, minorPerUnit float64) Summary {
	s := h.Summary(now, daysPerUnit, minorPerUnit)
	daysPerUnit = positiveOr1(daysPerUnit)
	for i := 1; i < len(h); i++ {
		s.LogGaps += ln((float64(h[i].Day) - float64(h[i-1].Day)) / daysPerUnit)
	}
	return s
}

// Until returns the history up to and including the given civil day. The result shares
// memory with h and must not be changed.
func (h History) Until(day int32) History {
	i := sort.Search(len(h), func(i int) bool { return h[i].Day > day })
	return h[:i:i]
}

// Orders is the number of standing orders.
func (h History) Orders() int {
	n := 0
	for i := range h {
		n += int(h[i].Orders)
	}
	return n
}

// Net is the net value of the standing orders in minor units.
func (h History) Net() int64 {
	var sum int64
	for i := range h {
		sum = addSaturating(sum, h[i].Net)
	}
	return sum
}

// First returns the first purchase day, and false without one.
func (h History) First() (int32, bool) {
	if len(h) == 0 {
		return 0, false
	}
	return h[0].Day, true
}

// Last returns the last purchase day, and false without one.
func (h History) Last() (int32, bool) {
	if len(h) == 0 {
		return 0, false
	}
	return h[len(h)-1].Day, true
}

// indexOf is the index of day, or where it would be inserted. The newest day is tried first,
// since most events concern it.
func (h History) indexOf(day int32) int {
	if n := len(h); n == 0 || h[n-1].Day < day {
		return n
	}
	return sort.Search(len(h), func(i int) bool { return h[i].Day >= day })
}

func positiveOr1(v float64) float64 {
	if v > 0 && v <= math.MaxFloat64 {
		return v
	}
	return 1
}

func addSaturating(a, b int64) int64 {
	c := a + b
	switch {
	case a > 0 && b > 0 && c < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && c >= 0:
		return math.MinInt64
	}
	return c
}
