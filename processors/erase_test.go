package processors_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// erase folds an erase entry of a customer; what it sends waits.
func (w *world) erase(customer string, at int64) processors.Verdict {
	blob, err := (&ledger.Event{Id: "erasure", Source: "erasure", OccurredAt: at, Erasure: &ledger.Erasure{}}).MarshalVT()
	require.NoError(w.t, err)
	w.origin++
	return w.fold(w.partitionOf(customer), &ledger.Entry{
		Version: 1, Kind: ledger.Kind_KIND_ERASE, Customer: customer, Time: at, Payload: blob, Origin: &ledger.Origin{Topic: "erasures", Offset: w.origin},
	})
}

const approved = ledger.ReferralStatus_REFERRAL_STATUS_APPROVED

// An erased customer has no state, every topic has a record of it, and what was sold to them stays in the portfolio, and nothing else.
func TestErase(t *testing.T) {
	w := newWorld(t, genesis(2, ledger.Clock_CLOCK_LIVE))
	at := ms("2026-01-01")
	w.event("ada", purchase("o1", 10_000, at))
	w.tick(at + 1000)
	p := w.parts[w.partitionOf("ada")]
	sequence := w.state("ada").Sequence
	w.takeOutputs()

	require.Equal(t, processors.Applied, w.erase("ada", at+2000).Result)
	require.Nil(t, w.state("ada"))
	totals := p.state.Totals()
	left := totals.Contribution(0, 0, 0, new(customer.Terms))
	require.EqualValues(t, 10_000, left.GetHistoricClv())
	left.HistoricClv = 0
	require.Equal(t, new(portfolio.Totals).Contribution(0, 0, 0, new(customer.Terms)).String(), left.String())
	n, oldest := p.state.Erasures()
	require.EqualValues(t, 1, n)
	require.Equal(t, at+2000, oldest)
	var topics, tombstones []output.Topic
	for _, o := range w.takeOutputs() {
		require.Equal(t, "ada", o.Key)
		require.Equal(t, output.TypeErased, o.Type)
		if o.Null {
			tombstones = append(tombstones, o.Topic)
			continue
		}
		require.Empty(t, tombstones, "tombstones come last")
		sequence++
		require.Contains(t, o.json, fmt.Sprintf(`"sequence":%d,`, sequence))
		require.Contains(t, o.json, `"trigger":"erasure","cause_event_id":"erasure"`)
		topics = append(topics, o.Topic)
	}
	require.Equal(t, output.AnswerTopics(), topics)
	require.Equal(t, output.AnswerTopics(), tombstones)

	w.drain()
	require.Equal(t, processors.Ignored, w.erase("ada", at+3000).Result, "twice")
	require.Equal(t, processors.Ignored, w.erase("nobody", at+3000).Result)
	w.drain()
	require.Empty(t, w.takeOutputs())

	w.event("ada", purchase("o0", 500, at-1000)) // it happened before the erasure, and is in the ledger after it
	require.EqualValues(t, 500, w.scores("ada").CLV.Historic)
	require.Contains(t, w.takeOutputs()[0].json, `"sequence":1,`)
}

// The final portfolio of a day has the customers of the tick that begins the close, also those who are erased before the cursor comes to
// them, and what was sold to those erased before. The next one has only what was sold of either.
func TestCloseWithErasedCustomers(t *testing.T) {
	midnight := ms("2024-06-01")
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		w := newWorld(t, genesis(1+random.Int32N(3), ledger.Clock_CLOCK_EVENT))
		w.settings(func(v *ledger.SettingsValues) { v.WakeLimit = 1 + random.Uint32N(5) })
		w.tick(midnight - 41*day)
		const people = 16
		for _, e := range aroundMidnight(random, people, midnight-day) {
			w.event(e.id, e.Event)
		}
		w.tick(midnight - 2)
		sold := int64(0)
		forget := func() {
			id := fmt.Sprint("customer-", random.IntN(people))
			if c := w.state(id); c != nil {
				sold += w.scores(id).CLV.Historic
				w.erase(id, midnight)
			}
		}
		for range 4 {
			forget()
			w.drain()
		}
		w.takeOutputs()
		want := sums(w, midnight)
		want.HistoricRevenue += sold
		want.Currency = w.parts[0].state.Unit()
		w.tickApart(midnight)
		for range 6 {
			forget()
			for i, p := range w.parts {
				if len(p.queue) > 0 && random.IntN(2) == 0 {
					e := p.queue[0]
					p.queue = p.queue[1:]
					w.fold(int32(i), e)
				}
			}
		}
		w.drain()
		published := finals(w)
		require.Len(t, published, 1)
		require.Equal(t, figures(string(want.Append(nil))), figures(published[0]), "seed %d", seed)

		want = sums(w, midnight+day)
		want.HistoricRevenue += sold
		want.Currency = w.parts[0].state.Unit()
		w.tick(midnight + day)
		published = finals(w)
		require.Len(t, published, 1)
		require.Equal(t, figures(string(want.Append(nil))), figures(published[0]), "seed %d, the next day", seed)
	}
}

