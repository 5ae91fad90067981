// Package fold owns the path from the ledger to Redis and the output topics: for every ledger partition that the consumer
// group assigns to this process, one goroutine claims, folds, publishes and commits. Start reading at owner.run, then
// claim.serve.
//
// It refuses to know what an entry means (processors do), how a request is sent (pkg/kafka and pkg/redis do), and to
// continue after an error with an unknown outcome: the owner then claims the partition again, and an error that a retry
// cannot cure halts the partition with a named reason.
//
// # Why each event counts once
//
// K is the ledger offset below which outputs are published, R the one below which Redis is committed. Outputs, entries for
// other partitions and K move in one Kafka transaction; R moves after K and never above it. So whatever is lost, the next
// owner folds again from R and publishes only the outputs of entries at or above K. A transactional id per partition fences
// the last owner before K is read; a token in Redis fences it before R is read.
package fold

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/consumer"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
	"github.com/mainstay/mainstay/pkg/stream/failure"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Config configures a Fold. Durations are of monotonic time.
type Config struct {
	Namespace string
	Genesis   *ledger.Genesis
	Outputs   *encoded.Outputs // encode what is published; nil: it is JSON
	Settings  *ledger.Settings // what Step reads of the configuration; appended to the ledger if its revision is higher
	// Parameters of the models to start with; appended if their version is higher. nil: none.
	Parameters *ledger.Parameters

	PublishInterval          time.Duration // between two transactions of a partition, unless outputs pile up
	MaxTransactionsPerSecond int           // of the process; the publish interval is stretched to stay below it
	CommitInterval           time.Duration // longest time from a publish to its commit in Redis
	CheckpointInterval       time.Duration // between two checkpoint entries of a partition that publishes outputs
	TransactionTimeout       time.Duration
	SessionTimeout           time.Duration
	HeartbeatInterval        time.Duration
	RebalanceTimeout         time.Duration
	HaltRetry                time.Duration // between two claims of a halted partition
	CacheBytes               int64         // for customers kept in memory by the process, over all partitions; a quarter is for the garbage collector

	Customers *telemetry.CustomerHasher // identifies customers in log lines; nil: with a random key

	Now    func() time.Time
	Random func() uint64 // for tokens and nonces; safe for concurrent use

	// AtStep is called at the named steps of the loop, outside of any request; an error ends the claim. Tests stop and kill a
	// fold there. nil: no calls.
	AtStep func(ctx context.Context, step string) error
}

// Group is the consumer group whose members share the ledger's partitions.
func Group(namespace string) string { return namespace + "-fold" }

// TransactionalID is the id under which each owner of a partition fences the one before it.
func TransactionalID(namespace string, partition int32) string {
	return fmt.Sprintf("%s-fold-%d", namespace, partition)
}

// Fold folds the ledger partitions that the group assigns to this process.
type Fold struct {
	cfg      Config
	kafka    *kafka.Client
	redis    *redis.Client
	consumer *consumer.Consumer
	metrics  *telemetry.Fold
	log      *zap.Logger

	active atomic.Int32 // partitions assigned in this generation, which share the transactions per second and the cache

	mu     sync.Mutex
	status map[int32]Status          // of the partitions of the last generation: they stay while the next one is awaited
	served map[int32]bool            // partitions that have a worker
	fuses  map[int32]map[string]bool // by partition and rule: whether the rule's alerts are suppressed
	kept   map[int32]*kept
}

// kept is what a process remembers of a partition from one generation to the next, so that a rebalance neither shortens pauses nor ends a
// halt. The partition's owner alone uses it.
type kept struct {
	backoffs consumer.Backoffs // between claims that fail
	// refusing is the topic that did not take its part of the last transaction: the next one begins with it.
	refusing  string
	notBefore time.Time // of the next claim, while it refuses
	// halted is the reason of a halt that ended the serving of a claim, and cause its text. It lasts until the partition gets beyond
	// what halted it, since every retry claims the partition and serves it up to there.
	halted halt.Reason
	cause  string
	// failing is the cause of the last claim that failed, and failure its error, until the partition makes progress: a claim may succeed
	// again and again, and each of its transactions fail.
	failing failure.Cause
	failure string
}

// Status is the state of a partition that is assigned to this process.
type Status struct {
	Partition  int32
	Folded     int64         // everything below is folded
	Published  int64         // K
	Committed  int64         // R
	LagRecords int64         // entries left to fold, up to the last stable offset
	Commit     time.Time     // of the last commit to Redis
	BaseTime   int64         // ms; 0 while undefined
	Stalled    time.Duration // since the last commit, or since there was last nothing to commit
	Halted     halt.Reason
	Failing    failure.Cause // of the last claim that failed; empty once the partition has made progress since
	Cause      string        // of the halt, or of the last claim that failed
}

