package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// hooks is a receiver that refuses customers by name.
type hooks struct {
	*httptest.Server

	mu     sync.Mutex
	refuse string
	got    map[string]string // bodies by id
	order  []string          // ids, as they came
}

func newHooks(t *testing.T) *hooks {
	t.Helper()
	h := &hooks{got: map[string]string{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.refuse != "" && strings.Contains(string(body), h.refuse) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		h.got[r.Header.Get("webhook-id")] = string(body)
		h.order = append(h.order, r.Header.Get("webhook-id"))
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hooks) has(parts ...string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, body := range h.got {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(body, p)
		}
		if all {
			return true
		}
	}
	return false
}

// The whole way of an operator: check, test, deliver, pause, resume, dead letters, replay.
func TestWebhooks(t *testing.T) {
	h := newHooks(t)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600))
	file := filepath.Join(t.TempDir(), "destinations.yml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `destinations:
  - {name: crm, url: %q, allow_private: true, secret_files: [%s], topics: [clv]}
`, h.URL, secret), 0o600))
	w := newWorld(t, "MAINSTAY_HTTP_LISTEN=127.0.0.1:0", "MAINSTAY_ROLES=intake,fold,http,deliver", "MAINSTAY_DELIVER_DESTINATIONS_FILE="+file, "MAINSTAY_LOG_LEVEL=info")
	code, _, errs := w.run("run")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "mainstay.deliver.crm.dlq")
	require.Contains(t, w.mustRun("topics", "plan", "--acls"), "--group 'mainstay-deliver-crm'")
	w.mustRun("topics", "apply")
	require.Contains(t, w.mustRun("deliver", "status"), "no process has the role deliver")

	out := w.mustRun("deliver", "test", "crm", "--output", "json")
	require.JSONEq(t, `[{"topic":"clv","result":"ok","status":200,"error":""}]`, out)
	require.True(t, h.has("sample-customer"))
	code, _, errs = w.run("deliver", "test", "other")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, `no destination is named "other"; there are crm`)

	h.mu.Lock()
	h.refuse = "grace"
	h.mu.Unlock()
	b := w.start("run")
	joined := func() bool { return strings.Contains(w.mustRun("deliver", "status"), "running") }
	w.eventually(joined, "a member")
	begun := func() bool { return strings.Contains(b.errs.String(), "generation of the deliver to crm group") }
	w.eventually(begun, "a generation")
	send := func(customer, order string) {
		w.mustRun("send", "purchase", "--customer", customer, "--order", order, "--total", "10", "--currency", "USD", "--wait")
	}
	send("ada", "1")
	w.eventually(func() bool { return h.has(`"customer_id":"ada"`, `"historic_number_of_orders":1`) }, "the webhook")
	send("grace", "1")
	send("ada", "2")
	w.eventually(func() bool { return h.has(`"customer_id":"ada"`, `"historic_number_of_orders":2`) }, "the webhook after a refused one")
	letters := func() string { return w.mustRun("deliver", "dlq", "list", "crm") }
	w.eventually(func() bool { return strings.Contains(letters(), "http_400") }, "the dead letter")
	require.NotContains(t, b.errs.String(), "grace")

	require.Contains(t, w.mustRun("deliver", "pause", "crm"), "crm is paused")
	w.eventually(func() bool { return strings.Contains(b.errs.String(), "destination is paused or resumed") }, "the pause")
	send("ada", "3")
	w.eventually(func() bool {
		var all []struct {
			Paused bool    `json:"paused"`
			Left   int     `json:"undelivered_records"`
			Oldest *string `json:"oldest_undelivered_at"`
		}
		require.NoError(t, json.Unmarshal([]byte(w.mustRun("deliver", "status", "--output", "json")), &all))
		return all[0].Paused && all[0].Left > 0 && all[0].Oldest != nil
	}, "the status of a paused destination")
	require.False(t, h.has(`"customer_id":"ada"`, `"historic_number_of_orders":3`))
	w.mustRun("deliver", "resume", "crm")
	w.eventually(func() bool { return h.has(`"customer_id":"ada"`, `"historic_number_of_orders":3`) }, "the webhook after resuming")

	h.mu.Lock()
	h.refuse = ""
	h.mu.Unlock()
	require.Contains(t, w.mustRun("deliver", "dlq", "replay", "crm"), "1 of 1 would be sent")
	require.False(t, h.has("grace"))
	for range 2 { // a replay that is repeated has the same id
		require.Contains(t, w.mustRun("deliver", "dlq", "replay", "crm", "--apply"), "1 of 1 are sent")
	}
	replayed := func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		n := 0
		for _, id := range h.order {
			if strings.Contains(h.got[id], "grace") {
				n++
			}
		}
		return n == 2
	}
	w.eventually(replayed, "the replays")
	ids := map[string]bool{}
	h.mu.Lock()
	for id, body := range h.got {
		if strings.Contains(body, "grace") {
			ids[id] = true
		}
	}
	h.mu.Unlock()
	require.Len(t, ids, 1)
	require.Equal(t, exitOK, b.stop(), b.errs.String())
}

// What is wrong with the file of destinations is said before anything starts.
func TestWrongDestinations(t *testing.T) {
	file := filepath.Join(t.TempDir(), "destinations.yml")
	require.NoError(t, os.WriteFile(file, []byte("destinations:\n  - {name: crm, url: 'http://crm.example.com', secret_files: [x], topics: [clv]}\n"), 0o600))
	code, _, errs := run(t, []string{"MAINSTAY_DELIVER_DESTINATIONS_FILE=" + file}, "config", "validate")
	require.Equal(t, exitFindings, code)
	require.Contains(t, errs, "deliver.destinations_file (MAINSTAY_DELIVER_DESTINATIONS_FILE): "+file+":2: destination crm: url: must be https")
	code, _, errs = run(t, []string{"MAINSTAY_ROLES=deliver"}, "config", "validate")
	require.Equal(t, exitFindings, code)
	require.Contains(t, errs, "deliver.destinations_file: is needed with the role deliver")
}
