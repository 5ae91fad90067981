package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

const (
	// noPortfolio is shown before partition 0 has merged the first contributions into the portfolio.
	noPortfolio = "no totals yet"
	// noResponses is shown while no survey has a response: a score of 0 would be a result.
	noResponses = "no responses yet"
	// noDueForecasts is shown until the purchase horizon of the first forecast has passed.
	noDueForecasts = "no forecast is due yet"
)

func customersDashboard() *builder {
	b := newDashboard("Mainstay: Customers", "mainstay-customers",
		"Totals of the customer base, updated every portfolio.contribution_interval, customer alerts, and the quality of the model.", "7d", "1m")
	b.row("Customer base", baseStats(), nil)
	b.row("Trends", nil, baseGraphs())
	b.row("Alerts and outputs", nil, alertGraphs())
	b.row("Model", modelStats(), modelGraphs())
	return b
}

func baseStats() []panel {
	return []panel{
		{
			title: "Customers", unit: units.Short, noValue: noPortfolio,
			description: "Customers with a standing order, that is, one that was neither cancelled nor refunded in full.",
			queries:     []query{{"max(mainstay_customers)", "customers"}},
		},
		{
			title: "Prospects", unit: units.Short, noValue: noPortfolio,
			description: "Known without a standing order: referrers, survey answers, customers whose orders were all cancelled. They enter no average.",
			queries:     []query{{"max(mainstay_prospects)", "prospects"}},
		},
		{
			title: "Active", unit: units.Short, noValue: noPortfolio,
			description: "Customers with a standing order who have closed no account and ended no subscription since.",
			queries:     []query{{"max(mainstay_customers_active)", "active"}},
		},
		{
			title: "Customer equity", unit: units.Short, noValue: noPortfolio,
			description: "Sum of the customers' total CLV: average CLV x customers, in units of the base currency.",
			queries:     []query{{"max by (currency) (mainstay_customer_equity)", "{{currency}}"}},
		},
		{
			title: "Future value", unit: units.Short, noValue: noPortfolio,
			description: "Sum of the customers' predicted CLV: what they are expected to spend within the prediction horizon, in units of the base currency.",
			queries:     []query{{"max by (currency) (mainstay_future_value)", "{{currency}}"}},
		},
		{
			title: "Historic revenue", unit: units.Short, noValue: noPortfolio,
			description: "Revenue so far, net of refunds, in units of the base currency.",
			queries:     []query{{"max by (currency) (mainstay_historic_revenue)", "{{currency}}"}},
		},
		{
			title: "NPS", unit: units.Short, noValue: noResponses,
			description: "Net promoter score, -100 to 100, from the newest response of each customer within the survey window.",
			queries:     []query{{"max(mainstay_nps)", "NPS"}},
		},
		{
			title: "Standard error of the NPS", unit: units.Short, noValue: noResponses,
			description: "In points of the score. A difference of less than about three standard errors may be chance.",
			queries:     []query{{"max(mainstay_nps_standard_error)", "standard error"}},
		},
	}
}

func baseGraphs() []panel {
	return []panel{
		{
			title: "Value over time", unit: units.Short, noValue: noPortfolio,
			description: "Historic revenue, future value and customer equity, in units of the base currency. Falling future value with rising revenue means that customers who bought are being lost.",
			queries: []query{
				{"max by (currency) (mainstay_historic_revenue)", "historic revenue {{currency}}"},
				{"max by (currency) (mainstay_future_value)", "future value {{currency}}"},
				{"max by (currency) (mainstay_customer_equity)", "customer equity {{currency}}"},
			},
		},
		{
			title: "NPS with its 95% interval", unit: units.Short, noValue: noResponses,
			description: "The score and 1.96 standard errors on either side. While the interval contains an earlier score, the change is not significant.",
			queries: []query{
				{"max(mainstay_nps)", "NPS"},
				{"max(mainstay_nps) + 1.96 * max(mainstay_nps_standard_error)", "upper"},
				{"max(mainstay_nps) - 1.96 * max(mainstay_nps_standard_error)", "lower"},
			},
		},
		{
			title: "Churn risk", unit: units.Short, noValue: noPortfolio, stacked: true,
			description: "Customers and prospects by churn risk: low, medium and high with a standing order, none without one, churned after the end of an account or a subscription. A shift to high without a change of the model means that customers are being lost.",
			queries:     []query{{"max by (churn_risk) (mainstay_customers_by_churn_risk)", "{{churn_risk}}"}},
		},
		{
			title: "Value tiers", unit: units.Short, noValue: noPortfolio, stacked: true,
			description: "Customers with an order that was not cancelled, by tier of total CLV. Empty while there are fewer of them than tiers.min_customers.",
			queries:     []query{{"max by (value_tier) (mainstay_customers_by_value_tier)" + orNone("value_tier"), "{{value_tier}}"}},
		},
		{
			title: "NPS categories", unit: units.Short, noValue: noPortfolio, stacked: true,
			description: "Customers by the category of their newest response: promoter 9-10, passive 7-8, detractor 0-6; unknown without a response.",
			queries:     []query{{"max by (nps_category) (mainstay_customers_by_nps_category)", "{{nps_category}}"}},
		},
		{
			title: "Cancellations by reason", unit: units.Short, noValue: noPortfolio, stacked: true,
			description: "Cancelled orders, refunds, and subscriptions and accounts that end with no order after that, by the reason that the shop states; none without one. At most 32 reasons are told apart, all others are other.",
			queries:     []query{{"max by (kind, cancel_reason) (mainstay_cancellations) > 0" + orNone("cancel_reason"), "{{kind}} {{cancel_reason}}"}},
		},
		{
			title: "New customers: cost and worth", unit: units.Short, noValue: "no day is closed yet",
			description: "Of the customers who first bought in the last month that is over, for each, as of the last close, in units of the base currency: the cost of acquisition (0 while none is stated with mainstay costs set), and the margin on what they have bought and are expected to buy.",
			queries: []query{
				{"max by (currency) (mainstay_cac)" + orNone("currency"), "cost {{currency}}"},
				{"max by (currency) (mainstay_equity_per_new_customer)" + orNone("currency"), "worth {{currency}}"},
			},
		},
		{
			title: "Customer equity by segment", unit: units.Short, noValue: "no day is closed yet",
			description: "Of the last closed day, in units of the base currency, by churn class, promoter category and latest active day, and by whether customers were referred, are members, use coupons or subscribe. Each dimension sums to the same.",
			queries:     []query{{"max by (dimension, segment) (mainstay_segment_customer_equity{dimension!=\"all\"})" + orNone("dimension", "segment"), "{{dimension}} {{segment}}"}},
		},
		{
			title: "Customers by segment", unit: units.Short, noValue: "no day is closed yet",
			description: "Customers with a standing order at the end of the last closed day, by the same segments.",
			queries:     []query{{"max by (dimension, segment) (mainstay_segment_customers{dimension!=\"all\"})" + orNone("dimension", "segment"), "{{dimension}} {{segment}}"}},
		},
		{
			title: "Customers over time", unit: units.Short, noValue: noPortfolio,
			description: "Customers, the active ones among them, and prospects.",
			queries:     []query{{"max(mainstay_customers)", "customers"}, {"max(mainstay_customers_active)", "active"}, {"max(mainstay_prospects)", "prospects"}},
		},
	}
}

