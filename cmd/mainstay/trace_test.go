package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/output"
)

// TestTraceContextPasses verifies that the trace context of an event's request reaches the outputs that the event causes, also those of the
// customer who referred the buyer, whom another ledger partition may have; that no other header does, and none that is too long; and that
// the audit knows of it.
func TestTraceContextPasses(t *testing.T) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	w, b := newRunningWorld(t, "MAINSTAY_LOG_LEVEL=info", "MAINSTAY_ROLES=intake,fold,ingest", "MAINSTAY_INGEST_LISTEN=127.0.0.1:0")
	at := b.ingestAddress(w)
	post := func(kind, body string, headers map[string]string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+at+"/v1/events/"+kind, strings.NewReader(body))
		require.NoError(t, err)
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		request.Close = true
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusOK, answer.StatusCode)
	}
	post("purchase", `{"customer_id":"ada","order_id":"1","total":5,"currency":"USD","occurred_at":"2026-01-01T00:00:00Z"}`, nil)
	post("referral", `{"referrer_customer_id":"ada","referred_customer_id":"ben","status":"approved","occurred_at":"2026-01-01T00:00:00Z"}`, nil)
	w.customer("ada", orders("1"))
	post("purchase", `{"customer_id":"ben","order_id":"2","total":20,"currency":"USD","occurred_at":"2026-01-02T00:00:00Z"}`,
		map[string]string{"Traceparent": trace, "Tracestate": strings.Repeat("x", 513), "X-Secret": "1"})
	w.customer("ben", orders("1"))

	k, err := kafka.New(kafka.Config{Brokers: []string{w.servers.KafkaAddress()}})
	require.NoError(t, err)
	defer k.Close()
	traced := func() map[string]bool { // customers by whether their latest value bears the trace
		found := map[string]bool{}
		topic := output.CLV.Name("mainstay")
		bounds, err := k.ListOffsets(t.Context(), topic, []int32{0, 1})
		require.NoError(t, err)
		for p, end := range bounds {
			_, err := k.ReadCommitted(t.Context(), topic, p, 0, end.LastStable, func(r kafka.Record) error {
				value, ok := r.Header("traceparent")
				require.True(t, !ok || string(value) == trace)
				found[string(r.Key)] = ok
				for _, name := range []string{"tracestate", "X-Secret", "x-secret"} {
					_, ok = r.Header(name)
					require.False(t, ok, name)
				}
				return nil
			})
			require.NoError(t, err)
		}
		return found
	}
	w.eventually(func() bool { return traced()["ada"] }, "the trace in the value of who referred the buyer")
	require.True(t, traced()["ben"])
	require.Equal(t, exitOK, b.stop(), b.errs.String())
	w.mustRun("audit")
}
