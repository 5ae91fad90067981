package deliver

import (
	"context"
	"errors"
	"hash/fnv"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
)

const (
	// mostWaiting is how many deliveries of a destination may wait in this process before no more is read. One fetch more may come: it has
	// fetchBytes.
	mostWaiting = 1000
	fetchBytes  = 1 << 20
	fetchWait   = 250 * time.Millisecond
	lookEvery   = 100 * time.Millisecond // while nothing may be read
)

// claim serves the partitions of one generation of a destination's group.
//
// Invariants. One goroutine (run) reads, keeps the progress of all partitions, and commits; workers send and report what is done. A
// customer's records go to the worker that their id's hash names, whose queue is in the order of reading. A worker marks a delivery as done once it
// was answered with 2xx or is in the dead letters, never before. When the generation ends nothing more is committed.
type claim struct {
	*recipient

	gen     *kafka.Generation
	fetcher *kafka.Fetcher
	parts   []*progress
	by      map[origin]*progress // offset 0
	queues  []*queue
	// lastCommit is when offsets were last committed.
	lastCommit time.Time
}

func newClaim(r *recipient, gen *kafka.Generation) *claim {
	c := &claim{
		recipient: r, gen: gen, by: map[origin]*progress{},
		fetcher: r.of.kafka.NewFetcher(kafka.FetcherConfig{MaxBytes: fetchBytes, PartitionMaxBytes: fetchBytes / 4}),
	}
	for range r.Concurrency {
		c.queues = append(c.queues, newQueue())
	}
	return c
}

func (c *claim) run(ctx context.Context) {
	if !c.begin(ctx) {
		return
	}
	defer c.forgetSeries()
	var working sync.WaitGroup
	for _, q := range c.queues {
		working.Go(func() { c.work(ctx, q) })
	}
	for !c.drained() && ctx.Err() == nil {
		c.commitSometimes(ctx)
		if c.of.control.paused(c.Name) || waiting(c.parts) >= mostWaiting {
			c.observe(false)
			c.consumer.Pause(ctx, lookEvery)
			continue
		}
		c.read(ctx)
	}
	for _, q := range c.queues {
		q.close()
	}
	working.Wait() // what is under way is finished, or cancelled with the generation
	c.commit(ctx)
}

func (c *claim) drained() bool {
	select {
	case <-c.consumer.Drained():
		return true
	default:
		return false
	}
}

// begin finds where each partition is read from, and repeats that until it is known. A partition without a committed offset begins at the
// end or at the start, and commits that at once: if it did so only after a first delivery, a crash before that would begin at another end,
// and leave out what came between.
func (c *claim) begin(ctx context.Context) bool {
	for {
		err := c.findPositions(ctx)
		if err == nil {
			return true
		}
		c.failed("kafka", err)
		if !c.consumer.Pause(ctx, time.Second) {
			return false
		}
	}
}

func (c *claim) findPositions(ctx context.Context) error {
	c.parts = nil
	for topic, partitions := range c.gen.Assignments {
		offsets, err := c.of.kafka.CommittedOffsets(ctx, Group(c.of.cfg.Namespace, c.Name), topic, partitions)
		if err != nil {
			return err
		}
		bounds, err := c.of.kafka.ListOffsets(ctx, topic, partitions)
		if err != nil {
			return err
		}
		for _, o := range offsets {
			p := &progress{topic: topic, partition: o.Partition, next: o.Offset, committed: o.Offset, end: -1}
			if o.Offset < 0 {
				p.next = bounds[o.Partition].Start
				if c.Start == destination.Latest && topic != ReplayTopic(c.of.cfg.Namespace) {
					p.next = bounds[o.Partition].LastStable
				}
			}
			c.parts = append(c.parts, p)
			c.by[origin{topic: topic, partition: o.Partition}] = p
		}
	}
	if at := due(c.parts); len(at) > 0 {
		if err := c.gen.CommitOffsets(ctx, at); err != nil {
			return err
		}
	}
	for _, p := range c.parts {
		p.committed = p.next
		c.fetcher.Assign(p.topic, p.partition, p.next)
	}
	return nil
}

// read fetches once and queues what the destination wants.
func (c *claim) read(ctx context.Context) {
	got, err := c.fetcher.Fetch(ctx, fetchWait, 1)
	if err != nil {
		return // the context has ended, or the client is closed
	}
	for i := range got {
		f := &got[i]
		p := c.by[origin{topic: f.Topic, partition: f.Partition}]
		if f.Err != nil {
			c.readFailed(p, f.Err)
			continue
		}
		p.next, p.end = f.Next, f.LastStable
		for _, record := range f.Records {
			if err := c.take(ctx, p, record); err != nil {
				c.awaitSchema(ctx, p, record.Offset, err)
				break
			}
			p.lastRead = time.UnixMilli(record.Timestamp)
		}
	}
	c.observe(true)
}