// New returns a fold; Run starts it.
func New(cfg Config, k *kafka.Client, r *redis.Client, metrics *telemetry.Fold, log *zap.Logger) *Fold {
	if cfg.AtStep == nil {
		cfg.AtStep = func(context.Context, string) error { return nil }
	}
	if cfg.Customers == nil {
		cfg.Customers = telemetry.NewCustomerHasher("")
	}
	group := kafka.GroupConfig{
		ID: Group(cfg.Namespace), Topics: []string{ledger.Topic(cfg.Namespace)},
		SessionTimeout: cfg.SessionTimeout, HeartbeatInterval: cfg.HeartbeatInterval, RebalanceTimeout: cfg.RebalanceTimeout,
	}
	for _, reason := range output.RejectionReasons() { // a series that is born with its first value has no increase
		metrics.Rejections.WithLabelValues(reason)
	}
	return &Fold{
		cfg: cfg, kafka: k, redis: r, consumer: consumer.New("fold", group, k, &metrics.Consumer, log), metrics: metrics, log: log,
		status: map[int32]Status{}, served: map[int32]bool{}, fuses: map[int32]map[string]bool{}, kept: map[int32]*kept{},
	}
}

// Run folds until it is drained, or until the context ends: then it stops wherever it is.
func (f *Fold) Run(ctx context.Context) error {
	defer f.forgetAllBut(nil)
	return f.consumer.Run(ctx, func(gen *kafka.Generation) []consumer.Worker {
		partitions := gen.Assignments[ledger.Topic(f.cfg.Namespace)]
		f.forgetAllBut(partitions)
		f.active.Store(int32(len(partitions))) //nolint:gosec // a partition count
		workers := make([]consumer.Worker, len(partitions))
		for i, p := range partitions {
			workers[i] = func(ctx context.Context) {
				f.setServed(p, true)
				defer f.setServed(p, false)
				newOwner(f, gen, p).run(ctx)
			}
		}
		return workers
	})
}

// Drain asks Run to publish and commit what is folded, leave the group and return nil.
func (f *Fold) Drain() { f.consumer.Drain() }

// Holds reports whether a partition is assigned to this process and not halted.
func (f *Fold) Holds(partition int32) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.status[partition]
	return ok && f.served[partition] && s.Halted == ""
}

// Status returns the state of the assigned partitions, in no order; while the next generation is awaited, of those of the last one.
func (f *Fold) Status() []Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Status, 0, len(f.status))
	for _, s := range f.status {
		s.Stalled, _ = f.metrics.Stalled.Age(telemetry.ByFold, ledger.Topic(f.cfg.Namespace), strconv.Itoa(int(s.Partition)))
		all = append(all, s)
	}
	return all
}

// NotJoined returns why this process has been without a generation of the group, if for longer than a rebalance takes; nil otherwise.
func (f *Fold) NotJoined() error { return f.consumer.NotJoined() }

// continueStatus returns the status of a partition that was assigned to this process in the last generation too, and an empty one
// otherwise.
func (f *Fold) continueStatus(partition int32) Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.status[partition]; !ok {
		f.status[partition] = Status{Partition: partition}
	}
	return f.status[partition]
}

func (f *Fold) keptOf(partition int32) *kept {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept[partition] == nil {
		f.kept[partition] = &kept{}
	}
	return f.kept[partition]
}

func (f *Fold) setServed(partition int32, served bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.served[partition] = served
}

func (f *Fold) setStatus(s Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status[s.Partition] = s
}

// forgetAllBut deletes the status and the series of partitions that are not assigned any more. It is called with the partitions of a
// new generation and not when one ends: in an outage none follows, and then the last lag and the time since the last progress are what
// an operator needs.
func (f *Fold) forgetAllBut(assigned []int32) {
	for _, s := range f.Status() {
		if slices.Contains(assigned, s.Partition) {
			continue
		}
		f.setFuses(s.Partition, nil)
		f.deleteSeries(s.Partition)
		f.mu.Lock()
		delete(f.status, s.Partition)
		delete(f.served, s.Partition)
		delete(f.fuses, s.Partition)
		delete(f.kept, s.Partition)
		f.mu.Unlock()
	}
}

// publishInterval is the shortest time between two transactions of one partition: each costs the process about 1.4 ms of CPU
// whatever its size.
func (f *Fold) publishInterval() time.Duration {
	shared := time.Duration(f.active.Load()) * time.Second / time.Duration(max(1, f.cfg.MaxTransactionsPerSecond))
	return max(f.cfg.PublishInterval, shared)
}
