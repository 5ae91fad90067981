package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Check is one condition of readiness. Run must return when its context ends. It is never called twice at once.
type Check struct {
	Name    string
	Timeout time.Duration
	Run     func(context.Context) error
}

// readiness runs the checks. A check that ignores its timeout is not started again until it returns, so that probes do not pile
// up.
type readiness struct {
	checks  []Check
	running []chan struct{} // of each check: holds one token while it runs
}

type outcome struct {
	name string
	err  error
}

var errStillRunning = errors.New("still running since an earlier probe")

func newReadiness(checks []Check) *readiness {
	r := &readiness{checks: checks, running: make([]chan struct{}, len(checks))}
	for i := range r.running {
		r.running[i] = make(chan struct{}, 1)
	}
	return r
}

// run runs all checks concurrently and returns their outcomes in order.
func (r *readiness) run(ctx context.Context) []outcome {
	pending := make([]func() outcome, len(r.checks))
	for i, c := range r.checks {
		pending[i] = r.start(ctx, c, r.running[i])
	}
	all := make([]outcome, len(pending))
	for i, wait := range pending {
		all[i] = wait()
	}
	return all
}

func (r *readiness) start(ctx context.Context, c Check, running chan struct{}) func() outcome {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	answer := make(chan error, 1)
	go func() {
		select {
		case running <- struct{}{}:
		case <-ctx.Done():
			answer <- errStillRunning
			return
		}
		defer func() { <-running }()
		answer <- c.Run(ctx)
	}()
	return func() outcome {
		defer cancel()
		select {
		case err := <-answer:
			return outcome{c.Name, err}
		case <-ctx.Done():
			return outcome{c.Name, fmt.Errorf("no answer within %s", c.Timeout)}
		}
	}
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	var body strings.Builder
	ready := true
	line := func(name string, err error) {
		if err != nil {
			ready = false
			fmt.Fprintf(&body, "[-] %s: %s\n", name, err)
		} else {
			fmt.Fprintf(&body, "[+] %s ok\n", name)
		}
	}
	if s.draining.Load() {
		line("running", errors.New("shutting down"))
	}
	for _, o := range s.ready.run(r.Context()) {
		line(o.name, o.err)
	}
	status, summary := http.StatusOK, "ready\n"
	if !ready {
		status, summary = http.StatusServiceUnavailable, "not ready\n"
	}
	if r.URL.Query().Has("verbose") {
		summary = body.String() + summary
	}
	writeText(w, status, summary)
}
