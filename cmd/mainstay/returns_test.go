package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// returnsOf are the rows of report returns.
func (w *world) returnsOf(by string) (rows []map[string]any) {
	w.t.Helper()
	for _, r := range object(w.t, w.mustRun("report", "returns", "--by", by, "--output", "json"))["rows"].([]any) {
		rows = append(rows, r.(map[string]any))
	}
	return rows
}

// TestReturns: what report returns says of each month, quarter and year, and of each source, is what a recount of the imported orders and
// of the answers of each customer says.
func TestReturns(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR", "MAINSTAY_CLV_MARGIN=0.4", "MAINSTAY_MONEY_RATES=USD=0.5")
	random := rand.New(rand.NewPCG(5, 6))
	type buyer struct {
		source   string
		months   map[int]int64 // cents, by months since January 2025
		first    int
		referred bool
	}
	buyers := map[string]*buyer{}
	var file strings.Builder
	for c := range 30 {
		id := fmt.Sprint("c", c)
		one := &buyer{source: []string{"ads", "mail", ""}[c%3], months: map[int]int64{}, first: 99, referred: c%4 == 1}
		buyers[id] = one
		for o := range 2 + random.IntN(5) {
			month, amount := random.IntN(15), 1000+random.Int64N(9000)
			one.months[month] += amount
			one.first = min(one.first, month)
			acquisition := ""
			if one.source != "" {
				acquisition = fmt.Sprintf(`,"acquisition":{"source":%q}`, one.source)
			}
			at := time.Date(2025, time.Month(1+month), 3+o, 0, 0, 0, 0, time.UTC)
			fmt.Fprintf(&file, `{"customer_id":%q,"order_id":"%s-%d","total":"%d.%02d","currency":"EUR","occurred_at":%q%s}`+"\n", id, id, o, amount/100, amount%100, at.Format(time.RFC3339), acquisition)
		}
	}
	w.mustRun("import", write(t, "orders.ndjson", file.String()), "--type", "purchase")
	for id, one := range buyers {
		if one.referred {
			w.mustRun("send", "referral", "--referrer", "c0", "--customer", id, "--at", "2025-01-01")
		}
	}
	const now = "2026-04-10T00:00:00Z"
	w.mustRun("advance", "--to", now)
	historic, predicted := map[string]float64{}, map[string]float64{} // cents
	for id, one := range buyers {
		c := w.customer(id, func(c map[string]any) bool {
			return c["as_of"] == now && valueAt(c, "clv", "historic_number_of_orders") != nil && (c["referrer_customer_id"] == "c0") == one.referred
		})
		for name, to := range map[string]map[string]float64{"historic_clv": historic, "predicted_clv": predicted} {
			v, err := strconv.ParseFloat(numberAt(c, "clv", name), 64)
			require.NoError(t, err)
			to[id] = math.Round(100 * v)
		}
	}

	acquisition, retention := map[[2]any]int64{}, map[int]int64{} // cents
	month := func(m int) string { return time.Date(2025, time.Month(1+m), 1, 0, 0, 0, 0, time.UTC).Format("2006-01") }
	set := func(args ...string) { w.mustRun(append([]string{"costs", "set"}, args...)...) }
	for m := range 12 {
		set("--month", month(m), "--source", "ads", "--amount", fmt.Sprint(10+m))
		acquisition[[2]any{m, "ads"}] = int64(10+m) * 100
	}
	set("--month", month(1), "--amount", "20", "--currency", "USD") // of no particular source
	acquisition[[2]any{1, ""}] = 1000
	set("--month", month(2), "--source", "mail", "--amount", "1000")
	set("--month", month(2), "--source", "mail", "--amount", "7.50") // replaces
	acquisition[[2]any{2, "mail"}] = 750
	set("--month", month(2), "--source", "mail", "--amount", "7.50") // changes nothing
	for m := range 15 {
		set("--month", month(m), "--kind", []string{"retention", "programme"}[m%2], "--amount", fmt.Sprint(3*m+1))
		retention[m] = int64(3*m+1) * 100
	}
	set("--month", month(14), "--kind", "retention", "--withdraw")
	delete(retention, 14)
	listed := strings.Split(strings.TrimSpace(w.mustRun("costs", "list", "--csv")), "\n")
	require.Len(t, listed, 1+12+2+14)
	require.Equal(t, "month,kind,source,amount", listed[0])
	require.Contains(t, listed, "2025-02,acquisition,,10.00")
	require.Contains(t, listed, "2025-03,acquisition,mail,7.50")

	for text, args := range map[string][]string{
		"--month: \"2026\" is no month":                           {"--month", "2026", "--amount", "1"},
		"2026-04: the month is not over: the ledger's time is":    {"--month", "2026-04", "--amount", "1"},
		"--amount: negative: an amount that is not below 0":       {"--month", "2026-01", "--amount", "-1"},
		"--amount: EUR has 2 decimals":                            {"--month", "2026-01", "--amount", "1.005"},
		"must be acquisition or retention or programme":           {"--month", "2026-01", "--amount", "1", "--kind", "fun"},
		"--currency: \"XYZ\" is no code":                          {"--month", "2026-01", "--amount", "1", "--currency", "XYZ"},
		"SEK: there is no rate into the base currency: set it in": {"--month", "2026-01", "--amount", "1", "--currency", "SEK"},
		"no such amount is stated; nothing was changed":           {"--month", "2026-01", "--withdraw"},
		"--source: at most 100 bytes":                             {"--month", "2026-01", "--amount", "1", "--source", strings.Repeat("x", 101)},
	} {
		code, _, errs := w.run(append([]string{"costs", "set"}, args...)...)
		require.NotEqual(t, exitOK, code, text)
		require.Contains(t, errs, text)
	}
	require.Equal(t, listed, strings.Split(strings.TrimSpace(w.mustRun("costs", "list", "--csv")), "\n"), "what was refused has changed nothing")

	number := func(v any) any { // a figure, nil if it is not known
		if v == nil {
			return nil
		}
		f, err := v.(json.Number).Float64()
		require.NoError(t, err)
		return f
	}
	near := func(want, got any, row map[string]any, name string) {
		t.Helper()
		if want == nil || got == nil {
			require.Equal(t, want, got, "%s of %v", name, row)
			return
		}
		require.InDelta(t, want, got, .0051, "%s of %v", name, row)
	}
	// acquired compares the figures of some new customers. cost is nil where it is not known.
	acquired := func(row map[string]any, ids []string, cost any, last int) {
		n, bought, expected := float64(len(ids)), 0., 0.
		for _, id := range ids {
			bought, expected = bought+historic[id], expected+predicted[id]
		}
		var cac, equity, ratio, payback any
		if n > 0 {
			equity = math.Round((math.RoundToEven(.4*bought)+expected)/n) / 100
		}
		if cost != nil && n > 0 {
			cac = math.Round(float64(cost.(int64))/n) / 100
			ratio = equity.(float64) / cac.(float64)
			for age, sum := 0, 0.; age < 15-last && payback == nil; age++ {
				for _, id := range ids {
					sum += float64(buyers[id].months[buyers[id].first+age])
				}
				if math.Round(math.RoundToEven(.4*sum)/n) >= math.Round(100*cac.(float64)) {
					payback = float64(age)
				}
			}
		}
		require.Equal(t, n, number(row["new_customers"]))
		if cost != nil {
			cost = float64(cost.(int64)) / 100
		}
		near(cost, number(row["acquisition_cost"]), row, "acquisition_cost")
		near(cac, number(row["cac"]), row, "cac")
		near(equity, number(row["equity_per_new_customer"]), row, "equity_per_new_customer")
		near(ratio, number(row["clv_to_cac"]), row, "clv_to_cac")
		require.Equal(t, payback, number(row["payback_months"]), row)
	}
	first := 99
	for _, one := range buyers {
		first = min(first, one.first)
	}
	for by, length := range map[string]int{"month": 1, "quarter": 3, "year": 12} {
		rows := w.returnsOf(by)
		require.Len(t, rows, 15/length-first/length)
		for i, row := range rows {
			from := (first/length + i) * length
			var ids []string
			var opening, retained, expansion, referral, cost int64
			costKnown, kept, keptKnown := true, int64(0), true
			for id, one := range buyers {
				in := func(from int) (sum int64) {
					for m := from; m < from+length; m++ {
						sum += one.months[m]
					}
					return sum
				}
				if one.first >= from && one.first < from+length {
					ids = append(ids, id)
					if one.referred {
						referral += in(from)
					}
				}
				if before := in(from - length); before > 0 {
					opening += before
					retained += min(before, in(from))
					expansion += max(0, in(from)-before)
				}
			}
			for m := from; m < from+length; m++ {
				known := false
				for _, source := range []string{"ads", "mail", ""} {
					if c, stated := acquisition[[2]any{m, source}]; stated {
						cost, known = cost+c, true
					}
				}
				costKnown = costKnown && known
				c, stated := retention[m]
				kept, keptKnown = kept+c, keptKnown && stated
			}
			var stated, roi, gross, net, keptCost any
			if costKnown {
				stated = cost
			}
			acquired(row, ids, stated, from+length-1)
			if keptKnown {
				keptCost = float64(kept) / 100
				roi = float64(retained+expansion+referral-kept) / float64(kept)
			}
			if opening > 0 {
				gross, net = float64(retained)/float64(opening), float64(retained+expansion)/float64(opening)
			}
			for name, want := range map[string]any{
				"retention_cost": keptCost, "opening_revenue": float64(opening) / 100, "retained_revenue": float64(retained) / 100, "expansion_revenue": float64(expansion) / 100,
				"referral_revenue": float64(referral) / 100, "retention_roi": roi, "gross_revenue_retention": gross, "net_revenue_retention": net,
			} {
				near(want, number(row[name]), row, name)
			}
		}
	}
	seen := 0
	for _, row := range w.returnsOf("source") {
		source, at := row["source"].(string), row["month"].(string)
		m := -1
		for i := range 15 {
			if month(i) == at {
				m = i
			}
		}
		var ids []string
		for id, one := range buyers {
			if one.first == m && (one.source == source || one.source == "" && source == "none") {
				ids = append(ids, id)
			}
		}
		seen += len(ids)
		var stated any
		if c, known := acquisition[[2]any{m, source}]; known {
			stated = c
		}
		acquired(row, ids, stated, m)
	}
	require.Equal(t, len(buyers), seen)
	require.Contains(t, w.mustRun("audit"), "the last as of")
	require.Equal(t, exitOK, b.stop(), b.errs.String())
}

