package process

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/stream/failure"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

// The timing of a watch: an outage is logged within probeEvery + 2*probeTimeout + probeAgain, which is 4.5 s. One failed probe alone
// says nothing, since a broker that restarts closes its connections.
const (
	probeEvery   = time.Second
	probeTimeout = 1500 * time.Millisecond
	probeAgain   = 500 * time.Millisecond
)

// watch probes a server and knows whether it works. It logs one line when it stops to work and one when it works again, however many
// partitions and requests fail in between.
type watch struct {
	server  string // kafka or redis
	setting string // that has its address
	probe   func(context.Context) error
	cause   func(error) failure.Cause
	metrics *telemetry.Reachability
	log     *zap.Logger
	now     func() time.Time

	mu    sync.Mutex
	err   error // nil while the server works
	since time.Time
}

func newWatch(server, setting string, probe func(context.Context) error, cause func(error) failure.Cause, metrics *telemetry.Reachability, log *zap.Logger) *watch {
	metrics.Up.Set(1) // a process starts only after both servers have answered
	return &watch{server: server, setting: setting, probe: probe, cause: cause, metrics: metrics, log: log, now: time.Now}
}

// run probes until the context ends.
func (w *watch) run(ctx context.Context) {
	failed := 0 // probes in a row
	for {
		err := w.once(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := probeEvery
		if err == nil {
			failed = 0
			w.works()
		} else {
			w.metrics.Errors.WithLabelValues(string(w.cause(err))).Inc()
			pause = probeAgain
			//mutant:single-probe-is-an-outage if failed > 0
			if failed++; failed > 1 {
				pause = probeEvery
				w.fails(err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (w *watch) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, fmt.Errorf("no answer within %s", probeTimeout))
	defer cancel()
	return w.probe(ctx)
}

func (w *watch) works() {
	w.metrics.Up.Set(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		w.log.Info(w.server+" works again", zap.Duration("after", w.now().Sub(w.since)))
	}
	w.err = nil
}

func (w *watch) fails(err error) {
	w.metrics.Up.Set(0)
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.err
	if before == nil {
		w.since = w.now()
	}
	//mutant:outage-flood if true
	if before == nil || w.cause(before) != w.cause(err) {
		w.log.Error(w.server+" fails", zap.String("cause", string(w.cause(err))), zap.String("setting", w.setting), zap.Error(err))
	}
	w.err = err
}

// failing returns nil while the server works, otherwise since when it does not, and why.
func (w *watch) failing() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		return nil
	}
	return fmt.Errorf("%s for %s: %w (%s)", w.cause(w.err), w.now().Sub(w.since).Round(time.Second), w.err, w.setting)
}
