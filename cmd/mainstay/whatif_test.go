package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/ops/inspect"
	"github.com/mainstay/mainstay/pkg/ops/whatif"
	"github.com/mainstay/mainstay/pkg/stream/ledgerscan"
	"github.com/mainstay/mainstay/schemas/ledger"
)

const (
	patientRules = "rules:\n  - {name: slipping, metric: churn_probability, above: 0.6, clear: 0.4, severity: warning}\n" +
		"  - {name: spent, metric: historic_clv, above: 400, severity: info}\n"
	hastyRules = "rules:\n  - {name: slipping, metric: churn_probability, above: 0.45, clear: 0.3, severity: warning}\n" +
		"  - {name: silent, metric: days_since_last_order, above: 60, severity: info}\n"
)

// bought is an order of the shop of these tests.
type bought struct {
	customer, order string
	at              time.Time
	total           int
}

// ordersOf returns the orders of a small shop over two years, in the order of time: regular customers who skip months.
func ordersOf(customers int) []bought {
	start := time.Date(2024, 1, 1, 9, 0, 0, 0, time.UTC)
	var all []bought
	for c := range customers {
		at, x := start.Add(time.Duration(c)*31*time.Hour), uint32(c)*2654435761+1
		for n := range 14 {
			x = x*1664525 + 1013904223
			all = append(all, bought{fmt.Sprintf("c%d", c), fmt.Sprintf("c%d-%d", c, n), at, 20 + int(x>>24)%60})
			gap := 9 + c%17 + int(x>>16)%11
			if x>>28 < 3 {
				gap *= 4 + int(x>>20)%5
			}
			at = at.Add(time.Duration(gap) * 24 * time.Hour)
		}
	}
	end := start.AddDate(2, 0, 0)
	all = slices.DeleteFunc(all, func(b bought) bool { return !b.at.Before(end) })
	slices.SortFunc(all, func(a, b bought) int { return a.at.Compare(b.at) })
	return all
}

func orderLines(all []bought) string {
	var text strings.Builder
	text.WriteString("customer_id,order_id,occurred_at,total,currency\n")
	for _, b := range all {
		fmt.Fprintf(&text, "%s,%s,%s,%d,EUR\n", b.customer, b.order, b.at.Format(time.RFC3339), b.total)
	}
	return text.String()
}

// rulesWorld is a running pipeline under rules. Its time ends at shopEnd.
func rulesWorld(t *testing.T, rules string) (*world, *background) {
	t.Helper()
	return newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR", "MAINSTAY_ALERTS_FUSE_RAISES=100000", "MAINSTAY_ALERTS_RULES_FILE="+write(t, "rules.yaml", rules))
}

const shopEnd = "2026-02-01"

// feed imports orders and advances the time, and waits until all of it is published.
func (w *world) feed(all []bought, to string) {
	w.t.Helper()
	w.mustRun("import", write(w.t, "orders.csv", orderLines(all)), "--type", "purchase")
	w.mustRun("advance", "--to", to)
	end, err := time.Parse(time.DateOnly, to)
	require.NoError(w.t, err)
	w.eventually(func() bool {
		var s inspect.Status
		require.NoError(w.t, json.Unmarshal([]byte(w.status()), &s))
		return s.Lag != nil && *s.Lag == 0 && len(s.Partitions) == 2 && !slices.ContainsFunc(s.Partitions, func(p inspect.Partition) bool {
			return p.Time == nil || p.Time.Before(end) || p.Published == nil || p.Committed == nil || *p.Published < *p.Committed
		})
	}, "all is folded up to "+to)
}

// published is an alert as its topic has it.
type published struct {
	Customer string    `json:"customer_id"`
	State    string    `json:"state"`
	Rule     string    `json:"rule"`
	AlertID  string    `json:"alert_id"`
	RaisedAt time.Time `json:"raised_at"`
	Cleared  time.Time `json:"cleared_at"`
}

// alerts are those that were published, raised at or after a time.
func (w *world) alerts(since time.Time) []published {
	w.t.Helper()
	var all []published
	for line := range strings.Lines(w.mustRun("tail", "alerts", "--from", "start", "--follow=false", "--output", "json")) {
		var a published
		require.NoError(w.t, json.Unmarshal([]byte(line), &a))
		if a.RaisedAt.Before(since) {
			continue
		}
		if i := slices.IndexFunc(all, func(o published) bool { return o.AlertID == a.AlertID }); i >= 0 {
			all[i].Cleared = a.Cleared
			continue
		}
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b published) int { return a.RaisedAt.Compare(b.RaisedAt) })
	return all
}

