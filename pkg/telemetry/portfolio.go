package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Portfolio is what the customer base as a whole comes to, as partition 0 of the ledger last added it up. Whoever folds that
// partition sets the series, and deletes them (Reset) when it no longer does: two processes must not say two things.
type Portfolio struct {
	Customers      *prometheus.GaugeVec // no labels
	Active         *prometheus.GaugeVec // no labels
	ByChurnRisk    *prometheus.GaugeVec // churn_risk: low, medium, high, none or churned
	ByValueTier    *prometheus.GaugeVec // value_tier: top_10, top_20 or rest
	ByNPSCategory  *prometheus.GaugeVec // nps_category: promoter, passive, detractor or unknown
	NPS            *prometheus.GaugeVec // no labels; no series without an answer
	NPSError       *prometheus.GaugeVec // no labels; likewise
	HistoricCLV    *prometheus.GaugeVec // currency
	CustomerEquity *prometheus.GaugeVec // currency
}

// NewPortfolio makes the metrics of the customer base.
func NewPortfolio(reg prometheus.Registerer) *Portfolio {
	return &Portfolio{
		Customers:     gauges(reg, "customers", "Customers of whom anything was said."),
		Active:        gauges(reg, "customers_active", "Customers with a standing order who have not closed their account."),
		ByChurnRisk:   gauges(reg, "customers_by_churn_risk", "Customers by the churn risk last said of them.", "churn_risk"),
		ByValueTier:   gauges(reg, "customers_by_value_tier", "Customers with a standing order, by where their total CLV lies between the tiers' bounds.", "value_tier"),
		ByNPSCategory: gauges(reg, "customers_by_nps_category", "Customers by the category of their newest answer; unknown are those without one.", "nps_category"),
		NPS:           gauges(reg, "nps", "Net promoter score, -100 to 100: share of promoters less share of detractors."),
		NPSError:      gauges(reg, "nps_standard_error", "Standard error of the net promoter score, in its points."),
		HistoricCLV:   gauges(reg, "historic_clv", "Sum of all customers' historic CLV, in units of the base currency.", "currency"),
		CustomerEquity: gauges(reg, "customer_equity",
			"Sum of all customers' predicted CLV within the prediction horizon, in units of the base currency.", "currency"),
	}
}

// Reset deletes all series.
func (p *Portfolio) Reset() {
	for _, g := range []*prometheus.GaugeVec{
		p.Customers, p.Active, p.ByChurnRisk, p.ByValueTier, p.ByNPSCategory, p.NPS, p.NPSError, p.HistoricCLV, p.CustomerEquity,
	} {
		g.Reset()
	}
}
