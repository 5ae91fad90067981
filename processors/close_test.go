package processors_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// sent is an event of a customer.
type sent struct {
	id string
	*ledger.Event
}

// aroundMidnight are events of some customers, of which some happen before and some after a midnight.
func aroundMidnight(random *rand.Rand, people int, midnight int64) (all []sent) {
	reasons := []string{"", "price", "fraud", "damaged"}
	at := func() int64 { return midnight - 40*day + random.Int64N(41*day)/1000*1000 }
	for i := range people {
		id := fmt.Sprint("customer-", i)
		for o := range random.IntN(4) {
			order, total := fmt.Sprint(i, "-", o), 100+random.Int64N(9900)
			all = append(all, sent{id, purchase(order, total, at())})
			switch random.IntN(6) {
			case 0:
				e := cancel(order, at())
				e.Cancellation.Reason = reasons[random.IntN(len(reasons))]
				all = append(all, sent{id, fact(e)})
			case 1, 2:
				e := refund(order+"a", order, 1+random.Int64N(total), at())
				e.Cancellation.Reason = reasons[random.IntN(len(reasons))]
				all = append(all, sent{id, fact(e)})
			}
		}
		if random.IntN(3) == 0 {
			created := at()
			all = append(all, sent{id, survey(id, random.Int32N(11), created, created)})
		}
		if random.IntN(4) == 0 {
			// A credit has no date of its own, so a referral after midnight would make its referrer known before.
			when := min(at(), midnight-1)
			all = append(all, sent{id, refer(id, fmt.Sprint("customer-", random.IntN(people+3)), ledger.ReferralStatus_REFERRAL_STATUS_APPROVED, when)})
		}
	}
	return all
}

// sums are what a portfolio says of all customers, from the answers of each as of a time.
func sums(w *world, at int64) output.PortfolioUpdated {
	var e output.PortfolioUpdated
	orders, cancelled := 0.0, map[string]output.CancelReason{}
	for _, p := range w.parts {
		for id := range p.store.blobs {
			a, known := processors.ScoreCustomerAsOf(p.state, id, w.state(id), at)
			if !known {
				continue
			}
			e.HistoricRevenue += a.CLV.Historic
			for _, r := range a.Reasons {
				n := cancelled[r.Reason.Value]
				cancelled[r.Reason.Value] = output.CancelReason{
					Reason: r.Reason, Orders: n.Orders + r.Orders, Refunds: n.Refunds + r.Refunds, Subscriptions: n.Subscriptions + r.Subscriptions, Accounts: n.Accounts + r.Accounts,
				}
			}
			if a.CLV.Orders > 0 {
				e.Customers++
				e.FutureValue += a.CLV.Predicted.Value
				e.CustomerEquity += a.CLV.Total.Value
				orders += math.RoundToEven(1000 * a.CLV.PredictedOrders.Value)
			} else {
				e.Prospects++
			}
			switch a.Churn.Risk {
			case "low":
				e.Low++
			case "medium":
				e.Medium++
			case "high":
				e.High++
			case "none":
				e.None++
			case "churned":
				e.Churned++
			}
			switch a.Promoter.Category {
			case "promoter":
				e.Promoters++
			case "passive":
				e.Passives++
			case "detractor":
				e.Detractors++
			}
		}
	}
	e.PredictedOrders = output.Some(orders / 1000)
	e.Active = e.Low + e.Medium + e.High
	e.CancelReasons = slices.SortedFunc(maps.Values(cancelled), func(a, b output.CancelReason) int {
		total := func(n output.CancelReason) int64 { return n.Orders + n.Refunds + n.Subscriptions + n.Accounts }
		return cmp.Or(cmp.Compare(total(b), total(a)), cmp.Compare(a.Reason.Value, b.Reason.Value))
	})
	return e
}

// figures is the part of a portfolio that says something of the customers.
func figures(json string) string {
	_, behind, _ := strings.Cut(json, `"customers":`)
	part, _, _ := strings.Cut(behind, `,"nps"`)
	_, behind, _ = strings.Cut(behind, `"cancel_reasons"`)
	sums, _, _ := strings.Cut(behind, `,"average_clv"`)
	return part + bounds.ReplaceAllString(sums, "")
}

// bounds of intervals are the subject of TestIntervalsOfSums.
var bounds = regexp.MustCompile(`"[a-z_]+_(low|high)":[^,]*,`)

// finals takes the outputs and returns the portfolios that are final.
func finals(w *world) (all []string) {
	for _, s := range w.takeOutputs() {
		if s.Topic == output.Portfolio && strings.Contains(s.json, `"state":"final"`) {
			all = append(all, s.json)
		}
	}
	return all
}

// tickApart folds a tick in every partition, and leaves what partitions have sent each other in their queues.
func (w *world) tickApart(at int64) {
	blob, err := (&ledger.Tick{
		Revision: 1, Inputs: []*ledger.Input{{Topic: "purchases", Partitions: 1}},
		Readings: []*ledger.Reading{{Topic: "purchases", Offset: w.origin + 1, Time: at, AtEnd: true}}, AdvanceTo: at,
	}).MarshalVT()
	require.NoError(w.t, err)
	for i := range w.parts {
		w.fold(int32(i), &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_TICK, Time: at, Payload: blob})
	}
}

