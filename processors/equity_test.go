package processors_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// finalEquity is what a final portfolio says of customer equity, minor units.
type finalEquity struct {
	equity int64
	since  string
	parts  map[string]int64 // nil: none are stated
}

func readEquity(t require.TestingT, text string) (f finalEquity) {
	var p struct {
		Equity json.Number            `json:"customer_equity"`
		Change map[string]json.Number `json:"-"`
		Raw    map[string]any         `json:"customer_equity_change"`
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&p))
	minor := func(n json.Number) int64 {
		v, err := strconv.ParseInt(strings.Replace(n.String(), ".", "", 1), 10, 64) // two decimals
		require.NoError(t, err)
		return v
	}
	f.equity = minor(p.Equity)
	for name, v := range p.Raw {
		if name == "since" {
			f.since = v.(string)
			f.parts = map[string]int64{}
		}
	}
	for name, v := range p.Raw {
		if name != "since" {
			f.parts[name] = minor(v.(json.Number))
		}
	}
	return f
}

// standing is a customer as of a time, by the function that answers for a single customer.
type standing struct {
	orders, historic, predicted int64
	churned                     bool
	last                        int64 // time of the last order
}

func (s standing) equity() int64 {
	if s.orders == 0 {
		return 0
	}
	return s.historic + s.predicted
}

func standings(w *world, at int64) map[string]standing {
	all := map[string]standing{}
	for _, p := range w.parts {
		for id := range p.store.blobs {
			if a, known := processors.ScoreCustomerAsOf(p.state, id, w.state(id), at); known {
				all[id] = standing{a.CLV.Orders, a.CLV.Historic, a.CLV.Predicted.Value, a.Churn.Risk == "churned", a.Churn.LastOrderAt.Value}
			}
		}
	}
	return all
}

// TestEquityPartsByRecount: what has moved customer equity between two closes is what a comparison of each customer, as of both ends, says by
// the function that answers for a single customer, in any order of arrival, for any number of partitions, with late events, erasures and
// customers who close their account; and the parts sum to the difference of what was published.
func TestEquityPartsByRecount(t *testing.T) {
	midnight := ms("2024-06-01")
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 7))
		people := rapid.IntRange(1, 20).Draw(t, "people")
		w := newWorld(t, genesis(1+random.Int32N(3), ledger.Clock_CLOCK_EVENT))
		w.settings(func(v *ledger.SettingsValues) { v.WakeLimit = 1 + random.Uint32N(20) })
		all := aroundMidnight(random, people, midnight+40*day)
		for i := range people {
			if random.IntN(5) == 0 {
				all = append(all, sent{fmt.Sprint("customer-", i), &ledger.Event{
					Id: fmt.Sprint("closed-", i), Source: "cancellation", OccurredAt: midnight + random.Int64N(40)*day,
					Cancellation: &ledger.Cancellation{Kind: ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT},
				}})
			}
		}
		random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		w.tick(midnight - 41*day)
		w.takeOutputs()
		var before finalEquity
		first := true
		var erased int64
		at := midnight
		for len(all) > 0 {
			n := 1 + random.IntN(len(all))
			for _, e := range all[:n] { // late ones among them
				w.event(e.id, e.Event)
			}
			all = all[n:]
			if id := fmt.Sprint("customer-", random.IntN(people)); random.IntN(3) == 0 && w.state(id) != nil {
				if a, known := processors.ScoreCustomerAsOf(w.parts[w.partitionOf(id)].state, id, w.state(id), at-7*day); known && a.CLV.Orders > 0 {
					erased += a.CLV.Total.Value
				}
				w.erase(id, at-1)
				w.drain()
			}
			now, was := standings(w, at), standings(w, at-7*day)
			w.tickApart(at + random.Int64N(day))
			for range random.IntN(4) { // events while the close is under way change nothing of it
				if len(all) > 0 {
					w.put(all[0].id, all[0].Event, all[0].GetOccurredAt())
					all = all[1:]
				}
			}
			w.drain()
			published := finals(w)
			require.Len(t, published, 1)
			f := readEquity(t, published[0])
			if first {
				require.Nil(t, f.parts, "there is no close before")
			} else {
				want := map[string]int64{"new_customers": 0, "purchases": 0, "silence": 0, "lost": 0, "model": 0, "settings": 0, "late_events": -before.equity + erased, "erased": -erased}
				for id, n := range now {
					b := was[id]
					want["late_events"] += b.equity()
					switch {
					case b.orders == 0:
						want["new_customers"] += n.equity()
					case n.orders == 0:
						want["purchases"] -= b.equity()
					default:
						want["purchases"] += n.historic - b.historic
						cause := "silence"
						if n.churned && !b.churned {
							cause = "lost"
						} else if n.historic != b.historic || n.orders != b.orders || n.last != b.last {
							cause = "purchases"
						}
						want[cause] += n.predicted - b.predicted
					}
				}
				require.Equal(t, want, f.parts)
				sum := int64(0)
				for _, v := range f.parts {
					sum += v
				}
				require.Equal(t, f.equity-before.equity, sum)
			}
			before, first, erased = f, false, 0
			at += 7 * day
		}
	})
}

