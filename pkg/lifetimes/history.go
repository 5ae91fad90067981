package lifetimes

import (
	"math"
	"sort"
)

// Day is one purchase day of a customer.
type Day struct {
	// Day is the civil day, counted from 1970-01-01.
	Day int32
	// Orders counts the orders of that day that stand.
	Orders uint32
	// Net is their net value in minor money units, refunds taken off.
	Net int64
}

// History is a customer's purchase days, ascending, each with at least one standing
// order. It is the sufficient statistic of every model here: whatever order the
// events came in, the History equals the one built from the sorted log.
//
// Like append, the methods that change a History may reuse its memory: use the
// result and forget the receiver. Sums saturate instead of wrapping around.
type History []Day

// Add records an order that stands, with its net value in minor units.
func (h History) Add(day int32, net int64) History {
	i := h.at(day)
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

// Adjust changes the net value of an order that still stands: a partial refund or a
// correction, delta in minor units. A day without a standing order is left alone.
func (h History) Adjust(day int32, delta int64) History {
	if i := h.at(day); i < len(h) && h[i].Day == day {
		h[i].Net = addSaturating(h[i].Net, delta)
	}
	return h
}

// Remove takes back an order that no longer counts, net being what it still
// contributed. The day goes when no other order stands on it, and with it the
// purchase: x, first and last follow. A day without a standing order is left alone.
func (h History) Remove(day int32, net int64) History {
	i := h.at(day)
	if i == len(h) || h[i].Day != day {
		return h
	}
	if h[i].Orders <= 1 {
		return append(h[:i], h[i+1:]...)
	}
	h[i].Orders--
	if net == math.MinInt64 {
		net++ // its negation does not exist
	}
	h[i].Net = addSaturating(h[i].Net, -net)
	return h
}

// Merge is the history of both: two halves of one log, or two accounts of one person.
// Neither argument is changed.
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

// Summary is what the models know at now, in civil days (fractions count). Times are
// divided by daysPerUnit (7 for weeks), money by minorPerUnit (100 for cents); either
// counts as 1 when it is not positive. A now before the last purchase, or NaN, is the last
// purchase. Without a standing order X is -1, which Validate refuses with ErrNoPurchase.
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

// SummaryWithGaps is Summary with LogGaps, which costs a logarithm a day; fits of the
// regular-buyer models need it, scores do not.
func (h History) SummaryWithGaps(now, daysPerUnit, minorPerUnit float64) Summary {
	s := h.Summary(now, daysPerUnit, minorPerUnit)
	daysPerUnit = positiveOr1(daysPerUnit)
	for i := 1; i < len(h); i++ {
		s.LogGaps += ln((float64(h[i].Day) - float64(h[i-1].Day)) / daysPerUnit)
	}
	return s
}

// Until is the part of the history up to and including a day. It shares memory with h
// and must not be changed.
func (h History) Until(day int32) History {
	i := sort.Search(len(h), func(i int) bool { return h[i].Day > day })
	return h[:i:i]
}

// Orders counts the standing orders.
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

// First is the first purchase day; false without one.
func (h History) First() (int32, bool) {
	if len(h) == 0 {
		return 0, false
	}
	return h[0].Day, true
}

// Last is the last purchase day; false without one.
func (h History) Last() (int32, bool) {
	if len(h) == 0 {
		return 0, false
	}
	return h[len(h)-1].Day, true
}

// at is where day stands or would stand. Events mostly concern the newest day.
func (h History) at(day int32) int {
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
