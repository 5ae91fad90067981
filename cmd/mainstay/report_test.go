package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
)

// The reports of docs/measures.md are what the commands print for the events of the page.
func TestReports(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "docs", "measures.md"))
	require.NoError(t, err)
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR", "MAINSTAY_MONEY_DEFAULT_CURRENCY=EUR")
	for _, order := range [][4]string{
		{"ada", "1", "40", "2026-01-01"},
		{"ada", "2", "40", "2026-01-15"},
		{"bob", "3", "50", "2026-01-10"},
		{"bob", "4", "30", "2026-05-02"},
		{"cid", "5", "20", "2026-02-10"},
		{"dan", "6", "60", "2026-02-20"},
	} {
		w.mustRun("send", "purchase", "--customer", order[0], "--order", order[1], "--total", order[2], "--at", order[3])
	}
	w.mustRun("send", "cancellation", "--customer", "bob", "--kind", "account", "--at", "2026-03-05")
	w.mustRun("send", "cancellation", "--customer", "dan", "--order", "6", "--refund", "r", "--total", "15", "--at", "2026-03-01")
	const now = "2026-09-01T00:00:00Z"
	for _, id := range []string{"ada", "bob", "cid", "dan"} {
		w.customer(id, orders(map[bool]string{true: "2", false: "1"}[id < "c"]))
	}
	w.mustRun("advance", "--to", now)
	w.customer("ada", func(c map[string]any) bool { return c["as_of"] == now })
	require.Equal(t, exitOK, b.stop(), b.errs.String()) // reports need no running process

	for _, command := range [][]string{{"report", "retention"}, {"report", "revenue", "--by", "quarter"}, {"report", "cohorts"}} {
		printed := w.mustRun(command...)
		require.Contains(t, string(content), "$ mainstay "+strings.Join(command, " ")+"\n"+printed)
	}

	// The last column of the page's tables of segments is the row of all customers.
	for _, r := range lookup.SegmentReports() {
		_, page, found := strings.Cut(string(content), "`mainstay report "+r.Name+" --by DIMENSION`")
		require.True(t, found, "the page has no report %s", r.Name)
		segments := strings.Split(strings.TrimSpace(w.mustRun("report", r.Name, "--by", "cohort", "--csv")), "\n")
		base := strings.Split(segments[len(segments)-1], ",")
		for i, name := range strings.Split(segments[0], ",")[1:] {
			_, row, found := strings.Cut(page, "\n| **`"+name+"`** |")
			require.True(t, found, "the page has no measure %s", name)
			row, _, _ = strings.Cut(row, " |\n")
			require.Equal(t, cmp.Or(base[i+1], "not known"), row[strings.LastIndex(row, "| ")+2:], "%s: %s", r.Name, name)
		}
	}

	var report struct {
		AsOf     string           `json:"as_of"`
		Currency string           `json:"currency"`
		Rows     []map[string]any `json:"rows"`
	}
	require.NoError(t, json.Unmarshal([]byte(w.mustRun("report", "cohorts", "--from", "2026-02", "--to", "2026-03", "--output", "json")), &report))
	require.Equal(t, "2026-09-01T00:00:00Z", report.AsOf)
	require.Equal(t, "EUR", report.Currency)
	require.Equal(t, []map[string]any{
		{"cohort": "2026-02", "month": "2026-02", "customers": 2., "buying_customers": 2., "buying_share": 1., "orders": 2., "revenue": 65., "cumulative_revenue": 65., "value_per_customer": 32.5},
		{"cohort": "2026-02", "month": "2026-03", "customers": 2., "buying_customers": 0., "buying_share": 0., "orders": 0., "revenue": 0., "cumulative_revenue": 65., "value_per_customer": 32.5},
	}, report.Rows)
	require.Equal(t, "month,revenue,new_revenue,repeat_revenue,reactivated_revenue,repeat_share,orders,average_order_value\n"+
		"2026-09,0.00,0.00,0.00,0.00,,0,\n", w.mustRun("report", "revenue", "--from", "2026-09", "--current", "--csv"))

	for text, args := range map[string][]string{
		"--to: 2026-09 is not over: the ledger's time is 2026-09-01": {"report", "retention", "--to", "2026-09"},
		`--from: "soon" is no month`:                                 {"report", "revenue", "--from", "soon"},
		"--from: 2026-05 is after the last month, 2026-04":           {"report", "cohorts", "--from", "2026-05", "--to", "2026-04"},
	} {
		code, _, errs := w.run(args...)
		require.Equal(t, exitUsage, code)
		require.Contains(t, errs, text)
	}
}

