package processors_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// plainRules have neither hysteresis nor cool-down, so that what is open depends on nothing but where a customer stands.
var plainRules = []alert.Rule{
	{Name: "slipping", Metric: "churn_probability", At: .4, Clear: .4, Severity: "warning"},
	{Name: "slipping_long", Metric: "churn_probability", At: .4, Clear: .4, For: 24 * time.Hour, Severity: "warning"},
	{Name: "spent", Metric: "historic_clv", At: 50, Clear: 50, Severity: "info"},
	{Name: "unhappy", Metric: "nps_score", Below: true, At: 6, Clear: 6, Severity: "info"},
	{Name: "silent", Metric: "days_since_last_order", At: 100, Clear: 100, Severity: "info", NPS: []string{"promoter", "unknown"}},
	{Name: "referrer", Metric: "referral_value", At: 20, Clear: 20, Severity: "info"},
}

func under(rules []alert.Rule) func(*ledger.SettingsValues) {
	return func(v *ledger.SettingsValues) { v.AlertRules = alert.Wire(rules) }
}

// TestAnyOrderOfArrivalLeavesTheSameAlertsOpen: whatever the order, the episodes that fire at the end are those that the
// customer's answers call for.
func TestAnyOrderOfArrivalLeavesTheSameAlertsOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := history(t)
		now := start + rapid.Int64Range(300*24, 398*24).Draw(t, "now")*3_600_000
		sorted := slices.Clone(all)
		slices.SortStableFunc(sorted, func(a, b customerEvent) int { return cmp.Compare(a.OccurredAt, b.OccurredAt) })
		foldAll := func(label string, all []customerEvent, partitions int32) *world {
			w := newWorld(t, genesis(partitions, ledger.Clock_CLOCK_EVENT))
			w.settings(under(plainRules))
			for _, h := range all {
				w.put(h.customer, h.Event, h.OccurredAt)
				if rapid.IntRange(0, 9).Draw(t, label+" tick") == 0 {
					w.drain()
					w.tick(h.OccurredAt)
				}
			}
			w.drain()
			w.tick(now)
			return w
		}
		one := foldAll("one", sorted, 1)
		two := foldAll("two", rapid.Permutation(all).Draw(t, "mixed"), rapid.Int32Range(1, 4).Draw(t, "partitions"))
		for _, w := range []*world{one, two} {
			for _, p := range w.parts {
				for id := range p.store.blobs {
					want, got := called(w.scores(id)), opened(w, id)
					if want["slipping"] && !got["slipping_long"] { // for less than a day
						delete(want, "slipping_long")
						require.Greater(t, pendingSince(w, id), now-day, id)
					}
					require.Equal(t, want, got, id)
				}
			}
			requireEpisodes(t, w)
		}
		for id := range one.parts[0].store.blobs {
			require.Equal(t, opened(one, id), opened(two, id), id)
		}
	})
}

// called are the rules whose side a customer is on.
func called(a processors.CustomerScores) map[string]bool {
	open := map[string]bool{}
	set := func(rule string, on bool) {
		if on {
			open[rule] = true
		}
	}
	if a.Churn.Risk == "churned" { // a closed account clears what is open
		return open
	}
	graced := a.AsOf < a.Churn.LastOrderAt.Value+30*day
	slipping := a.Churn.Probability.Known && a.Churn.Probability.Value >= .4 && !graced
	set("slipping", slipping)
	set("slipping_long", slipping)
	set("spent", a.CLV.Historic >= 5000)
	set("unhappy", a.Promoter.Score.Known && a.Promoter.Score.Value <= 6)
	set("silent", a.Churn.Probability.Known && a.AsOf-a.Churn.LastOrderAt.Value >= 100*day && (a.Promoter.Category == "promoter" || a.Promoter.Category == "unknown"))
	set("referrer", a.CLV.ReferralValue >= 2000)
	return open
}

// pendingSince is when the patient rule's wait began.
func pendingSince(w *world, id string) int64 {
	for _, e := range w.state(id).Alerts.Episodes {
		if e.Phase == customer.Pending {
			return e.FiringAt - day
		}
	}
	return 0
}

func opened(w *world, id string) map[string]bool {
	open := map[string]bool{}
	if w.state(id) == nil { // a referrer who was sent a credit, or was not because it had been voided before
		return open
	}
	for _, a := range processors.OpenAlerts(w.parts[w.partitionOf(id)].state, id, w.state(id)) {
		open[a.Rule] = true
	}
	return open
}

