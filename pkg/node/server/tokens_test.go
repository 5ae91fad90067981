package server_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/pkg/node/server"
)

func writeTokens(t *testing.T, path string, tokens ...server.Token) {
	t.Helper()
	content, err := yaml.Marshal(tokens)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, content, 0o600))
}

// bearing requests with a token; an empty one is no header.
func bearing(t *testing.T, url, authorization string) (int, string, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	answer, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(body), answer.Header.Get("WWW-Authenticate")
}

// Every path of both listeners but health needs a token with its scope, whatever else the request bears.
func TestTokensOpenWhatTheirScopesSay(t *testing.T) {
	opts := options()
	opts.TokensFile = filepath.Join(t.TempDir(), "tokens.yaml")
	opts.AdminListen = "127.0.0.1:0"
	opts.StatusJSON = func() any { return "status" }
	writeTokens(t, opts.TokensFile,
		server.NewToken("prometheus", "metrics-token", []server.Scope{server.ScopeMetrics}),
		server.NewToken("operator", "status-token", []server.Scope{server.ScopeStatus, server.ScopeProfile}))
	s := serve(t, opts)
	public, admin := "http://"+s.Address(), "http://"+s.AdminAddress()

	for path, scope := range map[string]server.Scope{
		public + "/status": server.ScopeStatus, public + "/metrics": server.ScopeMetrics,
		admin + "/debug/pprof/": server.ScopeProfile, admin + "/debug/pprof/cmdline": server.ScopeProfile, admin + "/nothing": server.ScopeProfile,
	} {
		right, other := "status-token", "metrics-token"
		if scope == server.ScopeMetrics {
			right, other = other, right
		}
		for _, wrong := range []string{
			"", "Bearer", "Bearer ", "Bearer unknown", "Bearer " + right + "x", "Bearer " + right[1:], "Basic " + right, right,
			"Bearer " + server.NewToken("", right, nil).SHA256, "Bearer " + strings.ToUpper(right),
		} {
			status, body, challenge := bearing(t, path, wrong)
			require.Equal(t, http.StatusUnauthorized, status, "%s %q: %s", path, wrong, body)
			require.Contains(t, challenge, `Bearer realm="mainstay"`)
		}
		status, body, challenge := bearing(t, path, "Bearer "+other)
		require.Equal(t, http.StatusForbidden, status, path)
		require.Equal(t, "the token lacks the scope "+string(scope)+"\n", body)
		require.Contains(t, challenge, `error="insufficient_scope", scope="`+string(scope)+`"`)
		for _, authorization := range []string{"Bearer " + right, "bearer  " + right + " "} {
			status, _, _ = bearing(t, path, authorization)
			require.Contains(t, []int{http.StatusOK, http.StatusNotFound}, status, path)
		}
	}
	for _, path := range []string{"/livez", "/readyz", "/readyz?verbose"} {
		status, _, _ := bearing(t, public+path, "")
		require.Equal(t, http.StatusOK, status, path)
	}
	require.NoError(t, server.Probe(t.Context(), s.Address()))
}

func TestTokensAreReadAgain(t *testing.T) {
	core, logged := observer.New(zap.InfoLevel)
	opts := options()
	opts.Log = zap.New(core)
	opts.TokensFile = filepath.Join(t.TempDir(), "tokens.yaml")
	one := server.NewToken("one", "token-one", []server.Scope{server.ScopeMetrics})
	two := server.NewToken("two", "token-two", []server.Scope{server.ScopeMetrics})
	writeTokens(t, opts.TokensFile, one)
	s := serve(t, opts)
	metrics := func(token string) int {
		status, _, _ := bearing(t, "http://"+s.Address()+"/metrics", "Bearer "+token)
		return status
	}
	at := time.Now()
	changed := func() { // whatever the resolution of the file system's clock is
		at = at.Add(time.Minute)
		require.NoError(t, os.Chtimes(opts.TokensFile, at, at))
	}
	require.Equal(t, []int{200, 401}, []int{metrics("token-one"), metrics("token-two")})

	writeTokens(t, opts.TokensFile, two)
	changed()
	require.Equal(t, []int{401, 200}, []int{metrics("token-one"), metrics("token-two")})

	require.NoError(t, os.WriteFile(opts.TokensFile, []byte("- name: x\n  sha25"), 0o600))
	changed()
	require.Equal(t, []int{500, 500}, []int{metrics("token-two"), metrics("token-two")}, "the change may have been a revocation")
	require.Len(t, logged.FilterLevelExact(zap.ErrorLevel).All(), 1, "once, not for each request")
	status, _, _ := bearing(t, "http://"+s.Address()+"/livez", "")
	require.Equal(t, 200, status)

	require.NoError(t, os.Remove(opts.TokensFile))
	require.Equal(t, 500, metrics("token-two"))
	writeTokens(t, opts.TokensFile, one, two)
	changed()
	require.Equal(t, []int{200, 200}, []int{metrics("token-one"), metrics("token-two")})
	require.NotEmpty(t, logged.FilterMessage("read the file of tokens again").All())
	for _, line := range logged.All() {
		require.NotContains(t, line.ContextMap(), "token-one")
	}
}