// TestFinalIsTheSumAsOf: the final portfolio equals the sum over all customers of their answers as of the day's end, to the last
// digit, whatever comes between the tick and the end of the walk; and it does not depend on the order in which events came before, on
// events of the next day that came early, on the number of partitions, or on how many customers an entry may value.
func TestFinalIsTheSumAsOf(t *testing.T) {
	midnight := ms("2024-06-01")
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		people := rapid.IntRange(0, 25).Draw(t, "people")
		random := rand.New(rand.NewPCG(seed, 0))
		all := aroundMidnight(random, people, midnight)
		before := random.IntN(len(all) + 1)
		early := slices.DeleteFunc(slices.Clone(all[:before]), func(e sent) bool { return e.GetOccurredAt() >= midnight })
		closeDay := func(shuffled uint64, first []sent) string {
			random := rand.New(rand.NewPCG(seed, shuffled))
			w := newWorld(t, genesis(1+random.Int32N(4), ledger.Clock_CLOCK_EVENT))
			w.settings(func(v *ledger.SettingsValues) { v.WakeLimit = 1 + random.Uint32N(30) })
			w.tick(midnight - 41*day)
			first, later := slices.Clone(first), all[before:]
			random.Shuffle(len(first), func(i, k int) { first[i], first[k] = first[k], first[i] })
			for _, e := range first {
				w.event(e.id, e.Event)
			}
			w.tick(midnight - 1)
			w.takeOutputs()
			want := sums(w, midnight)
			w.tickApart(midnight + random.Int64N(day))
			step := func() { // folds one of the entries that partitions have sent
				for i := range w.parts {
					if p := w.parts[i]; len(p.queue) > 0 && random.IntN(2) == 0 {
						e := p.queue[0]
						p.queue = p.queue[1:]
						w.fold(int32(i), e)
						return
					}
				}
			}
			for i, e := range later {
				w.put(e.id, e.Event, e.GetOccurredAt())
				if i == len(later)/2 && random.IntN(2) == 0 {
					blob, err := fitted(3).MarshalVT()
					require.NoError(t, err)
					for p := range w.parts {
						w.fold(int32(p), &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_PARAMETERS, Payload: blob})
					}
				}
				step()
			}
			w.drain()
			published := finals(w)
			require.Len(t, published, 1)
			require.Contains(t, published[0], `"as_of":"2024-06-01T00:00:00Z"`)
			require.Contains(t, published[0], `"trigger":"close","cause_event_id":null`)
			want.Currency = w.parts[0].state.Unit()
			require.Equal(t, figures(string(want.Append(nil))), figures(published[0]))
			return figures(published[0])
		}
		one := closeDay(1, all[:before])
		require.Equal(t, one, closeDay(2, all[:before]))
		require.Equal(t, one, closeDay(3, early), "what is dated after the day's end counts for nothing")
	})
}

// TestNewParametersWaitForTheEndOfAClose: the customers that a close has not yet valued are valued like those before them.
func TestNewParametersWaitForTheEndOfAClose(t *testing.T) {
	w := crowd(t, 40, 5)
	base, _ := w.parts[0].state.BaseTime()
	want := sums(w, base+day)
	w.tickApart(base + day)
	w.enter(ledger.Kind_KIND_PARAMETERS, fitted(3))
	w.drain()
	published := finals(w)
	require.Len(t, published, 1)
	want.Currency = w.parts[0].state.Unit()
	require.Equal(t, figures(string(want.Append(nil))), figures(published[0]))
}

// TestLateEventsCountInTheNextClose: an order of yesterday that comes after yesterday is closed counts today.
func TestLateEventsCountInTheNextClose(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	w.event("a", purchase("1", 1000, ms("2024-01-01")))
	w.tick(ms("2024-01-01"))
	w.tick(ms("2024-01-02"))
	w.event("a", purchase("2", 500, ms("2024-01-01T12:00:00Z")))
	w.tick(ms("2024-01-03"))
	published := finals(w)
	require.Len(t, published, 2)
	require.Contains(t, published[0], `"historic_revenue":10.00`)
	require.Contains(t, published[1], `"historic_revenue":15.00`)
	require.Contains(t, published[1], `"previous":{"customers":1,"prospects":0,"active_customers":1,"nps":null,"historic_revenue":10.00,`, "of the close before")
}

// TestDaysAreCivilDays: a day ends at midnight of the ledger's time zone, also where the clock is set forward at midnight.
func TestDaysAreCivilDays(t *testing.T) {
	g := genesis(1, ledger.Clock_CLOCK_EVENT)
	g.Timezone = "America/Havana" // 2024-03-10 begins at 01:00
	w := newWorld(t, g)
	w.event("a", purchase("1", 1000, ms("2024-03-09")))
	w.tick(ms("2024-03-10T04:59:59Z"))
	require.Empty(t, finals(w))
	w.tick(ms("2024-03-10T05:00:00Z"))
	require.Contains(t, finals(w)[0], `"as_of":"2024-03-10T05:00:00Z"`)
}

