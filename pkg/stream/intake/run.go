package intake

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

const fetchMinBytes = 256 << 10 // below saturation a fetch waits for time: one wake-up per linger

// run reads the input partitions of a generation from their committed offsets on, with one producer id. All of it runs in
// one goroutine, but for the one produce request that is under way.
type run struct {
	*Intake
	gen      *kafka.Generation
	ledger   string // the topic's name
	fetcher  *kafka.Fetcher
	producer *kafka.Producer
	nonces   *rand.PCG
	clock    clock

	//mutant:two-in-flight-unordered insert before chan landed
	revision    uint64
	set         []*ledger.Input      // all input topics, owned or not
	inputs      []*input             // owned, by topic and partition
	lanes       []*lane              // by ledger partition
	letterBoxes map[event.Kind]int32 // partitions of the dead-letter topics
	filling     cargo
	flying      cargo
	flight      chan landed // nil: nothing is under way
	cancel      context.CancelFunc

	tickedAt, committedAt time.Time
	moved                 bool // something was read since the last tick
	acknowledged          bool
	result                event.Result
	entry                 ledger.Entry
	scratch               scratch
}

// input is one owned input partition.
type input struct {
	topic       string
	partition   int32
	incarnation uint32
	kind        event.Kind

	next, acked, committed int64 // offsets: to read; below it all is acknowledged; as committed
	lastOffset             int64
	print                  uint64 // of the record at lastOffset; 0: none was read by this run
	ackedOffset            int64
	ackedPrint             uint64

	heard         bool
	atEnd         bool
	time          int64
	lag, unstable int64
	halted        halt.Reason
	cause         string
	lookAgain     time.Time
	gauges        gauges
}

// lane is the way to one ledger partition.
type lane struct {
	sent []int64 // by input: the last origin sent to this partition by this run
	has  []bool
}

// cargo is what goes out together: batches for the ledger and the dead letters, and the positions reached with them.
type cargo struct {
	*kafka.Batches
	reached []reached
}

type place struct {
	topic     string
	partition int32
}

type reached struct {
	input  *input
	next   int64
	offset int64
	print  uint64
}

type landed struct {
	acks []kafka.Ack
	err  error
	at   time.Time
}

func newRun(in *Intake, gen *kafka.Generation) *run {
	r := &run{
		Intake: in, gen: gen, ledger: ledger.Topic(in.cfg.Namespace), nonces: rand.NewPCG(in.cfg.Random(), in.cfg.Random()),
		filling: cargo{Batches: kafka.NewBatches()}, flying: cargo{Batches: kafka.NewBatches()},
	}
	r.scratch.header = func(name string) ([]byte, bool) { return r.scratch.record.Header(name) }
	return r
}

// close waits for the request under way, so that the next run does not begin beside it.
func (r *run) close() {
	if r.cancel != nil {
		r.cancel()
	}
	if r.flight != nil {
		<-r.flight
		r.flight = nil
	}
	r.setStatus(nil)
	for _, in := range r.inputs {
		r.forget(in.topic, in.partition)
	}
}

// serve is the whole life of a run; nil when it was drained.
func (r *run) serve(ctx context.Context) (err error) {
	ctx, r.cancel = context.WithCancel(ctx)
	if err := r.begin(ctx); err != nil {
		return err
	}
	for {
		select {
		case <-r.consumer.Drained():
			return r.finish(ctx)
		default:
		}
		before := r.clock.now(r.cfg.Now()) // what is at its end after the fetch was read to its end at this moment, not later
		fetched, err := r.fetcher.Fetch(ctx, r.wait(), fetchMinBytes)
		if err != nil {
			return fmt.Errorf("fetch the inputs: %w", err)
		}
		if err := r.cfg.AtStep(ctx, StepFetched); err != nil {
			return err
		}
		if err := r.take(fetched, before); err != nil {
			return err
		}
		//mutant:tick-by-another-producer replace if err := r.tickApart(ctx); err != nil { return err }
		r.tick()
		if err := r.launch(ctx); err != nil {
			return err
		}
		if err := r.commit(ctx, false); err != nil {
			return err
		}
		r.observe()
		if err := r.lookAtHalted(ctx); err != nil {
			return err
		}
	}
}

// finish waits until all that was read is acknowledged, and commits it.
func (r *run) finish(ctx context.Context) error {
	for range 2 { // what is under way, then what has been filled meanwhile
		if err := r.launch(ctx); err != nil {
			return err
		}
		if err := r.land(ctx); err != nil {
			return err
		}
	}
	return r.commit(ctx, true)
}

