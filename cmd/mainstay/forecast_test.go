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

	"github.com/mainstay/mainstay/pkg/ops/whatif"
)

// byWeek counts the alerts of a rule in the weeks of a forecast.
func byWeek(t *testing.T, f *whatif.Forecast, all []published, rule string) []int64 {
	t.Helper()
	from, err := time.Parse(time.DateOnly, f.From)
	require.NoError(t, err)
	require.Equal(t, time.Monday, from.Weekday())
	weeks := make([]int64, f.Weeks)
	for _, a := range all {
		if n := int(math.Floor(a.RaisedAt.Sub(from).Hours() / (7 * 24))); a.Rule == rule && n >= 0 && n < f.Weeks {
			weeks[n]++
		}
	}
	return weeks
}

// A forecast is what a pipeline publishes that runs under the rules, whether it is made of the ledger of other rules or of the file of
// orders.
func TestForecastIsWhatAPipelinePublishes(t *testing.T) {
	shop := ordersOf(60)
	w, b := rulesWorld(t, patientRules)
	w.feed(shop, shopEnd)
	require.Equal(t, exitOK, b.stop())
	other, _ := rulesWorld(t, hastyRules)
	other.feed(shop, shopEnd)
	alerts := other.alerts(time.Time{})

	hasty, orders := write(t, "hasty.yaml", hastyRules), write(t, "orders.csv", orderLines(shop))
	for name, world := range map[string]*world{"the ledger": w, "the ledger of the same rules": other, "a file": {t: t, environ: []string{"MAINSTAY_MONEY_CURRENCY=EUR", "MAINSTAY_ALERTS_FUSE_RAISES=100000"}}} {
		args := []string{"alerts", "forecast", hasty, "--output", "json"}
		if name == "a file" {
			args = append(args, "--file", orders)
		}
		f := new(whatif.Forecast)
		require.NoError(t, json.Unmarshal([]byte(world.mustRun(args...)), f))
		require.Equal(t, "2024-01-08", f.From, "the first order is on a Monday, though not at its beginning: %s", name)
		require.Greater(t, f.Weeks, 100)
		require.Len(t, f.Rules, 2)
		for _, r := range f.Rules {
			weeks, sum := byWeek(t, f, alerts, r.Rule), int64(0)
			for _, n := range weeks {
				sum += n
			}
			require.Positive(t, sum)
			require.InDelta(t, float64(sum)/float64(f.Weeks), r.Mean, 1e-9, "%s: %s", name, r.Rule)
			require.Equal(t, slices.Min(weeks), r.Least)
			require.Equal(t, slices.Max(weeks), r.Most)
		}
	}
	table := w.mustRun("alerts", "forecast", hasty)
	require.Contains(t, table, "full weeks from 2024-01-08")
}

// What is found raises at most so many, and the next milder threshold more: by pipelines that run under them.
func TestThresholdForAlertsPerDay(t *testing.T) {
	const perDay = 0.2
	shop := ordersOf(60)
	rule := func(metric string, at, clearAt float64) string {
		return fmt.Sprintf("rules:\n  - {name: found, metric: %s, above: %g, clear: %g, severity: info}\n", metric, at, clearAt)
	}
	orders := write(t, "orders.csv", orderLines(shop))
	environ := []string{"MAINSTAY_MONEY_CURRENCY=EUR"}
	for metric, own := range map[string][2]float64{"churn_probability": {0.9, 0.6}, "days_since_last_order": {10, 10}} {
		code, out, errs := run(t, environ, "alerts", "forecast", write(t, "rules.yaml", rule(metric, own[0], own[1])), "--file", orders, "--per-day", fmt.Sprint(perDay), "--output", "json")
		require.Equal(t, exitOK, code, errs)
		found := new(whatif.Threshold)
		require.NoError(t, json.Unmarshal([]byte(out), found))
		require.NotNil(t, found.Milder)
		require.Less(t, *found.Milder, found.Threshold)
		require.LessOrEqual(t, found.PerDay, perDay)
		require.Greater(t, *found.MilderPerDay, perDay)
		for at, raises := range map[float64]float64{found.Threshold: found.PerDay, *found.Milder: *found.MilderPerDay} {
			w, b := rulesWorld(t, rule(metric, at, at*own[1]/own[0]))
			w.feed(shop, shopEnd)
			f := &whatif.Forecast{From: "2024-01-08", Weeks: found.Weeks}
			sum := int64(0)
			for _, n := range byWeek(t, f, w.alerts(time.Time{}), "found") {
				sum += n
			}
			require.InDelta(t, float64(sum)/float64(7*f.Weeks), raises, 0.006, "the clear threshold is rounded")
			require.Equal(t, exitOK, b.stop())
		}
	}
	refused := func(code int, text string, args ...string) {
		t.Helper()
		got, _, errs := run(t, environ, append([]string{"alerts", "forecast"}, args...)...)
		require.Equal(t, code, got)
		require.Contains(t, errs, text)
	}
	two := write(t, "rules.yaml", hastyRules)
	refused(exitFailed, `no such rule in the file: "sleeping"; it has slipping, silent`, two, "--file", orders, "--per-day", "1", "--rule", "sleeping")
	refused(exitFailed, `no such rule in the file: ""; it has slipping, silent`, two, "--file", orders, "--per-day", "1")
	refused(exitFailed, "the metric has few values", "shipped", "--file", orders, "--per-day", "1", "--rule", "high_value_gained")
	refused(exitUsage, "--per-day must be above 0", two, "--file", orders, "--per-day", "0")
	refused(exitUsage, "give --per-day as well", two, "--file", orders, "--rule", "silent")
	refused(exitFailed, "the history has no full week", two, "--file", write(t, "few.csv", orderLines(shop[:3])))
	code, out, errs := run(t, environ, "alerts", "forecast", two, "--file", orders, "--per-day", "1000", "--rule", "silent")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "it is the mildest of the")
	require.Contains(t, strings.ReplaceAll(out, "\n", " "), "none raises more than 1000")
}
