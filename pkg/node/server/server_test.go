package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options() server.Options {
	return server.Options{
		Listen: "127.0.0.1:0", Metrics: prometheus.NewRegistry(), Log: zap.NewNop(), Deadline: time.Minute,
	}
}

// serve runs a server until the test ends, which must be in order.
func serve(t *testing.T, opts server.Options) *server.Server {
	t.Helper()
	s, err := server.Listen(t.Context(), opts)
	require.NoError(t, err)
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return s
}

func request(t *testing.T, method, url string) (int, string, http.Header) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	answer, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(body), answer.Header
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	status, body, _ := request(t, http.MethodGet, url)
	return status, body
}

func TestHealth(t *testing.T) {
	var broken atomic.Bool
	opts := options()
	opts.Checks = []server.Check{
		{Name: "kafka", Timeout: time.Minute, Run: func(context.Context) error { return nil }},
		{Name: "redis", Timeout: time.Minute, Run: func(context.Context) error {
			if broken.Load() {
				return errors.New("connection refused")
			}
			return nil
		}},
	}
	s := serve(t, opts)
	url := "http://" + s.Address()

	status, body := get(t, url+"/readyz?verbose")
	require.Equal(t, 200, status)
	require.Equal(t, "[+] kafka ok\n[+] redis ok\nready\n", body)
	require.NoError(t, server.Probe(t.Context(), s.Address()))

	broken.Store(true)
	status, body = get(t, url+"/readyz?verbose")
	require.Equal(t, 503, status)
	require.Equal(t, "[+] kafka ok\n[-] redis: connection refused\nnot ready\n", body)
	status, body = get(t, url+"/readyz")
	require.Equal(t, 503, status)
	require.Equal(t, "not ready\n", body)
	require.ErrorContains(t, server.Probe(t.Context(), s.Address()), "503 Service Unavailable:\n[+] kafka ok\n[-] redis: connection refused")

	status, body = get(t, url+"/livez")
	require.Equal(t, 200, status, "a process without its Redis is alive: to restart it would not help")
	require.Equal(t, "ok\n", body)

	broken.Store(false)
	s.Drain()
	status, body = get(t, url+"/readyz?verbose")
	require.Equal(t, 503, status)
	require.Contains(t, body, "[-] running: shutting down")
}

func TestCheckThatHangsDoesNotHoldUpTheAnswer(t *testing.T) {
	release := make(chan struct{})
	var runs atomic.Int32
	opts := options()
	opts.Checks = []server.Check{{Name: "stuck", Timeout: time.Millisecond, Run: func(context.Context) error {
		runs.Add(1)
		<-release // in spite of the context
		return nil
	}}}
	s := serve(t, opts)
	for range 3 {
		status, body := get(t, "http://"+s.Address()+"/readyz?verbose")
		require.Equal(t, 503, status)
		require.Regexp(t, `\[-\] stuck: (no answer within 1ms|still running since an earlier probe)`, body)
	}
	require.LessOrEqual(t, runs.Load(), int32(1), "the check does not run twice at once")
	close(release)
}

func TestMetricsAreServed(t *testing.T) {
	opts := options()
	reg := prometheus.NewRegistry()
	telemetry.NewFold(reg).Rejections.WithLabelValues("over_refund").Inc()
	opts.Metrics = reg
	s := serve(t, opts)
	status, body := get(t, "http://"+s.Address()+"/metrics")
	require.Equal(t, 200, status)
	require.Contains(t, body, `mainstay_rejections_total{reason="over_refund"} 1`)
}

func TestOtherPathsAndMethods(t *testing.T) {
	opts := options()
	opts.Routes = []server.Route{{Pattern: "GET /open", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("open")) })}}
	s := serve(t, opts)
	status, body := get(t, "http://"+s.Address()+"/open")
	require.Equal(t, 200, status)
	require.Equal(t, "open", body)
	status, _ = get(t, "http://"+s.Address()+"/nothing")
	require.Equal(t, 404, status)
	status, _ = get(t, "http://"+s.Address()+"/debug/pprof/")
	require.Equal(t, 404, status, "profiles are on the admin listener only")
	status, _, _ = request(t, http.MethodPost, "http://"+s.Address()+"/livez")
	require.Equal(t, 405, status)
}

