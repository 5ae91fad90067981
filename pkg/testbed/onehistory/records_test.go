package onehistory

import (
	"encoding/json"
	"fmt"
	"time"
)

// reporter is a vendor's way to write facts: each is a record.
type reporter struct {
	format string
	what   string
	able   func(says) bool // reports whether it states just this
	record func(l *list, f *fact) any
	lists  func(records []any) any // writes several as one record; nil: it does not
}

// object is JSON.
type object = map[string]any

var reporters = []reporter{
	{"shopify", "order", func(s says) bool { return s.numbers && s.none }, shopify, func(all []any) any { return object{"orders": all} }},
	{"shopify", "order", func(s says) bool { return s.numbers && s.none }, shopifyGraphQL, func(all []any) any {
		return object{"data": object{"orders": object{"nodes": all}}}
	}},
	{"woocommerce", "order", snapshot, woocommerce, nil},
	{"magento", "order", snapshot, magento, func(all []any) any { return object{"items": all, "search_criteria": object{}} }},
	{"bigcommerce", "order", snapshot, bigcommerce, nil},
	{"stripe", "order", func(s says) bool { return s.none && s.refundAt && !s.cancelAt && !s.amounts }, stripe, nil},
	{"segment", "sale", func(s says) bool { return !s.updated }, segment, batch},
	{"segment", "refund", always, segment, batch},
	{"segment", "cancel", always, segment, batch},
	{"ga4", "sale", func(s says) bool { return s.updated && !s.amounts }, measurement, nil},
	{"ga4", "sale", func(s says) bool { return s.updated && !s.amounts }, bigQuery, nil},
	{"ga4", "refund", always, measurement, nil},
	{"ga4", "refund", always, bigQuery, nil},
	{"ga4", "cancel", always, measurement, nil},
	{"ga4", "cancel", always, bigQuery, nil},
	{"klaviyo", "sale", func(s says) bool { return !s.updated && !s.amounts }, klaviyo, nil},
	{"klaviyo", "sale", func(s says) bool { return !s.updated && !s.amounts }, klaviyoTrack, nil},
	{"klaviyo", "refund", always, klaviyo, nil},
	{"klaviyo", "refund", always, klaviyoTrack, nil},
	{"klaviyo", "cancel", always, klaviyo, nil},
	{"klaviyo", "cancel", always, klaviyoTrack, nil},
	{"referralcandy", "referral", func(s says) bool { return s.timed }, referralCandy, nil},
	{"friendbuy", "referral", func(s says) bool { return !s.timed }, advocateReward, nil},
	{"friendbuy", "referral", func(s says) bool { return !s.timed }, friendIncentive, nil},
	{"delighted", "response", func(s says) bool { return s.updated }, delighted, nil},
	{"typeform", "response", func(s says) bool { return !s.updated }, typeform, nil},
}

func always(says) bool { return true }

func snapshot(s says) bool { return s.numbers && s.none && !s.refundAt && !s.cancelAt }

func batch(all []any) any { return object{"batch": all} }

// number is the id of a customer; nobody's is none.
func number(f *fact, none any) any {
	if f.customer == "" {
		return none
	}
	return json.Number(f.customer)
}

func shopify(l *list, f *fact) any {
	record := object{
		"id": json.Number(f.id), "customer": object{"id": number(f, nil)}, "currency": f.currency, "financial_status": "paid",
		"total_price": f.amount(f.total), "current_total_price": f.amount(f.total - f.refunded), "processed_at": f.at, "updated_at": f.updated, "refunds": []any{},
	}
	if f.customer == "" {
		record["customer"] = nil
	}
	if l.says.amounts {
		record["total_tax"], record["total_shipping_price_set"] = f.amount(f.tax), object{"shop_money": object{"amount": f.amount(f.shipping), "currency_code": f.currency}}
		record["shipping_address"] = object{"country_code": f.country}
	}
	if f.refunded > 0 {
		refund := object{"id": json.Number(f.id), "transactions": []any{object{"kind": "refund", "status": "success", "currency": f.currency, "amount": f.amount(f.refunded)}}}
		if l.says.refundAt {
			refund["processed_at"] = f.updated
		}
		record["refunds"] = []any{refund}
	}
	switch {
	case f.cancelled && l.says.cancelAt:
		record["cancelled_at"] = f.updated
	case f.cancelled:
		record["financial_status"] = "voided"
	}
	return record
}