// wait is how long a fetch may wait: for the linger, or for the next tick.
func (r *run) wait() time.Duration {
	untilTick := r.tickInterval() - r.cfg.Now().Sub(r.tickedAt)
	return max(time.Millisecond, min(r.cfg.Linger, untilTick))
}

// take turns fetched records into entries and dead letters of the cargo that is being filled. Nothing of the records is
// kept: they die with the next fetch.
func (r *run) take(fetched []kafka.Fetched, before int64) error {
	now := r.clock.now(r.cfg.Now())
	for i := range fetched {
		f := &fetched[i]
		at := r.find(f.Topic, f.Partition)
		in := r.inputs[at]
		switch {
		case errors.Is(f.Err, kafka.ErrOutOfRange):
			r.halt(in, outOfRange(in, f))
			continue
		case f.Err != nil:
			in.heard = false // nothing is known of it now: no tick may claim anything
			r.log.Warn("input partition is not answering", zap.String("topic", f.Topic), zap.Int32("input_partition", f.Partition), zap.Error(f.Err))
			continue
		}
		for j := range f.Records {
			if err := r.takeRecord(in, at, &f.Records[j], now); err != nil {
				return err
			}
		}
		if n := len(f.Records); n > 0 {
			last := &f.Records[n-1]
			in.lastOffset, in.print = last.Offset, ledger.Fingerprint(last.Offset, last.Key, last.Value)
			r.moved = true
		}
		r.moved = r.moved || in.atEnd != f.AtEnd() || !in.heard
		in.heard, in.atEnd, in.next = true, f.AtEnd(), f.Next
		//mutant:open-transaction-ignored insert in.atEnd = f.Next == f.LastStable
		in.lag, in.unstable = f.LastStable-f.Next, f.HighWatermark-f.LastStable
		if in.atEnd && r.cfg.Genesis.GetClock() == ledger.Clock_CLOCK_LIVE {
			//mutant:end-after-fetch replace in.time = max(in.time, r.clock.now(r.cfg.Now()))
			in.time = max(in.time, before)
		}
		r.filling.reach(in)
	}
	return nil
}

func outOfRange(in *input, f *kafka.Fetched) error {
	if in.next > f.HighWatermark {
		return halt.New(halt.InputRecreated, "offset %d of %s/%d is wanted, the log ends at %d: the topic was deleted and made again; `mainstay topics recreated %s` starts it anew",
			in.next, in.topic, in.partition, f.HighWatermark, in.topic)
	}
	return halt.New(halt.InputTruncated, "offset %d of %s/%d is wanted, the log starts at %d: retention deleted records before they were read; `mainstay topics recreated %s` goes on without them",
		in.next, in.topic, in.partition, f.LogStart, in.topic)
}

// halt stops one input partition. The others go on, but time stands still until it is mended: nobody can say what lies in
// it.
func (r *run) halt(in *input, err error) {
	reason, _ := halt.ReasonOf(err)
	r.log.Error("input partition halted", zap.String("topic", in.topic), zap.Int32("input_partition", in.partition), zap.String("reason", string(reason)), zap.Error(err))
	r.metrics.Consumer.Halted.WithLabelValues(haltedPartition(in.topic, in.partition), string(reason)).Set(1)
	in.halted, in.cause, in.heard = reason, err.Error(), false
	in.lookAgain = r.cfg.Now().Add(r.cfg.HaltRetry)
	r.fetcher.Unassign(in.topic, in.partition)
}

// lookAtHalted starts a new run when a person may have mended what was halted.
func (r *run) lookAtHalted(ctx context.Context) error {
	for _, in := range r.inputs {
		if in.halted == "" || r.cfg.Now().Before(in.lookAgain) {
			continue
		}
		in.lookAgain = r.cfg.Now().Add(r.cfg.HaltRetry)
		if _, err := r.position(ctx, in.topic, in.partition); err == nil {
			return fmt.Errorf("%s/%d can be read again", in.topic, in.partition)
		}
	}
	return nil
}

