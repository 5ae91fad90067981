package event

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/schemas/money"
)

// reads is a record with what becomes of it: a part of the event's text (see says), or "field: reason" where it is refused.
type reads struct {
	kind  Kind
	value string
	want  string
}

const (
	c1 = `"customer_id":"c1",`
	o1 = c1 + `"order_id":"o1",`
	a1 = c1 + `"response_id":"a1",`
)

func holds(t *testing.T, sentence string, o Options, all ...reads) {
	t.Helper()
	t.Run(sentence, func(t *testing.T) {
		for _, x := range all {
			r, err := decode(t, o, x.kind, message(x.value))
			if err != nil {
				require.True(t, strings.HasPrefix(err.Error(), x.want+":") || err.Error() == x.want, "%s: %v, not %s", x.value, err, x.want)
				continue
			}
			require.Contains(t, says(r), x.want, x.value)
		}
	})
}

// Each of these is a sentence of the conventions on how an event is read.
func TestReadingAnEvent(t *testing.T) {
	o := options()
	holds(t, "required of all but referrals: customer_id", o,
		reads{Purchase, `{"order_id":"o1","total":1}`, "customer_id: missing"},
		reads{Cancellation, `{"kind":"account"}`, "customer_id: missing"},
		reads{Survey, `{"response_id":"a1","score":1}`, "customer_id: missing"})
	holds(t, "required of a purchase: order_id and total", o,
		reads{Purchase, `{` + o1 + `"total":1}`, "total:100"},
		reads{Purchase, `{` + c1 + `"total":1}`, "order_id: missing"},
		reads{Purchase, `{` + o1 + `"x":1}`, "total: missing"})
	holds(t, "required of a refund: refund_id, order_id, total", o,
		reads{Cancellation, `{` + o1 + `"kind":"refund","refund_id":"r1","total":1}`, "refund_id:'r1' total:100"},
		reads{Cancellation, `{` + o1 + `"kind":"refund","total":1}`, "refund_id: missing"},
		reads{Cancellation, `{` + c1 + `"kind":"refund","refund_id":"r1","total":1}`, "order_id: missing"},
		reads{Cancellation, `{` + o1 + `"kind":"refund","refund_id":"r1"}`, "total: missing"})
	holds(t, "required of other cancellations: what they cancel", o,
		reads{Cancellation, `{` + c1 + `"kind":"order"}`, "order_id: missing"},
		reads{Cancellation, `{` + c1 + `"kind":"subscription"}`, "subscription_id: missing"},
		reads{Cancellation, `{` + c1 + `"kind":"account"}`, "CANCELLATION_KIND_ACCOUNT"})
	holds(t, "required of a referral: referrer, referred and status; it is the referred customer's, and customer_id is ignored", o,
		reads{Referral, `{"customer_id":"x","advocate":"a","friend":"b","status":"pending"}`, "b | id:"},
		reads{Referral, `{"customer_id":{},"advocate":"a","friend":"b","status":"pending"}`, "b | id:"},
		reads{Referral, `{"customer_id":"x","advocate":"a","status":"pending"}`, "referred_customer_id: missing"},
		reads{Referral, `{"customer_id":"x","friend":"b","status":"pending"}`, "referrer_customer_id: missing"},
		reads{Referral, `{"advocate":"a","friend":"b"}`, "status: missing"})
	holds(t, "required of a survey: response_id and score", o,
		reads{Survey, `{` + c1 + `"score":1}`, "response_id: missing"},
		reads{Survey, `{` + a1 + `"x":1}`, "score: missing"})
	holds(t, "type is taken from the topic when missing, and must agree with it", o,
		reads{Survey, `{` + a1 + `"score":1}`, "survey:{"},
		reads{Survey, `{` + a1 + `"score":1,"type":"Survey"}`, "survey:{"},
		reads{Survey, `{` + a1 + `"score":1,"type":"purchase"}`, "type: mismatch"},
		reads{Purchase, `{` + o1 + `"total":1,"type":"Order Completed"}`, "purchase:{"},
		reads{Purchase, `{` + o1 + `"total":1,"type":"order.completed"}`, "purchase:{"})
	holds(t, "without occurred_at the record's timestamp stands in", o,
		reads{Purchase, `{` + o1 + `"total":1}`, "occurred_at:1780271999000"},
		reads{Purchase, `{` + o1 + `"total":1,"occurred_at":"2026-03-01T12:00:00Z"}`, "occurred_at:1772366400000"})
	holds(t, "without event_id the natural key stands in", o,
		reads{Purchase, `{` + o1 + `"total":1,"event_id":"e1"}`, "id:'e1'"},
		reads{Purchase, `{` + o1 + `"total":1}`, "id:'order:o1'"},
		reads{Cancellation, `{` + o1 + `"kind":"refund","refund_id":"r1","total":1}`, "id:'refund:r1'"},
		reads{Survey, `{` + a1 + `"score":1}`, "id:'response:a1'"},
		reads{Referral, `{"referral_id":"f1","advocate":"a","friend":"b","status":"voided"}`, "id:'referral:f1:voided'"})
	holds(t, "the plain name wins over aliases, aliases in the order listed", o,
		reads{Purchase, `{"userId":"x",` + o1 + `"revenue":4,"value":3,"total_price":2,"total":1,"currency":"EUR"}`, "total:100"},
		reads{Purchase, `{` + o1 + `"revenue":4,"value":3,"total_price":2}`, "total:200"},
		reads{Purchase, `{` + o1 + `"revenue":4,"value":3}`, "total:300"},
		reads{Purchase, `{` + o1 + `"revenue":4,"properties":{"value":3}}`, "total:300"},
		reads{Purchase, `{` + c1 + `"id":"i","transaction_id":"t","total":1}`, "order_id:'t'"},
		reads{Purchase, `{` + o1 + `"total":1,"time":"2026-03-02T12:00:00Z","timestamp":"2026-03-01T12:00:00Z"}`, "occurred_at:1772366400000"},
		reads{Referral, `{"advocate":"x","friend":"y","referrer_customer_id":"a","referred_customer_id":"b","status":"pending"}`, "b | id:"})
	holds(t, "unknown fields are ignored", o, reads{Purchase, `{` + o1 + `"total":1,"products":[{"price":-1}],"schema_version":{},"customer":{"id":[]}}`, "total:100"})
	holds(t, "fields may lie under properties (Segment's track, named by event) or data", o,
		reads{Purchase, `{"type":"track","event":"Order Completed","userId":"c1","properties":{"order_id":"o1","total":1}}`, "total:100"},
		reads{Purchase, `{"type":"track","event":"Checkout Started","userId":"c1","properties":{"order_id":"o1","total":1}}`, "type: unknown_value"},
		reads{Purchase, `{"data":{` + o1 + `"total":1}}`, "total:100"})
	holds(t, "engagement is named as Segment, GA4 and Klaviyo name it", o,
		reads{Engagement, `{"type":"page","name":"Home","userId":"c1","timestamp":"2026-03-01T12:00:00Z"}`, "type:ENGAGEMENT_TYPE_SITE_VISIT"},
		reads{Engagement, `{"type":"screen","userId":"c1"}`, "type:ENGAGEMENT_TYPE_APP"},
		reads{Engagement, `{"type":"track","event":"Product Shared","userId":"c1","properties":{"campaign":"spring"}}`, "type:ENGAGEMENT_TYPE_SOCIAL_SHARE"},
		reads{Engagement, `{"event_name":"page_view",` + c1 + `"channel":"web"}`, "type:ENGAGEMENT_TYPE_SITE_VISIT"},
		reads{Engagement, `{"event":"Active on Site",` + c1 + `"x":1}`, "type:ENGAGEMENT_TYPE_SITE_VISIT"},
		reads{Engagement, `{` + c1 + `"engagement_type":"support_contact"}`, "type:ENGAGEMENT_TYPE_SUPPORT_CONTACT"},
		reads{Engagement, `{` + c1 + `"engagement_type":"yawn"}`, "engagement_type: unknown_value"},
		reads{Engagement, `{"type":"track","event":"Checkout Started","userId":"c1"}`, "type: unknown_value"})
	holds(t, "ids may be numbers, taken as their literal digits", o,
		reads{Purchase, `{"customer_id":12345678901234567890,"order_id":1.50,"total":1,"event_id":1e3}`, "12345678901234567890 | id:'1e3'"},
		reads{Purchase, `{"customer_id":9007199254740993,"order_id":1.50,"total":1}`, "9007199254740993 | id:'order:1.50'"})
	holds(t, "test: true is skipped", o, reads{Purchase, `{"test":true}`, "skip test"}, reads{Purchase, `{` + o1 + `"total":1,"test":false}`, "total:100"})
	holds(t, "an empty string counts as absent", o,
		reads{Purchase, `{` + o1 + `"total":"","value":1,"currency":"","event_id":"","occurred_at":""}`, "id:'order:o1' source:'purchase' occurred_at:1780271999000"},
		reads{Purchase, `{"customer_id":"","order_id":"o1","total":1}`, "customer_id: missing"})
	for _, nobody := range []string{`0`, `"0"`, `null`, `"null"`, `"Undefined"`, `"ANONYMOUS"`, `"guest"`} {
		holds(t, "nobody in particular is skipped: "+nobody, o,
			reads{Purchase, `{"customer_id":` + nobody + `,"order_id":"o1","total":1}`, "skip anonymous"},
			reads{Referral, `{"referrer_customer_id":` + nobody + `,"friend":"b","status":"pending"}`, "skip anonymous"},
			reads{Purchase, `{"customer_id":` + nobody + `,"order_id":"o1"}`, "total: missing"})
	}
	holds(t, "null beside another id is absent", o, reads{Purchase, `{"customer_id":null,"userId":"c1","order_id":"o1","total":1}`, "c1 | "})
	dead := options()
	dead.AnonymousPolicy, dead.Anonymous = AnonymousDeadLetter, []string{"Nobody"}
	holds(t, "or dead-lettered, by setting; who is nobody is a setting", dead,
		reads{Purchase, `{"customer_id":"nobody","order_id":"o1","total":1}`, "customer_id: anonymous"},
		reads{Purchase, `{"customer_id":"guest","order_id":"o1","total":1}`, "guest | "},
		reads{Purchase, `{"customer_id":null,"order_id":"o1","total":1}`, "customer_id: missing"})
	holds(t, "a purchase may carry updated_at, status, cancelled_at and refunds", o,
		reads{Purchase, `{` + o1 + `"total":9,"updated_at":"2026-03-02T12:00:00Z"}`, "updated_at:1772452800000"},
		reads{Purchase, `{` + o1 + `"total":9,"status":"Cancelled"}`, "cancelled:true"},
		reads{Purchase, `{` + o1 + `"total":9,"cancelled_at":"2026-03-02T12:00:00Z"}`, "cancelled:true cancelled_at:1772452800000"},
		reads{Purchase, `{` + o1 + `"total":9,"refunds":[{"refund_id":"r1","total":2,"occurred_at":"2026-03-02T12:00:00Z"}]}`, "refunds:{refund_id:'r1' total:200 occurred_at:1772452800000}"})
	for status := range strings.FieldsSeq("cancelled canceled voided refunded failed declined expired") {
		holds(t, "an order that is "+status+" does not count", o, reads{Purchase, `{` + o1 + `"total":9,"status":"` + status + `"}`, "cancelled:true"})
	}
	for status := range strings.FieldsSeq("open pending placed on_hold authorized authorised confirmed processing partially_paid paid shipped delivered fulfilled partially_fulfilled partially_refunded complete completed closed") {
		holds(t, "an order that is "+status+" counts", o, reads{Purchase, `{` + o1 + `"total":9,"status":"` + status + `"}`, "total:900 currency:'EUR' time_stood_in:true status_stated:true}"})
	}
	holds(t, "of a member that is repeated the last one stands, with all that lies within", o,
		reads{Purchase, `{` + o1 + `"properties":{"total":2},"properties":{"x":1}}`, "total: missing"},
		reads{Purchase, `{` + o1 + `"data":{"total":2},"data":{"total":3}}`, "total:300"},
		reads{Purchase, `{"order_id":"o1","total":1,"data":{"customer_id":null},"data":null}`, "customer_id: missing"})
	holds(t, "survey_type equity has a dimension and a score 0-10; other types are skipped", o,
		reads{Survey, `{` + a1 + `"survey_type":"equity","dimension":"brand","score":0}`, "dimension:'brand'"},
		reads{Survey, `{` + a1 + `"survey_type":"equity","dimension":"value","score":10}`, "dimension:'value'"},
		reads{Survey, `{` + a1 + `"survey_type":"equity","dimension":"relationship","score":5}`, "dimension:'relationship'"},
		reads{Survey, `{` + a1 + `"survey_type":"equity","score":5}`, "dimension: missing"},
		reads{Survey, `{` + a1 + `"survey_type":"equity","dimension":"brand","score":11}`, "score: out_of_range"},
		reads{Survey, `{` + a1 + `"survey_type":"pmf"}`, "skip survey_type"})
}

