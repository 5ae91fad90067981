package lifetimes

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// An order of a log, with its refunds and its cancellation.
type order struct {
	day       int32
	total     int64
	refunds   []int64
	cancelled bool
}

// net is the net value of the order; false if it does not count.
func (o order) net() (int64, bool) {
	left := o.total
	for _, r := range o.refunds {
		left -= r
	}
	if o.cancelled || left <= 0 && len(o.refunds) > 0 {
		return 0, false
	}
	return left, true
}

// batch computes the history from the whole log, sorted.
func batch(orders []order) History {
	days := map[int32]*Day{}
	for _, o := range orders {
		if net, counts := o.net(); counts {
			if days[o.day] == nil {
				days[o.day] = &Day{Day: o.day}
			}
			days[o.day].Orders++
			days[o.day].Net += net
		}
	}
	var h History
	for _, d := range days {
		h = append(h, *d)
	}
	slices.SortFunc(h, func(a, b Day) int { return int(a.Day) - int(b.Day) })
	return h
}

// TestStreamEqualsBatch verifies that the history and its summary do not depend on the order
// in which purchases, refunds and cancellations arrive.
func TestStreamEqualsBatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		orders := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) order {
			total := rapid.Int64Range(0, 10000).Draw(t, "total")
			o := order{day: rapid.Int32Range(100, 112).Draw(t, "day"), total: total}
			for left := total; left > 0 && rapid.Bool().Draw(t, "refund"); {
				r := rapid.Int64Range(1, left).Draw(t, "amount")
				o.refunds = append(o.refunds, r)
				left -= r
			}
			o.cancelled = rapid.IntRange(0, 4).Draw(t, "cancelled") == 0
			return o
		}), 0, 14).Draw(t, "orders")

		// The events of one order keep their sequence; those of different orders are mixed. Each
		// order belongs to one of two histories, which are merged in the end.
		type cursor struct {
			order  order
			step   int
			left   int64
			counts bool
		}
		open := make([]*cursor, len(orders))
		for i := range orders {
			open[i] = &cursor{order: orders[i]}
		}
		var halves [2]History
		half := rapid.SliceOfN(rapid.IntRange(0, 1), len(orders), len(orders)).Draw(t, "half")
		of := map[*cursor]int{}
		for i, c := range open {
			of[c] = half[i]
		}
		for len(open) > 0 {
			i := rapid.IntRange(0, len(open)-1).Draw(t, "next")
			c := open[i]
			h := &halves[of[c]]
			switch {
			case c.step == 0:
				*h = h.Add(c.order.day, c.order.total)
				c.left, c.counts = c.order.total, true
			case c.step <= len(c.order.refunds):
				r := c.order.refunds[c.step-1]
				if c.left -= r; c.left > 0 {
					*h = h.Adjust(c.order.day, -r)
				} else {
					*h = h.Remove(c.order.day, r)
					c.counts = false
				}
			case c.order.cancelled && c.counts:
				*h = h.Remove(c.order.day, c.left)
				c.counts = false
			}
			c.step++
			if c.step > len(c.order.refunds)+1 {
				open = slices.Delete(open, i, i+1)
			}
		}
		want := batch(orders)
		got := Merge(halves[0], halves[1])
		if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
			t.Fatal(diff)
		}
		now := rapid.Float64Range(90, 200).Draw(t, "now")
		s := got.SummaryWithGaps(now, 7, 100)
		if s != want.SummaryWithGaps(now, 7, 100) {
			t.Fatal("summaries differ")
		}
		if err := s.Validate(); (err != nil) != (len(want) == 0) {
			t.Fatal(err)
		}
	})
}

func TestSummaryByHand(t *testing.T) {
	var h History
	h = h.Add(100, 1000).Add(107, 500).Add(107, 250).Add(121, 300)
	s := h.Summary(128, 7, 100)
	require.Equal(t, Summary{X: 2, Tx: 3, T: 4, M: 10.5 / 2}, s)
	// A late order before the first makes the former first purchase a repeat purchase.
	h = h.Add(93, 9900)
	require.Equal(t, Summary{X: 3, Tx: 4, T: 5, M: 20.5 / 3}, h.Summary(128, 7, 100))
	// A late order between first and last adds a day and does not change these.
	h = h.Add(114, 0)
	require.Equal(t, 4, h.Summary(128, 7, 100).X)
	// Removing the orders of the first and of the last day changes both.
	h = h.Remove(93, 9900).Remove(114, 0).Remove(121, 300)
	require.Equal(t, Summary{X: 1, Tx: 1, T: 4, M: 7.5}, h.Summary(128, 7, 100))
	// Removing one of two orders of a day keeps the day.
	h = h.Remove(107, 500)
	require.Equal(t, Summary{X: 1, Tx: 1, T: 4, M: 2.5}, h.Summary(128, 7, 100))
	h = h.Adjust(107, -50)
	require.Equal(t, 2, h.Orders())
	require.EqualValues(t, 1200, h.Net())
	first, _ := h.First()
	last, _ := h.Last()
	require.Equal(t, [2]int32{100, 107}, [2]int32{first, last})
	require.Equal(t, 1.0, h.Summary(50, 7, 100).T, "now is never before the last purchase")
	require.Equal(t, 1.5/7+1, h.Summary(108.5, 7, 100).T, "fractions of days count")
}

func TestHistoryOddInput(t *testing.T) {
	var h History
	require.ErrorIs(t, h.Summary(5, 7, 100).Validate(), ErrNoPurchase)
	h = h.Remove(5, 10).Adjust(5, 10)
	require.Empty(t, h, "nothing to take from")
	_, known := h.First()
	require.False(t, known)
	h = h.Add(math.MaxInt32, math.MaxInt64).Add(math.MinInt32, 1).Add(math.MaxInt32, math.MaxInt64)
	require.NoError(t, h.Summary(math.NaN(), 0, -1).Validate())
	require.NoError(t, h.Summary(math.Inf(1), math.Inf(1), math.NaN()).Validate())
	require.EqualValues(t, math.MaxInt64, h.Net(), "sums saturate")
	h = h.Remove(math.MaxInt32, math.MinInt64)
	require.Len(t, h, 2)
	require.Empty(t, h[:1].Until(math.MinInt32)[1:])
}

func TestSummaryValidate(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, s := range []Summary{
		{X: 1, Tx: 2, T: 1},
		{X: 1, Tx: -1, T: 1},
		{T: -1},
		{Tx: 1, T: 2},
		{M: 1},
		{T: nan},
		{T: inf},
		{X: 1, Tx: nan, T: 1},
		{X: 1, Tx: 1, T: 1, M: nan},
		{X: 1, Tx: 1, T: 1, M: inf},
		{X: 1, Tx: 1, T: 1, LogGaps: nan},
	} {
		require.ErrorIs(t, s.Validate(), ErrSummary, "%+v", s)
	}
	require.ErrorIs(t, Summary{X: -1}.Validate(), ErrNoPurchase)
	require.NoError(t, Summary{}.Validate(), "T = 0 is legal")
	require.NoError(t, Summary{X: 3, T: 1}.Validate(), "days apart may be less than a unit's resolution")
}
