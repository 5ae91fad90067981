package processors_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// customerEvent is an event of a customer.
type customerEvent struct {
	customer string
	*ledger.Event
}

var start = ms("2023-01-01")

// history draws what may happen to a few customers within the memory: nothing in it contradicts itself.
func history(t *rapid.T) []customerEvent {
	const people = 4
	var all []customerEvent
	name := func(i int) string { return fmt.Sprint("customer-", i) }
	moment := func() int64 {
		// hours repeat, so that days are shared and times tie
		return start + rapid.Int64Range(0, 250*24).Draw(t, "hour")*3_600_000
	}
	reason := func(label string) string { return rapid.SampledFrom([]string{"", "price", "fraud"}).Draw(t, label) }
	add := func(i int, e *ledger.Event) {
		if rapid.Bool().Draw(t, "stated id") {
			e.Id = fmt.Sprint("stated-", len(all))
		}
		all = append(all, customerEvent{name(i), e})
	}
	for i := range people {
		for o := range rapid.IntRange(0, 7).Draw(t, "orders") {
			order, at := fmt.Sprint("order-", o), moment()
			currency := rapid.SampledFrom([]string{"EUR", "USD"}).Draw(t, "currency")
			total := rapid.Int64Range(0, 5000).Draw(t, "total")
			for u := range rapid.IntRange(0, 2).Draw(t, "snapshots") { // none: only what refers to it is known
				e := purchase(order, total+int64(u), at)
				e.Id, e.Purchase.Currency = fmt.Sprint("order:", order, "@", u), currency
				e.Purchase.TimeStoodIn = rapid.IntRange(0, 3).Draw(t, "time not stated") == 0
				if u > 0 || rapid.Bool().Draw(t, "dated") {
					e.Purchase.UpdatedAt = at + int64(rapid.IntRange(1, 2).Draw(t, "updated"))*1000
					e.Purchase.Cancelled = rapid.IntRange(0, 5).Draw(t, "cancelled") == 0
					e.Purchase.StatusStated, e.Purchase.RefundsStated = rapid.Bool().Draw(t, "status"), rapid.Bool().Draw(t, "refunds")
					for f := range rapid.IntRange(0, 2).Draw(t, "snapshot refunds") {
						e.Purchase.Refunds = append(e.Purchase.Refunds, &ledger.Refund{RefundId: fmt.Sprint("refund-", f), Total: 4*rapid.Int64Range(1, 750).Draw(t, "refund") + int64(u), OccurredAt: at})
					}
				}
				if u > 0 && rapid.Bool().Draw(t, "moved") {
					e.OccurredAt = moment()
				}
				e = fact(e)
				if rapid.Bool().Draw(t, "detailed") {
					e.PurchaseDetails = drawDetails(t)
				}
				e.Attributes = drawAttributes(t)
				add(i, e)
			}
			for f := range rapid.IntRange(0, 2).Draw(t, "refunds") {
				e := refund(fmt.Sprint("refund-", f), order, rapid.Int64Range(1, 4000).Draw(t, "refund"), moment())
				e.Cancellation.Currency = rapid.SampledFrom([]string{currency, "EUR"}).Draw(t, "refunded in")
				e.Cancellation.Reason = reason("refund's reason")
				add(i, fact(e))
			}
			for c := range max(0, rapid.IntRange(-3, 2).Draw(t, "cancels")) {
				e := cancel(order, moment())
				e.Id, e.Cancellation.Reason = fmt.Sprint(e.Id, "@", c), reason("cancel reason")
				add(i, fact(e))
			}
		}
		for v := range rapid.IntRange(0, 3).Draw(t, "surveys") {
			created := moment()
			for u := range rapid.IntRange(1, 3).Draw(t, "updates") {
				e := survey(fmt.Sprint("response-", v), int32(rapid.IntRange(0, 10).Draw(t, "score")), created, created+int64(u)*1000)
				e.Survey.Excluded = rapid.IntRange(0, 4).Draw(t, "excluded") == 0
				add(i, fact(e))
			}
		}
		for range rapid.IntRange(0, 4).Draw(t, "engagement") {
			kind := ledger.EngagementType(rapid.IntRange(int(siteVisit), int(ledger.EngagementType_ENGAGEMENT_TYPE_FEATURE_USE)).Draw(t, "type"))
			e := engagement(fmt.Sprint("engagement-", len(all)), kind, moment())
			e.Attributes = drawAttributes(t)
			add(i, e)
		}
		for k := range rapid.IntRange(0, 2).Draw(t, "referrals") {
			by := rapid.IntRange(0, people).Draw(t, "by")
			if by == i {
				continue
			}
			id := fmt.Sprint("referral-", k)
			at := moment() + int64(k) // never two at once
			add(i, refer(id, name(by), ledger.ReferralStatus_REFERRAL_STATUS_APPROVED, at))
			if rapid.IntRange(0, 2).Draw(t, "pending before") == 0 {
				add(i, refer(id, name(by), ledger.ReferralStatus_REFERRAL_STATUS_PENDING, at-rapid.Int64Range(1, 45).Draw(t, "earlier")*86_400_000+200))
			}
			if rapid.IntRange(0, 2).Draw(t, "voided") == 0 {
				add(i, refer(id, name(by), ledger.ReferralStatus_REFERRAL_STATUS_VOIDED, at+rapid.Int64Range(1, 45).Draw(t, "later")*86_400_000+500))
			}
		}
		if rapid.IntRange(0, 5).Draw(t, "closes") == 0 {
			at := moment()
			add(i, fact(&ledger.Event{Id: "closed", Source: "cancellation", OccurredAt: at, Cancellation: &ledger.Cancellation{
				Kind: ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT, Reason: reason("close reason"),
			}}))
		}
	}
	return all
}