func alertGraphs() []panel {
	return []panel{
		{
			title: "Alerts, by rule", unit: units.Short, noValue: "no alerts yet",
			description: "Alert state changes within an hour, by rule and state. A sudden rise of one rule points to a rule that is too sensitive or to newly fitted parameters.",
			queries:     []query{{"sum by (rule, state) (increase(mainstay_alerts_total[1h]))" + orNone("rule", "state"), "{{rule}} {{state}}"}},
		},
		{
			title: "Fuse, by rule", unit: units.Short, noValue: "no alerts yet", alarm: 1,
			description: "1 while a rule's alerts are suppressed because it raised too many within an hour. 0 is healthy.",
			queries:     []query{{"max by (rule) (mainstay_alert_fuse_open)" + orNone("rule"), "{{rule}}"}},
		},
		{
			title: "Outputs, by topic", unit: units.RequestsPerSecond, noValue: "nothing published yet", stacked: true,
			description: "Records published per second, by topic. Many CRM systems accept about 100 calls per second.",
			queries:     []query{{"sum by (topic) (rate(mainstay_outputs_total[$__rate_interval]))", "{{topic}}"}},
		},
	}
}

func modelStats() []panel {
	return []panel{
		{
			title: "Last good refit", unit: units.Seconds, noValue: "no process with the role fold", never: "never",
			description: "Time since a scheduled refit (refit.interval) last succeeded, with new or unchanged parameters. Healthy is less than two intervals.",
			queries:     []query{{"(time() - (max(mainstay_refit_last_success_timestamp_seconds) > 0)) or vector(-1)", "ago"}},
		},
		{
			title: "Forecasts due", unit: units.Short, noValue: noDueForecasts,
			description: "Forecast probabilities of an order whose purchase horizon has passed, for a sample of one customer in eight. The panels below are computed from them.",
			queries:     []query{{"sum(mainstay_calibration_promises) or vector(0)", "forecasts"}},
		},
	}
}

func modelGraphs() []panel {
	return []panel{
		{
			title: "Orders, forecast and observed", unit: units.Short, noValue: noDueForecasts,
			description: "For a sample of one customer in eight: how many were expected to order within the purchase horizon (the sum of their probabilities), and how many did. Both lines are close together when the model fits.",
			queries: []query{
				{"sum(mainstay_calibration_promises_expected) or vector(0)", "expected"},
				{"sum(mainstay_calibration_promises_kept) or vector(0)", "observed"},
			},
		},
		{
			title: "Calibration error, by decile", unit: units.PercentUnit, noValue: noDueForecasts,
			description: "Expected less observed orders as a share of the forecasts, by decile of the forecast probability. An error above 3 percentage points for weeks means that the shop has changed, or that the model was never fitted to it.",
			queries: []query{{
				"(sum by (decile) (mainstay_calibration_promises_expected) - sum by (decile) (mainstay_calibration_promises_kept)) / (sum by (decile) (mainstay_calibration_promises) > 0)" +
					orNone("decile"), "decile {{decile}}",
			}},
		},
		{
			title: "Purchase days, predicted and observed", unit: units.Short, noValue: noDueForecasts,
			description: "Purchase days within the horizons that have passed. A growing gap between the lines is model drift.",
			queries:     []query{{"sum by (what) (mainstay_calibration_order_days)" + orNone("what"), "{{what}}"}},
		},
		{
			title: "Refits, by outcome", unit: units.Short, noValue: "no process with the role fold",
			description: "Scheduled refits within a day. After not_converged and worse, the previous parameters remain in force.",
			queries:     []query{{"sum by (outcome) (increase(mainstay_refits_total[1d]))", "{{outcome}}"}},
		},
	}
}
