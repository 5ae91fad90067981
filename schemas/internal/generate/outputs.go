package main

import (
	"strings"

	"github.com/mainstay/mainstay/schemas/event"
	schema "github.com/mainstay/mainstay/schemas/output"
)

// The kinds of values in outputs. With a trailing ? a field may be null, with a trailing - it may be absent.
var kinds = map[string]object{
	"text":        {{"type", "string"}},
	"texts":       {{"type", "array"}, {"items", object{{"type", "string"}}}},
	"whole":       {{"type", "integer"}},
	"money":       {{"type", "number"}, {"format", "decimal"}}, // of the OpenAPI Format Registry: its text is exact
	"number":      {{"type", "number"}},
	"probability": {{"type", "number"}, {"minimum", 0}, {"maximum", 1}},
	"truth":       {{"type", "boolean"}},
	"time":        {{"type", "string"}, {"format", "date-time"}, {"pattern", "Z$"}},
	"churn":       {{"type", "string"}, {"enum", list{"low", "medium", "high", "none", "churned"}}},
	"category":    {{"type", "string"}, {"enum", list{"promoter", "passive", "detractor", "unknown"}}},
	"tier":        {{"type", "string"}, {"enum", list{"top_10", "top_20", "rest"}}},
	"closed":      {{"type", "string"}, {"enum", list{"provisional", "final"}}},
	"state":       {{"type", "string"}, {"enum", list{"raised", "cleared"}}},
	"severity":    {{"type", "string"}, {"enum", list{"info", "warning", "critical"}}},
	"group":       {{"type", "string"}, {"enum", list{"treated", "control"}}},
	"cleared":     {{"type", "string"}, {"enum", list{"condition", "terms_changed", "rule_removed", "account_closed", "erased", "merged"}}},
	"trigger":     {{"type", "string"}, {"enum", list{"event", "credit", "timer", "close", "thresholds", "parameters", "settings", "erasure", "merge", "replay"}}},
	"event":       {{"type", "string"}, {"enum", eventKinds()}},
	"rejected":    {{"type", "string"}, {"enum", list{"event_conflict", "order_conflict", "order_forgotten", "over_refund", "too_many_refunds", "self_referral", "referral_taken", "currency_unknown_rate", "merge_cycle"}}},
	"milestone":   {{"type", "string"}, {"enum", milestoneKinds()}},
	"id":          {{"type", "string"}, {"pattern", "^[0-9]+-[0-9]+-[0-9]+$"}},
	"modelled":    {{"type", "string"}, {"enum", list{"prior", "provisional", "fitted"}}},
}

// eventKinds are the names of the kinds of input.
func eventKinds() (names list) {
	for _, name := range event.KindNames() {
		names = append(names, name)
	}
	return names
}

// milestoneKinds are the names of the kinds of milestones.
func milestoneKinds() (names list) {
	for _, name := range schema.MilestoneKinds() {
		names = append(names, name)
	}
	return names
}

// outputField is a field of an output.
type outputField struct {
	name, kind, doc string
	within          []outputField // of an object
}

