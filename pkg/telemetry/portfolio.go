package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Portfolio is the totals of the customer base, as partition 0 of the ledger last merged them. The process that folds this partition sets
// the series and deletes them (Reset) when it no longer owns it, so that two processes never export different totals.
type Portfolio struct {
	Customers     *prometheus.GaugeVec // no labels
	Prospects     *prometheus.GaugeVec // no labels
	Active        *prometheus.GaugeVec // no labels
	ByChurnRisk   *prometheus.GaugeVec // churn_risk: low, medium, high, none or churned
	ByValueTier   *prometheus.GaugeVec // value_tier: top_10, top_20 or rest
	ByNPSCategory *prometheus.GaugeVec // nps_category: promoter, passive, detractor or unknown
	NPS           *prometheus.GaugeVec // no labels; no series without a survey response
	NPSError      *prometheus.GaugeVec // no labels; likewise
	Cancellations *prometheus.GaugeVec // kind: order, refund, subscription or account; cancel_reason: none, or one of a bounded number

	HistoricRevenue, FutureValue, CustomerEquity *prometheus.GaugeVec // currency

	// By segment, as of the last close, of the dimensions whose segments are few; dimension, segment, and currency of an amount.
	BySegment, SegmentEquity *prometheus.GaugeVec

	// Of the customers whose first purchase is in the last month that is over, as of the last close; currency.
	EquityPerNewCustomer *prometheus.GaugeVec // no series before the first close, and where there are none
	CAC                  *prometheus.GaugeVec // likewise, and where no cost of acquisition is stated of the month
}

// NewPortfolio returns the metrics of the customer base.
func NewPortfolio(reg prometheus.Registerer) *Portfolio {
	return &Portfolio{
		Customers:       gauges(reg, "customers", "Customers with a standing order, that is, one that was neither cancelled nor refunded in full."),
		Prospects:       gauges(reg, "prospects", "Known customers without a standing order: referrers, survey answers, customers whose orders were all cancelled."),
		Active:          gauges(reg, "customers_active", "Customers with a standing order who are not churned by an event."),
		ByChurnRisk:     gauges(reg, "customers_by_churn_risk", "Customers and prospects by the churn risk last published for them.", "churn_risk"),
		ByValueTier:     gauges(reg, "customers_by_value_tier", "Customers with a standing order who are not churned by an event, by tier of total CLV.", "value_tier"),
		ByNPSCategory:   gauges(reg, "customers_by_nps_category", "Customers and prospects by the category of their newest survey response; unknown without one.", "nps_category"),
		NPS:             gauges(reg, "nps", "Net promoter score, -100 to 100: percentage of promoters minus percentage of detractors."),
		NPSError:        gauges(reg, "nps_standard_error", "Standard error of the net promoter score, in points."),
		Cancellations:   gauges(reg, "cancellations", "Cancelled orders, refunds, and subscriptions and accounts that end with no order after that, of customers and prospects, by the reason stated.", "kind", "cancel_reason"),
		HistoricRevenue: gauges(reg, "historic_revenue", "Sum of historic CLV over customers and prospects, in units of the base currency.", "currency"),
		FutureValue: gauges(reg, "future_value",
			"Sum of the customers' predicted CLV within the prediction horizon, in units of the base currency.", "currency"),
		CustomerEquity: gauges(reg, "customer_equity", "Sum of the customers' total CLV, in units of the base currency: average total CLV x customers.", "currency"),
		BySegment:      gauges(reg, "segment_customers", "Customers with a standing order by segment, at the end of the last civil day that is closed.", "dimension", "segment"),
		SegmentEquity:  gauges(reg, "segment_customer_equity", "Sum of their total CLV, in units of the base currency.", "dimension", "segment", "currency"),
		EquityPerNewCustomer: gauges(reg, "equity_per_new_customer",
			"Margin on historic CLV, and predicted CLV, of the customers whose first purchase is in the last month that is over, for each, in units of the base currency.", "currency"),
		CAC: gauges(reg, "cac", "Cost of acquisition of the last month that is over for each new customer of that month, in units of the base currency.", "currency"),
	}
}

// Reset deletes all series.
func (p *Portfolio) Reset() {
	for _, g := range []*prometheus.GaugeVec{
		p.Customers, p.Prospects, p.Active, p.ByChurnRisk, p.ByValueTier, p.ByNPSCategory, p.NPS, p.NPSError, p.Cancellations,
		p.HistoricRevenue, p.FutureValue, p.CustomerEquity, p.BySegment, p.SegmentEquity, p.EquityPerNewCustomer, p.CAC,
	} {
		g.Reset()
	}
}
