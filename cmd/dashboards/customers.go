package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// soon is what stands where the base has not been added up yet.
const soon = "not added up yet"

// unanswered is what stands where no survey has an answer: a score of 0 would be one.
const unanswered = "nobody has answered"

func customers() *board {
	b := begin("Mainstay: Customers", "mainstay-customers",
		"The customer base as a whole, as last added up (portfolio.contribution_interval), and the alerts that customers gave cause for.", "7d", "1m")
	b.row("The base now", baseStats(), nil)
	b.row("Over time", nil, baseGraphs())
	b.row("Alerts and answers", nil, alertGraphs())
	b.row("The model", modelStats(), modelGraphs())
	return b
}

func baseStats() []panel {
	return []panel{
		{
			title: "Customers", unit: units.Short, empty: soon,
			about: "Of whom anything was said.",
			asks:  []query{{"max(mainstay_customers)", "customers"}},
		},
		{
			title: "Active", unit: units.Short, empty: soon,
			about: "With a standing order, and the account not closed.",
			asks:  []query{{"max(mainstay_customers_active)", "active"}},
		},
		{
			title: "Customer equity", unit: units.Short, empty: soon,
			about: "Sum of predicted CLV: what today's customers are expected to bring within the prediction horizon, in units of the base currency.",
			asks:  []query{{"max by (currency) (mainstay_customer_equity)", "{{currency}}"}},
		},
		{
			title: "Historic CLV", unit: units.Short, empty: soon,
			about: "What they have brought so far, net of refunds, in units of the base currency.",
			asks:  []query{{"max by (currency) (mainstay_historic_clv)", "{{currency}}"}},
		},
		{
			title: "NPS", unit: units.Short, empty: unanswered,
			about: "Net promoter score, -100 to 100, of the newest answer of each customer within the survey window.",
			asks:  []query{{"max(mainstay_nps)", "NPS"}},
		},
		{
			title: "Standard error of the NPS", unit: units.Short, empty: unanswered,
			about: "In points. Two scores that lie less than about three of these apart may well be the same.",
			asks:  []query{{"max(mainstay_nps_standard_error)", "standard error"}},
		},
	}
}

func baseGraphs() []panel {
	return []panel{
		{
			title: "Customer equity over time", unit: units.Short, empty: soon,
			about: "Sum of predicted CLV and of historic CLV, in units of the base currency. Equity that falls while history rises: customers buy, and slip away.",
			asks: []query{
				{"max by (currency) (mainstay_customer_equity)", "equity {{currency}}"},
				{"max by (currency) (mainstay_historic_clv)", "historic {{currency}}"},
			},
		},
		{
			title: "NPS with its 95% interval", unit: units.Short, empty: unanswered,
			about: "1.96 standard errors to either side. While the interval holds a former score, nothing is known to have changed.",
			asks: []query{
				{"max(mainstay_nps)", "NPS"},
				{"max(mainstay_nps) + 1.96 * max(mainstay_nps_standard_error)", "upper"},
				{"max(mainstay_nps) - 1.96 * max(mainstay_nps_standard_error)", "lower"},
			},
		},
		{
			title: "Churn risk", unit: units.Short, empty: soon, stacked: true,
			about: "Customers by class: low, medium and high of those who have a standing order; none without one; churned who closed their account.",
			asks:  []query{{"max by (churn_risk) (mainstay_customers_by_churn_risk)", "{{churn_risk}}"}},
		},
		{
			title: "Value tiers", unit: units.Short, empty: soon, stacked: true,
			about: "Customers with a standing order by tier of total CLV. None while there are fewer of them than tiers.min_customers.",
			asks:  []query{{"max by (value_tier) (mainstay_customers_by_value_tier)" + none("value_tier"), "{{value_tier}}"}},
		},
		{
			title: "NPS categories", unit: units.Short, empty: soon, stacked: true,
			about: "Customers by the category of their newest answer: promoter 9-10, passive 7-8, detractor 0-6; unknown are those without one.",
			asks:  []query{{"max by (nps_category) (mainstay_customers_by_nps_category)", "{{nps_category}}"}},
		},
		{
			title: "Customers over time", unit: units.Short, empty: soon,
			about: "All, and those active.",
			asks:  []query{{"max(mainstay_customers)", "all"}, {"max(mainstay_customers_active)", "active"}},
		},
	}
}

