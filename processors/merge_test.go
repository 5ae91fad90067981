package processors_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// merge folds a merge entry; what it sends waits.
func (w *world) merge(from, into string, at int64) processors.Verdict {
	blob, err := (&ledger.Event{Id: "merge " + from, Source: "identity", OccurredAt: at, Merge: &ledger.Merge{Into: into}}).MarshalVT()
	require.NoError(w.t, err)
	w.origin++
	return w.fold(w.partitionOf(from), &ledger.Entry{
		Version: 1, Kind: ledger.Kind_KIND_MERGE, Customer: from, Time: at, Payload: blob, Origin: &ledger.Origin{Topic: "identities", Offset: w.origin},
	})
}

// deliverOne folds the first entry that a random partition has sent to another: entries of one sender keep their order, and no others do.
func (w *world) deliverOne(draw func(n int, what string) int) {
	to := draw(len(w.parts), "receiver")
	p := w.parts[to]
	if len(p.queue) == 0 {
		return
	}
	sender := p.queue[draw(len(p.queue), "sender")].GetOrigin().GetPartition()
	i := slices.IndexFunc(p.queue, func(e *ledger.Entry) bool { return e.GetOrigin().GetPartition() == sender })
	e := p.queue[i]
	p.queue = slices.Delete(p.queue, i, i+1)
	w.fold(int32(to), e)
}

// remaining follows a customer's merges to the one who remains.
func (w *world) remaining(id string) string {
	for range 10 {
		c := w.state(id)
		if c == nil || c.MergedInto() == "" {
			return id
		}
		id = c.MergedInto()
	}
	require.Fail(w.t, "a ring of merges", id)
	return ""
}

// personal makes the ids in a history those of each customer, and reports some events of one customer of another one as well, as two
// systems of a shop do.
func personal(t *rapid.T, all []customerEvent) []customerEvent {
	var events []customerEvent
	referrals := 0
	for _, h := range all {
		e := proto.CloneOf(h.Event)
		own := func(text string) string { // also within natural ids
			for _, what := range []string{"order-", "referral-", "response-", "closed"} {
				text = strings.ReplaceAll(text, what, h.customer+"-"+what)
			}
			return text
		}
		e.Id = own(e.GetId())
		switch {
		case e.Purchase != nil:
			e.Purchase.OrderId = own(e.Purchase.OrderId)
		case e.Cancellation != nil:
			e.Cancellation.OrderId = own(e.Cancellation.OrderId)
		case e.Survey != nil:
			e.Survey.ResponseId = own(e.Survey.ResponseId)
		case e.Referral != nil:
			if referrals++; referrals > 12 { // a customer has at most 16
				continue
			}
			e.Referral.ReferralId = own(e.Referral.ReferralId)
			e.OccurredAt += 7 * int64(h.customer[len(h.customer)-1]-'0') // never two at once
		}
		events = append(events, customerEvent{h.customer, e})
		if e.Engagement == nil && e.Referral == nil && rapid.IntRange(0, 5).Draw(t, "of another too") == 0 {
			events = append(events, customerEvent{fmt.Sprint("customer-", rapid.IntRange(0, 3).Draw(t, "other")), e})
		}
	}
	return events
}