// What is refused goes to the dead letters.
func TestRefusedByTheConventions(t *testing.T) {
	o := options()
	holds(t, "not one JSON object", o, reads{Purchase, `[]`, "record: malformed"}, reads{Purchase, `null`, "record: malformed"}, reads{Purchase, `{}{}`, "record: malformed"}, reads{Purchase, `1`, "record: malformed"})
	holds(t, "invalid UTF-8", o, reads{Purchase, "{\"x\":\"\xc3\"}", "record: encoding"})
	holds(t, "unknown type, kind, status or currency", o,
		reads{Purchase, `{` + o1 + `"total":1,"type":"pageview"}`, "type: unknown_value"},
		reads{Cancellation, `{` + o1 + `"kind":"whim"}`, "kind: unknown_value"},
		reads{Referral, `{"advocate":"a","friend":"b","status":"maybe"}`, "status: unknown_value"},
		reads{Purchase, `{` + o1 + `"total":1,"status":"maybe"}`, "status: unknown_value"},
		reads{Purchase, `{` + o1 + `"total":1,"currency":"XXX"}`, "currency: unknown_value"})
	holds(t, "currencies are upper-cased", o, reads{Purchase, `{` + o1 + `"total":1,"currency":"usd"}`, "currency:'USD'"})
	holds(t, "the toman is shipped, ten rials", o, reads{Purchase, `{` + o1 + `"total":200000,"currency":"IRT"}`, "total:200000000 currency:'IRR'"})
	points := options()
	points.Currencies["POINT"] = money.Alias{As: "EUR", Times: 100}
	holds(t, "money.currencies adds codes", points,
		reads{Purchase, `{` + o1 + `"total":1.5,"currency":"point"}`, "total:15000 currency:'EUR'"})
	holds(t, "a negative or non-finite amount", o,
		reads{Purchase, `{` + o1 + `"total":-0.01}`, "total: negative"}, reads{Purchase, `{` + o1 + `"total":"NaN"}`, "total: bad_format"},
		reads{Purchase, `{` + o1 + `"total":"Infinity"}`, "total: bad_format"}, reads{Purchase, `{` + o1 + `"total":NaN}`, "record: malformed"})
	holds(t, "a refund of 0 or less", o,
		reads{Cancellation, `{` + o1 + `"kind":"refund","refund_id":"r1","total":0}`, "total: not_positive"},
		reads{Cancellation, `{` + o1 + `"kind":"refund","refund_id":"r1","total":-1}`, "total: negative"},
		reads{Cancellation, `{` + o1 + `"kind":"refund","refund_id":"r1","total":0.004}`, "total: not_positive"},
		reads{Purchase, `{` + o1 + `"total":9,"refunds":[{"refund_id":"r1","total":-1}]}`, "refunds.total: negative"})
	holds(t, "a refund of 0 in a snapshot is left out", o,
		reads{Purchase, `{` + o1 + `"total":9,"refunds":[{"refund_id":"r1","total":3},{"refund_id":"r2","total":"0.00"}]}`, "refunds:{refund_id:'r1' total:300"})
	holds(t, "beyond int64 minor units", o,
		reads{Purchase, `{` + o1 + `"total":92233720368547758.07}`, "total:9223372036854775807"}, reads{Purchase, `{` + o1 + `"total":92233720368547758.08}`, "total: overflow"})
	for _, scale := range []struct{ surveyType, low, high, below, above string }{{"nps", "0", "10", "-1", "11"}, {"csat", "1", "5", "0", "6"}, {"ces", "1", "7", "0", "8"}} {
		of := `{` + a1 + `"survey_type":"` + scale.surveyType + `","score":`
		below := "score: out_of_range"
		if scale.surveyType == "nps" {
			below = "score: negative"
		}
		holds(t, "a score outside the scale of "+scale.surveyType+" or no whole number", o,
			reads{Survey, of + scale.low + `}`, "survey:{"}, reads{Survey, of + scale.high + `}`, "score:" + scale.high},
			reads{Survey, of + scale.below + `}`, below}, reads{Survey, of + scale.above + `}`, "score: out_of_range"}, reads{Survey, of + `3.5}`, "score: not_whole"})
	}
	holds(t, "occurred_at before 1990 or more than 48 h ahead", o,
		reads{Purchase, `{` + o1 + `"total":1,"occurred_at":"1990-01-01T00:00:00Z"}`, "occurred_at:631152000000"},
		reads{Purchase, `{` + o1 + `"total":1,"occurred_at":"1989-12-31T23:59:59.999Z"}`, "occurred_at: too_early"},
		reads{Purchase, `{` + o1 + `"total":1,"occurred_at":"2026-06-03T00:00:00Z"}`, "occurred_at:1780444800000"},
		reads{Purchase, `{` + o1 + `"total":1,"occurred_at":"2026-06-03T00:00:00.001Z"}`, "occurred_at: too_late"})
	holds(t, "customer_id empty or over 256 bytes", o,
		reads{Purchase, `{"customer_id":"` + strings.Repeat("é", 128) + `","order_id":"o1","total":1}`, "total:100"},
		reads{Purchase, `{"customer_id":"` + strings.Repeat("é", 128) + `x","order_id":"o1","total":1}`, "customer_id: too_long"})
}