// dollar is the value of a dollar in thousandths of a euro.
const dollar = 905

// foldAll folds events in the given order, with ticks in between if ticking is set, and then a tick at now.
func foldAll(t *rapid.T, label string, all []customerEvent, partitions int32, memoryDays uint32, ticking bool, now int64) *world {
	return foldUnder(t, label, all, partitions, func(v *ledger.SettingsValues) {
		if memoryDays > 0 {
			v.MemoryDays, v.MemoryOrders = memoryDays, 4
		}
		v.DedupDays = 400 // longer than a history, since of engagement nothing but the event id tells a repeated event
	}, ticking, now)
}

// inDollars is a setting that history needs.
func inDollars(v *ledger.SettingsValues) {
	v.Rates = []*ledger.Rate{{Currency: "USD", Numerator: dollar, Denominator: 1000}}
}

// foldUnder is foldAll under other settings.
func foldUnder(t *rapid.T, label string, all []customerEvent, partitions int32, change func(v *ledger.SettingsValues), ticking bool, now int64) *world {
	w := newWorld(t, genesis(partitions, ledger.Clock_CLOCK_EVENT))
	w.settings(func(v *ledger.SettingsValues) {
		inDollars(v)
		change(v)
	})
	for _, h := range all {
		w.put(h.customer, h.Event, h.OccurredAt)
		if rapid.IntRange(0, 3).Draw(t, label+" settle") == 0 {
			w.drain()
		}
		if ticking && rapid.IntRange(0, 9).Draw(t, label+" tick") == 0 {
			w.tick(h.OccurredAt)
		}
	}
	w.drain()
	w.tick(now)
	return w
}

func TestAnyOrderOfArrivalGivesTheSameAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := history(t)
		now := start + rapid.Int64Range(300*24, 398*24).Draw(t, "now")*3_600_000
		sorted := slices.Clone(all)
		slices.SortStableFunc(sorted, func(a, b customerEvent) int { return cmp.Compare(a.OccurredAt, b.OccurredAt) })
		mixed := rapid.Permutation(all).Draw(t, "mixed")
		for _, h := range mixed {
			if rapid.IntRange(0, 4).Draw(t, "again") == 0 {
				at := rapid.IntRange(0, len(mixed)).Draw(t, "at")
				mixed = slices.Insert(slices.Clone(mixed), at, h)
			}
		}
		one := foldAll(t, "one", sorted, 1, 0, true, now)
		two := foldAll(t, "two", mixed, rapid.Int32Range(1, 5).Draw(t, "partitions"), 0, rapid.Bool().Draw(t, "ticking"), now)
		events := map[string][]*ledger.Event{}
		for _, h := range all {
			events[h.customer] = append(events[h.customer], h.Event)
		}
		want := recountAll(events, now)
		for _, id := range slices.Sorted(maps.Keys(want)) {
			r := want[id]
			a, b := one.scores(id), two.scores(id)
			requireRecount(t, id, r, a)
			requireTraits(t, one, id, events[id])
			requireTraits(t, two, id, events[id])
			require.Equal(t, bare(a), bare(b), id)
		}
		for _, w := range []*world{one, two} {
			requireLedgerRules(t, w)
		}
	})
}

// TestPruningNeverChangesAnAnswer: with a short memory, and refunds long after their orders, eviction of expired items by base time
// changes no answer.
func TestPruningNeverChangesAnAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sorted := history(t)
		slices.SortStableFunc(sorted, func(a, b customerEvent) int { return cmp.Compare(a.OccurredAt, b.OccurredAt) })
		now := start + 300*day
		memory := rapid.Uint32Range(1, 90).Draw(t, "memory")
		pruned := foldAll(t, "pruned", sorted, 1, memory, true, now)
		kept := foldAll(t, "kept", sorted, 1, memory, false, now)
		for id := range kept.parts[0].store.blobs {
			require.Equal(t, bare(kept.scores(id)), bare(pruned.scores(id)), id)
		}
	})
}

// bare returns scores without the fields that depend on the order of arrival: the previous output, what has moved since, and the number of outputs.
func bare(a processors.CustomerScores) processors.CustomerScores {
	a.CLV.About, a.Churn.About, a.Promoter.About = output.About{}, output.About{}, output.About{}
	a.CLV.Previous, a.Churn.Previous, a.Promoter.Previous = output.Opt[output.PreviousCLV]{}, output.Opt[output.PreviousChurnRisk]{}, output.Opt[output.PreviousPromoterStatus]{}
	a.CLV.Reasons, a.Promoter.Reasons = output.Reasons{}, output.Reasons{}
	a.Churn.NextCheckAt = output.Opt[int64]{} // depends on the probability last published
	return a
}

