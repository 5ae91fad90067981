package ingest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/mainstay/mainstay/pkg/edge/ingest"
	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/schemas/event"
)

const purchases = "/v1/events/purchase"

// Events are written as they came, keyed by their customers, in whatever form a body has.
func TestFormsOfBodies(t *testing.T) {
	a, b := purchase("ada", "1", "10.00"), purchase("bob", "2", "1e2")
	for name, body := range map[string]string{
		"array": " [" + a + " ,\n" + b + "]\n", "lines": a + "\n" + b + "\n", "lines of Windows": a + "\r\n\r\n" + b, "side by side": a + b,
		"byte order mark": "\xef\xbb\xbf[" + a + "," + b + "]",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.post(purchases, body)
			require.Equal(t, response{status: http.StatusOK, Accepted: 2, Skipped: []map[string]any{}}, r)
			require.Equal(t, map[string][]string{"ada": {a}, "bob": {b}}, w.written("purchases"))
		})
	}
	t.Run("one", func(t *testing.T) {
		w := newWorld(t)
		require.Equal(t, 1, w.post(purchases, a, "Content-Type", "application/x-www-form-urlencoded").Accepted)
		require.Equal(t, map[string][]string{"ada": {a}}, w.written("purchases"))
	})
	t.Run("gzip", func(t *testing.T) {
		w := newWorld(t)
		require.Equal(t, 2, w.do(http.MethodPost, purchases, compress(t, a+"\n"+b), "Content-Encoding", "gzip").Accepted)
		require.Equal(t, map[string][]string{"ada": {a}, "bob": {b}}, w.written("purchases"))
	})
}

// The order of a customer's events is that of their items, and of their requests.
func TestOrderIsKept(t *testing.T) {
	w := newWorld(t)
	var want []string
	for i := range 10 {
		var items []string
		for j := range 10 {
			items = append(items, purchase("ada", fmt.Sprint(10*i+j), "1"))
		}
		want = append(want, items...)
		require.Equal(t, 10, w.post(purchases, strings.Join(items, "\n")).Accepted)
	}
	require.Equal(t, map[string][]string{"ada": want}, w.written("purchases"))
}

func TestManyClientsAtOnce(t *testing.T) {
	w := newWorld(t)
	var clients sync.WaitGroup
	for c := range 20 {
		clients.Go(func() {
			for i := range 10 {
				r := w.post(purchases, purchase(fmt.Sprint("c", c), fmt.Sprint(c, i), "1"))
				if r.Accepted != 1 {
					t.Errorf("%+v", r)
				}
			}
		})
	}
	clients.Wait()
	n := 0
	for _, values := range w.written("purchases") {
		n += len(values)
	}
	require.Equal(t, 200, n)
	require.InDelta(t, 200, w.metric("mainstay_ingest_requests_total", "accepted"), 0)
	require.InDelta(t, 200, w.metric("mainstay_ingest_events_total", "purchase", "accepted"), 0)
	require.Zero(t, w.metric("mainstay_ingest_in_flight_bytes"), "all memory is given back")
}

// One item that is refused refuses the whole request, naming each item and field and nothing of the payload.
func TestNothingOfARefusedRequestIsWritten(t *testing.T) {
	w := newWorld(t)
	r := w.post(purchases, "["+purchase("ada", "1", "10")+`,{"customer_id":"secret-id","order_id":"2","total":-3,"currency":"EUR"},`+purchase("eve", "3", "4")+`,"text"]`)
	require.Equal(t, http.StatusBadRequest, r.status)
	require.Equal(t, "events_refused", r.problem())
	require.Equal(t, []server.ItemError{{Item: 1, Field: "total", Reason: "negative"}, {Item: 3, Reason: "malformed"}}, withoutDetails(r.Errors))
	require.Contains(t, r.Detail, "item 1: total: negative")
	require.Contains(t, r.Detail, "and 1 more items")
	require.NotContains(t, fmt.Sprint(r), "secret-id")
	require.Empty(t, w.written("purchases"))

	many := w.post(purchases, strings.Repeat("{}\n", 1000))
	require.Len(t, many.Errors, 20)
	require.Empty(t, w.written("purchases"))
}

func withoutDetails(all []server.ItemError) []server.ItemError {
	for i := range all {
		all[i].Detail = ""
	}
	return all
}

// What the stream would skip is not written, and is no reason for a sender to try again.
func TestSkippedItems(t *testing.T) {
	w := newWorld(t)
	r := w.post(purchases, purchase("guest", "1", "10")+purchase("ada", "2", "10")+`{"test":true,"customer_id":"ada"}`)
	require.Equal(t, 1, r.Accepted)
	require.Equal(t, []map[string]any{{"item": 0.0, "reason": "anonymous"}, {"item": 2.0, "reason": "test"}}, r.Skipped)
	require.Len(t, w.written("purchases"), 1)
}