func alertGraphs() []panel {
	return []panel{
		{
			title: "Alerts, by rule", unit: units.Short, empty: "no alerts yet",
			about: "Episodes that changed state within an hour, by rule and state. A wall of one rule is a rule too eager, or a model just fitted.",
			asks:  []query{{"sum by (rule, state) (increase(mainstay_alerts_total[1h]))" + none("rule", "state"), "{{rule}} {{state}}"}},
		},
		{
			title: "Fuse, by rule", unit: units.Short, empty: "no alerts yet", alarm: 1,
			about: "1 while a rule's alerts are held back, since there were too many within an hour.",
			asks:  []query{{"max by (rule) (mainstay_alert_fuse_open)" + none("rule"), "{{rule}}"}},
		},
		{
			title: "Answers to the CRM", unit: units.RequestsPerSecond, empty: "nothing published yet", stacked: true,
			about: "What subscribers are told a second, by topic. Many CRM tools take about 100 calls a second.",
			asks:  []query{{"sum by (topic) (rate(mainstay_outputs_total[$__rate_interval]))", "{{topic}}"}},
		},
	}
}

// early is what stands where no purchase horizon has passed.
const early = "no promise is due yet"

func modelStats() []panel {
	return []panel{
		{
			title: "Last good refit", unit: units.Seconds, empty: "no process folds", never: "never",
			about: "How long ago a refit on schedule (refit.interval) last came to parameters that are good, new or unchanged.",
			asks:  []query{{"(time() - (max(mainstay_refit_last_success_timestamp_seconds) > 0)) or vector(-1)", "ago"}},
		},
		{
			title: "Promises due", unit: units.Short, empty: early,
			about: "Promised probabilities of an order whose horizon has passed, of one customer in eight: what the figures below are drawn from.",
			asks:  []query{{"sum(mainstay_calibration_promises) or vector(0)", "promises"}},
		},
	}
}

func modelGraphs() []panel {
	return []panel{
		{
			title: "Promises, made and kept", unit: units.Short, empty: early,
			about: "Of one customer in eight: how many were promised to order within the purchase horizon, by their probabilities, and how many did. The first are due when a horizon has passed.",
			asks: []query{
				{"sum(mainstay_calibration_promises_expected) or vector(0)", "promised"},
				{"sum(mainstay_calibration_promises_kept) or vector(0)", "kept"},
			},
		},
		{
			title: "Promised too much, by tenth", unit: units.PercentUnit, empty: early,
			about: "Promised less kept, as a share of the promises, by tenth of the promised probability. Beyond 3 points for long: the shop has changed, or the model was never fitted to it.",
			asks: []query{{
				"(sum by (decile) (mainstay_calibration_promises_expected) - sum by (decile) (mainstay_calibration_promises_kept)) / (sum by (decile) (mainstay_calibration_promises) > 0)" +
					none("decile"), "tenth {{decile}}",
			}},
		},
		{
			title: "Purchase days, predicted and observed", unit: units.Short, empty: early,
			about: "Within the horizons that have passed. Lines that part are the drift of the model.",
			asks:  []query{{"sum by (what) (mainstay_calibration_order_days)" + none("what"), "{{what}}"}},
		},
		{
			title: "Refits, by outcome", unit: units.Short, empty: "no process folds",
			about: "Within a day. not_converged and worse were refused: the parameters before stand.",
			asks:  []query{{"sum by (outcome) (increase(mainstay_refits_total[1d]))", "{{outcome}}"}},
		},
	}
}