// launch sends the filled cargo once the one before it has landed: one request under way, so that order holds.
func (r *run) launch(ctx context.Context) error {
	if len(r.filling.All()) == 0 && len(r.filling.reached) == 0 {
		return r.landed(ctx, false)
	}
	//mutant:two-in-flight-acked replace if err := r.overtake(ctx, true); err != nil { return err }
	//mutant:two-in-flight-unordered replace if r.before = r.flight; r.flight != nil { if err := r.overtake(ctx, false); err != nil { return err } }
	if err := r.land(ctx); err != nil {
		return err
	}
	r.filling, r.flying = r.flying, r.filling
	//mutant:two-in-flight-acked,two-in-flight-unordered replace r.filling = cargo{Batches: kafka.NewBatches()}
	r.filling.reset()
	if len(r.flying.All()) == 0 { // nothing but markers and skipped records: acknowledged as it stands
		r.settle()
		return nil
	}
	//mutant:commit-before-acknowledged insert r.settle()
	flight := make(chan landed, 1)
	r.flight = flight
	//mutant:two-in-flight-unordered insert before := r.before; r.before = nil
	producer, batches, now := r.producer, r.flying.All(), r.cfg.Now
	go func() {
		acks, err := producer.Produce(ctx, batches)
		//mutant:two-in-flight-unordered insert if before != nil { if l := <-before; l.err != nil { err = l.err } }
		flight <- landed{acks, err, now()}
	}()
	return nil
}

// land waits for the request under way.
func (r *run) land(ctx context.Context) error { return r.landed(ctx, true) }

func (r *run) landed(ctx context.Context, wait bool) error {
	if r.flight == nil {
		return nil
	}
	var l landed
	if wait {
		l = <-r.flight // it ends with ctx
	} else {
		select {
		case l = <-r.flight:
		default:
			return nil
		}
	}
	r.flight = nil
	if l.err != nil {
		return fmt.Errorf("append to the ledger: %w", l.err)
	}
	r.acknowledged = true
	for _, a := range l.acks {
		if a.Topic == r.ledger && a.AppendTime >= 0 {
			r.clock.learn(a.AppendTime, l.at)
		}
	}
	r.settle()
	return r.cfg.AtStep(ctx, StepAcknowledged)
}

// settle notes that everything below the positions of the landed cargo is acknowledged.
func (r *run) settle() {
	for _, p := range r.flying.reached {
		p.input.acked, p.input.ackedOffset, p.input.ackedPrint = p.next, p.offset, p.print
	}
	r.flying.reached = r.flying.reached[:0]
}

// commit says in Kafka how far all is acknowledged, with a fingerprint by which a re-created topic is known.
func (r *run) commit(ctx context.Context, now bool) error {
	if !now && r.cfg.Now().Sub(r.committedAt) < r.cfg.CommitInterval {
		return nil
	}
	var offsets []kafka.TopicPartitionOffset
	for _, in := range r.inputs {
		if in.acked > in.committed && in.halted == "" {
			offsets = append(offsets, kafka.TopicPartitionOffset{
				Topic: in.topic, Partition: in.partition, Offset: in.acked,
				Metadata: Position{in.acked, in.incarnation, in.ackedOffset, in.ackedPrint}.metadata(),
			})
		}
	}
	r.committedAt = r.cfg.Now()
	if len(offsets) == 0 {
		return nil
	}
	if err := r.cfg.AtStep(ctx, StepCommitOffsets); err != nil {
		return err
	}
	if err := r.gen.CommitOffsets(ctx, offsets); err != nil {
		return fmt.Errorf("commit input offsets: %w", err)
	}
	for _, in := range r.inputs {
		if in.halted == "" {
			in.committed = max(in.committed, in.acked)
		}
	}
	return nil
}

func (r *run) find(topic string, partition int32) int {
	at, _ := slices.BinarySearchFunc(r.inputs, place{topic, partition}, func(in *input, p place) int {
		if c := strings.Compare(in.topic, p.topic); c != 0 {
			return c
		}
		return int(in.partition) - int(p.partition)
	})
	return at
}

func (r *run) observe() {
	all := make([]Status, len(r.inputs))
	now := r.clock.now(r.cfg.Now())
	for i, in := range r.inputs {
		all[i] = Status{
			Topic: in.topic, Partition: in.partition, Read: in.next, Committed: in.committed, Lag: in.lag, Unstable: in.unstable,
			Time: in.time, Halted: in.halted, Cause: in.cause,
		}
		in.gauges.seen(in, now)
	}
	r.setStatus(all)
}

func (c *cargo) reach(in *input) {
	c.reached = append(c.reached, reached{in, in.next, in.lastOffset, in.print})
}

func (c *cargo) reset() {
	c.Reset()
	c.reached = c.reached[:0]
}