func requireRecount(t *rapid.T, id string, r *recount, a processors.CustomerScores) {
	require.EqualValues(t, r.historic, a.CLV.Historic, id)
	require.InDelta(t, r.engagement.DaysSinceLast, a.Engagement.DaysSinceLast, 1e-9)
	r.engagement.DaysSinceLast = a.Engagement.DaysSinceLast
	require.Equal(t, r.engagement, a.Engagement, id)
	require.EqualValues(t, r.orders, a.CLV.Orders, id)
	require.Len(t, a.Reasons, len(r.cancelled), id)
	for _, n := range a.Reasons {
		require.Equal(t, &[4]int64{n.Orders, n.Refunds, n.Subscriptions, n.Accounts}, r.cancelled[n.Reason.Value], "%s: %s", id, n.Reason.Value)
	}
	require.EqualValues(t, r.referral, a.CLV.ReferralValue, id)
	require.Equal(t, r.referrer, a.Referrer, id)
	require.EqualValues(t, r.responses, a.Promoter.Responses, id)
	if r.score >= 0 {
		require.Equal(t, output.Some(int64(r.score)), a.Promoter.Score, id)
		require.InDelta(t, float64(r.scores)/float64(r.responses), a.Promoter.AverageScore.Value, 1e-12)
	} else {
		require.False(t, a.Promoter.Score.Known)
		require.Equal(t, "unknown", a.Promoter.Category)
	}
	switch {
	case r.closed:
		require.Equal(t, "churned", a.Churn.Risk)
		require.False(t, a.Churn.Probability.Known)
		return
	case r.orders == 0:
		require.Equal(t, "none", a.Churn.Risk)
		require.False(t, a.CLV.Predicted.Known)
		return
	}
	require.Equal(t, output.Some(r.lastAt), a.Churn.LastOrderAt)
	require.InDelta(t, 1-r.alive, a.Churn.Probability.Value, 1e-9)
	require.InDelta(t, r.atLeastOne, a.Churn.PurchaseInHorizon.Value, 1e-9)
	require.InEpsilon(t, r.expected, a.CLV.PredictedOrders.Value, 1e-4)
	require.InDelta(t, r.expected*r.spend(r.repeat), float64(a.CLV.Predicted.Value), 1+1e-4*math.Abs(float64(a.CLV.Predicted.Value)))
	require.InDelta(t, r.net/float64(r.orders), float64(a.CLV.AverageOrderValue.Value), .5+1e-9)
	if r.days > 1 {
		require.InDelta(t, float64(r.last-r.first)/float64(r.days-1), a.CLV.AverageDaysBetweenOrders.Value, 1e-9)
	}
	years := max(1, math.Round(float64(a.AsOf/day-r.first)/365.25*100)/100)
	require.InDelta(t, r.net/float64(r.orders)*(float64(r.orders)/years)*2, float64(a.CLV.Simple.Value), .5+1e-6)
	wait := (priorAlpha + float64(r.last-r.first)/7) * (math.Pow(2, 1/(priorR+float64(r.days-1))) - 1) * 7
	require.Equal(t, wait <= 365, a.CLV.ExpectedDateOfNextOrder.Known)
	if wait <= 365 {
		require.InDelta(t, float64(r.lastAt)+wait*86_400_000, float64(a.CLV.ExpectedDateOfNextOrder.Value), 1001)
	}
	class := "low"
	if graced := a.AsOf < r.lastAt+30*day; !graced && 1-r.alive >= .66 {
		class = "high"
	} else if !graced && 1-r.alive >= .33 {
		class = "medium"
	}
	require.Equal(t, class, a.Churn.Risk)
}

// requireLedgerRules requires that the sequences and ordinals of all outputs are dense, and that the last output of a customer
// differs from the present scores only by what is not material.
func requireLedgerRules(t *rapid.T, w *world) {
	requireTotals(t, w)
	sequence, places := map[string]uint64{}, map[output.ID]uint32{}
	for _, s := range w.takeOutputs() {
		place := output.ID{Partition: s.partition, Offset: s.Offset}
		require.Equal(t, places[place], s.Ordinal)
		places[place]++
		if s.Topic == output.Rejections || s.Topic.OfBase() || s.Null {
			continue
		}
		sequence[s.Key]++
		require.Contains(t, s.json, fmt.Sprintf(`"sequence":%d,`, sequence[s.Key]))
	}
	for _, p := range w.parts {
		base, _ := p.state.BaseTime()
		for id := range p.store.blobs {
			state := w.state(id)
			require.Equal(t, sequence[id], state.Sequence)
			if at, ok := state.Deadline(); ok {
				require.Greater(t, at, base, "a timer is overdue")
			}
		}
	}
}