func outputs() []file {
	id := []outputField{{"event_id", "id", "<ledger partition>-<offset>-<ordinal>; equal to ce_id, the same in every replay", nil}}
	customer := []outputField{{"customer_id", "text", "The customer; also the record's key", nil}}
	asOf := []outputField{{"as_of", "time", "The ledger's time at which this is true", nil}}
	sequence := []outputField{{"sequence", "whole", "Of this customer over all topics, without gaps", nil}}
	cause := []outputField{{"trigger", "trigger", "What made it due", nil}, {"cause_event_id", "text?", "event_id of the event that caused it, of a credit that of the referred customer's", nil}, {"currency", "text", "Of all amounts", nil}}
	about := concat(id, customer, asOf, sequence, cause)
	model := []outputField{{"model", "object", "Which model gave the scores", []outputField{{"name", "text", "", nil}, {"version", "whole", "", nil}, {"status", "modelled", "", nil}}}}
	driver := []outputField{{"responses", "whole", "Customers", nil}, {"mean_score", "number?", "0-10", nil}, {"standard_error", "number?", "Of the mean; null below two responses", nil}}
	nps := outputField{"nps_score", "whole?", "0-10, of the response that counts", nil}
	return []file{
		output("clv", "A customer's lifetime value changed.", []string{"mainstay.customer.clv.updated.v1"}, concat(about, model, []outputField{
			{"historic_clv", "money", "Net value of the orders that stand", nil},
			{"predicted_clv", "money?", "Of the prediction horizon", nil},
			{"predicted_clv_low", "money?", "With 80% probability the orders of the horizon are worth from this", nil},
			{"predicted_clv_high", "money?", "to this", nil},
			{"total_clv", "money?", "historic_clv + predicted_clv", nil},
			{"prediction_horizon_days", "whole", "", nil},
			{"historic_number_of_orders", "whole", "Orders that stand", nil},
			{"predicted_number_of_orders", "number?", "Within the prediction horizon", nil},
			{"predicted_number_of_orders_low", "whole?", "With 80% probability or more the number of orders is from this", nil},
			{"predicted_number_of_orders_high", "whole?", "to this", nil},
			{"average_order_value", "money?", "", nil},
			{"average_days_between_orders", "number?", "Between purchase days", nil},
			{"expected_date_of_next_order", "time?", "Fixed at the last order, not moved by silence", nil},
			{"days_overdue", "number?", "Since that date", nil},
			{"simple_clv", "money?", "Average order value x orders a year x lifespan", nil},
			{"clv_percentile", "number?", "0-100", nil},
			{"value_tier", "tier?", "", nil},
			{"referral_value", "money", "From customers that this one referred; not part of any CLV", nil},
			{"reasons", "texts", "What has moved the value since it was last published", nil},
			{"previous", "object?", "As last published", []outputField{{"historic_clv", "money", "", nil}, {"predicted_clv", "money?", "", nil}, {"total_clv", "money?", "", nil}, {"historic_number_of_orders", "whole", "", nil}, {"value_tier", "tier?", "", nil}, {"referral_value", "money", "", nil}}},
		})),
		output("churn-risk", "A customer's churn risk changed.", []string{"mainstay.customer.churn_risk.updated.v1"}, concat(about, model, []outputField{
			{"churn_probability", "probability?", "1 - P(alive) at as_of", nil},
			{"churn_risk", "churn", "", nil},
			{"purchase_horizon_days", "whole", "", nil},
			{"probability_of_purchase_in_horizon", "probability?", "Of at least one order", nil},
			{"days_since_last_order", "number?", "", nil},
			{"last_order_at", "time?", "", nil},
			{"next_check_at", "time?", "When silence alone changes the answer", nil},
			{"reasons", "texts", "", nil},
			{"previous", "object?", "As last published", []outputField{{"churn_probability", "probability?", "", nil}, {"churn_risk", "churn", "", nil}}},
		})),
		output("promoter-status", "What a customer says in surveys changed.", []string{"mainstay.customer.promoter_status.updated.v1"}, concat(about, []outputField{
			nps,
			{"nps_category", "category", "Computed from the score", nil},
			{"response_count", "whole", "", nil},
			{"average_score", "number?", "", nil},
			{"last_responded_at", "time?", "", nil},
			{"response_id", "text?", "", nil},
			{"survey_id", "text?", "", nil},
			{"comment", "text?", "null unless surveys.keep_comments", nil},
			{"intent", "truth?", "Says that they would recommend; null without a response that counts", nil},
			{"action", "truth", "Has recommended: an approved referral names them as the referrer", nil},
			{"referred_customers", "whole", "How many", nil},
			{"reasons", "texts", "What has moved the status since it was last published", nil},
			{"previous", "object?", "As last published", []outputField{nps, {"nps_category", "category", "", nil}, {"response_count", "whole", "", nil}}},
		})),
		output("alert", "An alert was raised or cleared.", []string{"mainstay.alert.raised.v1", "mainstay.alert.cleared.v1"}, concat(about, []outputField{
			{"alert_id", "text", "One per episode", nil},
			{"state", "state", "", nil},
			{"rule", "text", "", nil},
			{"severity", "severity", "", nil},
			{"group", "group-", "Nobody is to act on an alert of control; absent without alerts.control_share", nil},
			{"initial", "truth", "Opened by a first evaluation, not by a crossing", nil},
			{"raised_at", "time", "", nil},
			{"cleared_at", "time?", "", nil},
			{"cleared_reason", "cleared?", "", nil},
			{"value_at_stake", "money?", "predicted_clv x churn_probability", nil},
			{"reasons", "texts", "", nil},
			{"metric", "text", "What the rule looks at", nil},
			{"value", "number?", "", nil},
			{"threshold", "number?", "", nil},
			{"clear_threshold", "number?", "", nil},
			{"scores", "object", "The customer's at that moment", []outputField{{"historic_clv", "money?", "", nil}, {"predicted_clv", "money?", "", nil}, {"total_clv", "money?", "", nil}, {"value_tier", "tier?", "", nil}, {"churn_probability", "probability?", "", nil}, {"churn_risk", "churn?", "", nil}, nps, {"nps_category", "category?", "", nil}}},
			{"previous", "object?", "As last published of this episode", []outputField{{"state", "state", "", nil}, {"value", "number?", "", nil}}},
		})),
		output("milestone", "A customer has reached a milestone. Each milestone_id of a customer comes once.", []string{"mainstay.customer.milestone.reached.v1"}, concat(about, []outputField{
			{"milestone_id", "text", "<milestone>-<number, category, amount in minor units, or day>", nil},
			{"milestone", "milestone", "order_number: the 1st, 2nd, 3rd, 5th, 10th, 25th, 50th or 100th order; new_category: not the first order, and the first in a category; dearer: at least one and a half times the largest order before; back: an order after dormant, or after the customer had left; dormant: silence has made churn risk high; anniversary: of the first order", nil},
			{"occurred_at", "time", "When it was reached: the order's time, or when time alone reached it", nil},
			{"number", "whole?", "Of the order, or of years; null for other milestones", nil},
			{"category", "text?", "Of new_category", nil},
			{"amount", "money?", "Net, of the order that reached it; null where time alone did", nil},
			{"previous_amount", "money?", "dearer: net, of the largest order before", nil},
			{"days_since_first_order", "whole", "Civil days", nil},
			{"days_since_last_order", "whole?", "Civil days; where an order reached it, since the order before that one", nil},
			{"historic_number_of_orders", "whole", "Orders that stand", nil},
			{"historic_clv", "money", "Net value of the orders that stand", nil},
			{"value_tier", "tier?", "", nil},
			{"churn_risk", "churn", "", nil},
		})),
		output("erased", "A customer was forgotten: delete what you keep of them. It goes to the topics of clv, churn-risk, promoter-status, alerts and milestones, and a tombstone with the same key follows it in each.", []string{"mainstay.customer.erased.v1"}, concat(about, []outputField{
			{"requested_at", "time", "", nil},
		})),
		output("merged", "A customer was merged into another, who is the same person: delete what you keep of them, or keep it with the other's. It goes to the topics of clv, churn-risk, promoter-status and alerts, and a tombstone with the same key follows it in each.", []string{"mainstay.customer.merged.v1"}, concat(about, []outputField{
			{"merged_into", "text", "The customer who remains", nil},
		})),
		output("portfolio", "The customer base as a whole.", []string{"mainstay.portfolio.updated.v1"}, concat(id, asOf, cause, []outputField{
			{"state", "closed", "provisional: customers as last published; final: every customer valued at the end of a civil day", nil},
			{"customers", "whole", "With a standing order", nil},
			{"prospects", "whole", "Without a standing order: referrers, survey answers, those whose orders were all cancelled; in no average", nil},
			{"active_customers", "whole", "Customers who are not churned", nil},
			{"churn_risk", "object", "Customers and prospects by class", []outputField{{"low", "whole", "", nil}, {"medium", "whole", "", nil}, {"high", "whole", "", nil}, {"none", "whole", "", nil}, {"churned", "whole", "", nil}}},
			{"promoters", "whole", "", nil},
			{"passives", "whole", "", nil},
			{"detractors", "whole", "", nil},
			{"nps", "number?", "-100 to 100", nil},
			{"cancel_reasons", "objects", "What customers and prospects have cancelled, the most frequent reason first; the first 32 reasons in the order of bytes, all others as other", []outputField{{"reason", "text?", "null: not stated", nil}, {"orders", "whole", "Cancelled orders", nil}, {"refunds", "whole", "", nil}, {"subscriptions", "whole", "Ended or to end, without an order after the end", nil}, {"accounts", "whole", "Closed, without an order after that", nil}}},
			{"historic_revenue", "money", "Sum of historic_clv over customers and prospects", nil},
			{"future_value", "money", "Sum of predicted_clv over customers", nil},
			{"future_value_low", "money?", "With future_value_high, an interval that contains the value of these orders with a probability of 80%", nil},
			{"future_value_high", "money?", "", nil},
			{"predicted_number_of_orders", "number?", "Expected number of orders of all customers within the prediction horizon", nil},
			{"predicted_number_of_orders_low", "whole?", "With predicted_number_of_orders_high, an interval that contains their number with a probability of 80%", nil},
			{"predicted_number_of_orders_high", "whole?", "", nil},
			{"customer_equity", "money", "Sum of total_clv over customers: average_clv x customers", nil},
			{"average_clv", "money?", "customer_equity per customer", nil},
			{"tiers", "object", "Total CLV from which they begin", []outputField{{"top_10", "money?", "", nil}, {"top_20", "money?", "", nil}}},
			{"customer_equity_change", "object?", "What has moved customer_equity since the final portfolio before; the amounts sum to the difference. null in a provisional portfolio, and where not every partition has closed the day before", []outputField{
				{"since", "time", "as_of of the final portfolio before", nil},
				{"new_customers", "money", "total_clv of those who were no customers then", nil},
				{"purchases", "money", "Orders, refunds and cancellations, and what they change of predicted_clv", nil},
				{"silence", "money", "What time alone changes of predicted_clv", nil},
				{"lost", "money", "predicted_clv of those who have closed their account or whose subscription has ended", nil},
				{"model", "money", "New parameters", nil},
				{"settings", "money", "New settings", nil},
				{"late_events", "money", "Events from before the final portfolio before that came or were changed after it", nil},
				{"erased", "money", "Customers who were forgotten", nil},
			}},
			{"newest_cohort", "object?", "Customers whose first purchase is in the last month that is over. null in a provisional portfolio, and where there are none", []outputField{{"month", "text", "YYYY-MM", nil}, {"new_customers", "whole", "", nil}, {"equity_per_new_customer", "money", "The margin on historic_clv, and predicted_clv, for each", nil}}},
			{"equity_drivers", "object?", "Scores of equity surveys by dimension, of each customer the newest that counts. null in a provisional portfolio", []outputField{{"value", "object", "", driver}, {"brand", "object", "", driver}, {"relationship", "object", "", driver}}},
			{"previous", "object?", "As last published in the same state", []outputField{{"customers", "whole", "", nil}, {"prospects", "whole", "", nil}, {"active_customers", "whole", "", nil}, {"nps", "number?", "", nil}, {"historic_revenue", "money", "", nil}, {"future_value", "money", "", nil}, {"customer_equity", "money", "", nil}}},
		})),
		output("segment", "A group of customers at the end of a civil day. The record's key is <dimension>/<segment>. A segment that nobody is in any more is not published again: its record keeps an older as_of.", []string{"mainstay.segment.updated.v1"}, concat(id, asOf, cause, []outputField{
			{"dimension", "text", "By what customers are grouped; all: not at all", nil},
			{"segment", "text", "none: the dimension says nothing of them; other: with all segments beyond the 119 largest of the dimension", nil},
			{"customers", "whole", "With a standing order", nil},
			{"historic_revenue", "money", "Sum of historic_clv", nil},
			{"customer_equity", "money", "Sum of total_clv", nil},
			{"average_historic_clv", "money?", "", nil},
			{"average_predicted_clv", "money?", "", nil},
			{"average_clv", "money?", "", nil},
			{"average_order_value", "money?", "", nil},
			{"orders_per_year", "number?", "Since the first purchase days", nil},
			{"days_between_orders", "number?", "Between purchase days", nil},
			{"average_churn_probability", "probability?", "", nil},
			{"lost_share", "probability?", "Of customers whose risk is high, or who are churned", nil},
			{"nps", "number?", "-100 to 100", nil},
			{"repeat_share", "probability?", "Of customers with more than one order", nil},
			{"referred_customers", "whole", "By these customers", nil},
			{"few", "truth", "Fewer than 30 customers: the averages are those of a few people", nil},
		})),
		output("rejection", "An event was understood and not applied.", []string{"mainstay.rejection.v1"}, concat(id, customer, asOf, cause, []outputField{
			{"reason", "rejected", "", nil},
			{"kind", "event", "Of the event", nil},
			{"origin", "object", "Where the event came from", []outputField{{"topic", "text", "", nil}, {"partition", "whole", "", nil}, {"offset", "whole", "", nil}}},
			{"excess", "money?", "over_refund: what was not applied", nil},
		})),
	}
}

