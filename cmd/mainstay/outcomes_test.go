package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/models/lift"
)

const silentRules = "rules:\n  - {name: silent, metric: days_since_last_order, above: 60, severity: warning}\n"

var shopOpens = time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)

// fellSilent are the orders of customers who buy one to four times and then no more.
func fellSilent(customers int) []bought {
	var all []bought
	for c := range customers {
		for n := range 1 + c%4 {
			all = append(all, bought{fmt.Sprintf("c%d", c), fmt.Sprintf("c%d-%d", c, n), shopOpens.AddDate(0, 0, c/10+9*n), 20 + (c*37+n*11)%60})
		}
	}
	return sortedOrders(all)
}

func sortedOrders(all []bought) []bought {
	slices.SortStableFunc(all, func(a, b bought) int { return a.at.Compare(b.at) })
	return all
}

// grouped is an alert as its topic has it.
type grouped struct {
	Customer string    `json:"customer_id"`
	State    string    `json:"state"`
	Group    string    `json:"group"`
	RaisedAt time.Time `json:"raised_at"`
	Scores   struct {
		Predicted float64 `json:"predicted_clv"`
	} `json:"scores"`
}

// firstAlerts are the first raised alerts of all customers.
func (w *world) firstAlerts() []grouped {
	w.t.Helper()
	var all []grouped
	for line := range strings.Lines(w.mustRun("tail", "alerts", "--from", "start", "--follow=false", "--output", "json")) {
		var a grouped
		require.NoError(w.t, json.Unmarshal([]byte(line), &a))
		if a.State == "raised" && !slices.ContainsFunc(all, func(o grouped) bool { return o.Customer == a.Customer && !o.RaisedAt.After(a.RaisedAt) }) {
			all = append(slices.DeleteFunc(all, func(o grouped) bool { return o.Customer == a.Customer }), a)
		}
	}
	return all
}

// rowsOf are the rows of a report in JSON.
func (w *world) rowsOf(args ...string) []map[string]any {
	w.t.Helper()
	var r struct {
		Rows []map[string]any `json:"rows"`
	}
	require.NoError(w.t, json.Unmarshal([]byte(w.mustRun(append(args, "--output", "json")...)), &r))
	return r.Rows
}

func day(at time.Time) int { return int(at.Unix() / 86_400) }

