package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/edge/api"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/stream/callmark"
	"github.com/mainstay/mainstay/pkg/stream/enter"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
)

const markPath = "/v1/customers/{id}/mark"

// slipping are customers who stopped buying.
const slipping = `2026-01-01 purchase ada order=a1 total=400
2026-01-01 purchase علی order=b1 total=300
2026-01-08 purchase ada order=a2 total=400
2026-01-08 purchase علی order=b2 total=300
2026-01-15 purchase a/b?c#d order=c1 total=200
2026-01-15 purchase a/b?c#d order=c2 total=200
2026-05-04 tick
`

func (w *world) post(t *testing.T, path, body string, header ...string) (int, []byte, http.Header) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	return answer.Code, answer.Body.Bytes(), answer.Header()
}

func (w *world) today(t *testing.T, query string) (ids []string, hidden int64) {
	t.Helper()
	answer := w.object(t, "/v1/today"+query)
	for _, c := range answer["customers"].([]any) {
		ids = append(ids, c.(map[string]any)["customer_id"].(string))
	}
	hidden, err := answer["hidden"].(json.Number).Int64()
	require.NoError(t, err)
	return ids, hidden
}

// A mark is seen at once: in the list, though it is kept and customers are not read again, and by whoever has the customer's answer already. Taken
// back, the list is as before.
func TestMarks(t *testing.T) {
	w := newWorld(t, slipping)
	_, schemaOf := document(t, w)
	before, hidden := w.today(t, "")
	require.Len(t, before, 3)
	require.Zero(t, hidden)
	w.today(t, "?all=true")
	walks := w.Walks.Load()
	for i, id := range before {
		path := "/v1/customers/" + url.PathEscape(id)
		_, _, header := w.get(t, path)
		tag := header.Get("ETag")
		for _, sent := range []string{`{"mark":"done","by":"Ann"}`, `{"mark":"done","by":"Ann","note":"will order"}`, `{"mark":"snooze","until":"7d"}`} {
			for range 2 { // again is as once
				status, body, _ := w.post(t, path+"/mark", sent)
				require.Equal(t, http.StatusOK, status, "%s", body)
				fits(t, schemaOf(markPath, "200", "application/json"), body, sent)
				require.Equal(t, id, object(t, body)["customer_id"])
			}
			status, body, header := w.get(t, path, "If-None-Match", tag)
			require.Equal(t, http.StatusOK, status, "%s: its mark is another", sent)
			fits(t, schemaOf("/v1/customers/{id}", "200", "application/json"), body, id)
			tag = header.Get("ETag")
			ids, hidden := w.today(t, "")
			require.Equal(t, before[i+1:], append([]string{}, ids...))
			require.Equal(t, int64(i+1), hidden)
			all, hidden := w.today(t, "?all=true")
			require.Equal(t, before, all)
			require.Zero(t, hidden)
		}
		row := w.object(t, "/v1/today?all=true")["customers"].([]any)[i].(map[string]any)
		require.Equal(t, "2026-05-11T00:00:00Z", row["snoozed_until"])
		require.Nil(t, row["done_at"])
	}
	for _, id := range before {
		status, body, _ := w.post(t, "/v1/customers/"+url.PathEscape(id)+"/mark", `{"mark":"clear"}`)
		require.Equal(t, http.StatusOK, status, "%s", body)
		require.Nil(t, object(t, body)["until"])
	}
	after, hidden := w.today(t, "")
	require.Equal(t, before, after)
	require.Zero(t, hidden)
	require.Equal(t, walks, w.Walks.Load(), "customers were read again")
}

