// Package intake owns the path from the input topics to the ledger: it reads the records that shops emit, whatever their
// partitioning and client, and appends each to the ledger partition of its customer, with its origin. A record that cannot
// be decoded goes to the dead letters. Start reading at run.serve.
//
// It refuses to keep state (the committed offsets say what was read, the fold's marks what was folded), to decide what an
// event changes, and to skip records: infrastructure trouble is retried, and an input partition whose records are not the
// ones that were read before is halted with a named reason.
//
// # Why nothing is lost and nothing counts twice
//
// An entry may be appended twice: the fold drops an entry at or below the mark of its origin. An entry may be missing when a
// produce request fails: each entry names the one sent before it (after), and the fold refuses an entry whose predecessor it
// has not folded. An input offset is committed only when everything below it is acknowledged, so the next run appends the
// refused entries again. At most one produce request is in flight, so the order of the entries is kept. What brokers refuse for good is set apart without sending
// again what they have acknowledged: see run.resolveRefused.
package intake

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/stream/consumer"
	"github.com/mainstay/mainstay/pkg/stream/failure"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Config configures an Intake.
type Config struct {
	Namespace string
	Genesis   *ledger.Genesis
	Topics    map[string]event.Kind     // the kind of event that each input topic holds
	Formats   map[string]*format.Format // of the topics whose records are not in Mainstay's own format
	Registry  *registry.Registry        // by which records are read that name a schema; nil: none
	Revision  uint32                    // of the set of input topics: raised when topics are removed from it
	Decoder   *event.Decoder
	// PassHeaders are the headers of an input record that the outputs that it causes bear, too.
	PassHeaders []string

	Linger            time.Duration // how long a fetch waits for more records below saturation
	TickInterval      time.Duration
	CommitInterval    time.Duration
	FetchMaxBytes     int32
	DeadLetterBytes   int // a larger dead letter is cut, and marked as cut, even if its topic would accept it
	SessionTimeout    time.Duration
	HeartbeatInterval time.Duration
	RebalanceTimeout  time.Duration
	HaltRetry         time.Duration // between two attempts to read a halted input partition

	Now    func() time.Time // only differences of it are used
	Random func() uint64

	AtStep func(ctx context.Context, step string) error // as in fold.Config
}

// Group is the consumer group whose members share the input partitions.
func Group(namespace string) string { return namespace + "-intake" }

// Intake reads the input partitions that the group assigns to this process.
type Intake struct {
	cfg      Config
	kafka    *kafka.Client
	consumer *consumer.Consumer
	metrics  *telemetry.Intake
	log      *zap.Logger

	backoff    consumer.Backoffs            // between runs
	blocking   map[inputID]*blockingLetters // of the runs, one after the other
	complaints consumer.Complaints          // of runs; used by the one goroutine that runs them

	mu     sync.Mutex
	status []Status // of the partitions of the last generation: they stay while the next one is awaited
}

// Status is the state of an input partition that is assigned to this process.
type Status struct {
	Topic     string
	Partition int32
	Read      int64 // next offset to read
	Committed int64
	Lag       int64         // records left to read, up to the last stable offset
	Unstable  int64         // records above the last stable offset: a producer's transaction is open
	Time      int64         // ms; the partition is read up to this time
	Stalled   time.Duration // since what was read of it was last acknowledged, or since there was last nothing to read
	Halted    halt.Reason
	Failing   failure.Cause // of the last run; empty while it lasts
	Cause     string        // of the halt, or of the last run that failed
}

// New returns an intake; Run starts it.
func New(cfg Config, k *kafka.Client, metrics *telemetry.Intake, log *zap.Logger) *Intake {
	if cfg.AtStep == nil {
		cfg.AtStep = func(context.Context, string) error { return nil }
	}
	group := kafka.GroupConfig{
		ID: Group(cfg.Namespace), Topics: slices.Sorted(maps.Keys(cfg.Topics)),
		SessionTimeout: cfg.SessionTimeout, HeartbeatInterval: cfg.HeartbeatInterval, RebalanceTimeout: cfg.RebalanceTimeout,
	}
	in := &Intake{cfg: cfg, kafka: k, consumer: consumer.New("intake", group, k, &metrics.Consumer, log), metrics: metrics, log: log, blocking: map[inputID]*blockingLetters{}}
	in.beginSeries()
	return in
}