func TestMoneyByTheConventions(t *testing.T) {
	o := options()
	holds(t, "number or string, exponents allowed in numbers", o,
		reads{Purchase, `{` + o1 + `"total":49.90}`, "total:4990"}, reads{Purchase, `{` + o1 + `"total":"49.90"}`, "total:4990"},
		reads{Purchase, `{` + o1 + `"total":4.99e1}`, "total:4990"}, reads{Purchase, `{` + o1 + `"total":"4.99e1"}`, "total: bad_format"})
	holds(t, "more decimals than the currency has are rounded half to even and counted", o,
		reads{Purchase, `{` + o1 + `"total":0.125}`, "total:12 currency:'EUR' time_stood_in:true} rounded"}, reads{Purchase, `{` + o1 + `"total":0.135}`, "total:14 currency:'EUR' time_stood_in:true} rounded"},
		reads{Purchase, `{` + o1 + `"total":0.5,"currency":"JPY"}`, "rounded"}, reads{Purchase, `{` + o1 + `"total":1.2345,"currency":"KWD"}`, "total:1234 currency:'KWD' time_stood_in:true} rounded"})
	holds(t, "a zero total is an order", o, reads{Purchase, `{` + o1 + `"total":0}`, "purchase:{order_id:'o1' currency:'EUR' time_stood_in:true}"})
	none := options()
	none.Currency = ""
	holds(t, "without currency the configured default, if there is one", none, reads{Purchase, `{` + o1 + `"total":1}`, "currency: missing"}, reads{Purchase, `{` + o1 + `"total":1,"currency":"EUR"}`, "total:100"})
	for of, want := range map[Total]string{TotalTotal: "total:10000", TotalSubtotal: "total:8000", TotalWithoutTax: "total:8500", TotalWithoutShipping: "total:9500", TotalWithoutTaxAndShipping: "total:8000"} {
		counts := options()
		counts.Total = of
		holds(t, "which total counts is a setting: "+string(of), counts, reads{Purchase, `{` + o1 + `"total":100,"subtotal":80,"tax":15,"shipping":5}`, want})
	}
	holds(t, "cancel_reason is a code of at most 32 bytes, kept; longer text is cut to other", o,
		reads{Cancellation, `{` + c1 + `"kind":"account","cancel_reason":"inventory"}`, "reason:'inventory'"},
		reads{Cancellation, `{` + c1 + `"kind":"account","cancel_reason":"` + strings.Repeat("x", 32) + `"}`, strings.Repeat("x", 32)},
		reads{Cancellation, `{` + c1 + `"kind":"account","cancel_reason":"` + strings.Repeat("x", 33) + `"}`, "reason:'other'} cut"})
}

