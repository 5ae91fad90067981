package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The examples of docs/measures.md: with the events of the page, each measure must have the value that the page states.
func TestExamplesOfMeasures(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "docs", "measures.md"))
	require.NoError(t, err)
	page := string(content)
	// example returns the first bold figure after the bold name of a measure.
	example := func(measure string) string {
		_, rest, found := strings.Cut(page, "**`"+measure+"`**")
		require.True(t, found, "the page has no measure %s", measure)
		for {
			_, bold, more := strings.Cut(rest, "**")
			figure, after, closed := strings.Cut(bold, "**")
			require.True(t, more && closed, "%s has no example", measure)
			if !strings.HasPrefix(figure, "`") {
				return figure
			}
			rest = after
		}
	}
	w, _ := newRunningWorld(t, "MAINSTAY_KAFKA_TOPICS_ENGAGEMENT=engagement", "MAINSTAY_SURVEYS_NPS_BENCHMARK=40.5", "MAINSTAY_MONEY_CURRENCY=EUR", "MAINSTAY_MONEY_DEFAULT_CURRENCY=EUR",
		"MAINSTAY_ALERTS_RULES=[{name: slipping, metric: churn_probability, above: 0.5, clear: 0.4, for: 10d, severity: warning}]")
	w.mustRun("send", "purchase", "--customer", "ada", "--order", "1", "--total", "40", "--at", "2026-01-01")
	w.mustRun("send", "purchase", "--customer", "ada", "--order", "2", "--total", "40", "--at", "2026-01-15")
	w.mustRun("send", "survey", "--customer", "ada", "--score", "9", "--response", "r", "--at", "2026-01-20")
	w.customer("ada", func(c map[string]any) bool {
		return valueAt(c, "promoter_status", "nps_category") == "promoter" && orders("2")(c)
	})
	const now = "2026-07-01T00:00:00Z"
	w.mustRun("advance", "--to", now)
	ada := w.customer("ada", func(c map[string]any) bool { return c["as_of"] == now })
	for measure, in := range map[string]string{
		"historic_clv": "clv", "historic_number_of_orders": "clv", "predicted_number_of_orders": "clv", "predicted_clv": "clv", "total_clv": "clv", "simple_clv": "clv",
		"predicted_number_of_orders_low": "clv", "predicted_number_of_orders_high": "clv", "predicted_clv_low": "clv", "predicted_clv_high": "clv",
		"average_order_value": "clv", "average_days_between_orders": "clv", "expected_date_of_next_order": "clv", "days_overdue": "clv",
		"churn_probability": "churn_risk", "days_since_last_order": "churn_risk", "churn_risk": "churn_risk", "next_check_at": "churn_risk", "probability_of_purchase_in_horizon": "churn_risk",
		"nps_score": "promoter_status", "average_score": "promoter_status",
	} {
		got := numberAt(ada, in, measure)
		if text, ok := valueAt(ada, in, measure).(string); ok {
			got = text
		}
		want := example(measure)
		if measure == "nps_score" {
			got = valueAt(ada, in, "nps_category").(string)
		}
		if strings.Count(want, "-") == 2 { // a day, or a time without its milliseconds
			got = got[:len(strings.TrimSuffix(want, "Z"))]
		}
		require.Equal(t, strings.TrimSuffix(want, "Z"), got, measure)
	}
	require.Equal(t, true, valueAt(ada, "promoter_status", "intent"))
	require.Equal(t, false, valueAt(ada, "promoter_status", "action"))

	alert := object(t, w.mustRun("tail", "alerts", "--from", "start", "--max", "1", "--output", "json"))
	require.Equal(t, example("value_at_stake"), numberAt(alert, "value_at_stake"))
	require.Equal(t, "2026-05-08T00:58:28", alert["raised_at"].(string)[:19])
	require.Contains(t, page, "2026-05-08T00:58:28Z")
	for _, reason := range alert["reasons"].([]any) {
		require.Contains(t, strings.ReplaceAll(page, "\n", " "), `"`+reason.(string)+`"`)
	}

	for _, event := range [][2]string{
		{"review", "2026-01-25"}, {"site_visit", "2026-04-05"}, {"site_visit", "2026-06-10"}, {"site_visit", "2026-06-10T12:00:00Z"}, {"support_contact", "2026-06-20"},
	} {
		w.mustRun("send", "engagement", "--customer", "ada", "--type", event[0], "--at", event[1])
	}
	ada = w.customer("ada", func(c map[string]any) bool {
		return numberAt(c, "engagement", "active_days_90") == example("active_days_90")
	})
	require.Equal(t, now, ada["as_of"])
	for _, measure := range []string{"active_days_30", "days_since_last_engagement", "support_contacts_90", "support_contacts", "reviews"} {
		require.Equal(t, example(measure), numberAt(ada, "engagement", measure), measure)
	}
	require.Equal(t, example("last_engaged_at")+"T00:00:00Z", valueAt(ada, "engagement", "last_engaged_at"))
	require.Equal(t, "2026-01-25T00:00:00Z", valueAt(ada, "engagement", "first_engaged_at"))
	require.Contains(t, w.mustRun("report", "segments", "--by", "engagement", "--csv"), "\nactive_30,1,")
	require.Contains(t, w.mustRun("report", "nps", "--csv"), "\nall,1,1,1,0,0,100.0,0.0,59.5,")

	w.mustRun("send", "referral", "--referrer", "ada", "--customer", "bob", "--at", "2026-07-01")
	w.mustRun("send", "purchase", "--customer", "bob", "--order", "3", "--total", "80", "--at", "2026-07-01")
	w.customer("ada", func(c map[string]any) bool { return numberAt(c, "clv", "referral_value") == example("referral_value") })
	w.mustRun("send", "cancellation", "--customer", "bob", "--order", "3", "--refund", "r", "--total", "50", "--at", "2026-07-02")
	w.customer("ada", func(c map[string]any) bool { return numberAt(c, "clv", "referral_value") == "30.00" })
}
