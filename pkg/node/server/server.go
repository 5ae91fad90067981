// Package server owns the HTTP endpoints of a process: health, metrics, status, pprof on a listener of its own, and who may request the
// routes that others define (API and pages).
//
// Off loopback it serves health alone unless there are tokens, or it is configured to (tokens.go).
//
// It refuses to define health (the caller passes checks), to serve profiles on anything but loopback unless configured to, and to
// exceed the shutdown deadline: requests that are still running then are aborted.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

// Options configure a Server. An empty address disables its listener; port 0 takes a free port.
type Options struct {
	Setting           string           // that has Listen; empty: http.listen
	Listen            string           // health, metrics and the routes
	AdminListen       string           // admin.listen: pprof
	AllowRemoteAdmin  bool             // admin.allow_remote
	TokensFile        string           // http.tokens_file; empty: none
	AllowAnonymous    bool             // http.allow_anonymous
	RequestsPerSecond float64          // http.requests_per_second, for routes of ScopeCustomers; 0: unlimited
	Now               func() time.Time // nil: time.Now

	// Network opens listeners; nil means TCP. Tests use an in-memory network.
	Network func(ctx context.Context, network, address string) (net.Listener, error)

	Checks     []Check // of /readyz
	Metrics    prometheus.Gatherer
	StatusJSON func() any // the body of /status; nil: /status is not served
	Routes     []Route    // API and pages, or the intake of events
	Log        *zap.Logger
	Deadline   time.Duration // of Shutdown
}

// Route is a route that another package serves.
type Route struct {
	Pattern string // of http.ServeMux
	Scope   Scope  // that a token needs; empty: everybody may, as it shows nothing
	Browser bool   // a page for a browser, not an endpoint of the API
	// Signed reports whether the handler itself finds out who a request is from, by a signature of its body: such a request needs no token.
	// nil: none is.
	Signed func(*http.Request) bool
	// Endless: the answer goes on until the client leaves or the server drains, which ends the request's context.
	Endless bool
	Handler http.Handler
}

// Server is bound to its addresses by Listen and serves in Run.
type Server struct {
	opts      Options
	ready     *readiness
	draining  atomic.Bool
	drained   chan struct{} // closed by Drain
	endpoints []endpoint
}

type endpoint struct {
	listener net.Listener
	server   *http.Server
}

