package ingest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/edge/ingest"
	"github.com/mainstay/mainstay/schemas/event"
)

const mixed = "/v1/events"

// perKind is a topic of Mainstay's own format for each of two kinds.
func perKind(o *options) {
	o.topics = [event.Kinds][]ingest.Topic{event.Purchase: {{Name: "purchases"}}, event.Cancellation: {{Name: "orders"}}}
}

// Each event goes to the topic of its kind, whether its record says so by its type or is a vendor's.
func TestEventsOfAllKinds(t *testing.T) {
	refund := `{"type":"cancellation","kind":"refund","customer_id":"ada","order_id":"1","refund_id":"r","total":5,"currency":"EUR"}`
	order := `{"type":"com.example.purchase.v1",` + purchase("ada", "1", "10.00")[1:]
	w := newWorld(t, perKind)
	require.Equal(t, 2, w.post(mixed, order+"\n"+refund).Accepted)
	require.Equal(t, map[string][]string{"ada": {order}}, w.written("purchases"))
	require.Equal(t, map[string][]string{"ada": {refund}}, w.written("orders"))
	require.InDelta(t, 1, w.metric("mainstay_ingest_events_total", "cancellation", "accepted"), 0)

	segment := vendorBody(t, "segment", "batch") // an order, a call that is no event, and a refund
	w = newWorld(t, perKind)
	require.Equal(t, 2, w.post(mixed+"?format=segment", string(segment)).Accepted)
	require.Contains(t, onlyOne(t, w.written("purchases")), `"order_id":"o-1"`)
	require.Contains(t, onlyOne(t, w.written("orders")), `"kind":"order"`)
	require.Equal(t, 2, w.post(purchases+"?format=segment", string(segment)).Accepted, "at the address of a kind, too")
	require.Len(t, onlyKey(t, w.written("orders")), 2)
}

// A vendor's record goes as it came to a topic that has its format: of the kind of its first event, or else of any kind.
func TestMixedRecordsOfAFormat(t *testing.T) {
	segment := shippedFormat(t, "segment")
	calls := string(vendorBody(t, "segment", "batch"))
	refund := string(vendorBody(t, "segment", "refunded"))
	both := newWorld(t, func(o *options) {
		o.topics = [event.Kinds][]ingest.Topic{event.Purchase: {{Name: "purchases", Format: segment}}, event.Cancellation: {{Name: "small"}, {Name: "orders", Format: segment}}}
	})
	require.Equal(t, 2, both.post(mixed+"?format=segment", calls).Accepted)
	require.Equal(t, 1, both.post(mixed+"?format=segment", refund).Accepted)
	require.JSONEq(t, calls, onlyOne(t, both.written("purchases")))
	require.JSONEq(t, refund, onlyOne(t, both.written("orders")))
	require.Empty(t, both.written("small"))

	one := newWorld(t, func(o *options) {
		o.topics = [event.Kinds][]ingest.Topic{event.Purchase: {{Name: "purchases"}, {Name: "orders", Format: segment}}}
	})
	require.Equal(t, 1, one.post(mixed+"?format=segment", refund).Accepted)
	require.JSONEq(t, refund, onlyOne(t, one.written("orders")), "the stream reads all kinds of the format from it")
	require.Equal(t, map[string]any{"item": 0.0, "reason": "other_record"}, one.post(mixed+"?format=segment", string(vendorBody(t, "segment", "page"))).Skipped[0])
}

func TestMixedEventsThatAreRefused(t *testing.T) {
	w := newWorld(t, perKind)
	survey := `{"type":"survey","customer_id":"ada","response_id":"a","score":9}`
	for body, want := range map[string]string{
		purchase("ada", "1", "10"):             "item 0: type: missing: one of purchase, cancellation,",
		`{"type":"order","customer_id":"ada"}`: "item 0: type: unknown_value: one of purchase, cancellation,",
		`{"type":{}}`:                          "item 0: record: malformed:",
		`{"type":"erasure","customer_id":"a"}`: "item 0: type: mismatch: an event of the kind erasure is sent to /v1/events/erasure",
		survey:                                 "item 0: type: mismatch: it has a survey, and no topic of kafka.topics.surveys has the format mainstay",
	} {
		r := w.post(mixed, body)
		require.Equal(t, "events_refused", r.problem(), "%s: %+v", body, r)
		require.Contains(t, r.Detail, want)
	}
	redact := vendorBody(t, "shopify", "customers_redact")
	require.Contains(t, w.post(mixed+"?format=shopify", string(redact)).Detail, "mismatch")
	require.Equal(t, http.StatusMethodNotAllowed, w.do(http.MethodGet, mixed, nil).status)
	require.Equal(t, "unknown_format", w.post(mixed+"?format=shopfy", "{}").problem())
	require.Empty(t, w.written("purchases"))
	require.Empty(t, w.written("orders"))

	none := newWorld(t, func(o *options) { o.topics = [event.Kinds][]ingest.Topic{event.Erasure: {{Name: "orders"}}} })
	require.Equal(t, "unknown_format", none.post(mixed, survey).problem())
	require.Equal(t, 1, none.post("/v1/events/erasure?format=shopify", string(redact)).Accepted)
	var forget map[string]any
	require.NoError(t, json.Unmarshal([]byte(onlyOne(t, none.written("orders"))), &forget))
	require.Equal(t, map[string]any{"customer_id": 191167.0}, forget)
}

// What stands around a vendor's event is taken off where the event is translated.
func TestFramedRecordsAreTranslated(t *testing.T) {
	w := newWorld(t)
	body := `{"before":null,"after":` + strings.TrimSpace(string(vendorBody(t, "shopify", "order"))) + `,"op":"c"}`
	require.Equal(t, 1, w.post(purchases+"?format=shopify", body).Accepted)
	require.Contains(t, onlyOne(t, w.written("purchases")), `"order_id":820982911946154508`)
}

// The signature of a vendor's webhook counts at the address of all kinds, too.
func TestSignedMixedEvents(t *testing.T) {
	body := vendorBody(t, "woocommerce", "order")
	w := newWorld(t, func(o *options) {
		o.secrets = map[string]func() (string, error){"woocommerce": func() (string, error) { return "key", nil }}
	})
	const path, header = mixed + "?format=woocommerce", "X-WC-Webhook-Signature"
	require.Equal(t, http.StatusOK, w.post(path, string(body), header, signature("key", body)).status)
	require.Equal(t, "signature", w.post(path, string(body), header, signature("guessed", body)).problem())
	require.Equal(t, "signature", w.post(path, string(body)).problem())
}
