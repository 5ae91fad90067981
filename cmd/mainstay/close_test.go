package main

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The final portfolio of a day is the sum of what customer get says of each customer as of its end, digit by digit, also after events
// that came later; and the audit agrees.
func TestFinalPortfolioIsTheSumOfCustomers(t *testing.T) {
	w, _ := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR")
	customers := []string{"ada", "bob", "cy", "dee"}
	for i, id := range customers {
		w.mustRun("send", "purchase", "--customer", id, "--order", id, "--total", "12.3"+string(rune('1'+i)), "--currency", "EUR", "--at", "2026-01-0"+string(rune('1'+i)))
	}
	w.mustRun("send", "survey", "--customer", "eve", "--score", "9", "--response", "s1", "--at", "2026-01-05")
	w.customer("eve", func(c map[string]any) bool { return valueAt(c, "promoter_status", "nps_category") == "promoter" })
	w.mustRun("advance", "--to", "2026-02-05T01:00:00Z")
	final := func() (last map[string]any) {
		for line := range strings.Lines(w.mustRun("tail", "portfolio", "--from", "start", "--follow=false", "--output", "json")) {
			if p := object(t, line); p["state"] == "final" {
				last = p
			}
		}
		return last
	}
	w.eventually(func() bool { return final()["as_of"] == "2026-02-05T00:00:00Z" }, "the final portfolio")
	w.mustRun("send", "purchase", "--customer", "ada", "--order", "late", "--total", "99", "--currency", "EUR", "--at", "2026-02-04")
	w.customer("ada", func(c map[string]any) bool { return numberAt(c, "clv", "historic_number_of_orders") == "2" })

	equity, future, revenue := new(big.Rat), new(big.Rat), new(big.Rat)
	add := func(sum *big.Rat, text string) {
		amount, ok := new(big.Rat).SetString(text)
		require.True(t, ok, text)
		sum.Add(sum, amount)
	}
	for _, id := range customers {
		c := object(t, w.mustRun("customer", "get", id, "--as-of", "2026-02-05", "--output", "json"))
		require.Equal(t, "2026-02-05T00:00:00Z", c["as_of"])
		add(equity, numberAt(c, "clv", "total_clv"))
		add(future, numberAt(c, "clv", "predicted_clv"))
		add(revenue, numberAt(c, "clv", "historic_clv"))
	}
	p := final()
	require.Equal(t, "4", numberAt(p, "customers"))
	require.Equal(t, "1", numberAt(p, "prospects"))
	require.Equal(t, equity.FloatString(2), numberAt(p, "customer_equity"))
	require.Equal(t, future.FloatString(2), numberAt(p, "future_value"))
	require.Equal(t, revenue.FloatString(2), numberAt(p, "historic_revenue"))
	requireTrend(t, w, numberAt(p, "customer_equity"))
	code, _, errs := w.run("customer", "get", "ada", "--as-of", "2025-12-31")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "no such customer in partition")
	require.Contains(t, w.mustRun("audit"), "the last as of 2026-02-05T00:00:00Z")

	w.mustRun("customer", "forget", "bob")
	w.mustRun("advance", "--to", "2026-02-06T01:00:00Z")
	w.eventually(func() bool { return final()["as_of"] == "2026-02-06T00:00:00Z" }, "the next final portfolio")
	p = final()
	require.Equal(t, "3", numberAt(p, "customers"))
	add(revenue, "99")
	require.Equal(t, revenue.FloatString(2), numberAt(p, "historic_revenue"), "what was sold to a customer who is forgotten stays")
	code, _, errs = w.run("customer", "get", "bob", "--as-of", "2026-02-05")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "no such customer in partition", "although the ledger still holds them as of then")
	require.Contains(t, w.mustRun("audit"), "the last as of 2026-02-06T00:00:00Z")
}

// requireTrend requires the segments of the day that is closed.
func requireTrend(t *testing.T, w *world, equity string) {
	rows := func(by string) (all []map[string]any) {
		for _, row := range object(t, w.mustRun("report", "trend", "--by", by, "--output", "json"))["rows"].([]any) {
			all = append(all, row.(map[string]any))
		}
		return all
	}
	all := rows("all")
	last := all[len(all)-1]
	require.Equal(t, "2026-02-04", last["day"])
	require.Equal(t, "all", last["all"])
	require.Equal(t, "4", numberAt(last, "customers"))
	require.Equal(t, equity, numberAt(last, "customer_equity"))
	customers := 0
	for _, row := range rows("cohort") {
		if row["day"] == "2026-02-04" {
			require.Equal(t, "2026-01", row["cohort"])
			customers++
		}
	}
	require.Equal(t, 1, customers)
	require.Regexp(t, `(?s)DAY +2026-01\n.*2026-02-04 +`+equity, w.mustRun("report", "trend", "--by", "cohort", "--days", "2"))
	require.Regexp(t, `(?m)^day,cohort,customers,.*\n2026-02-04,2026-01,4,`, w.mustRun("report", "trend", "--by", "cohort", "--days", "1", "--csv"))
	code, _, errs := w.run("report", "trend", "--by", "rfm")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, `no dimension "rfm"; there are all, value_tier,`)
	code, _, errs = w.run("report", "trend", "--days", "0")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "--days")
}
