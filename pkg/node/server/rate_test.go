package server_test

import (
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/node/server"
)

func TestRequestsPerSecondAreLimitedByToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	writeTokens(t, file, server.NewToken("a", "aaa", server.Scopes()), server.NewToken("b", "bbb", server.Scopes()))
	var now atomic.Int64
	opts := options()
	opts.TokensFile, opts.RequestsPerSecond = file, 5
	opts.Now = func() time.Time { return time.UnixMilli(now.Load()) }
	shows := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	opts.Routes = []server.Route{
		{Pattern: "GET /customers", Scope: server.ScopeCustomers, Handler: shows}, {Pattern: "GET /system", Scope: server.ScopeStatus, Handler: shows},
	}
	s := serve(t, opts)
	ask := func(path, token string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Address()+path, nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
		require.NoError(t, err)
		defer func() { _ = answer.Body.Close() }()
		return answer.StatusCode, answer.Header.Get("Retry-After")
	}
	served := func(token string) (n int) {
		t.Helper()
		for {
			status, after := ask("/customers", token)
			if status != http.StatusNoContent {
				require.Equal(t, http.StatusTooManyRequests, status)
				require.Equal(t, "1", after)
				return n
			}
			n++
		}
	}
	now.Store(1_000_000)
	require.Equal(t, 10, served("aaa"), "two seconds' worth at once")
	require.Equal(t, 10, served("bbb"), "one token does not slow down another")
	status, _ := ask("/system", "aaa")
	require.Equal(t, http.StatusNoContent, status, "what shows no customers is not limited")
	status, _ = ask("/customers", "unknown")
	require.Equal(t, http.StatusUnauthorized, status)
	now.Add(1000)
	require.Equal(t, 5, served("aaa"))
}
