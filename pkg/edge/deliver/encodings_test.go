package deliver_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
	"github.com/mainstay/mainstay/pkg/testbed/schemaregistry"
	"github.com/mainstay/mainstay/schemas/encoding"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// Outputs in Avro wait while the registry is away. Then all of them are delivered, as JSON and in order; one that no schema reads is a dead letter.
func TestOutputsInAvroWaitForTheRegistry(t *testing.T) {
	schemas := schemaregistry.Start()
	defer schemas.Close()
	outputs := func() *encoded.Outputs {
		r, err := registry.New(registry.Config{URLs: []string{schemas.URL}, Timeout: 10 * time.Second})
		require.NoError(t, err)
		t.Cleanup(r.Close)
		o, err := encoded.New(encoded.Config{Namespace: namespace, Encoding: encoding.Avro, Base: money.Unit{Code: "EUR", Decimals: 2}, Registry: r, Register: true})
		require.NoError(t, err)
		return o
	}
	published := outputs()
	require.NoError(t, published.Prepare(t.Context()))
	w := newWorld(t, "crm")
	const n = 5
	var want []string
	w.produce(func(batches *kafka.Batches) {
		for i := range n {
			text := fmt.Sprintf(`{"event_id":"0-%d-0","event_type":"mainstay.customer.merged.v1","customer_id":"ada","as_of":"2026-01-02T03:04:05Z","sequence":%d,"trigger":"merge","cause_event_id":null,"currency":"EUR","merged_into":"bob"}`, i, i)
			value, err := published.Append(t.Context(), nil, output.CLV, []byte(text))
			require.NoError(t, err)
			if i == n-1 {
				value = append(value, "more"...)
			} else {
				want = append(want, text)
			}
			batches.BatchFor(output.CLV.Name(namespace), 0, 1000).Append(time.Now().UnixMilli(), []byte("ada"), value, kafka.EncodeHeaders(nil, []kafka.Header{{Key: output.HeaderLedgerID, Value: []byte("ledger")}}))
		}
	})
	var mu sync.Mutex
	var got []string
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		var body struct {
			Data json.RawMessage `json:"data"`
		}
		text, err := io.ReadAll(request.Body)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && json.Unmarshal(text, &body) == nil {
			got = append(got, string(body.Data))
		}
	}))
	defer receiver.Close()
	schemas.Answer(http.StatusServiceUnavailable)
	w.outputs = outputs() // knows no schema yet
	w.start(w.destination("crm", receiver.URL, "topics: [clv]"))
	w.eventually("the wait", func() bool {
		for _, line := range w.logs.FilterMessage("delivery waits, and is tried again").All() {
			if line.ContextMap()["cause"] == "registry" {
				return true
			}
		}
		return false
	})
	mu.Lock()
	require.Empty(t, got)
	mu.Unlock()
	schemas.Fail(nil)
	w.eventually("all", func() bool { return w.outcome("delivered") == n-1 && w.outcome("dead_letter") == 1 })
	require.Equal(t, want, got)
	_, reasons := w.letters()
	require.Equal(t, []string{"mainstay.unreadable"}, reasons)
}
