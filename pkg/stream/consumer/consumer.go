// Package consumer owns a membership in a consumer group as intake and fold both need it: it joins, runs workers on the
// partitions of each generation, drains them, and leaves the group so that other members take the partitions over at once.
//
// It refuses to read records, to commit offsets, and to know what a worker does with its partitions.
//
// # Outline
//
// Run asks for a generation, starts its workers and waits until all of them have returned; then it asks for the next. A
// worker returns in three cases only: its context has ended (the generation is over, or Run's context is), the consumer is
// drained, or both. A worker that meets an error repeats its work after Pause instead of returning, since kafka-go ends the
// generation of all workers when one of them returns.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

// Consumer is one member of a group.
type Consumer struct {
	name    string // of the role, for logs and errors
	cfg     kafka.GroupConfig
	kafka   *kafka.Client
	metrics *telemetry.Consumer
	log     *zap.Logger

	drained   chan struct{} // closed by Drain
	drainOnce sync.Once

	mu      sync.Mutex
	joining error // of the last attempt to join; nil: there was none since the last generation
	late    bool  // the next generation has taken longer than lateAfter
}

// lateAfter is how long a member waits for a generation before it says so. A rebalance takes about a second.
const lateAfter = 4 * time.Second

// ErrNotJoined is the error of a member that waits for a generation, for longer than a rebalance takes. It owns no partition meanwhile.
var ErrNotJoined = errors.New("no generation of the consumer group")

// Worker serves a share of a generation's partitions until its context ends or the consumer is drained.
type Worker func(ctx context.Context)

// New returns a consumer that Run makes a member of the group.
func New(name string, cfg kafka.GroupConfig, k *kafka.Client, metrics *telemetry.Consumer, log *zap.Logger) *Consumer {
	c := &Consumer{name: name, cfg: cfg, kafka: k, metrics: metrics, log: log, drained: make(chan struct{})}
	c.cfg.Retrying = c.joinFailed
	return c
}

// Drain asks the workers to finish and Run to leave the group and return nil.
func (c *Consumer) Drain() { c.drainOnce.Do(func() { close(c.drained) }) }

// Drained is closed once Drain was called. Workers look at it between two units of work.
func (c *Consumer) Drained() <-chan struct{} { return c.drained }

// Run calls workers for each generation and runs what it returns. It returns nil after Drain, or the error of the context
// when that ends: then nothing is finished, since the workers' contexts end with it.
func (c *Consumer) Run(ctx context.Context, workers func(*kafka.Generation) []Worker) error {
	group, err := c.kafka.NewGroup(c.cfg) //nolint:contextcheck // it lives until leaveGroup closes it
	if err != nil {
		return fmt.Errorf("join the %s group: %w", c.name, err)
	}
	defer c.leaveGroup(ctx, group)
	stop := context.AfterFunc(ctx, c.Drain) // whoever waits for a drain need not also wait for this context
	defer stop()

	joining, cancel := context.WithCancel(ctx) // ends the wait for a generation
	defer cancel()
	go func() {
		select {
		case <-c.drained:
			cancel()
		case <-joining.Done():
		}
	}()

	for {
		gen, err := c.next(joining, group)
		switch {
		case err == nil:
			c.serve(ctx, gen, workers)
		case joining.Err() == nil:
			c.joinFailed(err)
			c.Pause(joining, time.Second)
		}
		if c.isDrained() || joining.Err() != nil {
			return ctx.Err()
		}
	}
}

// next waits for a generation, and says so in the log when that takes long.
func (c *Consumer) next(ctx context.Context, group *kafka.Group) (*kafka.Generation, error) {
	timer := time.AfterFunc(lateAfter, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.late && ctx.Err() == nil {
			c.late = true
			c.log.Warn("no generation of the "+c.name+" group yet", zap.Duration("for", lateAfter), zap.Error(c.joining))
		}
	})
	defer timer.Stop()
	gen, err := group.Next(ctx)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.joining, c.late = nil, false
	}
	return gen, err
}

func (c *Consumer) joinFailed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joining = err
}

// NotJoined returns ErrNotJoined, with the last error, while this member has waited for a generation for long; nil otherwise.
func (c *Consumer) NotJoined() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.late:
		return nil
	case c.joining == nil:
		return fmt.Errorf("%w %s", ErrNotJoined, c.cfg.ID)
	}
	return fmt.Errorf("%w %s: %w", ErrNotJoined, c.cfg.ID, c.joining)
}

// serve runs the workers of a generation. One that returns first waits for the others: the first return would end the
// generation, and with it the membership under which the others still publish and commit.
func (c *Consumer) serve(ctx context.Context, gen *kafka.Generation, workers func(*kafka.Generation) []Worker) {
	partitions := 0
	for _, assigned := range gen.Assignments {
		partitions += len(assigned)
	}
	c.metrics.AssignedPartitions.Set(float64(partitions))
	c.metrics.Rebalances.Inc()
	c.log.Info("generation of the "+c.name+" group", zap.Int32("generation", gen.ID), zap.Int("partitions", partitions))

	all := workers(gen)
	if len(all) == 0 { // more members than partitions
		all = []Worker{func(ctx context.Context) {
			select {
			case <-ctx.Done():
			case <-c.drained:
			}
		}}
	}
	var working, ended sync.WaitGroup
	done := make(chan struct{}) // closed when no worker works any more
	working.Add(len(all))
	ended.Add(len(all))
	for _, work := range all {
		gen.Start(func(generation context.Context) {
			defer ended.Done()
			worker, cancel := context.WithCancelCause(generation)
			defer cancel(nil)
			stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
			defer stop()
			work(worker)
			working.Done()
			select {
			case <-generation.Done():
			case <-done:
			}
		})
	}
	working.Wait()
	close(done)
	ended.Wait()
	c.metrics.AssignedPartitions.Set(0)
}

// leaveGroup gives the membership back, so that other members need not wait for the end of the session.
func (c *Consumer) leaveGroup(ctx context.Context, group *kafka.Group) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.SessionTimeout)
	defer cancel()
	if err := group.Close(ctx); err != nil {
		c.log.Warn("the "+c.name+" group was not left in order: its partitions wait for the end of the session", zap.Error(err))
	}
}

func (c *Consumer) isDrained() bool {
	select {
	case <-c.drained:
		return true
	default:
		return false
	}
}

// Pause waits. It returns false, at once, when the consumer is drained or the context ends: the worker then returns.
func (c *Consumer) Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.drained:
		return false
	case <-ctx.Done():
		return false
	}
}

// Pauses after failed attempts.
const (
	FirstPause   = 20 * time.Millisecond
	LongestPause = 2 * time.Second
)

// Backoffs are the pauses after failures of several causes: each cause has its own, which neither the success nor the failure
// of anything else shortens. The zero value is ready to use.
type Backoffs struct{ causes map[string]pausedCause }

type pausedCause struct {
	pause time.Duration
	at    time.Time
}

// forgetAfter is how long a cause must not have occurred, beyond its last pause, for its pauses to begin again.
const forgetAfter = time.Minute

// Next returns the pause after a failure: it doubles from FirstPause to longest.
func (b *Backoffs) Next(cause string, longest time.Duration, now time.Time) time.Duration {
	if b.causes == nil {
		b.causes = map[string]pausedCause{}
	}
	last := b.causes[cause]
	//mutant:back-off-reset if true || $
	if now.Sub(last.at) > last.pause+forgetAfter {
		last.pause = 0
	}
	last.pause, last.at = min(max(2*last.pause, FirstPause), longest), now
	b.causes[cause] = last
	return last.pause
}