// requireEpisodes requires that every alert is raised once and cleared once, afterwards, and that a subscriber of the alerts holds
// those alerts open that are: no published episode ends without an output.
func requireEpisodes(t *rapid.T, w *world) {
	state := map[string]string{}
	for _, s := range w.outputs {
		if s.Topic != output.Alerts {
			continue
		}
		id, now := field(s.json, "alert_id"), field(s.json, "state")
		switch now {
		case "raised":
			require.Empty(t, state[id], s.json)
		case "cleared":
			require.Equal(t, "raised", state[id], s.json)
		}
		state[id] = now
	}
	open := map[string]bool{}
	for _, p := range w.parts {
		for id := range p.store.blobs {
			for _, a := range processors.OpenAlerts(p.state, id, w.state(id)) {
				open[a.AlertID] = a.State == "raised" || a.State == "initial"
			}
		}
	}
	for id, published := range state {
		require.Equal(t, published == "raised", open[id], "alert %s", id)
	}
	for id, published := range open {
		require.True(t, !published || state[id] == "raised", "alert %s is open and was not published", id)
	}
}

// TestSilenceRaisesAtItsMoment: a ms before the closed-form moment, and the duration behind it, nothing is raised; at it the
// alert is, once, however coarse the ticks on the way are.
func TestSilenceRaisesAtItsMoment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := genesis(1, ledger.Clock_CLOCK_EVENT)
		g.Timezone = rapid.SampledFrom([]string{"UTC", "Asia/Tehran", "America/New_York"}).Draw(t, "zone")
		at, gaps := ms("2024-01-01")+rapid.Int64Range(0, 300*day).Draw(t, "start"), rapid.SliceOfN(rapid.Int64Range(0, 60*day), 1, 5).Draw(t, "gaps")
		rule := alert.Rule{
			Name: "slipping", Metric: "churn_probability", At: rapid.Float64Range(.3, .8).Draw(t, "threshold"), Severity: "info",
			For: time.Duration(rapid.Int64Range(0, 20*24).Draw(t, "for")) * time.Hour,
		}
		rule.Clear = rule.At / 2
		begin := func() (*world, int64) {
			w, at := newWorld(t, g), at
			w.settings(under([]alert.Rule{rule}))
			for i, gap := range gaps {
				at += gap
				w.event("c", purchase(fmt.Sprint(i), 1000, at))
			}
			w.tick(at)
			return w, at
		}
		w, start := begin()
		raised := func(w *world) (all []string) {
			for _, s := range w.takeOutputs() {
				if s.Topic == output.Alerts && field(s.json, "state") == "raised" {
					all = append(all, field(s.json, "raised_at"))
				}
			}
			return all
		}
		raised(w)
		if len(processors.OpenAlerts(w.parts[0].state, "c", w.state("c"))) > 0 {
			return // from the first evaluation on
		}
		w.tick(start + 30_000*day) // to the end of time, in one leap
		leap := raised(w)
		if len(leap) == 0 {
			return
		}
		require.Len(t, leap, 1)
		moment, err := time.Parse(time.RFC3339Nano, leap[0])
		require.NoError(t, err)
		due := moment.UnixMilli()

		w, start = begin()
		raised(w)
		for _, between := range rapid.SliceOfN(rapid.Int64Range(start, max(start, due-1)), 0, 5).Draw(t, "ticks") {
			w.tick(max(between, w.base()))
		}
		w.tick(max(w.base(), due-1))
		require.Empty(t, raised(w), "before its time")
		p := w.scores("c").Churn.Probability.Value
		w.tick(due)
		require.Equal(t, leap, raised(w), "at its time")
		if rule.For == 0 && due > start+1 && due > at+31*day+sum(gaps) {
			require.InDelta(t, rule.At, p, 1e-6)
		}
		w.tick(due + 100*day)
		require.Empty(t, raised(w), "never twice")
	})
}

func sum(all []int64) (n int64) {
	for _, v := range all {
		n += v
	}
	return n
}