// The same event in all the forms in which it may come, under every alias.
func TestEventsIn(t *testing.T) {
	const want = `c1 | id:'e1' source:'shop' occurred_at:1772366400000 purchase:{order_id:'o1' total:4990 currency:'EUR'}`
	m := message(`{"customer_id":"c1","order_id":"o1","total":49.90}`, "ce_specversion", "1.0", "ce_id", "e1", "ce_source", "shop", "ce_type", "order.completed", "ce_time", "2026-03-01T12:00:00Z", "content-type", "application/json")
	r, err := decode(t, options(), Purchase, m)
	require.NoError(t, err)
	require.Equal(t, want, says(r), "binary mode")
	structured := `{"specversion":"1.0","id":"e1","source":"shop","type":"purchase","time":"2026-03-01T12:00:00Z","data":{"customer_id":"c1","order_id":"o1","total":49.90}}`
	for _, contentType := range []string{"application/cloudevents+json", "application/cloudevents+json; charset=UTF-8", "application/json", ""} {
		r, err = decode(t, options(), Purchase, message(structured, "content-type", contentType))
		require.NoError(t, err)
		require.Equal(t, want, says(r), "structured mode")
	}
	fields := map[string][]string{"event_id": {"messageId"}, "occurred_at": {"timestamp", "time"}, "customer_id": {"userId"}, "order_id": {"transaction_id", "id"}, "total": {"total_price", "value", "revenue"}}
	plain := `{"event_id":"e1","source":"shop","occurred_at":"2026-03-01T12:00:00Z","customer_id":"c1","order_id":"o1","total":49.90,"currency":"EUR","subtotal":1,"tax":1,"shipping":1,"discount":1,"coupon":"x","channel":"web",` +
		`"affiliation":"x","loyalty_member":true,"referral_code":"x","products":[{"product_id":"p","sku":"s","name":"n","category":"c","brand":"b","price":1,"quantity":1}]}`
	for field, aliases := range fields {
		for _, alias := range append(aliases, field) {
			holds(t, field+" as "+alias, options(), reads{Purchase, strings.Replace(plain, `"`+field+`"`, `"`+alias+`"`, 1), want})
		}
	}
}

func TestCustomersAreNormalised(t *testing.T) {
	for normalise, want := range map[Normalise]string{NormaliseNone: " \tÄ C1 ", NormaliseTrim: "Ä C1", NormaliseLower: "Ä c1", "": " \tÄ C1 "} {
		o := options()
		o.Normalise = normalise
		r, err := decode(t, o, Purchase, message(`{"customer_id":" \tÄ C1 ","order_id":"o1","total":1}`))
		require.NoError(t, err)
		require.Equal(t, want, r.Customer)
		r, err = decode(t, o, Referral, message(`{"advocate":" \tÄ C1 ","friend":"b","status":"pending"}`))
		require.NoError(t, err)
		require.Equal(t, want, r.Event.Referral.Referrer)
	}
}