// TestCloseIsGivenUp: a close that the next midnight overtakes is not published, with closes off there is none, and a tick that passes
// several midnights closes the last of them.
func TestCloseIsGivenUp(t *testing.T) {
	w := crowd(t, 40, 5)
	p := w.parts[0]
	base, _ := p.state.BaseTime()
	w.tickApart(base + day)
	at, closing := p.state.Closing()
	require.True(t, closing)
	require.Equal(t, base+day, at)
	w.tickApart(base + 4*day)
	w.drain()
	published := finals(w)
	require.Len(t, published, 1)
	require.Contains(t, published[0], `"as_of":"2024-07-23T00:00:00Z"`)
	w.tickApart(base + 5*day)
	w.settings(func(v *ledger.SettingsValues) {
		v.WakeLimit, v.PortfolioClose = 5, ledger.PortfolioClose_PORTFOLIO_CLOSE_OFF
	})
	w.tick(base + 6*day)
	require.Empty(t, finals(w))
}

// TestTiersOfACloseAreThoseOfARecount: after a close every customer's tier and percentile equal those of sorting all customers by their
// value at the end of the day, whatever tiers were kept before.
func TestTiersOfACloseAreThoseOfARecount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, genesis(rapid.Int32Range(1, 3).Draw(t, "partitions"), ledger.Clock_CLOCK_EVENT))
		w.settings(func(v *ledger.SettingsValues) { v.TiersMinCustomers, v.WakeLimit = 20, 1000 })
		ids, now := clientele(t, w, rapid.IntRange(20, 150).Draw(t, "customers"))
		w.tick(now)
		// Everybody is in the uppermost tier, and stays there between closes a little below its bound.
		w.append(ledger.Kind_KIND_THRESHOLDS, now, &ledger.Thresholds{Version: 100, Top_10: 1, Top_20: 1, Percentiles: make([]int64, 101), Customers: int64(len(ids))})
		midnight := (now/day + 1 + rapid.Int64Range(0, 90).Draw(t, "days")) * day
		w.tick(midnight)
		values := map[string]int64{}
		var sorted []int64
		for _, id := range ids {
			a, _ := processors.ScoreCustomerAsOf(w.parts[w.partitionOf(id)].state, id, w.state(id), midnight)
			if a.CLV.Orders > 0 {
				values[id] = a.CLV.Total.Value
				sorted = append(sorted, a.CLV.Total.Value)
			}
		}
		slices.Sort(sorted)
		n := len(sorted)
		for _, id := range ids {
			v, ranked := values[id]
			a, _ := processors.ScoreCustomerAsOf(w.parts[w.partitionOf(id)].state, id, w.state(id), midnight)
			if !ranked || n < 20 {
				require.False(t, a.CLV.Percentile.Known)
				require.Empty(t, w.state(id).LastPublished.Tier.String())
				continue
			}
			below, _ := slices.BinarySearch(sorted, v)
			upTo, _ := slices.BinarySearch(sorted, v+1)
			require.InDelta(t, math.RoundToEven(1000*float64(below+upTo)/float64(2*n))/10, a.CLV.Percentile.Value, 1e-9)
			tier := "rest"
			if 10*(below+upTo) >= 2*n*9 {
				tier = "top_10"
			} else if 10*(below+upTo) >= 2*n*8 {
				tier = "top_20"
			}
			require.Equal(t, tier, w.state(id).LastPublished.Tier.String(), "%d of %d", below, n)
		}
	})
}

// TestBoundsBetweenCloses: between closes new bounds come at most once an hour, and in a large base only where more than a share of the
// tiers change.
func TestBoundsBetweenCloses(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	w.settings(func(v *ledger.SettingsValues) {
		v.PortfolioClose, v.TiersRedrawShare, v.WakeLimit = ledger.PortfolioClose_PORTFOLIO_CLOSE_OFF, .05, 2000
	})
	at := ms("2024-01-01")
	buy := func(from, to int, total int64) {
		for i := from; i < to; i++ {
			w.put(fmt.Sprint("customer-", i), purchase(fmt.Sprint("order-", i, "-", total), total+int64(i), at), at)
		}
	}
	version := func() uint64 { return w.parts[0].state.Thresholds().GetVersion() }
	minutes := func(n int64) uint64 {
		at += n * 60_000
		w.tick(at)
		return version()
	}
	buy(0, 600, 1000)
	w.tick(at)
	minutes(15)
	require.EqualValues(t, 1, version(), "the first bounds come at once")
	buy(0, 12, 50_000) // a fiftieth of the customers enter the uppermost tier
	require.EqualValues(t, 1, minutes(61))
	require.EqualValues(t, 1, minutes(61), "fewer tiers change than the share")
	buy(12, 100, 50_000)
	minutes(1)
	minutes(15)
	require.EqualValues(t, 2, minutes(15))
	buy(100, 300, 90_000)
	minutes(15)
	minutes(15)
	require.EqualValues(t, 2, minutes(15), "an hour has not passed")
	require.EqualValues(t, 3, minutes(30))
}