// The segments of every dimension add up to all customers, and equal what `customer get` says of each.
func TestSegmentsEqualANaiveSum(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR")
	const customers = 40
	rng := rand.New(rand.NewPCG(3, 4))
	var file strings.Builder
	file.WriteString("who,day,amount,via,where,code\n")
	days, amounts := map[string][]int{}, map[string]int{}
	first, latest := map[string]string{}, map[string]string{} // channels; c0 states none
	channels, firstDay, latestDay := []string{"web", "store", "app"}, map[string]int{}, map[string]int{}
	for c := range customers {
		id := fmt.Sprint("c", c)
		for o := range 1 + rng.IntN(4) {
			day, amount := 10*o+rng.IntN(9)+100*rng.IntN(2), 1+rng.IntN(300)
			days[id], amounts[id] = append(days[id], day), amounts[id]+amount
			channel, country, coupon := "", "DE", ""
			if c > 0 {
				channel = channels[(c+o)%3]
				// Two orders of a day are told apart by their ids' hashes, which this sum does not know: both are in the same channel.
				if at, known := firstDay[id]; !known || day < at {
					first[id], firstDay[id] = channel, day
				} else if day == at {
					channel = first[id]
				}
				if at, known := latestDay[id]; !known || day > at {
					latest[id], latestDay[id] = channel, day
				} else if day == at {
					channel = latest[id]
				}
			}
			if c%2 == 0 {
				country = "FR"
			}
			if c%5 == 0 && o == 0 {
				coupon = "TEN"
			}
			fmt.Fprintf(&file, "%s,%s,%d.00,%s,%s,%s\n", id, time.Date(2025, 1, 1+day, 0, 0, 0, 0, time.UTC).Format("20060102"), amount, channel, country, coupon)
		}
	}
	w.mustRun("import", write(t, "orders.csv", file.String()), "--type", "purchase", "--map", "customer_id=who,occurred_at=day,total=amount,channel=via,country=where,coupon=code", "--time-format", "20060102", "--currency", "EUR")
	w.mustRun("send", "survey", "--customer", "c7", "--score", "2", "--response", "s1", "--at", "2025-12-30")
	w.mustRun("send", "referral", "--referrer", "c1", "--customer", "c2", "--at", "2025-01-01")
	const now = "2026-01-15T00:00:00Z"
	w.mustRun("advance", "--to", now)
	all := map[string]map[string]any{}
	for c := range customers {
		id := fmt.Sprint("c", c)
		all[id] = w.customer(id, func(c map[string]any) bool {
			return c["as_of"] == now && (id != "c7" || valueAt(c, "promoter_status", "nps_score") != nil) && (id != "c1" || valueAt(c, "promoter_status", "action") == true)
		})
	}
	require.Equal(t, exitOK, b.stop(), b.errs.String()) // reports need no running process

	number := func(id string) int {
		n, err := strconv.Atoi(id[1:])
		require.NoError(t, err)
		return n
	}
	today := time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC).Sub(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)).Hours() / 24
	segmentOf := map[string]func(id string) string{
		"value_tier":   func(string) string { return "none" }, // there are too few customers for tiers
		"churn_risk":   func(id string) string { return valueAt(all[id], "churn_risk", "churn_risk").(string) },
		"nps_category": func(id string) string { return valueAt(all[id], "promoter_status", "nps_category").(string) },
		"cohort": func(id string) string {
			return time.Date(2025, 1, 1+slices.Min(days[id]), 0, 0, 0, 0, time.UTC).Format("2006-01")
		},
		"referred":      func(id string) string { return map[bool]string{true: "yes", false: "no"}[id == "c2"] },
		"channel":       func(id string) string { return cmp.Or(latest[id], "none") },
		"first_channel": func(id string) string { return cmp.Or(first[id], "none") },
		"country":       func(id string) string { return map[bool]string{true: "FR", false: "DE"}[number(id)%2 == 0] },
		"coupon":        func(id string) string { return map[bool]string{true: "yes", false: "none"}[number(id)%5 == 0] },
		"brand":         func(string) string { return "none" },
	}
	for dimension, of := range segmentOf {
		var report struct {
			Rows []map[string]any `json:"rows"`
		}
		require.NoError(t, json.Unmarshal([]byte(w.mustRun("report", "segments", "--by", dimension, "--output", "json")), &report))
		require.Equal(t, "all", report.Rows[len(report.Rows)-1][dimension])
		names := map[string]bool{}
		for _, row := range report.Rows {
			name := row[dimension].(string)
			names[name] = true
			var n, orders, repeat, lost, gaps, gapDays, tenure, revenue, predicted, probability float64
			for id := range all {
				if name != "all" && name != of(id) {
					continue
				}
				n++
				orders += float64(len(days[id]))
				if len(days[id]) > 1 {
					repeat++
				}
				if risk := segmentOf["churn_risk"](id); risk == "high" || risk == "churned" {
					lost++
				}
				unique := slices.Compact(slices.Sorted(slices.Values(days[id])))
				gaps += float64(len(unique) - 1)
				gapDays += float64(unique[len(unique)-1] - unique[0])
				tenure += today - float64(unique[0]) + 1
				revenue += float64(amounts[id])
				p, err := strconv.ParseFloat(numberAt(all[id], "clv", "predicted_clv"), 64)
				require.NoError(t, err)
				predicted += p
				p, err = strconv.ParseFloat(numberAt(all[id], "churn_risk", "churn_probability"), 64)
				require.NoError(t, err)
				probability += p
			}
			require.Equal(t, n, row["customers"], name)
			require.InDelta(t, revenue, row["historic_revenue"], 1e-6)
			require.InDelta(t, revenue/n, row["average_historic_clv"], .00501)
			require.InDelta(t, predicted/n, row["average_predicted_clv"], .00501)
			require.InDelta(t, (revenue+predicted)/n, row["average_clv"], .00501)
			require.InDelta(t, revenue/orders, row["average_order_value"], .00501)
			require.InDelta(t, orders/(tenure/365.25), row["orders_per_year"], .00501)
			require.InDelta(t, probability/n, row["average_churn_probability"], .0001)
			require.InDelta(t, lost/n, row["lost_share"], .0001)
			require.InDelta(t, repeat/n, row["repeat_share"], .0001)
			require.Equal(t, n < 30, row["few"])
			if gaps > 0 {
				require.InDelta(t, gapDays/gaps, row["days_between_orders"], .0501)
			}
			if name == "all" || name == of("c1") {
				require.EqualValues(t, 1, row["referred_customers"])
			}
			if name == "all" || name == of("c7") {
				require.EqualValues(t, -100, row["nps"])
			}
		}
		for id := range all {
			require.True(t, names[of(id)], "%s has no segment %s", dimension, of(id))
		}
	}
	require.Contains(t, w.mustRun("report", "segments", "--by", "cohort"), "Few: below 30 customers")
	code, _, errs := w.run("report", "segments", "--by", "colour")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "there are value_tier, churn_risk, nps_category, cohort, referred")
}