func TestTokenFilesThatAreRefused(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	for content, want := range map[string]string{
		"name: x": "must be a YAML list of entries",
		"- {name: x, sha256: abc, scopes: [metrics]}":                      "entry 1 (x): sha256 must be 64 hexadecimal digits",
		"- {name: x, sha256: " + sum + "}":                                 "entry 1 (x): scopes must name at least one of [metrics status customers marks events profile]",
		"- {name: x, sha256: " + sum + ", scopes: [admin]}":                `entry 1 (x): scope "admin" is not one of [metrics status customers marks events profile]`,
		"- {name: x, token: plain, sha256: " + sum + ", scopes: [status]}": "field token not found",
	} {
		_, err := server.ParseTokens([]byte(content))
		require.ErrorContains(t, err, want, content)
	}
	none, err := server.ParseTokens(nil)
	require.NoError(t, err)
	require.Empty(t, none)

	opts := options()
	opts.TokensFile = filepath.Join(t.TempDir(), "none")
	_, err = server.Listen(t.Context(), opts)
	require.ErrorContains(t, err, "http.tokens_file (MAINSTAY_HTTP_TOKENS_FILE): ")
}

// Off loopback and without tokens a process serves health alone, so that its orchestrator can still judge it.
func TestOffLoopbackOnlyHealthIsServedWithoutTokens(t *testing.T) {
	core, logged := observer.New(zap.WarnLevel)
	opts := options()
	opts.Listen, opts.Log = "0.0.0.0:0", zap.New(core)
	opts.StatusJSON = func() any { return "status" }
	reached := func(s *server.Server, path string) (int, string) {
		status, body, _ := bearing(t, "http://127.0.0.1:"+s.Address()[strings.LastIndex(s.Address(), ":")+1:]+path, "Bearer x")
		return status, body
	}
	s := serve(t, opts)
	for _, path := range []string{"/status", "/metrics"} {
		status, body := reached(s, path)
		require.Equal(t, http.StatusUnauthorized, status, path)
		require.Contains(t, body, "http.tokens_file is not set")
	}
	for _, path := range []string{"/livez", "/readyz"} {
		status, _ := reached(s, path)
		require.Equal(t, http.StatusOK, status, path)
	}
	require.Len(t, logged.All(), 1)
	require.Contains(t, logged.All()[0].Message, "only /livez and /readyz are served")

	opts.AllowAnonymous = true
	status, _ := reached(serve(t, opts), "/metrics")
	require.Equal(t, http.StatusOK, status)

	opts = options()
	opts.AdminListen, opts.AllowRemoteAdmin = "0.0.0.0:0", true
	_, err := server.Listen(t.Context(), opts)
	require.ErrorContains(t, err, "set http.tokens_file, so that profiles need a token")
}

func FuzzParseTokens(f *testing.F) {
	f.Add([]byte("- {name: x, sha256: " + strings.Repeat("ab", 32) + ", scopes: [metrics]}"))
	f.Add([]byte("- &a [*a]"))
	f.Fuzz(func(t *testing.T, content []byte) {
		tokens, err := server.ParseTokens(content)
		if err != nil {
			return
		}
		written, err := yaml.Marshal(tokens)
		require.NoError(t, err)
		again, err := server.ParseTokens(bytes.TrimSpace(written))
		require.NoError(t, err)
		require.Len(t, again, len(tokens))
	})
}

// Without tokens, a web page elsewhere can reach a loopback address through a name of its own. It does not get customers by that.
func TestCustomersAreNotShownUnderForeignNames(t *testing.T) {
	shown := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("customers")) })
	opts := options()
	opts.Routes = []server.Route{
		{Pattern: "GET /v1/customers", Scope: server.ScopeCustomers, Handler: shown},
		{Pattern: "GET /customer", Scope: server.ScopeCustomers, Browser: true, Handler: shown},
		{Pattern: "GET /v1/status", Scope: server.ScopeStatus, Handler: shown},
		{Pattern: "GET /v1/events", Scope: server.ScopeEvents, Handler: shown},
		{Pattern: "GET /v1/marks", Scope: server.ScopeMarks, Handler: shown},
	}
	ask := func(s *server.Server, path, host string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Address()+path, nil)
		require.NoError(t, err)
		req.Host = host
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	s := serve(t, opts)
	for host, want := range map[string]int{
		"localhost": 200, "localhost:8080": 200, "127.0.0.1:1": 200, "[::1]:8080": 200, "10.0.0.1": 200,
		"evil.example": 403, "evil.example:8080": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "evil.example@127.0.0.1": 403,
	} {
		require.Equal(t, want, ask(s, "/v1/customers", host), host)
		require.Equal(t, want, ask(s, "/customer", host), host)
		require.Equal(t, want, ask(s, "/v1/events", host), host)
		require.Equal(t, want, ask(s, "/v1/marks", host), host)
		require.Equal(t, 200, ask(s, "/v1/status", host), host)
	}
	opts.AllowAnonymous = true
	require.Equal(t, 200, ask(serve(t, opts), "/v1/customers", "mainstay.internal"))
}