// Everywhere a customer names the erased one as their referrer, the name goes: at once where something touches them, and in bounded
// work elsewhere. The next referrer in turn is credited.
func TestErasedNamesAreDropped(t *testing.T) {
	w := newWorld(t, genesis(3, ledger.Clock_CLOCK_LIVE))
	w.settings(func(v *ledger.SettingsValues) { v.WakeLimit = 2 })
	at := ms("2026-01-01")
	var friends []string
	for i := range 12 {
		friend := fmt.Sprint("friend-", i)
		friends = append(friends, friend)
		w.event(friend, refer("a"+friend, "ada", approved, at))
		w.event(friend, refer("b"+friend, "bea", approved, at+1))
		w.event(friend, purchase("o"+friend, 1000, at+2))
		w.event("pending-"+friend, refer("c"+friend, "ada", ledger.ReferralStatus_REFERRAL_STATUS_PENDING, at))
	}
	require.EqualValues(t, 12_000, w.state("ada").ReferralValue())
	w.erase("ada", at+3)
	w.drain()
	require.Nil(t, w.state("ada"))
	require.EqualValues(t, 12_000, w.state("bea").ReferralValue())
	for _, p := range w.parts {
		require.NotContains(t, string(p.state.Encode(nil)), "ada")
		for id, blob := range p.store.blobs {
			require.NotContains(t, string(blob), "ada", id)
		}
	}
	for _, e := range w.parts[0].log { // nor do the entries that the erasure has caused
		if k := e.GetKind(); k == ledger.Kind_KIND_UNNAME || k == ledger.Kind_KIND_UNNAMED {
			require.NotContains(t, e.String(), "ada")
		}
	}
	w.event(friends[0], refer("again", "ada", approved, at-1)) // a new customer refers them, and by the time of the event first
	require.Equal(t, "ada", w.state(friends[0]).Referrer())
	require.EqualValues(t, 1000, w.state("ada").ReferralValue())
}

// A credit that was under way when the referrer was erased creates nobody, and one for a customer who was erased stays without a name.
func TestCreditsUnderWay(t *testing.T) {
	w := newWorld(t, genesis(8, ledger.Clock_CLOCK_LIVE))
	at := ms("2026-01-01")
	require.NotEqual(t, w.partitionOf("bob"), w.partitionOf("ada"))
	w.event("bob", refer("r", "ada", approved, at))
	w.event("bob", purchase("o1", 1000, at+1))

	w.put("bob", purchase("o2", 500, at+2), at+2) // its credit is under way
	w.erase("ada", at+3)
	w.drain()
	require.Nil(t, w.state("ada"), "a credit has made a new customer")
	require.Empty(t, w.state("bob").Referrer())
	require.Empty(t, w.state("bob").Credited.To)

	w.event("bob", refer("s", "bea", approved, at+4))
	require.EqualValues(t, 1500, w.state("bea").ReferralValue())
	w.erase("bob", at+5)
	w.drain()
	require.Nil(t, w.state("bob"))
	require.EqualValues(t, 1500, w.state("bea").ReferralValue())
	require.Equal(t, 1, w.state("bea").Referred())
	w.event("bob", refer("s", "bea", approved, at+6))
	w.event("bob", purchase("o3", 200, at+7))
	require.EqualValues(t, 1700, w.state("bea").ReferralValue(), "the new customer's credit is beside that of the erased one")
}

// The episodes of a new customer have ids that those of the erased one did not have.
func TestAlertsOfNewCustomerHaveOtherIDs(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	w.settings(func(v *ledger.SettingsValues) {
		v.AlertRules = []*ledger.AlertRule{{Name: "big", Metric: "historic_clv", Threshold: 10, ClearThreshold: 5, Severity: "info"}}
		v.TiersMinCustomers, v.AlertsPublishBaseline = 1, true
	})
	at := ms("2026-01-01")
	ids := map[string]int{}
	for i := range 3 {
		w.event("ada", purchase("o", 10_000, at))
		w.erase("ada", at)
		w.drain()
		for _, o := range w.takeOutputs() {
			if o.Topic == output.Alerts && o.Type != output.TypeErased {
				_, id, _ := strings.Cut(o.json, `"alert_id":"`)
				id, _, _ = strings.Cut(id, `"`)
				ids[id]++
				require.True(t, o.Type == output.TypeAlertRaised || strings.Contains(o.json, `"cleared_reason":"erased"`))
			}
		}
		require.Len(t, ids, i+1)
	}
	for id, n := range ids {
		require.Equal(t, 2, n, "%s is raised and cleared", id)
	}
}
