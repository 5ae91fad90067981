package pages_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/pkg/edge/pages"
	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/testbed/population"
)

var (
	formOfMark = regexp.MustCompile(`(?s)<form class="marks" method="post" action="/mark">(.*?)</form>`)
	hiddenOf   = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)">`)
	buttonOf   = regexp.MustCompile(`<button name="mark" value="([a-z]+)" aria-label="([^"]*)">([^<]*)</button>`)
)

// press sends the form of the customer persian as a browser does, when a button is pressed.
func (w *world) press(t *testing.T, page, button string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	_, body, _ := w.get(t, page)
	for _, form := range formOfMark.FindAllStringSubmatch(body, -1) {
		fields := url.Values{}
		for _, m := range hiddenOf.FindAllStringSubmatch(form[1], -1) {
			fields.Set(m[1], m[2])
		}
		if fields.Get("id") != persian {
			continue
		}
		for _, m := range buttonOf.FindAllStringSubmatch(form[1], -1) {
			require.True(t, strings.HasPrefix(m[2], m[3]+": "+persian), "the name of a button begins with what is seen, and ends with whom it is about")
			if m[3] == button {
				fields.Set("mark", m[1])
			}
		}
		require.NotEmpty(t, fields.Get("mark"), "no button %s in %s", button, form[1])
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mark", strings.NewReader(fields.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		answer := httptest.NewRecorder()
		w.handler.ServeHTTP(answer, r)
		return answer
	}
	require.Fail(t, "no form", "%s on %s", persian, page)
	return nil
}

// Pressed buttons lead back to the page on which they were, which says what holds now and offers to undo it.
func TestCallMarkButtons(t *testing.T) {
	w := newWorld(t, shop, nil)
	listed := func(path string) bool {
		_, body, _ := w.get(t, path)
		_, table, _ := strings.Cut(body, "<tbody>")
		return strings.Contains(table, ">"+persian+"<")
	}
	follow := func(a *httptest.ResponseRecorder, path string) string {
		t.Helper()
		require.Equal(t, http.StatusSeeOther, a.Code, a.Body)
		require.True(t, strings.HasPrefix(a.Header().Get("Location"), path), a.Header().Get("Location"))
		status, body, header := w.get(t, a.Header().Get("Location"))
		require.Equal(t, http.StatusOK, status)
		sound(t, path, body, header)
		return body
	}
	require.True(t, listed("/?capacity=50"))
	body := follow(w.press(t, "/?capacity=50", "Done"), "/?capacity=50&")
	require.Contains(t, body, `role="status"`)
	require.Contains(t, body, `Done on 2026-05-04, left out of Today until <time datetime="2026-05-18T00:00:00Z">2026-05-18 00:00 UTC</time> or a new alert.`)
	require.Contains(t, body, "1 more are marked as done or snoozed")
	require.False(t, listed("/?capacity=50"))
	require.True(t, listed("/?capacity=50&all=true"))
	body = follow(w.press(t, "/?capacity=50&all=true", "Undo"), "/?all=true&capacity=50&")
	require.Contains(t, body, "Not marked.")
	require.True(t, listed("/?capacity=50"))

	body = follow(w.press(t, "/customer?id="+url.QueryEscape(persian), "Snooze a week"), "/customer?")
	require.Contains(t, body, `left out of Today until <time datetime="2026-05-11T00:00:00Z">`)
	require.False(t, listed("/"))
	follow(w.press(t, "/customer?id="+url.QueryEscape(persian), "Undo"), "/customer?")
	require.True(t, listed("/"))

	status, body, _ := w.get(t, "/?marked="+url.QueryEscape(persian)+"&entry=99999999")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "It shows here in some seconds", "the fold has not come to it")
	require.Contains(t, body, `http-equiv="refresh"`)
	for _, query := range []string{"marked=nobody&entry=1", "marked=" + url.QueryEscape(persian), "marked=" + url.QueryEscape(persian) + "&entry=x", "entry=1"} {
		_, body, _ := w.get(t, "/?"+query)
		require.NotContains(t, body, `role="status"`, query)
	}
}

