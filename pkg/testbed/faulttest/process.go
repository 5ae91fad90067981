package faulttest

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/intake"
)

var (
	errCut     = errors.New("fault test: the connection was cut")
	errCrashed = errors.New("fault test: the process crashed")
)

// process is a process of Mainstay with one role. Each of its requests and labelled steps passes through request and atStep,
// which hold it back while the process is frozen and inject the faults that are due.
type process struct {
	w    *world
	role string

	ctx    context.Context //nolint:containedctx // the life of the process
	kill   context.CancelFunc
	drain  func()
	intake *intake.Intake // nil where the role is fold
	fold   *fold.Fold     // nil where the role is intake
	done   chan struct{}
	reg    *prometheus.Registry
	mu     sync.Mutex
	frozen chan struct{} // closed when it thaws; nil while it runs
	conns  map[net.Conn]struct{}
	ended  bool
}

// startProcess starts a process, which runs until it crashes or is drained.
func (w *world) startProcess(role string) *process {
	p := &process{w: w, role: role, done: make(chan struct{}), conns: map[net.Conn]struct{}{}, reg: prometheus.NewRegistry()}
	skew := w.clocksAhead + time.Duration(w.intn(3)-1)*40*time.Second // machines' clocks differ
	p.ctx, p.kill = context.WithCancel(w.ctx)
	a, err := app.New(w.cfg, w.log.With(zap.String("role", role), zap.Int("process", w.nextProcess())), app.Hooks{
		KafkaDial: p.dial(w.env.DialKafka), RedisDial: p.dial(w.env.DialRedis),
		KafkaAround: func(ctx context.Context, c kafka.Call, do func(context.Context) error) error {
			if c.API == "InitProducerId" {
				p.w.release(c.TxnID)
			}
			return p.request(ctx, step(role+"."+c.API), c.TxnID, do)
		},
		RedisAround: func(ctx context.Context, call string, do func(context.Context) error) error {
			return p.request(ctx, step(role+".redis."+call), "", do)
		},
		Registry: registryOf{p},
		AtStep:   func(_ context.Context, name string) error { return p.atStep(labelled(role, name)) },
		Now:      func() time.Time { return time.Now().Add(skew) },
		Random:   w.random, Embedded: true, Linger: 100 * time.Millisecond,
	})
	if err != nil {
		panic(err) // the configuration is ours
	}
	var run func(context.Context) error
	if role == "intake" {
		in, err := a.Intake(w.genesis, p.reg)
		if err != nil {
			panic(err)
		}
		run, p.drain, p.intake = in.Run, in.Drain, in
	} else {
		outputs, err := a.Outputs(w.genesis)
		if err != nil {
			panic(err)
		}
		f := a.Fold(w.genesis, outputs, p.reg)
		run, p.drain, p.fold = f.Run, f.Drain, f
	}
	go func() {
		defer close(p.done)
		_ = run(p.ctx) // it ends by a drain or a crash, or with the world
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		p.closeConnections()
		a.Close()
	}()
	return p
}

func (p *process) dial(connect func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if p.hasEnded() {
			return nil, errCrashed
		}
		conn, err := connect(ctx, network, address)
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.conns[conn] = struct{}{}
		return conn, nil
	}
}