func TestStatusIsServedWhereThereIsOne(t *testing.T) {
	s := serve(t, options())
	status, _ := get(t, "http://"+s.Address()+"/status")
	require.Equal(t, 404, status)

	opts := options()
	opts.StatusJSON = func() any { return map[string]int{"lag": 3} }
	s = serve(t, opts)
	status, body, header := request(t, http.MethodGet, "http://"+s.Address()+"/status")
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"lag": 3}`, body)
	require.Equal(t, "application/json", header.Get("Content-Type"))
}

func TestAdminServesProfilesOnLoopback(t *testing.T) {
	opts := options()
	opts.AdminListen = "localhost:0"
	s := serve(t, opts)
	require.NotEqual(t, s.Address(), s.AdminAddress())
	status, body := get(t, "http://"+s.AdminAddress()+"/debug/pprof/goroutine?debug=1")
	require.Equal(t, 200, status)
	require.Contains(t, body, "goroutine profile")
	status, _ = get(t, "http://"+s.AdminAddress()+"/metrics")
	require.Equal(t, 404, status)
}

func TestAdminIsOffByDefaultAndNeverRemoteUnasked(t *testing.T) {
	require.Empty(t, serve(t, options()).AdminAddress())

	opts := options()
	opts.AdminListen = "0.0.0.0:0"
	_, err := server.Listen(t.Context(), opts)
	require.ErrorContains(t, err, "admin.listen (MAINSTAY_ADMIN_LISTEN): 0.0.0.0:0 is not a loopback address")

	opts.AllowRemoteAdmin = true
	opts.TokensFile = filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(opts.TokensFile, nil, 0o600))
	require.NotEmpty(t, serve(t, opts).AdminAddress())
}

func TestTakenPortNamesTheSetting(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	opts := options()
	opts.Listen = taken.Addr().String()
	_, err = server.Listen(t.Context(), opts)
	require.ErrorContains(t, err, "http.listen (MAINSTAY_HTTP_LISTEN): "+opts.Listen+" is taken by another process")

	opts = options()
	opts.AdminListen = taken.Addr().String()
	_, err = server.Listen(t.Context(), opts)
	require.ErrorContains(t, err, "admin.listen (MAINSTAY_ADMIN_LISTEN): "+opts.AdminListen+" is taken")

	opts = options()
	opts.Listen = "nowhere"
	_, err = server.Listen(t.Context(), opts)
	require.ErrorContains(t, err, "http.listen (MAINSTAY_HTTP_LISTEN): listen on nowhere")
}

func TestProbeOfNobody(t *testing.T) {
	s, err := server.Listen(t.Context(), options())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, port, err := net.SplitHostPort(s.Address())
	require.NoError(t, err)
	require.ErrorContains(t, server.Probe(t.Context(), ":"+port), "connection refused")
}

func TestNothingToServe(t *testing.T) {
	opts := options()
	opts.Listen = ""
	require.Empty(t, serve(t, opts).Address())
}

// A request that runs when the context ends is finished; one that never ends is cut off at the deadline.
func TestShutdown(t *testing.T) {
	for _, test := range []struct {
		name     string
		deadline time.Duration
		finishes bool
	}{{"waits for requests", time.Minute, true}, {"cuts off at the deadline", 10 * time.Millisecond, false}} {
		t.Run(test.name, func(t *testing.T) {
			entered, release := make(chan struct{}), make(chan struct{})
			opts := options()
			opts.Deadline = test.deadline
			opts.Routes = []server.Route{{Pattern: "GET /{$}", Scope: server.ScopeStatus, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				close(entered)
				<-release
			})}}
			s, err := server.Listen(t.Context(), opts)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
			defer cancel()
			done, answered := make(chan error, 1), make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			go func() {
				client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, "http://"+s.Address()+"/", nil)
				if err == nil {
					var answer *http.Response
					if answer, err = client.Do(req); err == nil {
						_, err = io.Copy(io.Discard, answer.Body)
						_ = answer.Body.Close()
					}
				}
				answered <- err
			}()
			<-entered
			cancel()
			if test.finishes {
				close(release)
				require.NoError(t, <-answered)
				require.NoError(t, <-done)
				return
			}
			require.NoError(t, <-done)
			require.Error(t, <-answered)
			close(release)
		})
	}
}

// An endless answer ends when the server drains, so that it does not take the time of a shutdown.
func TestShutdownEndsEndlessAnswers(t *testing.T) {
	entered := make(chan struct{})
	opts := options()
	opts.Routes = []server.Route{{Pattern: "GET /{$}", Scope: server.ScopeStatus, Endless: true, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})}}
	s, err := server.Listen(t.Context(), opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	go func() {
		<-entered
		cancel()
	}()
	status, _ := get(t, "http://"+s.Address()+"/")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, <-done)
}
