package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAlertsList(t *testing.T) {
	rules := "[{name: spent, metric: historic_clv, above: 100, severity: warning}]"
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR", "MAINSTAY_MONEY_DEFAULT_CURRENCY=EUR", "MAINSTAY_ALERTS_RULES="+rules)
	w.mustRun("send", "purchase", "--customer", "ada", "--order", "1", "--total", "10", "--at", "2026-01-01")
	w.mustRun("send", "purchase", "--customer", "bob", "--order", "1", "--total", "500", "--at", "2026-01-01")
	w.customer("ada", orders("1"))
	w.mustRun("send", "purchase", "--customer", "ada", "--order", "2", "--total", "200", "--at", "2026-01-02")
	w.customer("ada", orders("2"))
	w.customer("bob", orders("1"))
	require.Equal(t, exitOK, b.stop(), b.errs.String())

	list := func(args ...string) (all []map[string]string) {
		require.NoError(t, json.Unmarshal([]byte(w.mustRun(append([]string{"alerts", "list", "--output", "json"}, args...)...)), &all))
		return all
	}
	raised, baseline := list(), list("--baseline")
	require.Len(t, raised, 1)
	require.Equal(t, "ada", raised[0]["customer_id"])
	require.Equal(t, "raised", raised[0]["state"])
	require.Equal(t, "2026-01-02T00:00:00Z", raised[0]["raised_at"])
	require.Len(t, baseline, 1)
	require.Equal(t, "bob", baseline[0]["customer_id"])
	require.Equal(t, "baseline", baseline[0]["state"])
	require.Contains(t, w.mustRun("alerts", "list"), "spent")
	require.Contains(t, w.mustRun("audit"), "nothing lost, doubled, differing or missing")
}

func TestAlertsTest(t *testing.T) {
	rules := write(t, "rules.yaml", "rules:\n  - {name: slipping, metric: churn_probability, above: 0.5, clear: 0.4, severity: warning}\n")
	events := write(t, "events.txt", "# a scenario\n2026-01-01 purchase ada order=1 total=40\n2026-01-15 purchase ada order=2 total=40\n2026-07-01 tick\n")
	code, out, errs := run(t, nil, "alerts", "test", rules, events)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "2026-04-28T00:58:28Z  -      ada       slipping")
	require.Contains(t, out, "167.0 days since the last order, usually 14.0 between orders: 67%")
	code, out, _ = run(t, nil, "alerts", "test", "shipped", events, "-o", "json")
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "[]")

	bad := write(t, "bad.yaml", "rules:\n  - name: slipping\n    metric: churn\n    above: 0.5\n    for: 0s\n    severity: warning\n")
	code, _, errs = run(t, nil, "alerts", "test", bad, events)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "bad.yaml:5:10: for: must be above 0")
	code, _, errs = run(t, nil, "alerts", "test", rules, write(t, "bad.txt", "2026-01-01 dance ada\n"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, `line 1: cannot be read: unknown event "dance"`)
}
