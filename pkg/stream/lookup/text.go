package lookup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// object is a decoded output or answer. Numbers keep their digits.
type object map[string]any

func decode(text []byte) (object, error) {
	var o object
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("decode an output: %w", err)
	}
	return o, nil
}

// text returns a value as it is printed, "-" for null.
func (o object) text(name string) string {
	switch v := o[name].(type) {
	case nil:
		return "-"
	case []any:
		all := make([]string, len(v))
		for i := range v {
			all[i] = fmt.Sprint(v[i])
		}
		return strings.Join(all, ", ")
	default:
		return fmt.Sprint(v)
	}
}

func (o object) within(name string) object {
	m, _ := o[name].(map[string]any)
	return m
}

func (o object) list(name string) (all []object) {
	items, _ := o[name].([]any)
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}

// changed returns a value, preceded by its previous one where that differs.
func (o object) changed(name string) string {
	now := o.text(name)
	before, ok := o.within("previous")[name]
	if !ok || before == nil || fmt.Sprint(before) == now {
		return now
	}
	return fmt.Sprintf("%v -> %s", before, now)
}

// RenderOutput returns an output as one human-readable line.
func RenderOutput(value []byte) string {
	o, err := decode(value)
	if err != nil {
		return err.Error()
	}
	by := o.text("trigger")
	if cause := o.text("cause_event_id"); cause != "-" {
		by += " " + cause
	}
	head := fmt.Sprintf("%s  %s", day(o.text("as_of")), o.text("customer_id"))
	switch what := o.text("event_type"); {
	case strings.Contains(what, ".clv."):
		return fmt.Sprintf("%s  historic %s  predicted %s  total %s %s  orders %s  tier %s  (%s)", head, o.changed("historic_clv"),
			o.text("predicted_clv"), o.text("total_clv"), o.text("currency"), o.text("historic_number_of_orders"), o.text("value_tier"), by)
	case strings.Contains(what, ".churn_risk."):
		return fmt.Sprintf("%s  risk %s  probability %s  silent for %s days  (%s)", head, o.changed("churn_risk"),
			o.changed("churn_probability"), o.text("days_since_last_order"), by)
	case strings.Contains(what, ".promoter_status."):
		return fmt.Sprintf("%s  %s  score %s of %s responses  (%s)", head, o.changed("nps_category"), o.text("nps_score"), o.text("response_count"), by)
	case strings.Contains(what, ".milestone."):
		return fmt.Sprintf("%s  %s  orders %s  (%s)", head, o.text("milestone_id"), o.text("historic_number_of_orders"), by)
	case strings.Contains(what, ".erased."):
		return fmt.Sprintf("%s  erased, as requested %s  (%s)", head, day(o.text("requested_at")), by)
	case strings.Contains(what, ".merged."):
		return fmt.Sprintf("%s  merged into %s  (%s)", head, o.text("merged_into"), by)
	case strings.Contains(what, ".portfolio."):
		return fmt.Sprintf("%s  customers %s  active %s  equity %s %s  nps %s  (%s)", day(o.text("as_of")), o.text("customers"),
			o.text("active_customers"), o.text("customer_equity"), o.text("currency"), o.text("nps"), o.text("state"))
	case strings.Contains(what, ".rejection."):
		from := o.within("origin")
		return fmt.Sprintf("%s  %s %s  from %s/%s/%s", head, o.text("kind"), o.text("reason"), from.text("topic"), from.text("partition"), from.text("offset"))
	case strings.Contains(what, ".alert."):
		line := fmt.Sprintf("%s  %s %s  %s  at stake %s", head, o.text("rule"), o.text("state"), o.text("severity"), o.text("value_at_stake"))
		if group := o.text("group"); group != "-" {
			line += "  " + group
		}
		return line
	default:
		return string(value)
	}
}

func day(rfc3339 string) string {
	if len(rfc3339) < len("2006-01-02T15:04") {
		return rfc3339
	}
	return strings.Replace(rfc3339[:len("2006-01-02T15:04")], "T", " ", 1)
}

// RenderCustomer returns the human-readable lines of a customer's answers, which are JSON.
func RenderCustomer(answers []byte) ([]string, error) {
	o, err := decode(answers)
	if err != nil {
		return nil, err
	}
	clv, churn, promoter := o.within("clv"), o.within("churn_risk"), o.within("promoter_status")
	currency := clv.text("currency")
	model := clv.within("model")
	lines := []string{fmt.Sprintf("customer %s as of %s, ledger partition %s, offset %s", o.text("customer_id"), o.text("as_of"),
		o.within("ledger").text("partition"), o.within("ledger").text("offset"))}
	add := func(name, text string, args ...any) {
		lines = append(lines, fmt.Sprintf("  %-18s", name)+fmt.Sprintf(text, args...))
	}
	if referrer := o.text("referrer_customer_id"); referrer != "-" {
		add("referred by", "%s", referrer)
	}
	add("lifetime value", "%s %s: %s historic, %s predicted within %s days (model %s, %s)", clv.text("total_clv"), currency,
		clv.text("historic_clv"), clv.text("predicted_clv"), clv.text("prediction_horizon_days"), model.text("name"), model.text("status"))
	add("simple value", "%s %s", clv.text("simple_clv"), currency)
	add("orders", "%s, %s %s each, every %s days; %s more expected", clv.text("historic_number_of_orders"), clv.text("average_order_value"),
		currency, clv.text("average_days_between_orders"), clv.text("predicted_number_of_orders"))
	add("how sure", "with 80%% probability %s to %s orders, worth %s to %s %s, within %s days", clv.text("predicted_number_of_orders_low"),
		clv.text("predicted_number_of_orders_high"), clv.text("predicted_clv_low"), clv.text("predicted_clv_high"), currency, clv.text("prediction_horizon_days"))
	add("next order", "expected %s, overdue by %s days", clv.text("expected_date_of_next_order"), clv.text("days_overdue"))
	add("tier", "%s (percentile %s); referrals are worth %s %s", clv.text("value_tier"), clv.text("clv_percentile"), clv.text("referral_value"), currency)
	add("churn risk", "%s, probability %s; %s days since the last order, next check %s", churn.text("churn_risk"),
		churn.text("churn_probability"), churn.text("days_since_last_order"), churn.text("next_check_at"))
	add("reasons", "%s", churn.text("reasons"))
	for _, r := range o.list("cancel_reasons") {
		reason := r.text("reason")
		if reason == "-" {
			reason = "no reason stated"
		}
		add("cancelled", "%s: %s orders, %s refunds, %s subscriptions, %s accounts", reason, r.text("orders"), r.text("refunds"), r.text("subscriptions"), r.text("accounts"))
	}
	if moved := clv.text("reasons"); moved != "" {
		add("since published", "%s", moved)
	}
	add("promoter status", "%s, score %s, %s responses", promoter.text("nps_category"), promoter.text("nps_score"), promoter.text("response_count"))
	if e := o.within("engagement"); e != nil {
		add("engagement", "active on %s of the last 30 days and %s of 90, last %s; %s support contacts, %s of them within 90 days, %s reviews", e.text("active_days_30"),
			e.text("active_days_90"), e.text("last_engaged_at"), e.text("support_contacts"), e.text("support_contacts_90"), e.text("reviews"))
	}
	return lines, nil
}