// The example of docs/measures.md is what the command prints for the events of the page.
func TestReturnsOfTheDocs(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "docs", "measures.md"))
	require.NoError(t, err)
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR", "MAINSTAY_MONEY_DEFAULT_CURRENCY=EUR", "MAINSTAY_LOG_LEVEL=info")
	w.mustRun("import", write(t, "orders.ndjson", `{"customer_id":"ada","order_id":"1","total":40,"occurred_at":"2026-01-01T00:00:00Z","acquisition":{"source":"ads"}}
{"customer_id":"ada","order_id":"2","total":40,"occurred_at":"2026-01-15T00:00:00Z"}
{"customer_id":"bob","order_id":"3","total":50,"occurred_at":"2026-01-10T00:00:00Z","acquisition":{"source":"ads"}}
{"customer_id":"bob","order_id":"4","total":30,"occurred_at":"2026-05-02T00:00:00Z"}
{"customer_id":"cid","order_id":"5","total":20,"occurred_at":"2026-02-10T00:00:00Z"}
{"customer_id":"dan","order_id":"6","total":60,"occurred_at":"2026-02-20T00:00:00Z"}
`), "--type", "purchase")
	w.mustRun("send", "cancellation", "--customer", "bob", "--kind", "account", "--at", "2026-03-05")
	w.mustRun("send", "cancellation", "--customer", "dan", "--order", "6", "--refund", "r", "--total", "15", "--at", "2026-03-01")
	w.mustRun("advance", "--to", "2026-09-01")
	for _, id := range []string{"ada", "bob", "cid", "dan"} {
		w.customer(id, func(c map[string]any) bool {
			return c["as_of"] == "2026-09-01T00:00:00Z" && numberAt(c, "clv", "historic_number_of_orders") == map[bool]string{true: "2", false: "1"}[id < "c"]
		})
	}
	for _, args := range [][]string{
		{"2026-01", "acquisition", "--amount", "140", "--source", "ads"},
		{"2026-02", "acquisition", "--amount", "30"},
		{"2026-03", "acquisition", "--amount", "0"},
		{"2026-04", "retention", "--amount", "10"},
		{"2026-05", "programme", "--amount", "5"},
		{"2026-06", "retention", "--amount", "0"},
	} {
		w.mustRun(append([]string{"costs", "set", "--month", args[0], "--kind", args[1]}, args[2:]...)...)
	}
	_, page, found := strings.Cut(string(content), "### Costs and return")
	require.True(t, found)
	lines := strings.Split(strings.TrimSpace(w.mustRun("report", "returns", "--by", "quarter", "--csv")), "\n")
	names := strings.Split(lines[0], ",")
	require.Len(t, lines, 3)
	first, second := strings.Split(lines[1], ","), strings.Split(lines[2], ",")
	for i, name := range names[1:] {
		_, row, found := strings.Cut(page, "\n| **`"+name+"`** |")
		require.True(t, found, "the page has no measure %s", name)
		row, _, _ = strings.Cut(row, " |\n")
		cells := strings.Split(row, " | ")
		value := func(text string) string {
			if text == "" {
				return "not known"
			}
			return text
		}
		require.Equal(t, []string{value(first[i+1]), value(second[i+1])}, cells[len(cells)-2:], name)
	}
	require.Contains(t, page, "$ mainstay report returns --by source --to 2026-02\n"+w.mustRun("report", "returns", "--by", "source", "--to", "2026-02"))

	w.mustRun("send", "purchase", "--customer", "eve", "--order", "7", "--total", "20", "--at", "2026-09-01T12:00:00Z", "--wait")
	w.mustRun("advance", "--to", "2026-09-02")
	w.eventually(func() bool {
		return strings.Contains(w.mustRun("report", "equity", "--csv"), "2026-09-01,")
	}, "the close of the day")
	// Whether a tick comes between the import and what follows decides whether its last day is closed, too.
	printed := strings.Split(w.mustRun("report", "equity"), "\n")
	require.Contains(t, string(content), "$ mainstay report equity\n"+printed[0]+"\n")
	require.Contains(t, string(content), "\n"+strings.Join(printed[len(printed)-3:], "\n"), "the close of the last day")

	// As of a close the metrics are what the report says.
	w.mustRun("advance", "--to", "2026-10-02")
	w.eventually(func() bool {
		code, _, _ := w.run("costs", "set", "--month", "2026-09", "--amount", "100")
		return code == exitOK
	}, "the month is over")
	const labels = `{currency="EUR",namespace="mainstay"}`
	var of map[string]any
	w.eventually(func() bool {
		rows := w.returnsOf("month")
		of = rows[len(rows)-1]
		return of["month"] == "2026-09" && b.metric(w, `mainstay_cac`+labels) == "100" &&
			b.metric(w, `mainstay_equity_per_new_customer`+labels) == strings.TrimRight(string(of["equity_per_new_customer"].(json.Number)), "0")
	}, "the metrics of the new customers of the month")
	require.Equal(t, json.Number("100.00"), of["cac"])
	w.mustRun("costs", "set", "--month", "2026-09", "--withdraw")
	w.eventually(func() bool { return b.metric(w, `mainstay_cac`+labels) == "" }, "no cost is stated")
	code, _, errs := w.run("report", "equity", "--days", "0")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "--days: a number from 1 on is wanted")
}