// A browser gives the token as a password; a program that is refused gets a problem.
func TestTokensOfBrowsersAndPrograms(t *testing.T) {
	opts := options()
	opts.TokensFile = filepath.Join(t.TempDir(), "tokens.yaml")
	writeTokens(t, opts.TokensFile, server.NewToken("support", "right", []server.Scope{server.ScopeCustomers}), server.NewToken("other", "other", []server.Scope{server.ScopeMetrics}))
	shown := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("customers")) })
	opts.Routes = []server.Route{
		{Pattern: "GET /v1/customers", Scope: server.ScopeCustomers, Handler: shown},
		{Pattern: "GET /customer", Scope: server.ScopeCustomers, Browser: true, Handler: shown},
	}
	url := "http://" + serve(t, opts).Address()
	basic := func(password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+password))
	}
	for authorization, want := range map[string][2]int{
		"": {401, 401}, "Bearer right": {200, 200}, "Bearer other": {403, 403}, "Bearer wrong": {401, 401},
		basic("right"): {401, 200}, basic("other"): {401, 403}, basic("wrong"): {401, 401}, basic(""): {401, 401}, "Basic right": {401, 401},
	} {
		status, body, _ := bearing(t, url+"/v1/customers", authorization)
		require.Equal(t, want[0], status, authorization)
		if status != 200 {
			require.Contains(t, body, `"type":"urn:mainstay:problem:`, authorization)
		}
		status, _, _ = bearing(t, url+"/customer", authorization)
		require.Equal(t, want[1], status, authorization)
	}
}

// A token that reads marks nobody, one that marks reads nobody, and a handler knows what would be served. Without tokens everything would.
func TestWhoMayMark(t *testing.T) {
	opts := options()
	opts.TokensFile = filepath.Join(t.TempDir(), "tokens.yaml")
	writeTokens(t, opts.TokensFile, server.NewToken("reader", "reads", []server.Scope{server.ScopeCustomers}),
		server.NewToken("crm", "marks", []server.Scope{server.ScopeMarks}), server.NewToken("Ann", "both", []server.Scope{server.ScopeMarks, server.ScopeCustomers}))
	caller := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := server.CallerOf(r)
		_, _ = fmt.Fprint(w, c.Name, " ", c.May(server.ScopeCustomers), " ", c.May(server.ScopeMarks))
	})
	opts.Routes = []server.Route{{Pattern: "GET /shown", Scope: server.ScopeCustomers, Handler: caller}, {Pattern: "GET /marked", Scope: server.ScopeMarks, Handler: caller}}
	url := "http://" + serve(t, opts).Address()
	for token, want := range map[string][2]string{"reads": {"reader true false", ""}, "marks": {"", "crm false true"}, "both": {"Ann true true", "Ann true true"}} {
		for i, path := range []string{"/shown", "/marked"} {
			status, body, _ := bearing(t, url+path, "Bearer "+token)
			if want[i] == "" {
				require.Equal(t, http.StatusForbidden, status, "%s %s", token, path)
				continue
			}
			require.Equal(t, http.StatusOK, status, "%s %s", token, path)
			require.Equal(t, want[i], body)
		}
	}
	opts.TokensFile = ""
	_, body, _ := bearing(t, "http://"+serve(t, opts).Address()+"/marked", "")
	require.Equal(t, " true true", body)
}

// A request whose handler checks a signature needs no token, wherever the address is; all others of the route do.
func TestSignedRequestsNeedNoToken(t *testing.T) {
	shown := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("events")) })
	opts := options()
	opts.Listen = "0.0.0.0:0"
	opts.Routes = []server.Route{{
		Pattern: "GET /v1/events", Scope: server.ScopeEvents, Handler: shown,
		Signed: func(r *http.Request) bool { return r.Header.Get("Authorization") == "" && r.URL.Query().Has("signed") },
	}}
	_, port, err := net.SplitHostPort(serve(t, opts).Address())
	require.NoError(t, err)
	url := "http://127.0.0.1:" + port + "/v1/events"
	status, _, _ := bearing(t, url, "")
	require.Equal(t, 401, status)
	status, _, _ = bearing(t, url+"?signed", "")
	require.Equal(t, 200, status)

	opts.TokensFile = filepath.Join(t.TempDir(), "tokens.yaml")
	writeTokens(t, opts.TokensFile, server.NewToken("shop", "right", []server.Scope{server.ScopeEvents}), server.NewToken("other", "other", []server.Scope{server.ScopeCustomers}))
	_, port, err = net.SplitHostPort(serve(t, opts).Address())
	require.NoError(t, err)
	url = "http://127.0.0.1:" + port + "/v1/events?signed"
	for authorization, want := range map[string]int{"": 200, "Bearer right": 200, "Bearer other": 403, "Bearer wrong": 401} {
		status, _, _ := bearing(t, url, authorization)
		require.Equal(t, want, status, authorization)
	}
}