// A vendor's body is written as it came if a topic has its format, and otherwise in Mainstay's own. The stream reads the same from both.
func TestFormatsOfVendors(t *testing.T) {
	body := vendorBody(t, "shopify", "order")
	shopify := shippedFormat(t, "shopify")
	read := func(f *format.Format, value string) string {
		d, err := event.NewDecoder(event.DefaultOptions())
		require.NoError(t, err)
		var result event.Result
		require.NoError(t, f.Decode(d, event.Purchase, &event.Message{Value: []byte(value)}, 1_800_000_000_000, &result, func(int, []byte) {}))
		encoded, err := result.Event.MarshalVT()
		require.NoError(t, err)
		return result.Customer + string(encoded)
	}
	with := newWorld(t, func(o *options) {
		o.topics[event.Purchase] = []ingest.Topic{{Name: "purchases"}, {Name: "orders", Format: shopify}}
	})
	require.Equal(t, 1, with.post(purchases+"?format=shopify", string(body)).Accepted)
	require.Empty(t, with.written("purchases"))
	asItCame := onlyOne(t, with.written("orders"))
	require.Equal(t, strings.TrimSpace(string(body)), asItCame)
	require.Equal(t, 1, with.post(purchases, purchase("ada", "1", "1")).Accepted, "without a format it is Mainstay's own")
	require.Len(t, with.written("purchases"), 1)

	without := newWorld(t)
	require.Equal(t, 1, without.post(purchases+"?format=shopify", string(body)).Accepted)
	translated := onlyOne(t, without.written("purchases"))
	require.Equal(t, read(shopify, asItCame), read(nil, translated))

	only := newWorld(t, func(o *options) { o.topics[event.Purchase] = []ingest.Topic{{Name: "orders", Format: shopify}} })
	require.Equal(t, 1, only.post(purchases+"?format=shopify", string(body)).Accepted)
	r := only.post(purchases, purchase("ada", "1", "1"))
	require.Equal(t, "unknown_format", r.problem(), "there is no topic that could have it")
	require.Contains(t, r.Detail, "in the formats shopify:")
	require.Equal(t, "unknown_format", only.post(purchases+"?format=stripe", "{}").problem())
	refused := only.post(purchases+"?format=shopify", purchase("ada", "1", "1"))
	require.Equal(t, "events_refused", refused.problem())
	require.Contains(t, refused.Detail, "format shopify")
}

// vendorBody is a documented record of a vendor.
func vendorBody(t testing.TB, vendor, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "format", "testdata", vendor, name+".json"))
	require.NoError(t, err)
	var file struct {
		Record json.RawMessage `json:"record"`
	}
	require.NoError(t, json.Unmarshal(content, &file))
	return file.Record
}

func onlyOne(t *testing.T, written map[string][]string) string {
	t.Helper()
	require.Len(t, written, 1)
	for key, values := range written {
		require.NotEmpty(t, key)
		require.Len(t, values, 1)
		return values[0]
	}
	return ""
}

