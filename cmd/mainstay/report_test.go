package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
		"--from: 2026-05 is after --to, 2026-04":                     {"report", "cohorts", "--from", "2026-05", "--to", "2026-04"},
	} {
		code, _, errs := w.run(args...)
		require.Equal(t, exitUsage, code)
		require.Contains(t, errs, text)
	}
}
