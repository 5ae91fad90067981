// Package intake owns the way from the input topics to the ledger: it reads what shops emit, in whatever partitions and by
// whatever clients, and appends it to the ledger, keyed by customer, each entry with its origin. What cannot be understood
// goes to the dead letters. Start reading at run.serve.
//
// It refuses to keep state (what was read stands in the committed offsets, what was folded in the fold's marks), to decide
// what an event does, and to pass over anything: infrastructure trouble is waited out, and an input whose records are not
// those it had stops with a named reason.
//
// # Why nothing is lost and nothing counts twice
//
// An entry may be appended twice: the fold drops what lies at or below the mark of its origin. An entry may be missing in
// between when a produce request fails: every entry names the one before it (after), and the fold refuses one whose
// predecessor it has not seen. An input offset is committed only when everything below it is acknowledged, so the next run
// appends what was refused once more. At most one produce request is under way, so order is kept.
package intake

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Config is what an intake is told.
type Config struct {
	Namespace string
	Genesis   *ledger.Genesis
	Topics    map[string]event.Kind // input topic to what it holds
	Revision  uint32                // of the set of input topics: raised when topics are taken out of it
	Decoder   *event.Decoder

	Linger            time.Duration // how long a fetch waits for more below saturation
	TickInterval      time.Duration
	CommitInterval    time.Duration
	FetchMaxBytes     int32
	DeadLetterBytes   int // a dead letter above it is cut, and marked
	SessionTimeout    time.Duration
	HeartbeatInterval time.Duration
	RebalanceTimeout  time.Duration
	HaltRetry         time.Duration

	Now    func() time.Time // only differences of it are used
	Random func() uint64

	AtStep func(ctx context.Context, step string) error // as in fold.Config
}

// Group is the consumer group whose members share the input partitions.
func Group(namespace string) string { return namespace + "-intake" }

// Intake reads the input partitions that the group gives it.
type Intake struct {
	cfg     Config
	kafka   *kafka.Client
	metrics *telemetry.Intake
	log     *zap.Logger

	draining chan struct{}
	drain    sync.Once

	mu     sync.Mutex
	status []Status
}

// Status is what is known of an input partition that this process reads.
type Status struct {
	Topic     string
	Partition int32
	Read      int64 // next offset to read
	Committed int64
	Lag       int64 // records up to the last stable offset
	Unstable  int64 // records behind it: an emitter's transaction is open
	Time      int64 // ms; it is read up to this time
	Halted    halt.Reason
	Cause     string
}

// New makes an intake; Run starts it.
func New(cfg Config, k *kafka.Client, metrics *telemetry.Intake, log *zap.Logger) *Intake {
	if cfg.AtStep == nil {
		cfg.AtStep = func(context.Context, string) error { return nil }
	}
	return &Intake{cfg: cfg, kafka: k, metrics: metrics, log: log, draining: make(chan struct{})}
}

// Drain asks Run to have acknowledged what is read, commit, leave the group and return nil.
func (in *Intake) Drain() { in.drain.Do(func() { close(in.draining) }) }

// Status returns the input partitions read now.
func (in *Intake) Status() []Status {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]Status(nil), in.status...)
}

// Run reads until it is drained or the context ends; then it stops at once.
func (in *Intake) Run(ctx context.Context) error {
	topics := make([]string, 0, len(in.cfg.Topics))
	for t := range in.cfg.Topics {
		topics = append(topics, t)
	}
	group, err := in.kafka.NewGroup(kafka.GroupConfig{ //nolint:contextcheck // it lives until leave closes it
		ID: Group(in.cfg.Namespace), Topics: topics,
		SessionTimeout: in.cfg.SessionTimeout, HeartbeatInterval: in.cfg.HeartbeatInterval, RebalanceTimeout: in.cfg.RebalanceTimeout,
	})
	if err != nil {
		return fmt.Errorf("join the intake group: %w", err)
	}
	defer in.leave(ctx, group)

	next, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a drain also ends the wait for a generation
		select {
		case <-in.draining:
			cancel()
		case <-next.Done():
		}
	}()

	for {
		gen, err := group.Next(next)
		if err != nil {
			if next.Err() != nil {
				return ctx.Err()
			}
			in.log.Warn("no generation of the intake group yet", zap.Error(err))
			if !in.rest(next, time.Second) {
				return ctx.Err()
			}
			continue
		}
		in.serve(gen)
		select {
		case <-in.draining:
			return ctx.Err()
		default:
		}
	}
}

// serve reads the partitions of a generation until it ends or the intake is drained.
func (in *Intake) serve(gen *kafka.Generation) {
	count := 0
	for _, partitions := range gen.Assignments {
		count += len(partitions)
	}
	in.metrics.AssignedPartitions.Set(float64(count))
	in.metrics.Rebalances.Inc()
	in.log.Info("generation of the intake group", zap.Int32("generation", gen.ID), zap.Int("partitions", count))
	done := make(chan struct{})
	gen.Start(func(ctx context.Context) {
		defer close(done)
		if count == 0 {
			select {
			case <-ctx.Done():
			case <-in.draining:
			}
			return
		}
		in.work(ctx, gen)
	})
	<-done
}

// work makes one run after the other: what fails starts again from the committed offsets, with a new producer id.
func (in *Intake) work(ctx context.Context, gen *kafka.Generation) {
	const first, longest = 20 * time.Millisecond, 2 * time.Second
	pause := first
	for {
		r := newRun(in, gen)
		err := r.serve(ctx)
		r.close()
		if ctx.Err() != nil || err == nil {
			return
		}
		if r.acknowledged {
			pause = first
		} else {
			pause = min(2*pause, longest)
		}
		in.log.Warn("starting again from the committed offsets", zap.Error(err), zap.Duration("in", pause))
		if !in.rest(ctx, pause) {
			return
		}
	}
}

// rest waits; false when there is nothing left to wait for.
func (in *Intake) rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-in.draining:
		return false
	case <-ctx.Done():
		return false
	}
}

func (in *Intake) leave(ctx context.Context, group *kafka.Group) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.cfg.SessionTimeout)
	defer cancel()
	if err := group.Close(ctx); err != nil {
		in.log.Warn("the intake group was not left in order", zap.Error(err))
	}
	in.metrics.AssignedPartitions.Set(0)
}

func (in *Intake) report(all []Status) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.status = all
}