// What the reports say of an experiment is what follows from its published alerts and its orders: treated customers buy again twice as
// often, some orders arrive late, one is refunded in part, and some customers have a second alert.
func TestLiftAndBeforeAfter(t *testing.T) {
	const customers, horizon = 450, 30
	w, b := rulesWorld(t, silentRules, "MAINSTAY_ALERTS_CONTROL_SHARE=0.5", "MAINSTAY_ALERTS_CONTROL_SALT=spring", "MAINSTAY_CLV_PREDICTION_HORIZON_DAYS=30")
	shop := fellSilent(customers)
	action := shopOpens.AddDate(0, 0, 135).Format(time.DateOnly)
	w.feed(shop, action)
	alerts := w.firstAlerts()
	require.Len(t, alerts, customers)

	// Whom to call: nobody in control, whose alerts the lists show.
	inControl := map[string]bool{}
	for _, a := range alerts {
		inControl[a.Customer] = a.Group == "control"
	}
	for line := range strings.Lines(w.mustRun("alerts", "list")) {
		if fields := strings.Fields(line); fields[0] != "SINCE" {
			require.Equal(t, map[bool]string{true: "control", false: "treated"}[inControl[fields[1]]], fields[5])
		}
	}
	called := 0
	for line := range strings.Lines(w.mustRun("today", "--csv", "--limit", "1000", "--columns", "total_clv")) {
		id, _, _ := strings.Cut(line, ",")
		require.False(t, inControl[id], id)
		called++
	}
	require.Greater(t, called, 50)
	var expectedDays, expectedRevenue float64
	var listed []struct {
		Days    *float64 `json:"predicted_number_of_orders"`
		Revenue *float64 `json:"predicted_clv"`
	}
	printed := w.mustRun("customer", "list", "--output", "json", "--limit", "1000")
	require.NoError(t, json.Unmarshal([]byte(printed), &listed))
	require.Len(t, listed, customers)
	for _, c := range listed {
		expectedDays, expectedRevenue = expectedDays+*c.Days, expectedRevenue+*c.Revenue
	}
	require.Greater(t, expectedDays, 1.0)

	// The customers answer.
	var more []bought
	for i, a := range alerts {
		if i%3 == 0 || i%3 == 1 && a.Group == "treated" {
			more = append(more, bought{a.Customer, a.Customer + "-again", a.RaisedAt.AddDate(0, 0, i%41), 20 + i%70})
		}
	}
	for c := range 20 {
		at := shopOpens.AddDate(0, 0, 136+c)
		more = append(more, bought{fmt.Sprint("new", c), fmt.Sprint("new", c), at, 30})
	}
	more = sortedOrders(more)
	refunded := &more[len(more)/2]
	w.mustRun("send", "cancellation", "--customer", refunded.customer, "--order", refunded.order, "--refund", "r", "--total", "7", "--currency", "EUR", "--at", refunded.at.Format(time.RFC3339))
	const end = "2026-06-20"
	w.feed(more, end)
	require.Equal(t, exitOK, b.stop(), b.errs.String()) // reports need no running process
	refunded.total -= 7
	all := slices.Concat(shop, more)
	over, err := time.Parse(time.DateOnly, end)
	require.NoError(t, err)

	rows := w.rowsOf("report", "lift", "--rule", "silent", "--days", "60,30")
	require.Len(t, rows, 6)
	for i, days := range []int{30, 60} {
		waiting := 0
		var arms [2][2]lift.Arm // by measure, then treated and control
		for _, a := range alerts {
			first := day(a.RaisedAt)
			if first+days >= day(over) {
				waiting++
				continue
			}
			orders, revenue := 0, 0
			for _, o := range all {
				if o.customer == a.Customer && day(o.at) > first && day(o.at) <= first+days {
					orders, revenue = orders+1, revenue+o.total
				}
			}
			group := map[string]int{"treated": 0, "control": 1}[a.Group]
			arms[0][group].Add(a.Scores.Predicted, float64(min(orders, 1)))
			arms[1][group].Add(a.Scores.Predicted, float64(revenue))
		}
		for m, name := range []string{"repurchase", "revenue"} {
			row, c := rows[3*i+m], lift.Compare(&arms[m][0], &arms[m][1], .5)
			require.Equal(t, name, row["measure"])
			for column, want := range map[string]float64{
				"days": float64(days), "treated_customers": float64(arms[m][0].N()), "control_customers": float64(arms[m][1].N()), "waiting_customers": float64(waiting),
				"treated_mean": c.Treated, "control_mean": c.Control, "difference": c.Difference, "difference_low": c.Low, "difference_high": c.High,
				"lift": c.Difference / c.Control,
			} {
				if !c.Bounded && (column == "difference_low" || column == "difference_high") {
					require.Nil(t, row[column])
					continue
				}
				require.InDelta(t, want, row[column], .0051, "%s after %d days: %s", name, days, column)
			}
		}
	}
	require.Equal(t, "higher", rows[0]["verdict"])
	require.NotZero(t, rows[3]["waiting_customers"])
	require.Equal(t, "too few to tell", rows[3]["verdict"], "that many have not had their 60 days")
	require.Equal(t, "higher", rows[2]["verdict"], "whoever buys is worth more")

	// The change of CLV is that of the answers as of the days after the alert and after the window.
	since, total := shopOpens.AddDate(0, 0, 125), func(customer string, at time.Time) float64 {
		value, err := strconv.ParseFloat(numberAt(object(t, w.mustRun("customer", "get", customer, "--as-of", at.Format(time.DateOnly), "--output", "json")), "clv", "total_clv"), 64)
		require.NoError(t, err)
		return value
	}
	var few [2]lift.Arm
	for _, a := range alerts {
		if !a.RaisedAt.Before(since) {
			group := map[string]int{"treated": 0, "control": 1}[a.Group]
			few[group].Add(a.Scores.Predicted, total(a.Customer, a.RaisedAt.AddDate(0, 0, 31))-total(a.Customer, a.RaisedAt.AddDate(0, 0, 1)))
		}
	}
	require.Greater(t, few[0].N()+few[1].N(), 10)
	row, c := w.rowsOf("report", "lift", "--rule", "silent", "--days", "30", "--since", since.Format(time.RFC3339))[2], lift.Compare(&few[0], &few[1], .5)
	require.Equal(t, "clv_change", row["measure"])
	require.InDelta(t, c.Treated, row["treated_mean"], .0051)
	require.InDelta(t, c.Control, row["control_mean"], .0051)
	require.Equal(t, "too few to tell", row["verdict"])

	rows = w.rowsOf("report", "before-after", "--date", action, "--days", fmt.Sprint(horizon))
	require.Len(t, rows, 9)
	begin, err := time.Parse(time.DateOnly, action)
	require.NoError(t, err)
	firsts := map[string]int{}
	for _, o := range all {
		if at, known := firsts[o.customer]; !known || day(o.at) < at {
			firsts[o.customer] = day(o.at)
		}
	}
	for i, who := range []string{"all", "known", "new"} {
		var before, after, revenueBefore, revenueAfter float64
		for _, o := range all {
			if known := firsts[o.customer] < day(begin); who == "known" && !known || who == "new" && known {
				continue
			}
			switch from := day(o.at) - day(begin); {
			case from >= -horizon && from < 0:
				before, revenueBefore = before+1, revenueBefore+float64(o.total)
			case from >= 0 && from < horizon:
				after, revenueAfter = after+1, revenueAfter+float64(o.total)
			}
		}
		for k, want := range [][3]float64{{before, after, expectedDays}, {before, after, 0}, {revenueBefore, revenueAfter, expectedRevenue}} {
			row := rows[3*i+k]
			require.Equal(t, who, row["customers"])
			if who == "all" {
				require.InDelta(t, want[0]/horizon, row["before_per_day"], .0051)
				require.InDelta(t, want[1]/want[0]-1, row["change"], .0051)
			} else {
				require.Nil(t, row["before_per_day"])
				require.Nil(t, row["change"])
			}
			require.InDelta(t, want[1]/horizon, row["after_per_day"], .0051)
			if who != "known" || k == 1 {
				require.Nil(t, row["expected_per_day"])
				continue
			}
			require.InDelta(t, want[2]/horizon, row["expected_per_day"], .02)
			require.InDelta(t, want[1]/want[2]-1, row["against_expected"], .01)
		}
	}

	// The examples of docs/measures.md, from the sums over the orders.
	measures, err := os.ReadFile(filepath.Join("..", "..", "docs", "measures.md"))
	require.NoError(t, err)
	sum := func(first, last int) (orders int, total float64) {
		for _, o := range all {
			if d := day(o.at) - day(begin); d >= first && d < last {
				orders, total = orders+1, total+float64(o.total)
			}
		}
		return orders, total
	}
	orders, after := sum(0, horizon)
	_, before := sum(-horizon, 0)
	for _, example := range []string{
		fmt.Sprintf("| %d / 30 = **%.3f** |", orders, float64(orders)/horizon), fmt.Sprintf("| %.2f / 30 = **%.2f** |", after, after/horizon),
		fmt.Sprintf("| %.2f / %.2f - 1 = **%.3f** |", after, before, after/before-1), fmt.Sprintf("| **%.2f** |", rows[5]["expected_per_day"]),
		fmt.Sprintf("| %.2f / %.2f - 1 = **%.3f** |", rows[5]["after_per_day"], rows[5]["expected_per_day"], rows[5]["against_expected"]),
	} {
		require.Contains(t, string(measures), example)
	}

	for text, args := range map[string][]string{
		"give --rule": {"report", "lift"},
		`no such rule: "loud"; the rules in force are silent`:                 {"report", "lift", "--rule", "loud"},
		`--days: must be whole numbers from 1 to 3650`:                        {"report", "lift", "--rule", "silent", "--days", "30,0"},
		"--since: must be a time like":                                        {"report", "lift", "--rule", "silent", "--since", "soon"},
		"give --date":                                                         {"report", "before-after"},
		`--date: must be a day like 2026-03-01; it is "spring"`:               {"report", "before-after", "--date", "spring"},
		"--days: must be from 1 to 3650; it is 0":                             {"report", "before-after", "--date", action, "--days", "0"},
		"are not over: the ledger's time is 2026-06-20T00:00:00Z; give 35 or": {"report", "before-after", "--date", action},
		"--date: 2026-06-20 is not over":                                      {"report", "before-after", "--date", end},
		"--date: nobody has bought before 2026-01-01":                         {"report", "before-after", "--date", "2026-01-01"},
		"there are no 60 days before 2026-02-01; give 31 or fewer":            {"report", "before-after", "--date", "2026-02-01"},
	} {
		code, _, errs := w.run(args...)
		require.Equal(t, exitUsage, code, args)
		require.Contains(t, errs, text)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "lift.md"))
	require.NoError(t, err)
	for _, command := range [][]string{{"report", "lift", "--rule", "silent"}, {"report", "before-after", "--date", action, "--days", "30"}} {
		require.Contains(t, string(page), "$ mainstay "+strings.Join(command, " ")+"\n"+w.mustRun(command...))
	}
}