// TestRefitRaisesNothing: a model under which half of the base is on the other side is no reason to call anybody.
func TestRefitRaisesNothing(t *testing.T) {
	w := newWorld(t, genesis(2, ledger.Clock_CLOCK_EVENT))
	at := ms("2024-01-01")
	for i := range 300 {
		w.event(fmt.Sprint("c", i), purchase("1", int64(100+i), at+int64(i)*3_600_000))
	}
	now := at + 60*day
	w.tick(now)
	w.takeOutputs()
	w.append(ledger.Kind_KIND_PARAMETERS, now, &ledger.Parameters{Version: 1, Model: "mbg_nbd", Status: "fitted", R: 3, Alpha: 3, A: 1, B: 2, P: 6, Q: 4, V: 15})
	for i := range 300 { // each is touched
		w.event(fmt.Sprint("c", i), survey("s", 8, now+1, now+1))
	}
	for _, s := range w.takeOutputs() {
		require.NotEqual(t, output.Alerts, s.Topic, s.json)
	}
	baseline := 0
	for i := range 300 {
		for _, a := range processors.OpenAlerts(w.parts[w.partitionOf(fmt.Sprint("c", i))].state, fmt.Sprint("c", i), w.state(fmt.Sprint("c", i))) {
			require.Equal(t, "baseline", a.State)
			baseline++
		}
	}
	require.Equal(t, 300, baseline)
}

// TestNewBoundsAreSilentBeforeTheCursorToo: an event of a customer whom the cursor has not reached under new bounds raises nothing that
// the bounds alone bring about.
func TestNewBoundsAreSilentBeforeTheCursorToo(t *testing.T) {
	const people = 20
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	w.settings(func(v *ledger.SettingsValues) {
		v.WakeLimit = 1
		v.AlertRules = alert.Wire([]alert.Rule{{Name: "high_value", Metric: "value_tier", At: 1, Clear: 1, Severity: "info"}})
	})
	bounds := func(version uint64, top int64) *ledger.Thresholds {
		return &ledger.Thresholds{Version: version, Top_10: top, Top_20: top, Percentiles: make([]int64, 101), Customers: 1000}
	}
	w.append(ledger.Kind_KIND_THRESHOLDS, 0, bounds(1, math.MaxInt32))
	at := ms("2024-01-01")
	for i := range people {
		w.event(fmt.Sprint("customer-", i), purchase("1", 1000, at))
	}
	touchAll := func(id string, at int64) (raised int) {
		for i := range people {
			w.put(fmt.Sprint("customer-", i), survey(id, 8, at, at), at)
		}
		_, _, rescoring := w.parts[0].state.Rescoring()
		require.Equal(t, id == "before", rescoring)
		w.drain()
		for _, o := range w.takeOutputs() {
			if o.Topic == output.Alerts {
				raised++
			}
		}
		return raised
	}
	w.enter(ledger.Kind_KIND_THRESHOLDS, bounds(2, 1))
	require.Zero(t, touchAll("before", at+day))
	require.Zero(t, touchAll("after", at+2*day))
	for i := range people {
		require.Len(t, opened(w, fmt.Sprint("customer-", i)), 1, "silently")
	}
}

func TestFuseSuppressesAFlood(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	w.settings(under([]alert.Rule{{Name: "spent", Metric: "historic_clv", At: 50, Clear: 50, Severity: "info"}}))
	at := ms("2024-01-01")
	const people = 130
	for i := range people {
		w.event(fmt.Sprint("c", i), purchase("1", 100, at))
	}
	w.tick(at + 1)
	w.takeOutputs()
	counts := map[string]int{}
	for i := range people {
		for _, a := range w.event(fmt.Sprint("c", i), purchase("2", 10_000, at+2)).Alerts {
			require.Equal(t, "spent", a.Rule)
			counts[a.State]++
		}
	}
	require.Equal(t, map[string]int{"raised": 100, "suppressed": people - 100}, counts)
	open := []string{}
	w.parts[0].state.TrippedFuses(func(rule string) { open = append(open, rule) })
	require.Equal(t, []string{"spent"}, open)
	w.tick(at + 3_600_000)
	w.parts[0].state.TrippedFuses(func(rule string) { t.Fatal("another hour: " + rule) })
	w.event("late", purchase("1", 1, at+3_600_001))
	require.Equal(t, "raised", w.event("late", purchase("2", 10_000, at+3_600_002)).Alerts[0].State)
}

