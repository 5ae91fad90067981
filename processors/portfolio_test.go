package processors_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

func TestBucketsAreContiguous(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int64Range(0, 1<<53).Draw(t, "value")
		b := portfolio.Bucket(v)
		require.LessOrEqual(t, portfolio.Floor(b), v)
		require.Greater(t, portfolio.Floor(b+1), v)
		require.LessOrEqual(t, portfolio.Floor(b+1)-portfolio.Floor(b), 1+v/64)
	})
	require.Zero(t, portfolio.Bucket(-5))
}

// TestPercentilesAgainstARecount folds the events of 600 customers in four partitions, refunds some of them in full, and compares
// the percentile and tier of each, and the published sums, with those by sorting all customers.
func TestPercentilesAgainstARecount(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	w := newWorld(t, genesis(4, ledger.Clock_CLOCK_EVENT))
	at := ms("2024-01-01")
	const people = 600
	name := func(i int) string { return fmt.Sprint("customer-", i) }
	for i := range people {
		for o := range 1 + random.IntN(4) {
			w.event(name(i), purchase(fmt.Sprint(o), int64(500*random.ExpFloat64()*float64(1+i%7))+100, at+int64(random.IntN(100))*day))
		}
		if i%10 == 0 {
			for o := range 4 {
				w.event(name(i), cancel(fmt.Sprint(o), at+101*day))
			}
		}
	}
	now := at + 120*day
	for range 6 { // totals, bounds, all by them, and so on until nothing changes
		now += 61 * 60_000
		w.tick(now)
	}
	now = at + 121*day
	w.tick(now) // a close
	published := output.PortfolioUpdated{}
	for i, p := range w.parts {
		totals := p.state.Totals()
		published.Customers += totals.Customers
		published.HistoricRevenue += totals.HistoricCLV
		require.NotNil(t, p.state.Thresholds(), i)
		require.Equal(t, w.parts[0].state.Thresholds().GetPercentiles(), p.state.Thresholds().GetPercentiles())
	}
	require.EqualValues(t, people*9/10, published.Customers)
	historic, standing := int64(0), []int64{}
	for i := range people {
		s := w.state(name(i))
		historic += s.Historic()
		if s.Orders() > 0 {
			standing = append(standing, w.scores(name(i)).CLV.Total.Value)
		}
	}
	require.Equal(t, historic, published.HistoricRevenue)
	last := ""
	for _, s := range w.takeOutputs() {
		if s.Topic == output.Portfolio {
			last = s.json
		}
	}
	require.Contains(t, last, fmt.Sprintf(`"historic_revenue":%d.%02d,`, historic/100, historic%100))
	require.Contains(t, last, `"customers":540,"prospects":60,"active_customers":540,`)
	slices.Sort(standing)
	rank := func(v int64) float64 {
		below, _ := slices.BinarySearch(standing, v)
		above, _ := slices.BinarySearch(standing, v+1)
		return 100 * (float64(below) + float64(above-below)/2) / float64(len(standing))
	}
	tiers := map[string]int{}
	for i := range people {
		a := w.scores(name(i))
		if a.CLV.Orders == 0 {
			require.False(t, a.CLV.Percentile.Known || a.CLV.ValueTier.Known)
			continue
		}
		require.InDelta(t, rank(a.CLV.Total.Value), a.CLV.Percentile.Value, .5, name(i))
		tiers[a.CLV.ValueTier.Value]++
	}
	require.InDelta(t, .1*float64(len(standing)), tiers["top_10"], 3)
	require.InDelta(t, .1*float64(len(standing)), tiers["top_20"], 4)
}

func TestTierDoesNotFlapAndFallsWithARefund(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	at := ms("2024-01-01")
	w.event("c", purchase("1", 10_000, at))
	total := w.scores("c").CLV.Total.Value
	version := uint64(0)
	bounds := func(top int64) {
		version++
		v := make([]int64, 101)
		for i := range v {
			v[i] = top * int64(i) / 90
		}
		w.append(ledger.Kind_KIND_THRESHOLDS, at, &ledger.Thresholds{Version: version, Top_10: top, Top_20: top / 2, Percentiles: v, Customers: 1000})
	}
	tier := func(order string) string {
		w.takeOutputs()
		w.event("c", purchase(order, 0, at)) // touches, and changes nothing of worth
		return w.state("c").LastPublished.Tier.String()
	}
	bounds(total)
	require.Equal(t, "top_10", tier("2"))
	bounds(total + total/100)
	require.Equal(t, "top_10", tier("3"), "1% below the bound is kept")
	bounds(total + total/20)
	require.Equal(t, "top_20", tier("4"), "5% below is not")
	bounds(total + total/100)
	require.Equal(t, "top_20", tier("5"), "and is not regained below the bound")
	bounds(total)
	require.Equal(t, "top_10", tier("6"))
	w.takeOutputs()
	w.event("c", refund("r", "1", 100, at))
	outputs := w.takeOutputs()
	require.Contains(t, outputs[0].json, `"value_tier":"top_20"`, "a tier lost by a refund is published at once")
}

// TestPortfolioIsOfAllPartitions: nothing is published of a part of the base, and as_of is the time up to which every partition has
// contributed, not that of the tick.
func TestPortfolioIsOfAllPartitions(t *testing.T) {
	w := newWorld(t, genesis(2, ledger.Clock_CLOCK_EVENT))
	at := ms("2024-01-01")
	for i := range 4 {
		w.event(fmt.Sprint("customer-", i), purchase("1", 1000, at))
	}
	w.event("customer-0", refer("r", "referrer", ledger.ReferralStatus_REFERRAL_STATUS_APPROVED, at))
	tick := func(partition int32, at int64) {
		blob, err := (&ledger.Tick{
			Revision: 1, Inputs: []*ledger.Input{{Topic: "purchases", Partitions: 1}},
			Readings: []*ledger.Reading{{Topic: "purchases", Offset: w.origin + 1, Time: at, AtEnd: true}}, AdvanceTo: at,
		}).MarshalVT()
		require.NoError(t, err)
		w.fold(partition, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_TICK, Time: at, Payload: blob})
		w.drain()
	}
	portfolios := func() (all []string) {
		for _, s := range w.takeOutputs() {
			if s.Topic == output.Portfolio {
				all = append(all, s.json)
			}
		}
		return all
	}
	tick(0, at+1*day)
	tick(0, at+2*day)
	require.Empty(t, portfolios(), "partition 1 has not contributed")
	tick(1, at+2*day)
	tick(0, at+3*day)
	published := portfolios()
	require.Len(t, published, 1)
	require.Contains(t, published[0], `"as_of":"2024-01-03T00:00:00Z"`, "partition 1 has contributed up to then")
	require.Contains(t, published[0], `"state":"provisional","customers":4,"prospects":1,"active_customers":4,`)
	require.Contains(t, published[0], `"historic_revenue":40.00,`)
}