// Whatever is merged into whom, in any order with the events and in any number of partitions, everybody who is one person ends as one
// customer, with the answers of one of whom all events were reported.
func TestMergedCustomersAreOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := personal(t, history(t))
		now := start + rapid.Int64Range(300*24, 398*24).Draw(t, "now")*3_600_000
		draw := func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) }
		w := newWorld(t, genesis(rapid.Int32Range(1, 3).Draw(t, "partitions"), ledger.Clock_CLOCK_EVENT))
		underHistory := func(v *ledger.SettingsValues) {
			inDollars(v)
			v.DedupDays = 400
		}
		w.settings(underHistory)
		type merge struct{ from, into string }
		merges := map[int][]merge{}
		person := map[string]string{}
		for i := range 4 {
			person[fmt.Sprint("customer-", i)] = fmt.Sprint("customer-", i)
		}
		for range rapid.IntRange(1, 5).Draw(t, "merges") {
			m := merge{fmt.Sprint("customer-", draw(4, "from")), fmt.Sprint("customer-", draw(4, "into"))}
			if m.from == m.into {
				continue
			}
			at := draw(len(all)+1, "merged at")
			merges[at] = append(merges[at], m)
			one, other := person[m.from], person[m.into]
			for id, p := range person {
				if p == one {
					person[id] = other
				}
			}
		}
		drained := rapid.Bool().Draw(t, "drained") // before each merge, so that no ring closes unnoticed
		mixed := rapid.Permutation(all).Draw(t, "mixed")
		for i := range len(mixed) + 1 {
			for _, m := range merges[i] {
				if drained {
					w.drain()
				}
				w.merge(m.from, m.into, start)
			}
			if i < len(mixed) {
				w.put(mixed[i].customer, mixed[i].Event, mixed[i].OccurredAt)
			}
			for range draw(4, "deliver") {
				w.deliverOne(draw)
			}
			if rapid.IntRange(0, 9).Draw(t, "tick") == 0 {
				w.tick(start)
			}
		}
		w.drain()
		w.tick(now)

		remains := map[string]string{} // by person
		for id, p := range person {
			if r, known := remains[p]; known {
				require.Equal(t, r, w.remaining(id), "%s is not with the others", id)
			}
			remains[p] = w.remaining(id)
		}
		as := func(id string) string {
			if p, known := person[id]; known {
				return remains[p]
			}
			return id
		}
		events, direct := map[string][]*ledger.Event{}, newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
		direct.settings(underHistory)
		slices.SortStableFunc(all, func(a, b customerEvent) int { return cmp.Compare(a.OccurredAt, b.OccurredAt) })
		for _, h := range all {
			e := proto.CloneOf(h.Event)
			if e.Referral != nil {
				e.Referral.Referrer = as(e.Referral.Referrer)
			}
			direct.event(as(h.customer), e)
			if e.GetReferral().GetReferrer() != as(h.customer) {
				events[as(h.customer)] = append(events[as(h.customer)], e)
			}
		}
		direct.tick(now)
		want := recountAll(events, now)
		for _, id := range slices.Sorted(maps.Keys(want)) {
			got := w.scores(id)
			got.Referrer = as(got.Referrer)
			requireRecount(t, id, want[id], got)
			requireTraits(t, w, id, events[id])
			require.Equal(t, bare(direct.scores(id)), bare(got), id)
		}
		requireLedgerRules(t, w)
		require.Equal(t, calendarOf(direct), calendarOf(w))
	})
}

func calendarOf(w *world) string {
	var sum calendar.Table
	for _, p := range w.parts {
		c := p.state.Calendar()
		sum.Merge(&c)
	}
	return sum.Encode().String()
}

// A customer who is merged has no state but whom they were merged into. Subscribers are told, and their alerts are cleared.
func TestMerge(t *testing.T) {
	w := newWorld(t, genesis(3, ledger.Clock_CLOCK_LIVE))
	w.settings(func(v *ledger.SettingsValues) {
		v.AlertRules = []*ledger.AlertRule{{Name: "big", Metric: "historic_clv", Threshold: 10, ClearThreshold: 5, Severity: "info"}}
		v.TiersMinCustomers, v.AlertsPublishBaseline = 1, true
	})
	at := ms("2026-01-01")
	w.event("ada", purchase("o1", 10_000, at))
	w.event("ann", purchase("o2", 500, at))
	w.tick(at + 1000)
	sequence := w.state("ada").Sequence
	w.takeOutputs()

	require.Equal(t, processors.Applied, w.merge("ada", "ann", at+2000).Result)
	var topics, tombstones []output.Topic
	for _, o := range w.takeOutputs() {
		require.Equal(t, "ada", o.Key)
		switch {
		case o.Null:
			tombstones = append(tombstones, o.Topic)
			continue
		case o.Type == output.TypeMerged:
			require.Contains(t, o.json, `"merged_into":"ann"`)
			require.Contains(t, o.json, `"trigger":"merge","cause_event_id":"merge ada"`)
			topics = append(topics, o.Topic)
		default:
			require.Equal(t, output.TypeAlertCleared, o.Type)
			require.Contains(t, o.json, `"cleared_reason":"merged"`)
		}
		require.Empty(t, tombstones, "tombstones come last")
		sequence++
		require.Contains(t, o.json, fmt.Sprintf(`"sequence":%d,`, sequence))
	}
	require.Equal(t, output.AnswerTopics(), topics)
	require.Equal(t, output.AnswerTopics(), tombstones)

	w.drain()
	require.Contains(t, w.takeOutputs()[0].json, `"historic_clv":105.00`)
	require.Equal(t, "ann", w.state("ada").MergedInto())
	require.Equal(t, 1, w.state("ann").Merged())
	requireTotals(t, w)
	require.Equal(t, processors.Forwarded, w.merge("ada", "ann", at+3000).Result, "twice")
	require.Equal(t, processors.Forwarded, w.put("ada", purchase("o3", 200, at+3000), at+3000).Result)
	w.drain()
	require.EqualValues(t, 10_700, w.scores("ann").CLV.Historic)
	require.Equal(t, processors.Rejected, w.merge("ann", "ada", at+4000).Result)
	rejections := w.takeOutputs()
	require.Contains(t, rejections[len(rejections)-1].json, `"reason":"merge_cycle","kind":"identity"`)
	require.EqualValues(t, 10_700, w.scores("ann").CLV.Historic)
}

