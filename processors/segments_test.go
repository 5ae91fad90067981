package processors_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/trait"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// segmentSums are some figures of a segment; the other figures are of the same customers.
type segmentSums struct {
	Customers   int64   `json:"customers"`
	Revenue     float64 `json:"historic_revenue"`
	Equity      float64 `json:"customer_equity"`
	RepeatShare float64 `json:"repeat_share"`
}

// recountSegments groups the customers by their answers as of a time, and by what is stored of them.
func recountSegments(w *world, at int64) map[string]segmentSums {
	sums, repeat := map[string]segmentSums{}, map[string]int64{}
	for _, p := range w.parts {
		for id := range p.store.blobs {
			a, known := processors.ScoreCustomerAsOf(p.state, id, w.state(id), at)
			if !known || a.CLV.Orders == 0 {
				continue
			}
			first, _ := w.state(id).Days().First()
			of := map[string]string{
				"all": "all", "value_tier": a.CLV.ValueTier.Value, "churn_risk": a.Churn.Risk, "nps_category": a.Promoter.Category, "engagement": "",
				"cohort": time.Unix(int64(first)*86_400, 0).UTC().Format("2006-01"), "referred": map[bool]string{true: "yes", false: "no"}[a.Referrer != ""],
				"answer_month": "",
			}
			if a.Promoter.LastRespondedAt.Known {
				of["answer_month"] = time.UnixMilli(a.Promoter.LastRespondedAt.Value).UTC().Format("2006-01")
			}
			for t := range trait.Traits {
				of[t.String()] = p.state.Trait(w.state(id), t)
			}
			if first := of["first_channel"]; first != "" {
				of["channel_path"] = first + " > " + of["channel"]
			} else {
				of["channel_path"] = ""
			}
			for _, name := range attributeNames {
				of[name] = p.state.Attribute(w.state(id), name)
			}
			for dimension, segment := range of {
				if segment == "" {
					segment = "none"
				}
				key := dimension + "/" + segment
				s := sums[key]
				s.Customers++
				s.Revenue += float64(a.CLV.Historic)
				s.Equity += float64(a.CLV.Total.Value)
				if a.CLV.Orders > 1 {
					repeat[key]++
				}
				sums[key] = s
			}
		}
	}
	for key, s := range sums {
		sums[key] = segmentSums{s.Customers, s.Revenue / 100, s.Equity / 100, float64(repeat[key]) / float64(s.Customers)}
	}
	return sums
}

// publishedSegments takes the outputs and returns the segments by key.
func publishedSegments(t *testing.T, w *world) map[string]segmentSums {
	all := map[string]segmentSums{}
	for _, s := range w.takeOutputs() {
		if s.Topic != output.Segments {
			continue
		}
		var sums segmentSums
		require.NoError(t, json.Unmarshal([]byte(s.json), &sums))
		require.NotContains(t, all, s.Key)
		require.Contains(t, s.json, `"as_of":"2024-06-01T00:00:00Z","trigger":"close"`)
		all[s.Key] = sums
	}
	return all
}

func requireSegments(t *testing.T, want, got map[string]segmentSums) {
	require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
	for key, w := range want {
		g := got[key]
		require.Equal(t, w.Customers, g.Customers, key)
		require.InDelta(t, w.Revenue, g.Revenue, 1e-6, key)
		require.InDelta(t, w.Equity, g.Equity, 1e-6, key)
		require.InDelta(t, w.RepeatShare, g.RepeatShare, .00005001, key)
	}
}

// The segments of a close equal a recount, in every order of arrival, whatever comes in between, and for any number of partitions and of
// customers an entry may value.
func TestSegmentsOfACloseAreThoseOfARecount(t *testing.T) {
	midnight := ms("2024-06-01")
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 2))
		var all []sent
		one := func(of ...string) string { return of[random.IntN(len(of))] }
		for _, e := range aroundMidnight(random, 40, midnight) {
			if e.OccurredAt = min(e.OccurredAt, midnight-1); e.Purchase != nil {
				e.PurchaseDetails = &ledger.PurchaseDetails{
					Channel: one("", "web", "store"), Country: one("", "DE", "FR", "IR"), LoyaltyMemberStated: random.IntN(2) == 0, LoyaltyMember: random.IntN(2) == 0,
					Products: []*ledger.Product{{ProductId: "p", Category: one("Kitchen", "Garden"), Net: 1}},
				}
				if random.IntN(3) == 0 {
					stating(e.Event, one(attributeNames...), one("a", "b"))
				}
			}
			all = append(all, e)
		}
		for range 2 {
			random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
			w := newWorld(t, genesis(1+random.Int32N(4), ledger.Clock_CLOCK_EVENT))
			w.settings(func(v *ledger.SettingsValues) { v.WakeLimit, v.TiersMinCustomers = 1+random.Uint32N(30), 5 })
			w.tick(midnight - 41*day)
			for _, e := range all {
				w.event(e.id, e.Event)
			}
			w.tick(midnight - 1)
			w.takeOutputs()
			want := recountSegments(w, midnight)
			w.tickApart(midnight)
			for i := range w.parts { // the close of each is under way
				w.put(fmt.Sprint("customer-", i), stating(purchase(fmt.Sprint("late-", i), 7_000, midnight+1), "plan", "new"), midnight+1)
			}
			if random.IntN(2) == 0 {
				blob, err := (&ledger.Thresholds{Version: 1000, Customers: 10, Top_10: 1, Top_20: 1}).MarshalVT()
				require.NoError(t, err)
				for i := range w.parts {
					w.fold(int32(i), &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_THRESHOLDS, Payload: blob})
				}
			}
			w.drain()
			requireSegments(t, want, publishedSegments(t, w))
		}
	}
}

// Of a dimension with many segments the largest are told apart, and more segments than an entry may state come in several.
func TestManySegments(t *testing.T) {
	midnight := ms("2024-06-01")
	w := newWorld(t, genesis(3, ledger.Clock_CLOCK_EVENT))
	w.settings(func(v *ledger.SettingsValues) { v.WakeLimit = 300 })
	w.tick(midnight - 41*day)
	const customers = 1200
	for i := range customers {
		e := stating(purchase(fmt.Sprint("order-", i), 1_000, midnight-day), "plan", fmt.Sprint("plan-", i), "size", fmt.Sprint("size-", i), "region", fmt.Sprint("region-", i/2%150))
		e.PurchaseDetails = &ledger.PurchaseDetails{
			Channel: fmt.Sprint("channel-", i), Country: fmt.Sprint("country-", i), Acquisition: &ledger.Acquisition{Source: fmt.Sprint("source-", i)},
			Products: []*ledger.Product{{ProductId: "p", Category: fmt.Sprint("category-", i), Brand: fmt.Sprint("brand-", i), Net: 1}},
		}
		w.event(fmt.Sprint("customer-", i), e)
	}
	w.tick(midnight - 1)
	w.takeOutputs()
	w.tick(midnight)
	all := publishedSegments(t, w)
	byDimension := map[string]int64{}
	number := map[string]int{}
	for key, s := range all {
		dimension := key[:slices.Index([]byte(key), '/')]
		byDimension[dimension] += s.Customers
		number[dimension]++
	}
	for dimension, sum := range byDimension {
		require.EqualValues(t, customers, sum, dimension)
		require.LessOrEqual(t, number[dimension], 120, dimension)
	}
	require.Equal(t, 120, number["country"])
	require.EqualValues(t, customers-119, all["country/other"].Customers)
	require.EqualValues(t, 8, all["region/region-0"].Customers)
	require.Equal(t, 120, number["region"])
	require.NotContains(t, all, "country/none")
}