func shopifyGraphQL(l *list, f *fact) any {
	money := func(minor int64) object {
		return object{"shopMoney": object{"amount": f.amount(minor), "currencyCode": f.currency}}
	}
	record := object{
		"id": "gid://shopify/Order/" + f.id, "customer": object{"id": "gid://shopify/Customer/" + f.customer}, "displayFinancialStatus": "PAID",
		"totalPriceSet": money(f.total), "currentTotalPriceSet": money(f.total - f.refunded), "processedAt": f.at, "updatedAt": f.updated, "refunds": []any{},
	}
	if f.customer == "" {
		record["customer"] = nil
	}
	if l.says.amounts {
		record["totalTaxSet"], record["totalShippingPriceSet"], record["shippingAddress"] = money(f.tax), money(f.shipping), object{"countryCodeV2": f.country}
	}
	if f.refunded > 0 {
		refund := object{"id": "gid://shopify/Refund/" + f.id, "totalRefundedSet": money(f.refunded)}
		if l.says.refundAt {
			refund["createdAt"] = f.updated
		}
		record["refunds"] = []any{refund}
	}
	switch {
	case f.cancelled && l.says.cancelAt:
		record["cancelledAt"] = f.updated
	case f.cancelled:
		record["displayFinancialStatus"] = "VOIDED"
	}
	return record
}

func woocommerce(l *list, f *fact) any {
	const gmt = "2006-01-02T15:04:05"
	record := object{
		"id": json.Number(f.id), "customer_id": number(f, 0), "currency": f.currency, "status": "completed", "total": f.amount(f.total),
		"date_created": "2001-01-01T00:00:00", "date_created_gmt": f.at.Format(gmt), "date_modified_gmt": f.updated.Format(gmt), "refunds": []any{},
	}
	if l.says.amounts {
		record["total_tax"], record["shipping_total"], record["billing"] = f.amount(f.tax), f.amount(f.shipping), object{"country": f.country}
	}
	if f.refunded > 0 {
		record["refunds"] = []any{object{"id": json.Number(f.id), "total": "-" + f.amount(f.refunded)}}
	}
	if f.cancelled {
		record["status"] = "wc-cancelled"
	}
	return record
}

func magento(l *list, f *fact) any {
	record := object{
		"entity_id": json.Number(f.id), "customer_id": number(f, nil), "base_currency_code": f.currency, "order_currency_code": "XXX", "state": "complete",
		"base_grand_total": json.Number(f.amount(f.total)), "created_at": f.at.Format(time.DateTime), "updated_at": f.updated.Format(time.DateTime),
	}
	if l.says.amounts {
		record["base_tax_amount"], record["base_shipping_amount"] = json.Number(f.amount(f.tax)), json.Number(f.amount(f.shipping))
		record["billing_address"] = object{"country_id": f.country}
	}
	if f.refunded > 0 {
		record["base_total_refunded"] = json.Number(f.amount(f.refunded))
	}
	if f.cancelled {
		record["state"] = "canceled"
	}
	return record
}

func bigcommerce(l *list, f *fact) any {
	record := object{
		"id": json.Number(f.id), "customer_id": number(f, 0), "default_currency_code": f.currency, "currency_code": "XXX", "status_id": 10,
		"total_inc_tax": f.amount(f.total), "refunded_amount": f.amount(f.refunded), "date_created": f.at.Format(time.RFC1123Z), "date_modified": f.updated.Format(time.RFC1123Z),
	}
	if l.says.amounts {
		record["total_tax"], record["shipping_cost_ex_tax"], record["billing_address"] = f.amount(f.tax), f.amount(f.shipping), object{"country_iso2": f.country}
	}
	if f.cancelled {
		record["status_id"] = 5
	}
	return record
}