// Two partitions that merge two customers into each other at once end with one of them, the same in any order of what follows.
func TestMergesIntoEachOther(t *testing.T) {
	for _, people := range [][]string{{"ada", "ann"}, {"ada", "ann", "bea"}, {"ada", "ann", "bea", "cas", "dan"}} {
		rapid.Check(t, func(t *rapid.T) {
			w := newWorld(t, genesis(7, ledger.Clock_CLOCK_LIVE))
			at := ms("2026-01-01")
			for i, id := range people {
				w.event(id, purchase("o"+id, 1000, at))
				w.event(id, refer("f"+id, people[(i+1)%len(people)], approved, at))
				w.event("friend of "+id, refer("r"+id, id, approved, at))
				w.event("friend of "+id, purchase("p"+id, 10, at))
			}
			for i, id := range people {
				w.merge(id, people[(i+1)%len(people)], at)
			}
			draw := func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) }
			for range 60 {
				w.deliverOne(draw)
			}
			for _, id := range people {
				w.put(id, purchase("late"+id, 100, at), at)
				w.put("friend of "+id, purchase("q"+id, 1, at), at)
			}
			w.drain()
			one := w.remaining(people[0])
			for _, id := range people {
				require.Equal(t, one, w.remaining(id))
			}
			n := int64(len(people))
			require.Equal(t, 1100*n, w.scores(one).CLV.Historic)
			require.Equal(t, 11*n, w.scores(one).CLV.ReferralValue)
			require.Empty(t, w.scores(one).Referrer)
			requireTotals(t, w)
		})
	}
}

// Facts that are too many for one entry come in parts, and the sum is the same.
func TestFactsInParts(t *testing.T) {
	w := newWorld(t, genesis(2, ledger.Clock_CLOCK_LIVE))
	w.settings(func(v *ledger.SettingsValues) { v.MemoryOrders = 10_000 })
	at := ms("2026-01-01")
	const orders = 9000
	c := customer.New()
	for i := range orders {
		e := purchase(fmt.Sprint("o", i), 100, at+int64(i)*1000)
		c.RecordPurchase(&customer.Terms{Settings: w.parts[0].state.Settings(), Unit: w.parts[0].state.Unit()}, customer.Moment{Now: at}, e, e.Purchase)
	}
	c.Sequence = 1
	p := w.parts[w.partitionOf("ada")]
	p.store.Put("ada", c)
	w.event("ann", purchase("o1", 100, at+1000))
	w.merge("ada", "ann", at)
	facts := 0
	for _, other := range w.parts {
		for _, e := range other.queue {
			if e.GetKind() == ledger.Kind_KIND_FORWARD {
				require.Less(t, e.SizeVT(), 500_000)
				facts++
			}
		}
	}
	require.Equal(t, 3, facts)
	w.drain()
	require.EqualValues(t, orders*100, w.scores("ann").CLV.Historic, "the order that both have counts once")
}

// To forget any id of a person is to forget the person: nothing in any partition names them, and what is reported later is a new customer's.
func TestEraseMerged(t *testing.T) {
	for _, forget := range []string{"ada", "ann", "bea"} {
		rapid.Check(t, func(t *rapid.T) {
			w := newWorld(t, genesis(rapid.Int32Range(1, 5).Draw(t, "partitions"), ledger.Clock_CLOCK_LIVE))
			draw := func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) }
			at := ms("2026-01-01")
			for _, id := range []string{"ada", "ann", "bea"} {
				w.event(id, purchase("o"+id, 1000, at))
				w.event("friend of "+id[:1], refer("r"+id, id, approved, at))
			}
			w.merge("ada", "ann", at)
			w.drain()
			w.merge("ann", "bea", at)
			w.drain()
			w.erase(forget, at)
			for range draw(30, "delivered") {
				w.deliverOne(draw)
			}
			w.drain()
			for _, p := range w.parts {
				require.NotRegexp(t, "ada|ann|bea", string(p.state.Encode(nil)))
				for id, blob := range p.store.blobs {
					require.NotRegexp(t, "ada|ann|bea", id+string(blob))
				}
			}
			w.event("ada", purchase("again", 5, at))
			require.EqualValues(t, 5, w.scores("ada").CLV.Historic)
		})
	}
}