// TestEquityMovedByTerms: new parameters and new settings move equity by what they change of each customer at the close before, and by
// nothing else, also if they come while that close is under way.
func TestEquityMovedByTerms(t *testing.T) {
	for name, during := range map[string]bool{"after the close": false, "during the close": true} {
		t.Run(name, func(t *testing.T) {
			w := crowd(t, 40, 5)
			base, _ := w.parts[0].state.BaseTime()
			equity := func(at int64) (sum int64) {
				for _, s := range standings(w, at) {
					sum += s.equity()
				}
				return sum
			}
			first, second := base+day, base+2*day
			before := equity(first)
			w.tickApart(first)
			if !during {
				w.drain()
			}
			w.enter(ledger.Kind_KIND_PARAMETERS, fitted(3))
			fittedAtFirst := equity(first)
			w.drain()
			w.settings(func(v *ledger.SettingsValues) { v.WakeLimit, v.Margin = 5, .5 })
			marginAtFirst := equity(first)
			w.tick(second)
			published := finals(w)
			require.Len(t, published, 2)
			require.Equal(t, before, readEquity(t, published[0]).equity)
			f := readEquity(t, published[1])
			require.Equal(t, map[string]int64{
				"new_customers": 0, "purchases": 0, "silence": f.equity - marginAtFirst, "lost": 0, "model": fittedAtFirst - before, "settings": marginAtFirst - fittedAtFirst, "late_events": 0, "erased": 0,
			}, f.parts)
			require.NotZero(t, f.parts["model"])
			require.NotZero(t, f.parts["settings"])
		})
	}
}

// TestEquityPartsOfAGivenUpClose: a close that is given up leaves the next one without parts, and the one after it has them again.
func TestEquityPartsOfAGivenUpClose(t *testing.T) {
	w := crowd(t, 40, 5)
	base, _ := w.parts[0].state.BaseTime()
	w.tick(base + day)
	w.tickApart(base + 2*day) // its walk is not over
	w.tick(base + 3*day)
	w.tick(base + 4*day)
	published := finals(w)
	require.Len(t, published, 3)
	require.Nil(t, readEquity(t, published[1]).parts)
	require.NotNil(t, readEquity(t, published[2]).parts)
}

// TestNewestCohortAndDrivers: a final portfolio has the customers whose first purchase is in the last month that is over, and the newest score
// of each customer in equity surveys by dimension.
func TestNewestCohortAndDrivers(t *testing.T) {
	w := newWorld(t, genesis(2, ledger.Clock_CLOCK_EVENT))
	w.settings(func(v *ledger.SettingsValues) { v.Margin = .5 })
	w.event("a", purchase("1", 1000, ms("2024-01-05")))
	w.event("a", purchase("2", 1000, ms("2024-02-05")))
	w.event("b", purchase("3", 4000, ms("2024-01-09")))
	w.event("c", purchase("4", 7000, ms("2024-02-09")))
	w.event("d", purchase("5", 7000, ms("2024-01-09")))
	w.event("d", fact(cancel("5", ms("2024-01-10"))))
	answer := func(id, response, dimension string, score int32, at int64) {
		e := survey(response, score, at, at)
		e.Survey.Type, e.Survey.Dimension = ledger.SurveyType_SURVEY_TYPE_EQUITY, dimension
		w.event(id, fact(e))
	}
	answer("a", "r1", "value", 2, ms("2024-01-01"))
	answer("a", "r2", "value", 6, ms("2024-01-02"))
	answer("b", "r3", "value", 9, ms("2024-01-02"))
	answer("e", "r4", "value", 9, ms("2024-01-02"))
	answer("e", "r5", "brand", 4, ms("2024-01-02"))
	w.tick(ms("2024-02-28"))
	w.takeOutputs()
	w.tick(ms("2024-02-29"))
	published := finals(w)
	require.Len(t, published, 1)
	at := standings(w, ms("2024-02-29"))
	value := (at["a"].historic+at["b"].historic)/2 + at["a"].predicted + at["b"].predicted
	half := (value + 1) / 2 // of two, halves up
	require.Contains(t, published[0], fmt.Sprintf(`"newest_cohort":{"month":"2024-01","new_customers":2,"equity_per_new_customer":%d.%02d}`, half/100, half%100))
	require.Contains(t, published[0], `"equity_drivers":{"value":{"responses":3,"mean_score":8.000,"standard_error":1.000},"brand":{"responses":1,"mean_score":4.000,"standard_error":null},"relationship":{"responses":0,"mean_score":null,"standard_error":null}}`)
}
