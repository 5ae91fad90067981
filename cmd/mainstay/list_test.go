package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The lists equal a naive sort and filter of what `customer get` says of every customer.
func TestListsEqualANaiveSort(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR")
	const customers = 60
	rng := rand.New(rand.NewPCG(1, 2))
	var file strings.Builder
	file.WriteString("who,day,amount\n")
	for c := range customers {
		for range 1 + rng.IntN(6) {
			fmt.Fprintf(&file, "c%d,2025%02d%02d,%d.50\n", c, 1+rng.IntN(12), 1+rng.IntN(28), 1+rng.IntN(300))
		}
	}
	w.mustRun("import", write(t, "orders.csv", file.String()), "--type", "purchase", "--map", "customer_id=who,occurred_at=day,total=amount", "--time-format", "20060102", "--currency", "EUR")
	w.mustRun("send", "survey", "--customer", "c7", "--score", "2", "--response", "s1", "--at", "2025-12-30")
	const now = "2026-01-15T00:00:00Z"
	w.mustRun("advance", "--to", now)
	all := map[string]map[string]any{}
	for c := range customers {
		id := fmt.Sprintf("c%d", c)
		all[id] = w.customer(id, func(c map[string]any) bool {
			return c["as_of"] == now && (id != "c7" || valueAt(c, "promoter_status", "nps_score") != nil)
		})
	}
	require.Equal(t, exitOK, b.stop(), b.errs.String()) // lists need no running process

	number := func(id string, path ...string) float64 {
		v, err := strconv.ParseFloat(numberAt(all[id], path...), 64)
		require.NoError(t, err)
		return v
	}
	risk := func(id string) string { return valueAt(all[id], "churn_risk", "churn_risk").(string) }
	// Outputs have four decimals of the probability, so that of two customers whose values at stake differ by less, either may be first.
	stake := func(id string) float64 {
		return number(id, "clv", "predicted_clv") * number(id, "churn_risk", "churn_probability")
	}

	var calls []map[string]any
	require.NoError(t, json.Unmarshal([]byte(w.mustRun("today", "--limit", "0", "--output", "json")), &calls))
	wanted := slices.DeleteFunc(slices.Collect(maps.Keys(all)), func(id string) bool { return risk(id) != "medium" && risk(id) != "high" })
	require.Greater(t, len(wanted), 10)
	require.Less(t, len(wanted), customers)
	var called []string
	last := math.Inf(1)
	for _, c := range calls {
		id := c["customer_id"].(string)
		called = append(called, id)
		is := c["value_at_stake"].(float64)
		require.InDelta(t, stake(id), is, .02+1e-4*number(id, "clv", "predicted_clv"))
		require.LessOrEqual(t, is, last)
		last = is
		require.Equal(t, risk(id), c["churn_risk"])
		require.Equal(t, number(id, "clv", "total_clv"), c["total_clv"])
		require.Contains(t, c["why"], "silent for")
	}
	require.ElementsMatch(t, wanted, called)
	require.Contains(t, w.mustRun("today"), "VALUE AT STAKE")

	// By a figure that is exact.
	byValue := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if x, y := number(a, "clv", "historic_clv"), number(b, "clv", "historic_clv"); x != y {
			return map[bool]int{true: -1, false: 1}[x > y]
		}
		return strings.Compare(a, b)
	})
	listed := func(args ...string) (ids []string) {
		lines, err := csv.NewReader(strings.NewReader(w.mustRun(append([]string{"customer", "list", "--csv", "--columns", "customer_id,historic_clv"}, args...)...))).ReadAll()
		require.NoError(t, err)
		require.Equal(t, []string{"customer_id", "historic_clv"}, lines[0])
		for _, l := range lines[1:] {
			require.Equal(t, numberAt(all[l[0]], "clv", "historic_clv"), l[1])
			ids = append(ids, l[0])
		}
		return ids
	}
	require.Equal(t, byValue, listed("--sort", "historic_clv", "--limit", "0"))
	require.Equal(t, byValue[:7], listed("--sort", "historic_clv", "--limit", "7"))
	rich := slices.DeleteFunc(slices.Clone(byValue), func(id string) bool { return number(id, "clv", "historic_clv") < 500 || risk(id) == "low" })
	require.Equal(t, rich, listed("--sort", "historic_clv", "--limit", "0", "--where", "historic_clv>=500, churn_risk=medium|high|churned"))
	require.Equal(t, []string{"c7"}, listed("--where", "nps_category=detractor", "--sort", "nps_score"))

	for bad, says := range map[string]string{
		"--sort=nonsense":           "no column is named \"nonsense\": the columns are customer_id, value_at_stake",
		"--sort=churn_risk":         "churn_risk has no order",
		"--where=churn_risk>=1":     "churn_risk has no order: use =",
		"--where=historic_clv>=abc": "\"abc\" is neither a number nor a time",
		"--where=high":              "must be COLUMN=VALUE",
		"--limit=-1":                "--limit: must not be negative",
		"--columns=x":               "--columns: no column is named \"x\"",
	} {
		code, _, errs := w.run("customer", "list", bad)
		require.Equal(t, exitUsage, code, bad)
		require.Contains(t, errs, says)
	}
}
