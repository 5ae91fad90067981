// Package fold owns the way from the ledger to Redis and the outputs: for every ledger partition that this process holds
// under the group's current generation, one goroutine claims, folds, publishes and commits. Start reading at owner.serve.
//
// It refuses to know what an entry means (processors do), how a request travels (pkg/kafka, pkg/redis do), and to go on
// when it cannot be sure: it then claims again, and what a retry cannot cure halts the partition with a named reason.
//
// # Why each event counts once
//
// K is the ledger offset below which outputs are published, R the one below which Redis is committed. Outputs, entries for
// other partitions and K move in one Kafka transaction; R moves after K, never beyond it. So whatever is lost, the next
// owner folds again from R and sends only what lies at or above K. A transactional id per partition fences the last owner
// before K is read; a token in Redis fences it before R is read.
package fold

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Config is what a fold is told. Durations are of monotonic time.
type Config struct {
	Namespace string
	Genesis   *ledger.Genesis
	Settings  *ledger.Settings // what Step shall read; appended to the ledger when its revision is higher
	// Parameters of the models to begin with; appended when their version is higher. nil: none.
	Parameters *ledger.Parameters

	PublishInterval          time.Duration // at least this long between two transactions of a partition, unless outputs pile up
	MaxTransactionsPerSecond int           // of the process; the interval stretches to keep below it
	CommitInterval           time.Duration // at most this long until what is published is in Redis
	CheckpointInterval       time.Duration
	TransactionTimeout       time.Duration
	SessionTimeout           time.Duration
	HeartbeatInterval        time.Duration
	RebalanceTimeout         time.Duration
	HaltRetry                time.Duration // a halted partition looks again this often
	CacheBytes               int64         // customers kept in memory by the process, over all partitions

	Now    func() time.Time
	Random func() uint64 // for tokens and nonces; safe for concurrent use

	// AtStep is called at the named steps of the loop, outside of any request; an error ends the claim. Tests stop and kill a
	// fold there. nil: no calls.
	AtStep func(ctx context.Context, step string) error
}

// Group is the consumer group whose members share the ledger's partitions.
func Group(namespace string) string { return namespace + "-fold" }

// TransactionalID is what fences the owners of a partition.
func TransactionalID(namespace string, partition int32) string {
	return fmt.Sprintf("%s-fold-%d", namespace, partition)
}

// Fold folds the partitions that the group gives it.
type Fold struct {
	cfg     Config
	kafka   *kafka.Client
	redis   *redis.Client
	metrics *telemetry.Fold
	log     *zap.Logger

	active   atomic.Int32 // partitions held now: they share the transactions and the cache
	draining chan struct{}
	drain    sync.Once

	mu     sync.Mutex
	status map[int32]Status
	fuses  map[int32]map[string]bool // by partition: rules whose alerts are held back
}

// Status is what is known of a partition that this process holds.
type Status struct {
	Partition  int32
	Folded     int64     // everything below is folded
	Published  int64     // K
	Committed  int64     // R
	LagRecords int64     // up to the last stable offset
	Commit     time.Time // of the last commit to Redis
	BaseTime   int64     // ms; 0 while undefined
	Halted     halt.Reason
	Cause      string // of the halt, or of the last claim that failed
}

// New makes a fold; Run starts it.
func New(cfg Config, k *kafka.Client, r *redis.Client, metrics *telemetry.Fold, log *zap.Logger) *Fold {
	if cfg.AtStep == nil {
		cfg.AtStep = func(context.Context, string) error { return nil }
	}
	return &Fold{
		cfg: cfg, kafka: k, redis: r, metrics: metrics, log: log,
		draining: make(chan struct{}), status: map[int32]Status{}, fuses: map[int32]map[string]bool{},
	}
}

// Holds says that a partition is this process's, and not halted.
func (f *Fold) Holds(partition int32) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.status[partition]
	return ok && s.Halted == ""
}

// Drain asks Run to publish and commit what is folded, leave the group and return nil.
func (f *Fold) Drain() { f.drain.Do(func() { close(f.draining) }) }

// Status returns the partitions held now, in no order.
func (f *Fold) Status() []Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Status, 0, len(f.status))
	for _, s := range f.status {
		all = append(all, s)
	}
	return all
}

// Run folds until it is drained or the context ends; then it stops at once, in the middle of anything.
func (f *Fold) Run(ctx context.Context) error {
	group, err := f.kafka.NewGroup(kafka.GroupConfig{ //nolint:contextcheck // it lives until leave closes it
		ID: Group(f.cfg.Namespace), Topics: []string{ledger.Topic(f.cfg.Namespace)},
		SessionTimeout: f.cfg.SessionTimeout, HeartbeatInterval: f.cfg.HeartbeatInterval, RebalanceTimeout: f.cfg.RebalanceTimeout,
	})
	if err != nil {
		return fmt.Errorf("join the fold group: %w", err)
	}
	defer f.leave(ctx, group)

	next, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, f.Drain) // nobody may wait for a drain that cannot come any more
	defer stop()
	go func() { // a drain also ends the wait for a generation
		select {
		case <-f.draining:
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
			f.log.Warn("no generation of the fold group yet", zap.Error(err))
			if err := sleep(next, time.Second); err != nil {
				return ctx.Err()
			}
			continue
		}
		f.serve(gen)
		select {
		case <-f.draining:
			return ctx.Err()
		default:
		}
	}
}

// serve holds the partitions of a generation until it ends or all are drained. No owner returns before all may: the first
// return would end the generation for the others.
func (f *Fold) serve(gen *kafka.Generation) {
	partitions := gen.Assignments[ledger.Topic(f.cfg.Namespace)]
	f.active.Store(int32(len(partitions))) //nolint:gosec // a partition count
	f.metrics.AssignedPartitions.Set(float64(len(partitions)))
	f.metrics.Rebalances.Inc()
	f.log.Info("generation of the fold group", zap.Int32("generation", gen.ID), zap.Int32s("partitions", partitions))

	var working, all sync.WaitGroup
	drained := make(chan struct{})
	working.Add(len(partitions))
	for _, p := range partitions {
		all.Add(1)
		gen.Start(func(ctx context.Context) {
			defer all.Done()
			o := newOwner(f, gen, p)
			o.run(ctx)
			working.Done()
			select {
			case <-ctx.Done():
			case <-drained:
			}
			f.forget(p)
		})
	}
	if len(partitions) == 0 {
		select {
		case <-gen.Context().Done():
		case <-f.draining:
		}
	}
	working.Wait()
	close(drained)
	all.Wait()
}

// leave gives the membership back at once when it can, so that others need not wait for the session to end.
func (f *Fold) leave(ctx context.Context, group *kafka.Group) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.cfg.SessionTimeout)
	defer cancel()
	if err := group.Close(ctx); err != nil {
		f.log.Warn("the fold group was not left in order", zap.Error(err))
	}
	f.metrics.AssignedPartitions.Set(0)
}

func (f *Fold) report(s Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status[s.Partition] = s
}

func (f *Fold) forget(partition int32) {
	f.fuse(partition, nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.status, partition)
	f.metrics.DeletePartition(partition)
	f.silence(ledger.Topic(f.cfg.Namespace), partition)
	delete(f.fuses, partition)
}

// interval between two transactions of one partition: each costs the process about 1.4 ms of CPU whatever its size.
func (f *Fold) interval() time.Duration {
	shared := time.Duration(f.active.Load()) * time.Second / time.Duration(max(1, f.cfg.MaxTransactionsPerSecond))
	return max(f.cfg.PublishInterval, shared)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

var errDrained = errors.New("drained")