// Each problem is what its request is answered; together they are all that the documentation lists.
func TestProblems(t *testing.T) {
	one := purchase("ada", "1", "1")
	seen := map[string]bool{"accepted": true, "disconnected": true, "internal": true, "signature": true}
	for _, c := range []struct {
		problem string
		status  int
		do      func(w *world) response
	}{
		{"unknown_path", 404, func(w *world) response { return w.post("/v1/events/sale", one) }},
		{"unknown_path", 404, func(w *world) response { return w.post("/v1/customers", one) }},
		{"unknown_path", 404, func(w *world) response { return w.do(http.MethodGet, "/", nil) }},
		{"method_not_allowed", 405, func(w *world) response { return w.do(http.MethodGet, purchases, nil) }},
		{"method_not_allowed", 405, func(w *world) response { return w.do(http.MethodPut, purchases, []byte(one)) }},
		{"foreign_origin", 403, func(w *world) response { return w.post(purchases, one, "Sec-Fetch-Site", "cross-site") }},
		{"foreign_origin", 403, func(w *world) response { return w.post(purchases, one, "Origin", "https://shop.example") }},
		{"no_topic", 404, func(w *world) response { return w.post("/v1/events/referral", "{}") }},
		{"unknown_parameter", 400, func(w *world) response { return w.post(purchases+"?form=shopify", one) }},
		{"unknown_parameter", 400, func(w *world) response { return w.post(purchases+"?format=shopify&format=stripe", one) }},
		{"unknown_format", 400, func(w *world) response { return w.post(purchases+"?format=./world_test.yaml", one) }},
		{"unsupported_encoding", 415, func(w *world) response { return w.post(purchases, one, "Content-Encoding", "br") }},
		{"body_unreadable", 400, func(w *world) response { return w.post(purchases, one, "Content-Encoding", "gzip") }},
		{"body_unreadable", 400, func(w *world) response {
			return w.do(http.MethodPost, purchases, compress(w.t, one)[:30], "Content-Encoding", "gzip")
		}},
		{"body_unreadable", 400, func(w *world) response { return w.post(purchases, one+"\nwebhook_id=5") }},
		{"body_unreadable", 400, func(w *world) response { return w.post(purchases, "["+one) }},
		{"body_unreadable", 400, func(w *world) response { return w.post(purchases, "["+one+"]"+one) }},
		{"body_too_large", 413, func(w *world) response { return w.post(purchases, strings.Repeat(" ", 64<<10)+one) }},
		{"body_too_large", 413, func(w *world) response {
			return w.do(http.MethodPost, purchases, compress(w.t, strings.Repeat(" ", 64<<10)+one), "Content-Encoding", "gzip")
		}},
		{"no_event", 400, func(w *world) response { return w.post(purchases, "\n") }},
		{"no_event", 400, func(w *world) response { return w.post(purchases, "[]") }},
		{"events_refused", 400, func(w *world) response { return w.post(purchases, "{}") }},
		{"event_too_large", 413, func(w *world) response {
			return w.post("/v1/events/survey", strings.Repeat(" ", 10)+`{"response_id":"1","customer_id":"ada","score":9,"x":"`+strings.Repeat("x", 2000)+`"}`)
		}},
		{"busy", 429, func(w *world) response { return w.post(purchases, strings.Repeat(" ", 40<<10)+one) }},
		{"unavailable", 503, func(w *world) response {
			w.away.Store(true)
			return w.post(purchases, one)
		}},
		{"unavailable", 503, func(w *world) response {
			return w.post("/v1/events/cancellation", `{"kind":"account","customer_id":"ada"}`)
		}},
		{"record_refused", 400, func(w *world) response {
			w.refuse("poison", kerr.InvalidRecord)
			return w.post(purchases, purchase("ada", "poison", "1"))
		}},
		{"unavailable", 503, func(w *world) response {
			w.refuse("poison", kerr.TopicAuthorizationFailed)
			return w.post(purchases, purchase("ada", "poison", "1"))
		}},
	} {
		t.Run(c.problem, func(t *testing.T) {
			w := newWorld(t, func(o *options) {
				o.topics[event.Survey] = []ingest.Topic{{Name: "small"}}
				if c.problem == "busy" {
					o.inFlight = 64 << 10
				}
			})
			r := c.do(w)
			require.Equal(t, c.problem, r.problem(), r.Detail)
			require.Equal(t, c.status, r.status)
			require.Equal(t, c.status == 503 || c.status == 429, r.retryAfter != "", "Retry-After")
			require.NotEmpty(t, r.Detail)
			require.Empty(t, w.written("purchases"))
			seen[c.problem] = true
		})
	}
	for _, o := range ingest.Outcomes() {
		require.True(t, seen[o], "%s has no test", o)
	}
}

// refuse makes the broker refuse the batches that have a text in them.
func (w *world) refuse(text string, with *kerr.Error) {
	w.servers.Cluster().ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		w.servers.Cluster().KeepControl()
		produce := request.(*kmsg.ProduceRequest)
		response := produce.ResponseKind().(*kmsg.ProduceResponse)
		refused := false
		for _, t := range produce.Topics {
			to := kmsg.NewProduceResponseTopic()
			to.Topic, to.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				one := kmsg.NewProduceResponseTopicPartition()
				one.Partition = p.Partition
				if bytes.Contains(p.Records, []byte(text)) {
					one.ErrorCode, refused = with.Code, true
				}
				to.Partitions = append(to.Partitions, one)
			}
			response.Topics = append(response.Topics, to)
		}
		return response, nil, refused
	})
}

// A request whose record the broker refuses for good fails alone, whoever else's events are in the same batch.
func TestRefusedRecordFailsAlone(t *testing.T) {
	w := newWorld(t)
	w.refuse("poison", kerr.InvalidRecord)
	var clients sync.WaitGroup
	for c := range 16 {
		clients.Go(func() {
			for i := range 5 {
				order, want := fmt.Sprint("o", c, "-", i), http.StatusOK
				if c == 0 {
					order, want = "poison", http.StatusBadRequest
				}
				if r := w.post(purchases, purchase("ada", order, "1")); r.status != want {
					t.Errorf("%s: %+v", order, r)
				}
			}
		})
	}
	clients.Wait()
	require.Len(t, distinct(w.written("purchases")["ada"]), 75, "some may be there twice")
}

func distinct(all []string) map[string]bool {
	set := map[string]bool{}
	for _, one := range all {
		set[one] = true
	}
	return set
}