func TestMarksThatAreRefused(t *testing.T) {
	w := newWorld(t, slipping)
	_, schemaOf := document(t, w)
	const path, right = "/v1/customers/ada/mark", `{"mark":"done"}`
	for _, c := range []struct {
		status           int
		name, path, body string
		header           []string
	}{
		{400, "bad_parameter", path, `{"mark":"finished"}`, nil},
		{400, "bad_parameter", path, `{}`, nil},
		{400, "bad_parameter", path, `{"mark":"snooze"}`, nil},
		{400, "bad_parameter", path, `{"mark":"snooze","until":"2020-01-01"}`, nil},
		{400, "bad_parameter", path, `{"mark":"done","until":"7d"}`, nil},
		{400, "bad_parameter", path, `{"mark":"done","by":"` + strings.Repeat("x", 41) + `"}`, nil},
		{400, "bad_parameter", path, `{"mark":"done","note":"a\nb"}`, nil},
		{400, "unknown_parameter", path, `{"mark":"done","action":"done"}`, nil},
		{400, "unknown_parameter", path + "?mark=done", right, nil},
		{400, "bad_body", path, `{"mark":1}`, nil},
		{400, "bad_body", path, `[]`, nil},
		{400, "bad_body", path, ``, nil},
		{413, "body_too_large", path, `{"mark":"done","note":"` + strings.Repeat("x", 9000) + `"}`, nil},
		{415, "unsupported_media_type", path, right, []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{415, "unsupported_media_type", path, right, []string{"Content-Type", ""}},
		{403, "foreign_origin", path, right, []string{"Sec-Fetch-Site", "cross-site"}},
		{403, "foreign_origin", path, right, []string{"Origin", "https://shop.example"}},
		{404, "unknown_customer", "/v1/customers/nobody/mark", right, nil},
	} {
		status, body, header := w.post(t, c.path, c.body, c.header...)
		require.Equal(t, c.status, status, "%s: %s", c.body, body)
		require.Equal(t, "application/problem+json", header.Get("Content-Type"))
		require.Equal(t, server.ProblemType(c.name), object(t, body)["type"], c.body)
		fits(t, schemaOf(markPath, fmt.Sprint(c.status), "application/problem+json"), body, c.body)
		require.Nil(t, w.object(t, "/v1/customers/ada")["mark"], "%s: nothing was changed", c.body)
	}
	status, body, header := w.post(t, "/v1/today", right)
	require.Equal(t, http.StatusMethodNotAllowed, status, "%s", body)
	require.Equal(t, "GET, HEAD", header.Get("Allow"))
	status, body, _ = w.post(t, path, right, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusOK, status, "%s", body)
}

// A token that reads customers does not mark them.
func TestMarksHaveAScopeOfTheirOwn(t *testing.T) {
	posts := 0
	for _, r := range api.Routes(nil, nil, zap.NewNop()) {
		is := strings.HasPrefix(r.Pattern, "POST ")
		require.Equal(t, is, r.Scope == server.ScopeMarks, r.Pattern)
		if is {
			posts++
		}
	}
	require.Equal(t, 1, posts)
}

// A mark that is not folded yet is answered as accepted; what the servers say against it is a problem of its own.
func TestMarksThatTheFoldHasNotComeTo(t *testing.T) {
	w := newWorld(t, slipping)
	_, schemaOf := document(t, w)
	for want, failure := range map[string]error{"": nil, "503 unavailable": errors.New("dial tcp: refused"), "503 no_state_yet": lookup.ErrNoState, "409 ledger_is_copied": enter.ErrCopying} {
		mux := http.NewServeMux()
		for _, r := range api.Routes(nil, func(_ context.Context, id string, _ callmark.Statement) (callmark.Entered, error) {
			return callmark.Entered{Customer: id, Place: enter.Place{Partition: 1, Offset: 7}}, failure
		}, zap.NewNop()) {
			mux.Handle(r.Pattern, r.Handler)
		}
		w.handler = mux
		status, body, _ := w.post(t, "/v1/customers/ada/mark", `{"mark":"done"}`)
		if failure == nil {
			require.Equal(t, http.StatusAccepted, status)
			fits(t, schemaOf(markPath, "202", "application/json"), body, "accepted")
			require.Equal(t, map[string]any{"partition": json.Number("1"), "offset": json.Number("7")}, object(t, body)["ledger"])
			require.Equal(t, false, object(t, body)["folded"])
			continue
		}
		code, name, _ := strings.Cut(want, " ")
		require.Equal(t, code, fmt.Sprint(status), "%s", body)
		require.Equal(t, server.ProblemType(name), object(t, body)["type"])
		fits(t, schemaOf(markPath, code, "application/problem+json"), body, want)
		require.NotContains(t, string(body), "refused")
	}
}
