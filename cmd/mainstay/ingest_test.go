package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ingestAddress returns the address for events of a process, from its log.
func (b *background) ingestAddress(w *world) string {
	w.t.Helper()
	var at string
	w.eventually(func() bool {
		_, rest, ok := strings.Cut(b.errs.String(), `"ingest":"`)
		at, _, _ = strings.Cut(rest, `"`)
		return ok
	}, "an address")
	return at
}

// post sends events and returns the status and body of the answer.
func (w *world) post(address, kind, body string) (status int, text string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://"+address+"/v1/events/"+kind, strings.NewReader(body))
	require.NoError(w.t, err)
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	require.NoError(w.t, err)
	read, err := io.ReadAll(answer.Body)
	require.NoError(w.t, err)
	require.NoError(w.t, answer.Body.Close())
	return answer.StatusCode, string(read)
}

// postAndDisconnect sends events and goes away without an answer, as a client whose network fails.
func (w *world) postAndDisconnect(address, kind, body string) {
	w.t.Helper()
	conn, err := new(net.Dialer).DialContext(w.t.Context(), "tcp", address)
	require.NoError(w.t, err)
	_, err = fmt.Fprintf(conn, "POST /v1/events/%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", kind, len(body), body)
	require.NoError(w.t, err)
	_, err = bufio.NewReader(conn).ReadByte() // the first byte of the answer: Kafka has acknowledged, and the client never learns it
	require.NoError(w.t, err)
	require.NoError(w.t, conn.Close())
}

// A client that got no answer, because it or the process died after Kafka's acknowledgement, sends the same again: it counts once.
func TestEventsByHTTPCountOnce(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_LOG_LEVEL=info", "MAINSTAY_ROLES=intake,fold,http,ingest", "MAINSTAY_INGEST_LISTEN=127.0.0.1:0")
	first := `{"customer_id":"ada","order_id":"1","total":5,"currency":"USD","occurred_at":"2026-01-01T00:00:00Z"}`
	refund := `{"customer_id":"ada","kind":"refund","refund_id":"r","order_id":"1","total":2,"currency":"USD","occurred_at":"2026-01-02T00:00:00Z"}`
	w.postAndDisconnect(b.ingestAddress(w), "purchase", first)
	b.cancel() // at once, as by kill -9
	require.Equal(t, exitFailed, b.wait())

	b = w.start("run")
	at := b.ingestAddress(w)
	status, text := w.post(at, "purchase", first)
	require.Equal(t, http.StatusOK, status, text)
	require.JSONEq(t, `{"accepted":1,"skipped":[]}`, text)
	for range 2 {
		status, text = w.post(at, "cancellation", refund)
		require.Equal(t, http.StatusOK, status, text)
	}
	status, text = w.post(at, "purchase", strings.ReplaceAll(first, `"1"`, `"2"`)+first)
	require.Equal(t, http.StatusOK, status, text)
	c := w.customer("ada", orders("2"))
	require.Equal(t, "8.00", fmt.Sprint(valueAt(c, "clv", "historic_clv")))

	status, text = w.post(at, "purchase", `{"customer_id":"ada","order_id":"3","currency":"USD"}`)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, text, `"field":"total"`)
	require.Contains(t, w.mustRun("probe", at), "ready")
	require.Equal(t, exitOK, b.stop(), b.errs.String())
	w.mustRun("audit")
}

// Who exposes the intake over HTTP exposes neither pages nor API with it.
func TestIngestAlone(t *testing.T) {
	w := newWorld(t, "MAINSTAY_LOG_LEVEL=info", "MAINSTAY_ROLES=ingest", "MAINSTAY_INGEST_LISTEN=127.0.0.1:0")
	w.mustRun("topics", "apply")
	b := w.start("run")
	at := b.ingestAddress(w)
	for path, want := range map[string]int{"/readyz": 200, "/metrics": 200, "/": 404, "/status": 404, "/v1/customers": 404, "/v1/today": 404} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+at+path, nil)
		require.NoError(t, err)
		request.Close = true
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.Equal(t, want, answer.StatusCode, path)
		require.NoError(t, answer.Body.Close())
	}
	status, text := w.post(at, "survey", `{"customer_id":"ada","response_id":"1","score":9}`)
	require.Equal(t, http.StatusOK, status, text)
	require.Equal(t, exitOK, b.stop(), b.errs.String())
	code, _, errs := w.run("run", "--ingest-listen", w.servers.RedisAddress())
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "ingest.listen (MAINSTAY_INGEST_LISTEN): "+w.servers.RedisAddress()+" is taken")
}
