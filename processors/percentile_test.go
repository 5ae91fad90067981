package processors_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors/clv"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// clientele is a base of some hundred customers, their orders and what becomes of those: refunds in part and in full,
// cancellations, orders of nothing. Prices are few, or as many as there are orders; they lie close together, or far apart.
func clientele(t *rapid.T, w *world, people int) (ids []string, until int64) {
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	spread := rapid.Float64Range(.05, 1.5).Draw(t, "spread")
	prices := rapid.SampledFrom([]int{0, 1, 3, 20}).Draw(t, "prices") // 0: any
	span := rapid.IntRange(1, 300).Draw(t, "days")
	price := func() int64 {
		z := random.NormFloat64()
		if prices > 0 {
			z = float64(random.IntN(prices))/2 - 1
		}
		return int64(3000 * math.Exp(spread*z))
	}
	at := ms("2024-01-01")
	for i := range people {
		id := fmt.Sprint("customer-", i)
		ids = append(ids, id)
		for o := range 1 + int(random.ExpFloat64()) {
			order, total, when := fmt.Sprint(o), price(), at+int64(random.IntN(span*24))*3_600_000
			w.put(id, purchase(order, total, when), when)
			until = max(until, when)
			switch fate := random.IntN(20); {
			case fate < 2:
				w.put(id, cancel(order, when+3_600_000), when+3_600_000)
			case fate < 3:
				w.put(id, refund(order, order, total, when+day), when+day)
			case fate < 6:
				w.put(id, refund(order, order, 1+random.Int64N(max(1, total)), when+day), when+day)
			}
		}
		if i%50 == 0 {
			w.drain()
		}
	}
	w.drain()
	return ids, until + 2*day
}

// A customer's percentile is that of sorting the whole base, to half a point, or, where many are worth the same, to the share of
// those who are worth within 2.6% of the customer: a bucket is 1.6% wide, and a total that changed by less than 1% is not published.
func TestPercentilesOfAnyBase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, genesis(rapid.Int32Range(1, 4).Draw(t, "partitions"), ledger.Clock_CLOCK_EVENT))
		ids, now := clientele(t, w, rapid.IntRange(150, 300).Draw(t, "customers"))
		for range 8 {
			now += 61 * 60_000
			w.tick(now)
		}
		requireTotals(t, w)
		var standing []int64
		for _, id := range ids {
			if a := w.scores(id); a.CLV.Orders > 0 {
				standing = append(standing, a.CLV.Total.Value)
			}
		}
		slices.Sort(standing)
		share := func(from, to float64) float64 { // of those from one value to another, in points
			below, _ := slices.BinarySearch(standing, int64(math.Ceil(from)))
			upTo, _ := slices.BinarySearch(standing, int64(math.Floor(to))+1)
			return 100 * float64(upTo-below) / float64(len(standing))
		}
		const near = .026
		for _, id := range ids {
			a := w.scores(id)
			if a.CLV.Orders == 0 {
				require.False(t, a.CLV.Percentile.Known || a.CLV.ValueTier.Known)
				continue
			}
			v := float64(a.CLV.Total.Value)
			exact := share(0, v) - share(v, v)/2
			require.InDelta(t, exact, a.CLV.Percentile.Value, max(.5, share(v-v*near, v+v*near)), id)
		}
	})
}

// TestPercentileErrorIsBelowHalfAPoint: for any spread of the values of some thousand customers, and after any refunds, percentiles
// from the histogram are within half a point of the exact ones, as long as few customers share a value.
func TestPercentileErrorIsBelowHalfAPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		spread := rapid.Float64Range(.5, 1.8).Draw(t, "spread")
		people := make([]customer.LastPublished, rapid.IntRange(4000, 6000).Draw(t, "customers"))
		var totals portfolio.Totals
		for i := range people {
			s := &people[i]
			*s = customer.LastPublished{CLV: true, Orders: 1, Historic: int64(20_000 * math.Exp(spread*random.NormFloat64()))}
			s.Predicted = int64(float64(s.Historic) * random.Float64())
			totals.Add(s)
			switch random.IntN(8) {
			case 0: // refunded in part
				totals.Remove(s)
				s.Historic -= random.Int64N(s.Historic + 1)
				totals.Add(s)
			case 1: // and in full
				totals.Remove(s)
				s.Orders, s.Historic, s.Predicted = 0, 0, 0
				totals.Add(s)
			}
		}
		terms := customer.Terms{Settings: settings.Default(), Thresholds: portfolio.DrawThresholds(totals.Contribution(0, 1, 1, new(customer.Terms)))}
		var standing []int64
		for i := range people {
			if s := &people[i]; s.Orders > 0 {
				standing = append(standing, s.Historic+s.Predicted)
			}
		}
		slices.Sort(standing)
		for i := range people {
			s := &people[i]
			if s.Orders == 0 {
				continue
			}
			below, _ := slices.BinarySearch(standing, s.Historic+s.Predicted)
			upTo, _ := slices.BinarySearch(standing, s.Historic+s.Predicted+1)
			_, percentile := clv.TierOf(&terms, s)
			require.InDelta(t, 100*(float64(below)+float64(upTo-below)/2)/float64(len(standing)), percentile, .5)
		}
	})
}

// requireTotals requires that the totals that a partition has updated by difference equal the sums over its customers.
func requireTotals(t require.TestingT, w *world) {
	for _, p := range w.parts {
		sum := portfolio.Totals{}
		for id := range p.store.blobs {
			s, err := customer.Decode(p.store.blobs[id])
			require.NoError(t, err)
			if s.MergedInto() != "" {
				continue
			}
			sum.Known++
			sum.Add(&s.LastPublished)
			sum.AddCancellations(s.AppendCancellations(nil))
		}
		kept := p.state.Totals()
		require.Equal(t, sum.Encode(), kept.Encode())
	}
}