// Run reads until it is drained, or until the context ends: then it stops wherever it is.
func (in *Intake) Run(ctx context.Context) error {
	defer in.forgetAllBut(nil)
	//mutant:intake-before-hand-over delete
	if !in.waitForHandOver(ctx) {
		return ctx.Err()
	}
	return in.consumer.Run(ctx, func(gen *kafka.Generation) []consumer.Worker {
		in.forgetAllBut(gen.Assignments)
		if len(gen.Assignments) == 0 {
			return nil
		}
		return []consumer.Worker{func(ctx context.Context) { in.runs(ctx, gen) }}
	})
}

// runs starts one run after the other: after an error, the next one starts from the committed offsets with a new producer id. The
// pauses between them grow for each cause on its own, whatever else succeeds meanwhile: a run that gets as far as appending
// before it fails would append the same entries again and again.
func (in *Intake) runs(ctx context.Context, gen *kafka.Generation) {
	for {
		r := newRun(in, gen)
		err := r.serve(ctx)
		r.close()
		if ctx.Err() != nil || err == nil {
			return
		}
		if errors.Is(err, errReadable) {
			in.log.Info("starting again", zap.Error(err))
			continue
		}
		err = in.haltAll(gen, err)
		pause := in.backoff.Next(in.causeOf(err))
		in.countFailure(err, pause)
		if !in.consumer.Pause(ctx, pause) {
			return
		}
	}
}

// causeOf returns the name of what failed, and the longest pause after it: what a server answers for good is not asked again as
// often as one that does not answer.
func (in *Intake) causeOf(err error) (cause string, longest time.Duration, now time.Time) {
	now, longest = in.cfg.Now(), in.cfg.HaltRetry
	if reason, ok := halt.ReasonOf(err); ok {
		return string(reason), longest, now
	}
	if code, ok := errors.AsType[kafka.Code](err); ok && !kafka.Retriable(err) && !errors.Is(err, kafka.ErrFenced) {
		return code.Error(), longest, now
	}
	return "no answer", consumer.LongestPause, now
}

// haltAll shows all assigned input partitions as halted if the error is one that an operator must remove the cause of. The next
// run tries again.
func (in *Intake) haltAll(gen *kafka.Generation, err error) error {
	reason, ok := halt.ReasonOf(err)
	if !ok && errors.Is(err, kafka.ErrAuthorization) {
		reason, ok = halt.NotAuthorized, true
		err = halt.New(reason, "%w; `mainstay check` names the permission that is missing", err)
	}
	if !ok {
		return err
	}
	var all []Status
	for topic, partitions := range gen.Assignments {
		for _, p := range partitions {
			all = append(all, Status{Topic: topic, Partition: p, Halted: reason, Cause: err.Error()})
			in.metrics.Consumer.Halted.WithLabelValues(haltedPartition(topic, p), string(reason)).Set(1)
		}
	}
	in.setStatus(all)
	return err
}

// Drain asks Run to wait for the acknowledgement of what is read, commit it, leave the group and return nil.
func (in *Intake) Drain() { in.consumer.Drain() }

// Status returns the state of the assigned input partitions; while the next generation is awaited, of those of the last one.
func (in *Intake) Status() []Status {
	in.mu.Lock()
	defer in.mu.Unlock()
	all := slices.Clone(in.status)
	for i := range all {
		s := &all[i]
		s.Stalled, _ = in.metrics.Stalled.Age(telemetry.ByIntake, s.Topic, strconv.Itoa(int(s.Partition)))
	}
	return all
}

// NotJoined returns why this process has been without a generation of the group, if for longer than a rebalance takes; nil otherwise.
func (in *Intake) NotJoined() error { return in.consumer.NotJoined() }

func (in *Intake) setStatus(all []Status) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.status = all
}
