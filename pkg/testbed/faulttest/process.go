package faulttest

import (
	"context"
	"errors"
	"net"
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
	errCut  = errors.New("simulated: the connection was cut")
	errDead = errors.New("simulated: the process is dead")
)

// process is one process of Mainstay with one role. Whatever it does goes through its gate, where it can be frozen, and
// past the world's strikes.
type process struct {
	w    *world
	role string

	ctx    context.Context //nolint:containedctx // the life of the process
	kill   context.CancelFunc
	drain  func()
	intake *intake.Intake // one of these two
	fold   *fold.Fold
	done   chan struct{}
	reg    *prometheus.Registry
	mu     sync.Mutex
	frozen chan struct{} // closed when it thaws; nil while it runs
	conns  map[net.Conn]struct{}
	dead   bool
}

// startProcess starts a role; it runs until it is killed or drained.
func (w *world) startProcess(role string) *process {
	p := &process{w: w, role: role, done: make(chan struct{}), conns: map[net.Conn]struct{}{}, reg: prometheus.NewRegistry()}
	skew := time.Duration(w.intn(3)-1) * 40 * time.Second // no two machines agree on the time
	p.ctx, p.kill = context.WithCancel(w.ctx)
	a, err := app.New(w.cfg, w.log.With(zap.String("role", role), zap.Int("process", w.number())), app.Seams{
		KafkaDial: p.dial(w.env.DialKafka), RedisDial: p.dial(w.env.DialRedis),
		KafkaAround: func(ctx context.Context, c kafka.Call, do func(context.Context) error) error {
			if c.API == "InitProducerId" {
				p.w.arrive(c.TxnID)
			}
			return p.around(ctx, step(role+"."+c.API), c.TxnID, do)
		},
		RedisAround: func(ctx context.Context, call string, do func(context.Context) error) error {
			return p.around(ctx, step(role+".redis."+call), "", do)
		},
		At:     func(ctx context.Context, name string) error { return p.at(ctx, step(role+".at "+name)) },
		Now:    func() time.Time { return time.Now().Add(skew) },
		Random: w.random, Embedded: true, Linger: 100 * time.Millisecond,
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
		f := a.Fold(w.genesis, p.reg)
		run, p.drain, p.fold = f.Run, f.Drain, f
	}
	go func() {
		defer close(p.done)
		_ = run(p.ctx) // why it ended is known here better than there
		p.mu.Lock()
		p.dead = true
		p.mu.Unlock()
		p.hangUp()
		a.Close()
	}()
	return p
}

func (p *process) dial(connect func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if p.isDead() {
			return nil, errDead
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

// around is every request of the process; those of a transaction name its id.
func (p *process) around(ctx context.Context, s step, txn string, do func(context.Context) error) error {
	if err := p.wait(ctx); err != nil {
		return err
	}
	time.Sleep(time.Duration(p.w.intn(2000)) * time.Microsecond) // the way there
	hit, struck := p.w.strikes.take(s)
	if !struck {
		breaking := s == "fold.Produce" && p.w.halfway(txn)
		if breaking && !p.w.first(txn) { // its turn would have come
			time.Sleep(50 * time.Millisecond)
			if err := p.wait(ctx); err != nil {
				return err
			}
		}
		err := do(ctx)
		if breaking && p.w.arrive(within+txn) {
			p.crash()
		}
		if gone := p.wait(ctx); gone != nil {
			return gone
		}
		return err
	}
	p.w.coverage.hit(hit)
	p.w.note("%s: %s", p.role, hit.pair())
	switch hit.fault {
	case crashBefore:
		p.crash()
		return errDead
	case crashAfter:
		_ = do(ctx)
		p.crash()
		return errDead
	case cutBefore:
		return errCut
	case cutAfter:
		_ = do(ctx)
		return errCut
	case late:
		// Late enough to arrive within the next transaction, and more than one in a row, as on a bad line.
		delay := time.Duration(1+p.w.intn(400)) * time.Millisecond
		p.w.strikes.again(hit)
		go func() {
			time.Sleep(delay)
			_ = do(context.WithoutCancel(ctx))
		}()
		return errCut
	case lateInto:
		p.w.strikes.again(hit)
		p.w.hold(txn, func() { _ = do(context.WithoutCancel(ctx)) })
		return errCut
	case lateWithin:
		p.w.hold(within+txn, func() { _ = do(context.WithoutCancel(ctx)) })
		return errCut
	case pauseShort:
		p.freeze(700 * time.Millisecond)
	case zombie:
		p.freeze(p.w.zombieFor())
	case expired, stale:
		defer p.w.misremember(hit.fault == stale, "", 0)()
	default:
		defer p.w.answerWith(hit)()
	}
	if err := p.wait(ctx); err != nil {
		return err
	}
	err := do(ctx)
	if gone := p.wait(ctx); gone != nil {
		return gone
	}
	return err
}

// within marks what is held until the next transaction, rather than the next claim.
const within = "within "

// hold keeps a request on its way until the next claim, or the next transaction, under the same transactional id.
func (w *world) hold(txn string, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.underway[txn] = append(w.underway[txn], do)
}

// halfway says that a request is held until the transaction has been written in part.
func (w *world) halfway(txn string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.underway[within+txn]) > 0
}

// first says whether this write is the transaction's first since then.
func (w *world) first(txn string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.begun[txn]
	w.begun[txn] = true
	return !before
}

// arrive lets go of what was held: it reaches the server now. It says whether there was any.
func (w *world) arrive(txn string) bool {
	w.mu.Lock()
	all := w.underway[txn]
	delete(w.underway, txn)
	w.mu.Unlock()
	for _, do := range all {
		do()
	}
	return len(all) > 0
}

// at is every named step of the process's loops.
func (p *process) at(ctx context.Context, s step) error {
	if err := p.wait(ctx); err != nil {
		return err
	}
	hit, struck := p.w.strikes.take(s)
	if !struck {
		return nil
	}
	p.w.coverage.hit(hit)
	p.w.note("%s: %s", p.role, hit.pair())
	switch hit.fault {
	case crashBefore:
		p.crash()
		return errDead
	case pauseShort:
		p.freeze(700 * time.Millisecond)
	case zombie:
		p.freeze(p.w.zombieFor())
	default:
		p.w.beside(hit.fault, p.role)
	}
	return p.wait(ctx)
}

// zombieFor is longer than the group's session, and on either side of the broker's transaction time-out: one comes back to
// a transaction that is still open, another to one that is gone.
func (w *world) zombieFor() time.Duration {
	return 7*time.Second + time.Duration(w.intn(5000))*time.Millisecond
}

// freeze stops everything that the process does, as a long garbage collection or a suspended machine would.
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

// wait holds whoever comes while the process is frozen. A frozen process does not see that its context has ended either.
func (p *process) wait(context.Context) error {
	for {
		p.mu.Lock()
		thaw, dead := p.frozen, p.dead
		p.mu.Unlock()
		if dead {
			return errDead
		}
		if thaw == nil {
			return nil
		}
		<-thaw
	}
}

// crash ends the process: nothing leaves it from now on.
func (p *process) crash() {
	p.mu.Lock()
	p.dead = true
	p.mu.Unlock()
	p.hangUp()
	p.kill()
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *process) hangUp() {
	p.mu.Lock()
	conns := p.conns
	p.conns = map[net.Conn]struct{}{}
	p.mu.Unlock()
	for c := range conns {
		_ = c.Close()
	}
}
