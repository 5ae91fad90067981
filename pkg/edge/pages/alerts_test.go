package pages_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// events reads server-sent events until as many as wanted have come: their ids and data.
func events(t *testing.T, address string, header http.Header, want int) (ids, data []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	require.NoError(t, err)
	request.Header = header
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close() //nolint:errcheck // it was read
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Equal(t, "text/event-stream", answer.Header.Get("Content-Type"))
	for lines := bufio.NewScanner(answer.Body); len(data) < want && lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			ids = append(ids, id)
		}
		if item, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			data = append(data, item)
		}
	}
	require.Len(t, data, want)
	return ids, data
}

func TestAlertsAreSentAsTheyHappen(t *testing.T) {
	w := newWorld(t, shop, nil, topic{raised("a\n\ndata: b", 1), raised(hostile, 2), raised(persian, 3)})
	server := httptest.NewServer(w.handler)
	defer server.Close()
	ids, data := events(t, server.URL+"/alerts/live?after=0", http.Header{}, 3)
	require.Equal(t, []string{"1", "2", "3"}, ids)
	require.Contains(t, data[0], `a\u000a\u000adata: b`, "an id cannot begin an event of its own")
	require.Contains(t, data[1], "&lt;script&gt;alert(1)")
	require.NotContains(t, data[1], "<script")
	require.Contains(t, data[2], persian)
	require.Regexp(t, "^<li>.*</li>$", data[2])

	ids, _ = events(t, server.URL+"/alerts/live?after=2", http.Header{}, 1)
	require.Equal(t, []string{"3"}, ids)
	ids, _ = events(t, server.URL+"/alerts/live?after=0", http.Header{"Last-Event-Id": {"1"}}, 2)
	require.Equal(t, []string{"2", "3"}, ids, "a browser that connects again goes on where it was")
	ids, _ = events(t, server.URL+"/alerts/live?after=700", http.Header{}, 3)
	require.Equal(t, []string{"1", "2", "3"}, ids, "the number is of a process before")
}

func TestClearedAlertsSayWhy(t *testing.T) {
	cleared := func(reason string) []byte {
		return []byte(`{"customer_id":"a","rule":"churn_risk_high","severity":"warning","state":"cleared","as_of":"2026-05-01T00:00:00Z","cleared_reason":"` + reason + `"}`)
	}
	_, body, _ := newWorld(t, shop, nil, topic{cleared("condition"), cleared("terms_changed"), cleared("account_closed")}).get(t, "/alerts")
	for _, text := range []string{"cleared for", "it no longer holds", "new parameters, value tiers or settings have ended it", "Account closed"} {
		require.Contains(t, body, text)
	}
}
