package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
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
		"  - {name: silent, metric: days_since_last_order, above: 60, cool_down: 90d, severity: info}\n"
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
func rulesWorld(t *testing.T, rules string, environ ...string) (*world, *background) {
	t.Helper()
	w, b := newRunningWorld(t, append(environ, "MAINSTAY_MONEY_CURRENCY=EUR", "MAINSTAY_ALERTS_FUSE_RAISES=100000", "MAINSTAY_ALERTS_RULES_FILE="+write(t, "rules.yaml", rules))...)
	w.waitRevision(1)
	return w, b
}

const shopEnd = "2026-02-01"

// feed imports orders and advances the time, and waits until all of it is published.
func (w *world) feed(all []bought, to string) {
	w.t.Helper()
	w.mustRun("import", write(w.t, "orders.csv", orderLines(all)), "--type", "purchase")
	w.mustRun("advance", "--to", to)
	end, err := time.Parse(time.DateOnly, to)
	require.NoError(w.t, err)
	w.eventually(func() bool { // then the bounds of its tiers are in every partition
		for line := range strings.Lines(w.mustRun("tail", "portfolio", "--from", "start", "--follow=false", "--output", "json")) {
			if p := object(w.t, line); p["state"] == "final" && p["as_of"] == to+"T00:00:00Z" {
				return true
			}
		}
		return false
	}, "the day before "+to+" is closed")
	w.eventually(func() bool {
		var s inspect.Status
		require.NoError(w.t, json.Unmarshal([]byte(w.status()), &s))
		return s.Lag != nil && *s.Lag == 0 && len(s.Partitions) == 2 && !slices.ContainsFunc(s.Partitions, func(p inspect.Partition) bool {
			return p.Time == nil || p.Time.Before(end) || p.Published == nil || p.Committed == nil || *p.Published != *p.Committed
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

// waitRevision waits until settings of a revision are in every partition of the ledger.
func (w *world) waitRevision(revision uint64) {
	w.t.Helper()
	w.eventually(func() bool {
		return w.has(ledger.Kind_KIND_SETTINGS, func(e *ledger.Entry) bool {
			var v ledger.Settings
			require.NoError(w.t, v.UnmarshalVT(e.GetPayload()))
			return v.GetRevision() == revision
		})
	}, fmt.Sprint("settings of revision ", revision))
}

// has reports whether every partition of the ledger has such an entry.
func (w *world) has(kind ledger.Kind, holds func(*ledger.Entry) bool) bool {
	w.t.Helper()
	k, err := kafka.New(kafka.Config{Brokers: []string{w.servers.KafkaAddress()}})
	require.NoError(w.t, err)
	defer k.Close()
	for p := range int32(2) {
		found := false
		require.NoError(w.t, ledgerscan.Backward(w.t.Context(), k, ledger.Topic("mainstay"), p, 0, kind, func(e *ledger.Entry) bool {
			found = found || holds(e)
			return found
		}))
		if !found {
			return false
		}
	}
	return true
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
	other.waitRevision(2)
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

// What the files do not name follows the ledger, also where it changes later; what they name wins over it.
func TestWhatifLaterSettings(t *testing.T) {
	const changed = "2025-01-01"
	shop := ordersOf(60)
	i := slices.IndexFunc(shop, func(b bought) bool { return b.at.Format(time.DateOnly) >= changed })
	pipeline := func(first, then string) *world {
		w, b := rulesWorld(t, first)
		w.feed(shop[:i], changed)
		require.Equal(t, exitOK, b.stop())
		w.environ = append(w.environ, "MAINSTAY_ALERTS_RULES_FILE="+write(t, "rules.yaml", then), "MAINSTAY_CHURN_GRACE_DAYS=75", "MAINSTAY_SETTINGS_REVISION=2")
		w.start("run")
		w.waitRevision(2)
		w.feed(shop[i:], shopEnd)
		return w
	}
	w, other := pipeline(patientRules, "rules: []\n"), pipeline(hastyRules, hastyRules)
	requireNaive(t, w.whatif("--rules", write(t, "hasty.yaml", hastyRules)), w.alerts(time.Time{}), other.alerts(time.Time{}), shop)
}

const advocateRules = "rules:\n  - {name: advocate, metric: referral_value, above: 3400, severity: info}\n" +
	"  - {name: gained, metric: value_tier, above: 1, severity: info}\n"

// Settings and parameters change what partitions send to each other as well: credits for referrals, and the bounds of tiers.
func TestWhatifSettingsAndParameters(t *testing.T) {
	shop := ordersOf(60)
	var referrals strings.Builder
	referrals.WriteString("referral_id,referrer_customer_id,referred_customer_id,status,occurred_at\n")
	for c := 1; c < 60; c++ { // some weeks after the first orders
		fmt.Fprintf(&referrals, "r%d,c%d,c%d,approved,2024-06-01T00:00:00Z\n", c, c%7, c)
	}
	pipeline := func(environ ...string) *world {
		w, _ := rulesWorld(t, advocateRules, append(environ, "MAINSTAY_TIERS_MIN_CUSTOMERS=20", "MAINSTAY_ALERTS_LATE_HOURS=100000")...)
		w.mustRun("import", write(t, "referrals.csv", referrals.String()), "--type", "referral")
		w.feed(shop, shopEnd)
		return w
	}
	fitted := filepath.Join(t.TempDir(), "parameters.yaml")
	w := pipeline()
	w.mustRun("fit", write(t, "orders.csv", orderLines(shop)), "--to", fitted)
	other := pipeline("MAINSTAY_CHURN_HIGH=0.5", "MAINSTAY_CLV_PREDICTION_HORIZON_DAYS=180", "MAINSTAY_REFERRAL_CREDIT=all", "MAINSTAY_MODEL_PARAMETERS_FILE="+fitted)
	settings := write(t, "settings.yaml", "churn: {high: 0.5}\nclv: {prediction_horizon_days: 180}\nreferral: {credit: all}\nhttp: {listen: '127.0.0.1:0'}\n")

	r := w.whatif("--settings", settings, "--parameters", fitted)
	require.Equal(t, w.totals(), r.Portfolio.Before)
	require.NotEqual(t, r.Portfolio.Before, r.Portfolio.After)
	// Where a tier ends also depends on when its bounds were drawn, so on the ticks of a ledger, which the other pipeline has of its own.
	sums := other.totals()
	sums.Tiers = r.Portfolio.After.Tiers
	require.Equal(t, sums, r.Portfolio.After)
	rules, _ := naive(w.alerts(time.Time{}), other.alerts(time.Time{}), shop, r.Until)
	require.Len(t, r.Rules, 2)
	require.Equal(t, rules["advocate"].Before.Alerts, r.Rules[0].Before.Alerts)
	require.Equal(t, rules["advocate"].After.Alerts, r.Rules[0].After.Alerts)
	require.Greater(t, r.Rules[0].After.Alerts, r.Rules[0].Before.Alerts, "more is credited")
	var changes []string
	for _, c := range r.Changes {
		changes = append(changes, c.Setting)
	}
	require.Equal(t, []string{"churn.high", "clv.prediction_horizon_days", "referral.credit", "parameters"}, changes)

	// A setting on which nothing of this shop depends makes no difference.
	r = w.whatif("--settings", write(t, "settings.yaml", "surveys: {window_days: 100}\n"))
	require.Equal(t, r.Portfolio.Before, r.Portfolio.After)
	require.Len(t, r.Rules, 2)
	for _, n := range r.Rules {
		require.Equal(t, n.Before, n.After)
		require.Equal(t, n.Before.Alerts, n.Kept)
	}
}

// totals are those of what customer get says of each customer.
func (w *world) totals() whatif.Totals {
	w.t.Helper()
	all := whatif.Totals{Tiers: map[string]int64{}}
	revenue, future, equity := new(big.Rat), new(big.Rat), new(big.Rat)
	for c := range 60 {
		got := object(w.t, w.mustRun("customer", "get", fmt.Sprint("c", c), "--output", "json"))
		for field, sum := range map[string]*big.Rat{"historic_clv": revenue, "predicted_clv": future, "total_clv": equity} {
			amount, ok := new(big.Rat).SetString(numberAt(got, "clv", field))
			require.True(w.t, ok)
			sum.Add(sum, amount)
		}
		all.Customers++
		if valueAt(got, "churn_risk", "churn_risk") == "high" {
			all.HighRisk++
		}
		tier, _ := valueAt(got, "clv", "value_tier").(string)
		all.Tiers[tier]++
	}
	all.Revenue, all.FutureValue, all.CustomerEquity = json.Number(revenue.FloatString(2)), json.Number(future.FloatString(2)), json.Number(equity.FloatString(2))
	return all
}

// Of a customer who was erased, nothing counts that was before.
func TestWhatifErased(t *testing.T) {
	shop := ordersOf(20)
	w, _ := rulesWorld(t, patientRules)
	w.feed(shop, shopEnd)
	hasty := write(t, "hasty.yaml", hastyRules)
	alerts := w.alerts(time.Time{})
	whose := alerts[0].Customer
	w.mustRun("customer", "forget", whose)
	rules, _ := naive(slices.DeleteFunc(alerts, func(a published) bool { return a.Customer == whose }), nil, shop, time.Now())
	r := w.whatif("--rules", hasty)
	require.Positive(t, rules["slipping"].Before.Alerts)
	require.Equal(t, rules["slipping"].Before.Alerts, r.Rules[0].Before.Alerts)
	require.EqualValues(t, 19, r.Portfolio.Before.Customers)
	require.EqualValues(t, 19, r.Portfolio.After.Customers)
}

func TestWhatifRefuses(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR")
	w.waitRevision(1)
	require.Equal(t, exitOK, b.stop())
	refused := func(code int, text string, args ...string) {
		t.Helper()
		got, out, errs := w.run(append([]string{"whatif"}, args...)...)
		require.Equal(t, code, got, out)
		require.Contains(t, errs, text)
	}
	file := func(content string) string { return write(t, "file.yaml", content) }
	refused(exitUsage, "give --rules, --settings or --parameters")
	refused(exitFailed, "file.yaml:1): is fixed for the life of the ledger, which has UTC; leave it out", "--settings", file("timezone: Europe/Berlin\n"))
	refused(exitFailed, "money.currency (", "--settings", file("money: {currency: USD}\n"))
	refused(exitFailed, "no such setting", "--settings", file("chrun: {high: 0.5}\n"))
	refused(exitFailed, "churn.high (", "--settings", file("churn: {high: 1.5}\n"))
	refused(exitFailed, "must be above churn.medium", "--settings", file("churn: {high: 0.2}\n"))
	refused(exitFailed, "names no setting that an answer depends on", "--settings", file("http: {listen: '127.0.0.1:0'}\n"))
	refused(exitFailed, "metric: must be one of", "--rules", file("rules: [{name: a, metric: mood, above: 1, severity: info}]\n"))
	refused(exitUsage, "--rules and --settings both give alert rules", "--rules", "shipped", "--settings", file("alerts: {rules: shipped}\n"))
	orders := write(t, "orders.csv", strings.ReplaceAll(orderLines(ordersOf(30)), "EUR", "USD"))
	fitted := filepath.Join(t.TempDir(), "parameters.yaml")
	w.mustRun("fit", orders, "--to", fitted)
	refused(exitFailed, "its amounts are in USD, those of the ledger in EUR", "--parameters", fitted)
	content, err := os.ReadFile(fitted)
	require.NoError(t, err)
	refused(exitFailed, `time_unit is "day"; it must be "week"`, "--parameters", file(strings.Replace(string(content), "time_unit: week", "time_unit: day", 1)))
	require.Contains(t, w.mustRun("whatif", "--rules", "shipped"), "nothing would change")
	require.Contains(t, w.mustRun("whatif", "--settings", file("timezone: UTC\nchurn: {high: 0.66}\n")), "nothing would change")
}