// The examples of docs/measures.md: a customer buys for 20.00, falls silent, and comes back after the alert. Another share then draws anew.
func TestExamplesOfLift(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "docs", "measures.md"))
	require.NoError(t, err)
	_, page, found := strings.Cut(string(content), "## What actions achieve")
	require.True(t, found)
	w, b := rulesWorld(t, silentRules, "MAINSTAY_ALERTS_CONTROL_SHARE=0.5", "MAINSTAY_MONEY_DEFAULT_CURRENCY=EUR")
	silent := func(customer string) func() bool {
		return func() bool { return strings.Contains(w.mustRun("alerts", "list"), customer) }
	}
	w.mustRun("send", "purchase", "--customer", "eve", "--order", "1", "--total", "20", "--at", "2026-01-01")
	w.customer("eve", orders("1"))
	w.mustRun("advance", "--to", "2026-03-05")
	w.eventually(silent("eve"), "the alert of eve")
	w.mustRun("send", "purchase", "--customer", "eve", "--order", "2", "--total", "30", "--at", "2026-03-14")
	w.mustRun("send", "cancellation", "--customer", "eve", "--order", "2", "--refund", "r", "--total", "5", "--at", "2026-03-16")
	w.customer("eve", func(c map[string]any) bool { return numberAt(c, "clv", "historic_clv") == "45.00" })
	w.mustRun("advance", "--to", "2026-04-15")
	w.customer("eve", func(c map[string]any) bool { return c["as_of"] == "2026-04-15T00:00:00Z" })
	of := func(args ...string) (all []map[string]any) {
		for _, row := range object(t, w.mustRun(append(args, "--output", "json")...))["rows"].([]any) {
			all = append(all, row.(map[string]any))
		}
		return all
	}
	for _, row := range of("report", "lift", "--rule", "silent", "--days", "30") {
		example := row["treated_mean"]
		if example == nil {
			example = row["control_mean"]
		}
		_, line, found := strings.Cut(page, "| **`"+row["measure"].(string)+"`** |")
		require.True(t, found)
		line, _, _ = strings.Cut(line, "\n")
		require.Contains(t, line, "**"+example.(json.Number).String()+"**", row["measure"])
		require.Equal(t, "too few to tell", row["verdict"])
	}
	clv := func(at string) map[string]any {
		return object(t, w.mustRun("customer", "get", "eve", "--as-of", at, "--output", "json"))
	}
	before, after := clv("2026-03-03"), clv("2026-04-02")
	require.Contains(t, page, fmt.Sprintf("| (%s + %s) - (%s + %s) = **", numberAt(after, "clv", "historic_clv"), numberAt(after, "clv", "predicted_clv"),
		numberAt(before, "clv", "historic_clv"), numberAt(before, "clv", "predicted_clv")))
	require.Equal(t, exitOK, b.stop(), b.errs.String())

	w.environ = append(w.environ, "MAINSTAY_ALERTS_CONTROL_SHARE=0.25", "MAINSTAY_SETTINGS_REVISION=2")
	w.start("run")
	w.waitRevision(2)
	w.mustRun("send", "purchase", "--customer", "fay", "--order", "3", "--total", "20", "--at", "2026-04-16")
	w.customer("fay", orders("1"))
	w.mustRun("advance", "--to", "2026-07-01")
	w.eventually(silent("fay"), "the alert of fay")
	require.Contains(t, w.mustRun("report", "lift", "--rule", "silent"), "A share of 0.25 is in control; below 800 customers in both groups nothing is stated.")
	require.Contains(t, w.mustRun("report", "lift", "--rule", "silent"), "1 customers are left out: their groups were drawn with another share or salt.")
}
