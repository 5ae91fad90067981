package lookup

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRenderOutput(t *testing.T) {
	for value, want := range map[string]string{
		`{"event_type":"mainstay.customer.clv.updated.v1","customer_id":"ada","as_of":"2026-03-01T12:00:00Z","historic_clv":70.00,"predicted_clv":null,"total_clv":70.00,"currency":"EUR","historic_number_of_orders":1,"value_tier":null,"trigger":"event","cause_event_id":"e-1","previous":{"historic_clv":100.00}}`: "2026-03-01 12:00  ada  historic 100.00 -> 70.00  predicted -  total 70.00 EUR  orders 1  tier -  (event e-1)",
		`{"event_type":"mainstay.customer.churn_risk.updated.v1","customer_id":"ada","as_of":"2026-03-01T12:00:00Z","churn_risk":"high","churn_probability":0.7000,"days_since_last_order":41.5,"trigger":"timer","cause_event_id":null,"previous":{"churn_risk":"medium","churn_probability":0.6600}}`:                 "2026-03-01 12:00  ada  risk medium -> high  probability 0.6600 -> 0.7000  silent for 41.5 days  (timer)",
		`{"event_type":"mainstay.customer.promoter_status.updated.v1","customer_id":"ada","as_of":"2026-03-01T12:00:00Z","nps_category":"promoter","nps_score":9,"response_count":1,"trigger":"event","cause_event_id":null,"previous":null}`:                                                                           "2026-03-01 12:00  ada  promoter  score 9 of 1 responses  (event)",
		`{"event_type":"mainstay.rejection.v1","customer_id":"ada","as_of":"2026-03-01T12:00:00Z","kind":"referral","reason":"self_referral","origin":{"topic":"referrals","partition":1,"offset":7},"trigger":"event"}`:                                                                                                "2026-03-01 12:00  ada  referral self_referral  from referrals/1/7",
		`{"event_type":"mainstay.portfolio.updated.v1","as_of":"2026-03-01T12:00:00Z","state":"final","customers":3,"active_customers":2,"customer_equity":70.00,"currency":"EUR","nps":null}`:                                                                                                                          "2026-03-01 12:00  customers 3  active 2  equity 70.00 EUR  nps -  (final)",
		`{"event_type":"mainstay.customer.erased.v1","customer_id":"ada","as_of":"2026-03-01T12:00:00Z","requested_at":"2026-02-28T12:00:00Z","trigger":"erasure","cause_event_id":"x"}`:                                                                                                                                "2026-03-01 12:00  ada  erased, as requested 2026-02-28 12:00  (erasure x)",
		`{"event_type":"mainstay.later.v9","as_of":"soon"}`: `{"event_type":"mainstay.later.v9","as_of":"soon"}`,
		`no JSON`: "decode an output: invalid character 'o' in literal null (expecting 'u')",
	} {
		require.Equal(t, want, RenderOutput([]byte(value)))
	}
}