// What another host's page has a browser send changes nothing, whatever it is.
func TestForeignPagesMarkNobody(t *testing.T) {
	w := newWorld(t, shop, nil)
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", "http://example.com:81"}} {
		a := w.press(t, "/", "Done", header...)
		require.Equal(t, http.StatusForbidden, a.Code, header)
		sound(t, "/mark", a.Body.String(), a.Header())
	}
	_, body, _ := w.get(t, "/")
	require.NotContains(t, body, "marked as done")
	require.Equal(t, http.StatusSeeOther, w.press(t, "/", "Done", "Sec-Fetch-Site", "same-origin", "Origin", "http://example.com").Code)
	status, _, _ := w.get(t, "/mark")
	require.Equal(t, http.StatusMethodNotAllowed, status, "an address alone changes nothing")
}

// A token that reads customers marks none of them, and its pages have no buttons.
func TestReadersHaveNoButtons(t *testing.T) {
	p, err := population.New(shop)
	require.NoError(t, err)
	v := views.New(views.Config{Source: p, Now: time.Now, DoneFor: time.Hour})
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	tokens, err := yaml.Marshal([]server.Token{
		server.NewToken("reader", "reads", []server.Scope{server.ScopeCustomers}),
		server.NewToken("Ann", "both", []server.Scope{server.ScopeCustomers, server.ScopeMarks}),
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, tokens, 0o600))
	s, err := server.Listen(t.Context(), server.Options{
		Listen: "127.0.0.1:0", TokensFile: file, Log: zap.NewNop(), Metrics: prometheus.NewRegistry(), Deadline: time.Minute,
		Routes: pages.Routes(pages.Config{Views: v, Mark: v.Marking(p.Mark), Zone: time.UTC, Now: time.Now, Log: zap.NewNop()}),
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, path, token, body string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Address()+path, strings.NewReader(body))
		require.NoError(t, err)
		r.SetBasicAuth("anybody", token)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := client.Do(r)
		require.NoError(t, err)
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(text)
	}
	form := "mark=done&id=" + url.QueryEscape(persian)
	for token, may := range map[string]bool{"reads": false, "both": true} {
		for _, path := range []string{"/", "/customer?id=" + url.QueryEscape(persian)} {
			status, body := ask(http.MethodGet, path, token, "")
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, may, strings.Contains(body, `action="/mark"`), "%s on %s", token, path)
		}
	}
	status, _ := ask(http.MethodPost, "/mark", "reads", form)
	require.Equal(t, http.StatusForbidden, status)
	status, _ = ask(http.MethodPost, "/mark", "both", form)
	require.Equal(t, http.StatusSeeOther, status)
	_, body := ask(http.MethodGet, "/?all=true", "reads", "")
	require.Contains(t, body, `Done by <span class="id" dir="auto">Ann</span> on`, "whose token it was")
	stop()
	require.NoError(t, <-ended)
}

func TestFormsThatAreRefused(t *testing.T) {
	w := newWorld(t, shop, nil)
	for form, want := range map[string]int{
		"id=" + url.QueryEscape(persian) + "&mark=finished":                                    400,
		"id=" + url.QueryEscape(persian) + "&mark=done&note=" + strings.Repeat("x", 201):       400,
		"id=" + url.QueryEscape(persian) + "&mark=done&page=//evil.example&capacity=%0d%0aX:1": 303,
		"id=nobody&mark=done": 404,
		"":                    404,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mark", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		w.handler.ServeHTTP(answer, r)
		require.Equal(t, want, answer.Code, form)
		if want == http.StatusSeeOther {
			require.Regexp(t, `^/\?[^\r\n]*$`, answer.Header().Get("Location"))
			continue
		}
		sound(t, "/mark", answer.Body.String(), answer.Header())
	}
}