// request is called around every request of the process; txn is the transactional id of those of a transaction.
func (p *process) request(ctx context.Context, s step, txn string, do func(context.Context) error) error {
	if err := p.waitWhileFrozen(); err != nil {
		return err
	}
	time.Sleep(time.Duration(p.w.intn(2000)) * time.Microsecond) // latency
	f, due := p.w.faults.reach(s)
	if !due {
		interleave := s == "fold.Produce" && p.w.holdsForTxn(txn)
		if interleave && !p.w.isFirstWrite(txn) { // the first write releases the delayed request before this one is sent
			time.Sleep(50 * time.Millisecond)
			if err := p.waitWhileFrozen(); err != nil {
				return err
			}
		}
		err := do(ctx)
		if interleave && p.w.release(inTxn+txn) {
			p.crash()
		}
		if ended := p.waitWhileFrozen(); ended != nil {
			return ended
		}
		return err
	}
	p.w.coverage.add(f)
	p.w.record("%s: %s", p.role, f.pair())
	switch f.kind {
	case crashBefore:
		p.crash()
		return errCrashed
	case crashAfter:
		_ = do(ctx)
		p.crash()
		return errCrashed
	case cutBefore:
		return errCut
	case cutAfter:
		_ = do(ctx)
		return errCut
	case late:
		// Late enough to arrive within the next transaction, and several in a row, as on a bad connection.
		delay := time.Duration(1+p.w.intn(400)) * time.Millisecond
		p.w.faults.repeat(f)
		go func() {
			time.Sleep(delay)
			_ = do(context.WithoutCancel(ctx))
		}()
		return errCut
	case lateInClaim:
		p.w.faults.repeat(f)
		p.w.holdRequest(txn, func() { _ = do(context.WithoutCancel(ctx)) })
		return errCut
	case lateInTxn:
		p.w.holdRequest(inTxn+txn, func() { _ = do(context.WithoutCancel(ctx)) })
		return errCut
	case pauseShort:
		p.freeze(700 * time.Millisecond)
	case zombie:
		p.freeze(p.w.zombieFor())
	case offsetExpired, offsetOutdated:
		defer p.w.answerOldOffsets(f.kind == offsetOutdated, "", 0)()
	default:
		defer p.w.answerError(f)()
	}
	if err := p.waitWhileFrozen(); err != nil {
		return err
	}
	err := do(ctx)
	if ended := p.waitWhileFrozen(); ended != nil {
		return ended
	}
	return err
}

// inTxn is the prefix of the keys of requests that are delayed until the next transaction, not the next claim.
const inTxn = "in transaction "

// holdRequest delays a request until the next claim, or the next transaction, of the same transactional id.
func (w *world) holdRequest(txn string, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delayedRequests[txn] = append(w.delayedRequests[txn], do)
}

// holdsForTxn says that a request is delayed until the id's next transaction.
func (w *world) holdsForTxn(txn string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.delayedRequests[inTxn+txn]) > 0
}

// isFirstWrite says whether this write is the first of the transactional id since the request was delayed.
func (w *world) isFirstWrite(txn string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.partlyWritten[txn]
	w.partlyWritten[txn] = true
	return !before
}

// release sends the delayed requests, which reach the server now. It says whether there were any.
func (w *world) release(txn string) bool {
	w.mu.Lock()
	delayed := w.delayedRequests[txn]
	delete(w.delayedRequests, txn)
	w.mu.Unlock()
	for _, do := range delayed {
		do()
	}
	return len(delayed) > 0
}

// atStep is called at every labelled step of the process's loops.
func (p *process) atStep(s step) error {
	if !slices.Contains(labelledSteps(), s) {
		panic("step " + s + " is not in labelledSteps: its faults would never be injected")
	}
	if err := p.waitWhileFrozen(); err != nil {
		return err
	}
	f, due := p.w.faults.reach(s)
	if !due {
		return nil
	}
	p.w.coverage.add(f)
	p.w.record("%s: %s", p.role, f.pair())
	switch f.kind {
	case crashBefore:
		p.crash()
		return errCrashed
	case pauseShort:
		p.freeze(700 * time.Millisecond)
	case zombie:
		p.freeze(p.w.zombieFor())
	default:
		p.w.injectOutside(f.kind, p.role)
	}
	return p.waitWhileFrozen()
}

// zombieFor is longer than the group's session time-out, and shorter or longer than the broker's transaction time-out: one zombie
// resumes with its transaction still open, another after the broker has aborted it.
func (w *world) zombieFor() time.Duration {
	return 7*time.Second + time.Duration(w.intn(5000))*time.Millisecond
}

// freeze stops everything that the process does for a while, as a long garbage collection or a suspended machine would.
func (p *process) freeze(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		return
	}
	thaw := make(chan struct{})
	p.frozen = thaw
	time.AfterFunc(d, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.frozen = nil
		close(thaw)
	})
}

// waitWhileFrozen returns when the process is not frozen. A frozen process does not notice that its context has ended either.
func (p *process) waitWhileFrozen() error {
	for {
		p.mu.Lock()
		thaw, ended := p.frozen, p.ended
		p.mu.Unlock()
		if ended {
			return errCrashed
		}
		if thaw == nil {
			return nil
		}
		<-thaw
	}
}

// crash ends the process: it sends nothing from now on.
func (p *process) crash() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.closeConnections()
	p.kill()
}

func (p *process) hasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

func (p *process) closeConnections() {
	p.mu.Lock()
	conns := p.conns
	p.conns = map[net.Conn]struct{}{}
	p.mu.Unlock()
	for c := range conns {
		_ = c.Close()
	}
}