// readFailed continues at the log's start where the position does not exist any more: retention has deleted what was not read, or the topic
// was made again. Nobody can deliver what is gone, and to wait for an operator would only lose more.
func (c *claim) readFailed(p *progress, err error) {
	out, ok := errors.AsType[*kafka.OutOfRangeError](err)
	if !ok {
		c.failed("kafka", err, zap.String("topic", p.topic), zap.Int32("partition", p.partition))
		return
	}
	c.of.metrics.Outputs.WithLabelValues(c.Name, lost).Add(float64(max(0, out.LogStart-out.Offset)))
	c.log.Error("outputs are lost to this destination: its position is not in the log any more, and it continues at the log's start",
		zap.String("topic", p.topic), zap.Int32("partition", p.partition), zap.Int64("position", out.Offset), zap.Int64("log_start", out.LogStart))
	p.next = out.LogStart
	c.fetcher.Assign(p.topic, p.partition, out.LogStart)
}

// awaitSchema reads on from a record that cannot be read before the schema registry answers. What was read of the partition behind it is
// read again, so that the order is kept.
func (c *claim) awaitSchema(ctx context.Context, p *progress, offset int64, err error) {
	c.failed("registry", err, zap.String("topic", p.topic), zap.Int32("partition", p.partition))
	p.next = offset
	c.fetcher.Assign(p.topic, p.partition, offset)
	c.consumer.Pause(ctx, time.Second)
}

// take queues what the destination wants of a record. An error is that of a schema registry that does not answer.
func (c *claim) take(ctx context.Context, p *progress, record kafka.Record) error {
	at := origin{p.topic, p.partition, record.Offset}
	d, err := c.newDelivery(ctx, at, record)
	if encoded.Waits(err) {
		return err
	}
	if d == nil {
		if err != nil {
			c.log.Error("a replay is left out: it does not name its output", zap.Int64("offset", record.Offset), zap.Error(err))
		}
		c.of.metrics.Outputs.WithLabelValues(c.Name, filtered).Inc()
		return nil
	}
	p.open = append(p.open, d)
	c.queueOf(record.Key).push(d)
	return nil
}

// queueOf is the queue of a customer.
func (c *claim) queueOf(customer []byte) *queue {
	h := fnv.New32a()
	_, _ = h.Write(customer) // never fails
	//mutant:order-lost replace return c.queues[int(c.of.cfg.Random()%uint64(len(c.queues)))]
	return c.queues[int(h.Sum32()%uint32(len(c.queues)))] //nolint:gosec // bounded by validation
}

func (c *claim) commitSometimes(ctx context.Context) {
	if now := c.of.cfg.Now(); now.Sub(c.lastCommit) >= c.of.cfg.CommitInterval {
		c.lastCommit = now
		c.commit(ctx)
	}
}

// commit commits the progress. An error is no reason to stop: the next commit has all of it.
func (c *claim) commit(ctx context.Context) {
	at := due(c.parts)
	if len(at) == 0 || ctx.Err() != nil {
		return
	}
	if err := c.gen.CommitOffsets(ctx, at); err != nil {
		if ctx.Err() == nil {
			c.failed("commit", err)
		}
		return
	}
	for _, o := range at {
		c.by[origin{topic: o.Topic, partition: o.Partition}].committed = o.Offset
	}
}

// observe sets the gauges of all partitions. fetched says that the ends are those of now; otherwise an age that is 0 grows by itself.
func (c *claim) observe(fetched bool) {
	now := c.of.cfg.Now()
	for _, p := range c.parts {
		low := p.low()
		if p.end >= 0 {
			c.of.metrics.Undelivered.WithLabelValues(c.Name, p.topic, strconv.Itoa(int(p.partition))).Set(float64(max(0, p.end-low)))
		}
		age := c.of.metrics.Oldest
		switch {
		case len(p.open) > 0:
			age.Set(c.source(p), c.Name, p.topic, now.Sub(p.open[0].published()))
		case p.next < p.end && !p.lastRead.IsZero():
			age.Set(c.source(p), c.Name, p.topic, now.Sub(p.lastRead))
		case fetched && p.next >= p.end:
			age.Set(c.source(p), c.Name, p.topic, 0)
		default:
			age.Begin(c.source(p), c.Name, p.topic)
		}
	}
}

func (c *claim) source(p *progress) string {
	return c.Name + " " + p.topic + "/" + strconv.Itoa(int(p.partition))
}

// forgetSeries deletes the series of partitions that another process may own from now on.
func (c *claim) forgetSeries() {
	for _, p := range c.parts {
		c.of.metrics.Undelivered.DeleteLabelValues(c.Name, p.topic, strconv.Itoa(int(p.partition)))
		c.of.metrics.Oldest.DeleteSource(c.source(p))
	}
}