func TestBadAlertRulesAreRefused(t *testing.T) {
	good := alert.Shipped()
	_, f := alert.CheckAll(good)
	require.Nil(t, f)
	require.Equal(t, good, alert.FromWire(alert.Wire(good)))
	for field, spoil := range map[string]func(r *alert.Rule){
		"name":      func(r *alert.Rule) { r.Name = "Bad name" },
		"metric":    func(r *alert.Rule) { r.Metric = "churn" },
		"above":     func(r *alert.Rule) { r.At = math.NaN() },
		"clear":     func(r *alert.Rule) { r.Clear = r.At + 1e-3 },
		"for":       func(r *alert.Rule) { r.For = -time.Hour },
		"cool_down": func(r *alert.Rule) { r.CoolDown = 1 << 62 },
		"severity":  func(r *alert.Rule) { r.Severity = "" },
		"tiers":     func(r *alert.Rule) { r.Tiers = []string{"rest", "rest"} },
		"nps":       func(r *alert.Rule) { r.NPS = []string{"fan"} },
	} {
		all := alert.Shipped()
		spoil(&all[2])
		i, f := alert.CheckAll(all)
		require.NotNil(t, f, field)
		require.Equal(t, field, f.Field)
		require.Equal(t, 2, i)
		v := settings.Default()
		v.AlertRules = alert.Wire(all)
		require.ErrorContains(t, settings.Validate(v), "alerts.rules: rule ")
	}
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(alert.Metrics()))), len(alert.Metrics()))
}

// field is a text of an output.
func field(text, name string) string {
	_, rest, _ := strings.Cut(text, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// TestEarlierEvaluationEndsNoLaterEpisode: an entry from elsewhere may bring a customer ahead of base time. Rescored as of base time, the
// alert that began in between goes on, and is not raised again when base time comes there.
func TestEarlierEvaluationEndsNoLaterEpisode(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	w.settings(under([]alert.Rule{{Name: "slipping", Metric: "churn_probability", At: .4, Clear: .35, Severity: "warning"}}))
	at := ms("2024-01-01")
	w.event("c", purchase("1", 1000, at))
	w.tick(at + day)
	w.takeOutputs()
	credit, err := (&ledger.Credit{Referred: "friend", Approved: true, Net: 100}).MarshalVT()
	require.NoError(t, err)
	w.fold(0, &ledger.Entry{
		Version: 1, Kind: ledger.Kind_KIND_CREDIT, Customer: "c", Time: at + 300*day, Payload: credit, Origin: &ledger.Origin{Partition: 1, Offset: 7},
	})
	require.True(t, opened(w, "c")["slipping"])
	w.enter(ledger.Kind_KIND_PARAMETERS, func() *ledger.Parameters { v := processors.PriorParameters(); v.Version = 1; return v }())
	w.drain()
	require.True(t, opened(w, "c")["slipping"])
	w.tick(at + 310*day)
	var raised []string
	for _, s := range w.takeOutputs() {
		if s.Topic == output.Alerts {
			raised = append(raised, field(s.json, "state")+" "+field(s.json, "alert_id"))
		}
	}
	require.Len(t, raised, 1, raised)
}

// A copy of a ledger, and a copy of a copy, draws the groups of the first one.
func TestACopyDrawsTheSameGroups(t *testing.T) {
	groups := func(g *ledger.Genesis) map[string]string {
		w := newWorld(t, g)
		w.settings(func(v *ledger.SettingsValues) {
			v.AlertRules = alert.Wire([]alert.Rule{{Name: "spent", Metric: "historic_clv", At: 50, Clear: 50, Severity: "info"}})
			v.AlertsControlShare, v.TiersMinCustomers, v.AlertsPublishBaseline = .5, 1, true
		})
		all := map[string]string{}
		for i := range 40 {
			id := fmt.Sprint("c", i)
			w.put(id, purchase(id, 10_000, start), start)
			for _, a := range processors.OpenAlerts(w.parts[0].state, id, w.state(id)) {
				all[id] = a.Group
			}
		}
		require.Len(t, all, 40)
		return all
	}
	first, copied, other := genesis(1, ledger.Clock_CLOCK_EVENT), genesis(1, ledger.Clock_CLOCK_EVENT), genesis(1, ledger.Clock_CLOCK_EVENT)
	copied.LedgerId, copied.CopiedFrom = "copy", &ledger.CopiedFrom{Namespace: "former", LedgerIds: []string{"copy of test", "test"}}
	other.LedgerId = "other"
	require.Equal(t, groups(first), groups(copied))
	require.NotEqual(t, groups(first), groups(other))
}