func concat(parts ...[]outputField) (all []outputField) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func output(name, doc string, types []string, fields []outputField) file {
	schema := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", base + name + ".schema.json"},
		{"title", name},
		{"description", doc + " The value of a Kafka record whose headers are those of CloudEvents 1.0 in binary mode. Generated: see internal/generate."},
	}
	event := outputField{"event_type", "text", "Equal to ce_type", nil}
	body := objectOf(append([]outputField{fields[0], event}, fields[1:]...))
	for i := range body {
		if properties, ok := body[i].value.(object); ok && body[i].name == "properties" {
			enum := make(list, len(types))
			for j, t := range types {
				enum[j] = t
			}
			properties[1].value = object{{"description", event.doc}, {"enum", enum}}
		}
	}
	return file{name, append(schema, body...)}
}

// objectOf is an object with these fields and no others.
func objectOf(fields []outputField) object {
	var properties object
	var required list
	for _, f := range fields {
		kind, nullable := f.kind, false
		if kind[len(kind)-1] == '?' {
			kind, nullable = kind[:len(kind)-1], true
		}
		kind, optional := strings.CutSuffix(kind, "-")
		s := append(object{}, kinds[kind]...)
		switch kind {
		case "object":
			s = objectOf(f.within)
		case "objects":
			s = object{{"type", "array"}, {"items", objectOf(f.within)}}
		}
		if nullable {
			s = object{{"anyOf", list{s, object{{"type", "null"}}}}}
		}
		if f.doc != "" {
			s = append(object{{"description", f.doc}}, s...)
		}
		properties = append(properties, member{f.name, s})
		if !optional {
			required = append(required, f.name)
		}
	}
	return object{{"type", "object"}, {"properties", properties}, {"required", required}, {"additionalProperties", false}}
}