// Listen binds the addresses. Errors name the setting at fault. The caller must call Run afterwards, or Close.
func Listen(ctx context.Context, opts Options) (*Server, error) {
	if opts.Network == nil {
		opts.Network = new(net.ListenConfig).Listen
	}
	if opts.Setting == "" {
		opts.Setting = "http.listen"
	}
	s := &Server{opts: opts, ready: newReadiness(opts.Checks), drained: make(chan struct{})}
	var tokens *tokenFile
	if opts.TokensFile != "" {
		tokens = &tokenFile{path: opts.TokensFile, log: opts.Log}
		if _, err := tokens.load(); err != nil {
			return nil, fmt.Errorf("http.tokens_file (MAINSTAY_HTTP_TOKENS_FILE): %s: %w", opts.TokensFile, err)
		}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	public, admin := &access{tokens: tokens, rates: &rates{perSecond: opts.RequestsPerSecond, now: opts.Now, limiters: map[string]*rate.Limiter{}}}, &access{tokens: tokens}
	for _, l := range []struct {
		address, setting string
		handler          http.Handler
		write            time.Duration // a profile takes as long as its request says
	}{
		{opts.Listen, opts.Setting + " (MAINSTAY_" + strings.ToUpper(strings.ReplaceAll(opts.Setting, ".", "_")) + ")", s.routes(public), 30 * time.Second},
		{opts.AdminListen, "admin.listen (MAINSTAY_ADMIN_LISTEN)", adminRoutes(admin), 10 * time.Minute},
	} {
		var listener net.Listener
		if l.address != "" {
			var err error
			if listener, err = listen(ctx, opts, l.setting, l.address); err != nil {
				return nil, errors.Join(err, s.Close())
			}
		}
		s.endpoints = append(s.endpoints, endpoint{listener, &http.Server{
			Handler:           l.handler,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      l.write,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    16 << 10,
			ErrorLog:          zap.NewStdLog(opts.Log.Named("http")),
		}})
	}
	if at := s.endpoints[0].listener; at != nil && tokens == nil && !opts.AllowAnonymous && !loopback(at.Addr()) {
		public.closed = true
	} else if at != nil && tokens == nil && !opts.AllowAnonymous {
		public.local = true
	}
	if public.closed {
		opts.Log.Warn("only /livez and /readyz are served, and signed events at ingest.listen: the address is not of loopback and there are no tokens; set http.tokens_file, or for http.listen http.allow_anonymous where the network is trusted",
			zap.String("setting", opts.Setting), zap.String("address", s.Address()))
	}
	if at := s.endpoints[1].listener; at != nil && !loopback(at.Addr()) {
		var err error
		switch {
		case !opts.AllowRemoteAdmin:
			err = fmt.Errorf("admin.listen (MAINSTAY_ADMIN_LISTEN): %s is not a loopback address: profiles show what is in memory; set admin.allow_remote to allow it", opts.AdminListen)
		case tokens == nil:
			err = fmt.Errorf("admin.listen (MAINSTAY_ADMIN_LISTEN): %s is not a loopback address: set http.tokens_file, so that profiles need a token", opts.AdminListen)
		}
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func listen(ctx context.Context, opts Options, setting, address string) (net.Listener, error) {
	listener, err := opts.Network(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: %s is taken by another process; set another port, or 0 for a free one: %w", setting, address, err)
	case err != nil:
		return nil, fmt.Errorf("%s: listen on %s: %w", setting, address, err)
	}
	return listener, nil
}

// loopback looks at the bound address, not at the configured name.
func loopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// Address is the bound address of health and metrics; empty when they are not served.
func (s *Server) Address() string { return s.address(0) }

// AdminAddress is the bound address of pprof; empty when it is not served.
func (s *Server) AdminAddress() string { return s.address(1) }

func (s *Server) address(i int) string {
	if s.endpoints[i].listener == nil {
		return ""
	}
	return s.endpoints[i].listener.Addr().String()
}

// Run serves until the context ends, then waits for running requests, at most until the deadline. It returns nil after a shutdown
// in order.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, len(s.endpoints))
	serving := 0
	for _, e := range s.endpoints {
		if e.listener == nil {
			continue
		}
		serving++
		go func() { failed <- e.server.Serve(e.listener) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed: // before its time, so it cannot be ErrServerClosed
		serving--
		err = fmt.Errorf("serve HTTP: %w", err)
	}
	s.Drain()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.Deadline)
	defer cancel()
	for _, e := range s.endpoints {
		if late := e.server.Shutdown(deadline); late != nil {
			s.opts.Log.Warn("requests were aborted at the shutdown deadline", zap.Error(late))
			err = errors.Join(err, e.server.Close())
		}
	}
	for range serving {
		if stopped := <-failed; !errors.Is(stopped, http.ErrServerClosed) {
			err = errors.Join(err, stopped)
		}
	}
	return err
}

// CheckResult is what a check of /readyz found.
type CheckResult struct {
	Name    string
	Problem string // empty: all is well
}

// Checks runs the checks of /readyz.
func (s *Server) Checks(ctx context.Context) []CheckResult {
	var all []CheckResult
	if s.draining.Load() {
		all = append(all, CheckResult{"running", "shutting down"})
	}
	for _, o := range s.ready.run(ctx) {
		r := CheckResult{Name: o.name}
		if o.err != nil {
			r.Problem = o.err.Error()
		}
		all = append(all, r)
	}
	return all
}

// Drain makes /readyz report that the process is shutting down, and ends endless answers, while everything else is still served.
func (s *Server) Drain() {
	if !s.draining.Swap(true) {
		close(s.drained)
	}
}

// Close releases the addresses of a Server that did not run.
func (s *Server) Close() error {
	var err error
	for _, e := range s.endpoints {
		if e.listener != nil {
			err = errors.Join(err, e.listener.Close())
		}
	}
	return err
}

func (s *Server) routes(who *access) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", who.require(ScopeMetrics, promhttp.HandlerFor(s.opts.Metrics, promhttp.HandlerOpts{
		ErrorLog: zap.NewStdLog(s.opts.Log.Named("metrics")), ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4,
	})))
	if s.opts.StatusJSON != nil {
		mux.Handle("GET /status", who.require(ScopeStatus, http.HandlerFunc(s.statusJSON)))
	}
	for _, r := range s.opts.Routes {
		if r.Endless {
			r.Handler = s.untilDrained(r.Handler)
		}
		if r.Scope == "" {
			mux.Handle(r.Pattern, r.Handler)
			continue
		}
		by := api
		if r.Browser {
			by = browser
		}
		mux.Handle(r.Pattern, unlessSigned(r, who.requireAs(by, r.Scope, r.Handler)))
	}
	return mux
}

// untilDrained ends the contexts of requests when the server drains: a shutdown waits for answers, and endless ones would take all of its time.
func (s *Server) untilDrained(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		ctx, cancel := context.WithCancel(request.Context())
		defer cancel()
		go func() {
			select {
			case <-s.drained:
				cancel()
			case <-ctx.Done():
			}
		}()
		h.ServeHTTP(w, request.WithContext(ctx))
	})
}

// unlessSigned asks for no token where the handler checks a signature.
func unlessSigned(r Route, guarded http.Handler) http.Handler {
	if r.Signed == nil {
		return guarded
	}
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if r.Signed(request) {
			r.Handler.ServeHTTP(w, request)
			return
		}
		guarded.ServeHTTP(w, request)
	})
}

// adminRoutes registers pprof explicitly: its import registers only on the default mux, which is not served.
func adminRoutes(who *access) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return who.require(ScopeProfile, mux)
}

func writeText(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // the client may have disconnected
}