func (a *published) overlaps(b *published) bool {
	before := func(a, b *published) bool { return !a.Cleared.IsZero() && !a.Cleared.After(b.RaisedAt) }
	return a.Customer == b.Customer && a.Rule == b.Rule && !before(a, b) && !before(b, a)
}

// naive compares the alerts of two pipelines, by rule and by week.
func naive(before, after []published, shop []bought, end time.Time) (rules map[string]*whatif.RuleChange, weeks map[string]*whatif.WeekChange) {
	rules, weeks = map[string]*whatif.RuleChange{}, map[string]*whatif.WeekChange{}
	rule := func(name string) *whatif.RuleChange {
		if rules[name] == nil {
			rules[name] = &whatif.RuleChange{Rule: name}
		}
		return rules[name]
	}
	week := func(a *published) *whatif.WeekChange {
		monday := a.RaisedAt.AddDate(0, 0, -(int(a.RaisedAt.Weekday())+6)%7).Format(time.DateOnly)
		if weeks[monday+a.Rule] == nil {
			weeks[monday+a.Rule] = &whatif.WeekChange{Week: monday, Rule: a.Rule}
		}
		return weeks[monday+a.Rule]
	}
	count := func(c *whatif.Counts, a *published) {
		c.Alerts++
		until := a.RaisedAt.AddDate(0, 0, 30)
		if until.After(end) {
			return
		}
		c.Followed++
		if slices.ContainsFunc(shop, func(b bought) bool {
			return b.customer == a.Customer && b.at.After(a.RaisedAt) && !b.at.After(until)
		}) {
			c.Returned++
		}
	}
	kept := map[int]bool{}
	for i := range after {
		a := &after[i]
		count(&rule(a.Rule).After, a)
		week(a).After++
		partner := -1
		for j := range before {
			if !kept[j] && before[j].overlaps(a) {
				partner = j
				break
			}
		}
		if partner >= 0 {
			kept[partner] = true
			rule(a.Rule).Kept++
			continue
		}
		count(&rule(a.Rule).Gained, a)
		week(a).Gained++
	}
	for j := range before {
		b := &before[j]
		count(&rule(b.Rule).Before, b)
		week(b).Before++
		if !kept[j] {
			count(&rule(b.Rule).Lost, b)
			week(b).Lost++
		}
	}
	return rules, weeks
}

func requireNaive(t *testing.T, r *whatif.Result, before, after []published, shop []bought) {
	t.Helper()
	end, err := time.Parse(time.DateOnly, shopEnd)
	require.NoError(t, err)
	require.Equal(t, end, r.Until)
	rules, weeks := naive(before, after, shop, end)
	for _, n := range r.Rules {
		require.Contains(t, rules, n.Rule)
		require.Equal(t, *rules[n.Rule], n)
	}
	require.Len(t, r.Rules, len(rules))
	for _, n := range r.Weeks {
		require.Contains(t, weeks, n.Week+n.Rule)
		require.Equal(t, *weeks[n.Week+n.Rule], n)
	}
	require.Len(t, r.Weeks, len(weeks))
}

func (w *world) whatif(args ...string) *whatif.Result {
	w.t.Helper()
	r := new(whatif.Result)
	require.NoError(w.t, json.Unmarshal([]byte(w.mustRun(append([]string{"whatif", "--output", "json"}, args...)...)), r))
	return r
}

// stored is where every topic ends, and what Redis has.
func (w *world) stored() (ends map[string]map[int32]kafka.Offsets, redis []string) {
	w.t.Helper()
	k, err := kafka.New(kafka.Config{Brokers: []string{w.servers.KafkaAddress()}})
	require.NoError(w.t, err)
	defer k.Close()
	var planned struct {
		Make []struct {
			Topic      string `json:"topic"`
			Partitions int32  `json:"partitions"`
		} `json:"make"`
	}
	require.NoError(w.t, json.Unmarshal([]byte(newWorld(w.t).mustRun("topics", "plan", "--output", "json")), &planned))
	ends = map[string]map[int32]kafka.Offsets{}
	for _, topic := range planned.Make {
		ends[topic.Topic], err = k.ListOffsets(w.t.Context(), topic.Topic, []int32{0, 1}[:topic.Partitions])
		require.NoError(w.t, err)
	}
	copied, err := w.servers.Copy()
	require.NoError(w.t, err)
	return ends, copied
}