func stripe(_ *list, f *fact) any {
	charge := object{
		"id": f.id, "object": "charge", "customer": orNull(f.customer), "currency": f.currency, "amount": f.total, "amount_refunded": f.refunded, "captured": true,
		"created": f.at.Unix(), "status": "succeeded",
	}
	if f.cancelled {
		charge["status"] = "failed"
	}
	return object{"object": "event", "livemode": true, "type": "charge.updated", "created": f.updated.Unix(), "data": object{"object": charge}}
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func segment(l *list, f *fact) any {
	properties := object{"order_id": f.id}
	if l.what != "cancel" {
		properties["total"], properties["currency"] = json.Number(f.amount(f.total)), f.currency
	}
	if l.what == "sale" && l.says.amounts {
		properties["tax"], properties["shipping"] = json.Number(f.amount(f.tax)), json.Number(f.amount(f.shipping))
	}
	if f.refund != "" {
		properties["refund_id"] = f.refund
	}
	name := map[string]string{"sale": "Order Completed", "refund": "Order Refunded", "cancel": "Order Cancelled"}[l.what]
	return object{"type": "track", "event": name, "userId": orNull(f.customer), "anonymousId": "x", "timestamp": f.at, "properties": properties}
}

func measurement(l *list, f *fact) any {
	params := object{"transaction_id": f.id}
	if l.what != "cancel" {
		params["value"], params["currency"] = json.Number(f.amount(f.total)), f.currency
	}
	if f.refund != "" {
		params["refund_id"] = f.refund
	}
	name := map[string]string{"sale": "purchase", "refund": "refund", "cancel": "refund"}[l.what]
	return object{"client_id": "1.2", "user_id": orNull(f.customer), "timestamp_micros": f.at.UnixMicro(), "events": []any{object{"name": name, "params": params}}}
}

func bigQuery(l *list, f *fact) any {
	params := []any{object{"key": "transaction_id", "value": object{"string_value": f.id}}}
	if l.what != "cancel" {
		params = append(params, object{"key": "value", "value": object{"double_value": json.Number(f.amount(f.total))}}, object{"key": "currency", "value": object{"string_value": f.currency}})
	}
	if f.refund != "" {
		params = append(params, object{"key": "refund_id", "value": object{"string_value": f.refund}})
	}
	name := map[string]string{"sale": "purchase", "refund": "refund", "cancel": "refund"}[l.what]
	return object{"event_name": name, "user_id": orNull(f.customer), "event_timestamp": fmt.Sprint(f.at.UnixMicro()), "event_params": params}
}

func klaviyo(l *list, f *fact) any {
	properties := object{"OrderId": f.id}
	attributes := object{
		"properties": properties, "metric": object{"data": object{"type": "metric", "attributes": object{"name": metric(l)}}},
		"profile": object{"data": object{"type": "profile", "attributes": object{"external_id": someone(f)}}}, "time": f.at, "unique_id": "u-" + f.id,
	}
	if l.what != "cancel" {
		attributes["value"], attributes["value_currency"] = json.Number(f.amount(f.total)), f.currency
	}
	if f.refund != "" {
		properties["RefundId"] = f.refund
	}
	return object{"data": object{"type": "event", "attributes": attributes}}
}

func klaviyoTrack(l *list, f *fact) any {
	properties := object{"OrderId": f.id}
	if l.what != "cancel" {
		properties["$value"], properties["$currency_code"] = json.Number(f.amount(f.total)), f.currency
	}
	if f.refund != "" {
		properties["RefundId"] = f.refund
	}
	return object{"token": "PK", "event": metric(l), "customer_properties": object{"$id": someone(f)}, "properties": properties, "time": f.at.Unix()}
}

func metric(l *list) string {
	return map[string]string{"sale": "Placed Order", "refund": "Refunded Order", "cancel": "Cancelled Order"}[l.what]
}

// someone is the id of a customer where a vendor knows of nobody else.
func someone(f *fact) string {
	if f.customer == "" {
		return "GUEST"
	}
	return f.customer
}

func referralCandy(_ *list, f *fact) any {
	return object{"referral_email": f.customer, "referring_email": f.referrer, "referral_timestamp": f.at.Unix()}
}

func advocateReward(_ *list, f *fact) any {
	return object{"type": "advocateReward", "data": []any{object{"customerId": f.referrer, "emailAddress": "x@example.com", "friends": []any{object{"friendCustomerId": f.customer}}}}}
}

func friendIncentive(_ *list, f *fact) any {
	return object{"type": "friendIncentive", "data": []any{object{"emailAddress": f.customer, "customerId": nil, "advocateCustomerId": f.referrer}}}
}

func delighted(_ *list, f *fact) any {
	return object{"event_type": "survey_response.updated", "event_id": f.event, "event_data": object{
		"id": f.id, "person": object{"email": "x@example.com"}, "person_properties": object{"customer_id": f.customer}, "survey_type": "nps", "score": f.score,
		"comment": orNull(f.comment), "created_at": f.at.Unix(), "updated_at": f.updated.Unix(),
	}}
}

func typeform(_ *list, f *fact) any {
	answers := []any{object{"type": "number", "number": f.score, "field": object{"type": "nps"}}}
	if f.comment != "" {
		answers = append(answers, object{"type": "text", "text": f.comment, "field": object{"type": "long_text"}})
	}
	return object{"event_type": "form_response", "event_id": f.event, "form_response": object{
		"form_id": f.survey, "token": f.id, "submitted_at": f.at, "hidden": object{"customer_id": f.customer}, "answers": answers,
	}}
}
