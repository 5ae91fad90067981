package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The explanation agrees with the events that were sent.
func TestCustomerExplain(t *testing.T) {
	w, _ := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR")
	for order, at := range []string{"2026-01-01", "2026-01-08", "2026-01-29"} {
		w.mustRun("send", "purchase", "--customer", "ada", "--order", string(rune('1'+order)), "--total", "100", "--currency", "EUR", "--at", at)
	}
	w.mustRun("send", "purchase", "--customer", "bob", "--order", "4", "--total", "40", "--currency", "EUR", "--at", "2026-01-30")
	w.mustRun("send", "cancellation", "--customer", "ada", "--order", "2", "--refund", "r1", "--total", "30", "--currency", "EUR", "--at", "2026-01-31")
	w.mustRun("send", "cancellation", "--customer", "ada", "--order", "lost", "--refund", "r2", "--total", "5", "--currency", "EUR", "--at", "2026-01-31")
	w.mustRun("send", "referral", "--referrer", "ada", "--customer", "bob", "--at", "2026-01-30")
	w.mustRun("send", "survey", "--customer", "ada", "--score", "9", "--response", "s1", "--at", "2026-02-02")
	w.customer("ada", func(c map[string]any) bool {
		return numberAt(c, "clv", "historic_clv") == "265.00" && numberAt(c, "clv", "referral_value") == "40.00" && valueAt(c, "promoter_status", "nps_category") == "promoter"
	})
	advanced := object(t, w.mustRun("advance", "--to", "2026-02-05", "--output", "json"))
	require.Equal(t, "2026-02-05T00:00:00Z", advanced["to"])
	w.customer("ada", func(c map[string]any) bool { return c["as_of"] == "2026-02-05T00:00:00Z" })

	ada := object(t, w.mustRun("customer", "explain", "ada", "--output", "json"))
	require.Equal(t, []any{
		map[string]any{"day": "2026-01-01", "orders": json.Number("1"), "net": json.Number("100.00")},
		map[string]any{"day": "2026-01-08", "orders": json.Number("1"), "net": json.Number("70.00")},
		map[string]any{"day": "2026-01-29", "orders": json.Number("1"), "net": json.Number("100.00")},
	}, ada["purchase_days"])
	require.Equal(t, map[string]any{"x": json.Number("2"), "t_x": json.Number("4"), "t": json.Number("5"), "m": json.Number("85.00")}, ada["statistics"])
	require.Equal(t, map[string]any{
		"standing_orders": json.Number("270.00"), "refunds_without_order": json.Number("5.00"), "historic_clv": json.Number("265.00"), "referral_value": json.Number("40.00"),
	}, ada["money"])
	require.Equal(t, "1", numberAt(ada, "referred_customers"))
	require.Equal(t, []any{map[string]any{"score": json.Number("9"), "created_at": "2026-02-02T00:00:00Z", "excluded": false}}, ada["nps_responses"])
	require.Equal(t, "prior", valueAt(ada, "scoring", "status"))
	require.Nil(t, valueAt(ada, "scoring", "spend"))
	require.NotNil(t, ada["next_deadline"])
	require.NotEmpty(t, valueAt(ada, "last_moves", "promoter_status", "reasons"))
	require.NotEmpty(t, valueAt(ada, "last_moves", "clv", "reasons"))

	sheet := w.mustRun("customer", "explain", "bob")
	for _, text := range []string{"2026-01-30 (1: 40.00)", "x = 0 repeat days", "referred by ada", "value moved", "expected: ", "mbg_nbd, version 0 (prior)"} {
		require.Contains(t, sheet, text)
	}
	require.NotContains(t, strings.ToLower(sheet), "nan")
	code, _, errs := w.run("customer", "explain", "nobody")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "no such customer")
}