// What a what-if says of alerts is what two pipelines publish that ran under the two rule files.
func TestWhatifIsWhatAnotherPipelinePublishes(t *testing.T) {
	shop := ordersOf(60)
	w, b := rulesWorld(t, patientRules)
	w.feed(shop, shopEnd)
	require.Equal(t, exitOK, b.stop())
	other, _ := rulesWorld(t, hastyRules)
	other.feed(shop, shopEnd)
	before, after := w.alerts(time.Time{}), other.alerts(time.Time{})

	ends, redis := w.stored()
	hasty := write(t, "hasty.yaml", hastyRules)
	r := w.whatif("--rules", hasty)
	endsAfter, redisAfter := w.stored()
	require.Greater(t, len(ends), 10, "the ledger, the inputs, their dead letters and the outputs")
	require.Equal(t, ends, endsAfter, "nothing is written to Kafka")
	require.Equal(t, redis, redisAfter, "nothing is written to Redis")

	requireNaive(t, r, before, after, shop)
	for _, n := range r.Rules[:1] {
		require.Equal(t, "slipping", n.Rule)
		require.Positive(t, n.Kept)
		require.Positive(t, n.Gained.Alerts, "the case shows something")
		require.Positive(t, n.Gained.Returned)
	}
	require.Equal(t, r.Portfolio.Before, r.Portfolio.After, "rules change no figure")
	require.Empty(t, r.Portfolio.Moves)

	table := w.mustRun("whatif", "--rules", hasty)
	require.Contains(t, table, "Under these terms from the beginning to 2026-02-01T00:00:00Z")
	require.Contains(t, table, "alerts.rules silent")
	require.Contains(t, w.mustRun("whatif", "--rules", write(t, "same.yaml", patientRules)), "nothing would change: the files say what the ledger says")
}

// settingsRevision is the lowest that the partitions of the ledger end with.
func (w *world) settingsRevision() uint64 {
	w.t.Helper()
	k, err := kafka.New(kafka.Config{Brokers: []string{w.servers.KafkaAddress()}})
	require.NoError(w.t, err)
	defer k.Close()
	least := uint64(math.MaxUint64)
	for p := range int32(2) {
		last := uint64(0)
		require.NoError(w.t, ledgerscan.Backward(w.t.Context(), k, ledger.Topic("mainstay"), p, 0, ledger.Kind_KIND_SETTINGS, func(e *ledger.Entry) bool {
			var v ledger.Settings
			require.NoError(w.t, v.UnmarshalVT(e.GetPayload()))
			last = v.GetRevision()
			return true
		}))
		least = min(least, last)
	}
	return least
}

// From --since on, a what-if is what a pipeline publishes whose rules are changed at that time.
func TestWhatifSince(t *testing.T) {
	const changed = "2025-01-01"
	shop := ordersOf(60)
	i := slices.IndexFunc(shop, func(b bought) bool { return b.at.Format(time.DateOnly) >= changed })
	w, _ := rulesWorld(t, patientRules)
	w.feed(shop, shopEnd)
	other, b := rulesWorld(t, patientRules)
	other.feed(shop[:i], changed)
	require.Equal(t, exitOK, b.stop())
	other.environ = append(other.environ, "MAINSTAY_ALERTS_RULES_FILE="+write(t, "rules.yaml", hastyRules), "MAINSTAY_SETTINGS_REVISION=2")
	other.start("run")
	other.eventually(func() bool { return other.settingsRevision() == 2 }, "the other rules are in force")
	other.feed(shop[i:], shopEnd)

	at, err := time.Parse(time.DateOnly, changed)
	require.NoError(t, err)
	at = at.Add(time.Second)
	r := w.whatif("--rules", write(t, "hasty.yaml", hastyRules), "--since", at.Format(time.RFC3339))
	require.Equal(t, at, *r.Since)
	requireNaive(t, r, w.alerts(at), other.alerts(at), shop)
	code, _, errs := w.run("whatif", "--rules", "shipped", "--since", "2030-01-01")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "no entry of the ledger is so late: its time is 2026-02-01T00:00:00Z")
}
