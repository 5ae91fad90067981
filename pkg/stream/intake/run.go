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

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/consumer"
	"github.com/mainstay/mainstay/pkg/stream/failure"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

const fetchMinBytes = 256 << 10 // below saturation a fetch waits for time: one wake-up per linger

// run reads the input partitions of a generation from their committed offsets, under one producer id. After an error with an
// unknown outcome nothing in it is trusted: it is thrown away, and the next run starts from the committed offsets. It runs in
// one goroutine, but for the produce request in flight.
type run struct {
	*Intake
	gen     *kafka.Generation // under which the partitions are assigned; fences commits of their offsets
	fetcher *kafka.Fetcher
	clock   clock
	set     inputSet
	inputs  []*inputPartition // the assigned ones, by topic and partition
	appends appends
	encoder encoder
	cancel  context.CancelFunc   // of the requests
	ticked  map[inputID]position // see tickedPosition; nil: not read yet

	tickedAt, committedAt time.Time
	readSinceTick         bool // under the event clock a tick is appended only then
}

// inputSet is all input topics, assigned to this process or not, as every tick carries it: base time waits for all of them.
type inputSet struct {
	topics       []*ledger.Input
	revision     uint64 // rises with every change of topics
	letterTopics map[event.Kind]letterTopic
}

// inputPartition is one assigned input partition. committed <= acknowledged <= read.
type inputPartition struct {
	topic       string
	partition   int32
	incarnation uint32 // of the topic: part of the origin of every event in it
	kind        event.Kind
	format      *format.Format // nil: Mainstay's own

	read         position // where the next fetch reads
	acknowledged position // the ledger and the dead letters have acknowledged all records below it
	committed    int64    // offset committed to the group

	// heard: the last fetch was answered, so that a tick may say how far the partition is read.
	heard         bool
	atEnd         bool  // the last fetch reached the end, and no open transaction hides records
	lag, unstable int64 // records up to the last stable offset, and above it

	halted      halt.Reason         // empty: the partition is read
	cause       string              // of the halt, or of the last fetch if that failed
	failing     failure.Cause       // of the last fetch; empty if it was answered
	complaints  consumer.Complaints // of fetches, and of records whose schema is awaited
	schemaAt    time.Time           // when it is read on: a record's schema is awaited; zero: it is read
	blocking    *blockingLetters    // the refused dead letters because of which it is halted; nil: another reason
	lookAgainAt time.Time           // a halted partition is checked again then
	gauges      gauges
}

// inputID names an input partition.
type inputID struct {
	topic     string
	partition int32
}

func newRun(in *Intake, gen *kafka.Generation) *run {
	r := &run{
		Intake: in, gen: gen,
		appends: appends{
			topic:   ledger.Topic(in.cfg.Namespace),
			pending: produceBatch{Batches: kafka.NewBatches()}, inflight: produceBatch{Batches: kafka.NewBatches()},
		},
	}
	r.encoder.nonces = rand.NewPCG(in.cfg.Random(), in.cfg.Random())
	r.encoder.each = r.encodeEach
	r.encoder.header = func(name string) ([]byte, bool) { return r.encoder.record.Header(name) }
	return r
}

// close waits for the request in flight, so that the next run's requests cannot overtake it.
func (r *run) close() {
	if r.cancel != nil {
		r.cancel()
	}
	if r.appends.result != nil {
		<-r.appends.result
		r.appends.result = nil
	}
}

// serve fetches, appends, ticks and commits until an error; nil: it was drained.
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
		// A partition at its end after the fetch is read up to this moment and not up to a later one: a record may have been
		// appended between the broker's answer and now.
		before := r.clock.now(r.cfg.Now())
		fetched, err := r.fetcher.Fetch(ctx, r.fetchWait(), fetchMinBytes)
		if err != nil {
			return fmt.Errorf("fetch the inputs: %w", err)
		}
		if err := r.cfg.AtStep(ctx, StepFetched); err != nil {
			return err
		}
		if err := r.encodeFetched(ctx, fetched, before); err != nil {
			return err
		}
		//mutant:tick-by-another-producer replace if err := r.tickApart(ctx); err != nil { return err }
		r.tick()
		if err := r.send(ctx); err != nil {
			return err
		}
		if err := r.commitIfDue(ctx); err != nil {
			return err
		}
		r.observe()
		r.resumeAwaiting()
		if err := r.checkHalted(ctx); err != nil {
			return err
		}
	}
}

// finish waits until all that was read is acknowledged, and commits it.
func (r *run) finish(ctx context.Context) error {
	r.appendTick() // so that the ledger knows the position, however long ago it was, when the committed offset has expired
	for range 2 {  // the request in flight, then the one that was filled meanwhile
		if err := r.send(ctx); err != nil {
			return err
		}
		if err := r.await(ctx); err != nil {
			return err
		}
	}
	return r.commit(ctx)
}

// fetchWait is how long a fetch may wait: for the linger, or until the next tick.
func (r *run) fetchWait() time.Duration {
	untilTick := r.tickInterval() - r.cfg.Now().Sub(r.tickedAt)
	return max(time.Millisecond, min(r.cfg.Linger, untilTick))
}

// encodeFetched encodes the fetched records into the pending batch, as entries or dead letters. Nothing of the records is
// kept: their memory is used again by the next fetch. before is the ledger's time before the fetch.
func (r *run) encodeFetched(ctx context.Context, fetched []kafka.Fetched, before int64) error {
	now := r.clock.now(r.cfg.Now())
	for i := range fetched {
		f := &fetched[i]
		index := r.indexOf(f.Topic, f.Partition)
		in := r.inputs[index]
		switch {
		case errors.Is(f.Err, kafka.ErrOutOfRange):
			r.halt(in, outOfRange(in.topic, in.partition, in.read.offset, f.LogStart, f.HighWatermark))
			continue
		//mutant:unreadable-warned replace case false:
		case errors.Is(f.Err, kafka.ErrCorrupt):
			r.halt(in, unreadable(f.Err, in.topic))
			continue
		case f.Err != nil:
			in.heard = false // how far it is read is unknown: no tick may say so
			in.failing, in.cause = failure.Of(f.Err), f.Err.Error()
			level := in.complaints.Failed(string(in.failing), r.cfg.Now())
			r.log.Log(level, "input partition is not answering", zap.String("topic", f.Topic), zap.Int32("input_partition", f.Partition), zap.Error(f.Err))
			continue
		}
		n, err := r.encodeRecords(ctx, in, index, f.Records, now)
		if n > 0 {
			last := &f.Records[n-1]
			in.read.lastOffset, in.read.fingerprint = last.Offset, ledger.Fingerprint(last.Offset, last.Key, last.Value)
			r.readSinceTick = true
		}
		if err != nil {
			if !awaitsSchema(err) {
				return err
			}
			r.awaitSchema(in, f, n, err)
			continue
		}
		r.readSinceTick = r.readSinceTick || in.atEnd != f.AtEnd() || !in.heard
		if lasted, failed := in.complaints.Over(r.cfg.Now()); failed > 0 {
			r.log.Info("input partition is read again", zap.String("topic", in.topic), zap.Int32("input_partition", in.partition), zap.Duration("after", lasted))
		}
		in.failing, in.cause = "", ""
		in.heard, in.atEnd, in.read.offset = true, f.AtEnd(), f.Next
		//mutant:open-transaction-ignored insert in.atEnd = f.Next == f.LastStable
		in.lag, in.unstable = f.LastStable-f.Next, f.HighWatermark-f.LastStable
		if in.atEnd && r.cfg.Genesis.GetClock() == ledger.Clock_CLOCK_LIVE {
			//mutant:end-after-fetch replace in.read.time = max(in.read.time, r.clock.now(r.cfg.Now()))
			in.read.time = max(in.read.time, before)
		}
		r.appends.pending.addPosition(in)
	}
	return nil
}

// outOfRange is the error for an offset that a log no longer holds, or does not hold yet.
func outOfRange(topic string, partition int32, offset, logStart, logEnd int64) error {
	if offset > logEnd {
		return halt.New(halt.InputRecreated, "offset %d of %s/%d is next, but the log ends at %d: the topic was deleted and re-created; `mainstay topics recreated %s` reads the new topic from its start",
			offset, topic, partition, logEnd, topic)
	}
	return halt.New(halt.InputTruncated, "offset %d of %s/%d is wanted, the log starts at %d: retention deleted records before they were read; `mainstay topics recreated %s` goes on without them",
		offset, topic, partition, logStart, topic)
}

// unreadable is the error for a batch that is damaged or too large. Its records cannot be sent to the dead letters.
func unreadable(err error, topic string) error {
	return halt.New(halt.InputUnreadable, "%w: without its records, %s can be read on from behind it only after the group's offset is set there", err, topic)
}

// halt stops one input partition. The others are read on, but base time stands still until an operator ends the halt, since the
// times of the records that are not read are unknown.
func (r *run) halt(in *inputPartition, err error) {
	reason, _ := halt.ReasonOf(err)
	r.log.Error("input partition halted", zap.String("topic", in.topic), zap.Int32("input_partition", in.partition), zap.String("reason", string(reason)), zap.Error(err))
	r.metrics.Consumer.Halted.WithLabelValues(haltedPartition(in.topic, in.partition), string(reason)).Set(1)
	in.halted, in.cause, in.heard = reason, err.Error(), false
	in.lookAgainAt = r.cfg.Now().Add(r.cfg.HaltRetry)
	r.fetcher.Unassign(in.topic, in.partition)
}

// errReadable ends a run, so that the next one reads a partition that was halted.
var errReadable = errors.New("an input partition can be read again")

// checkHalted looks at halted partitions again, each in its time: one that is halted because of dead letters goes on once they are
// accepted; it returns an error, which starts a new run, when another one can be read again.
func (r *run) checkHalted(ctx context.Context) error {
	for _, in := range r.inputs {
		if in.halted == "" || r.cfg.Now().Before(in.lookAgainAt) {
			continue
		}
		in.lookAgainAt = r.cfg.Now().Add(r.cfg.HaltRetry)
		bounds, err := r.kafka.ListOffsets(ctx, in.topic, []int32{in.partition})
		if err != nil {
			return fmt.Errorf("read the bounds of %s/%d: %w", in.topic, in.partition, err)
		}
		in.lag = bounds[in.partition].LastStable - in.read.offset
		_, err = r.startPosition(ctx, in.topic, in.partition)
		if err == nil && in.halted == halt.InputUnreadable { // a new run would halt again, after it has stopped all other inputs
			_, err = r.kafka.ReadCommitted(ctx, in.topic, in.partition, in.read.offset, in.read.offset+1, func(kafka.Record) error { return nil })
		}
		switch {
		case in.blocking != nil && err == nil:
			if err := r.retryLetters(ctx, in); err != nil {
				return err
			}
		case err == nil:
			return fmt.Errorf("%s/%d: %w", in.topic, in.partition, errReadable)
		case in.blocking != nil:
			if _, halted := halt.ReasonOf(err); !halted {
				return err
			}
			in.blocking = nil // its records are not the ones any more that the letters are about
			delete(r.blocking, inputID{in.topic, in.partition})
			r.halt(in, err)
		}
	}
	return nil
}

func (r *run) commitIfDue(ctx context.Context) error {
	if r.cfg.Now().Sub(r.committedAt) < r.cfg.CommitInterval {
		return nil
	}
	return r.commit(ctx)
}

// commit commits the acknowledged positions to the group, each with a fingerprint by which a re-created topic is recognised.
func (r *run) commit(ctx context.Context) error {
	var offsets []kafka.TopicPartitionOffset
	for _, in := range r.inputs {
		if in.acknowledged.offset > in.committed && in.mayCommit() {
			offsets = append(offsets, kafka.TopicPartitionOffset{
				Topic: in.topic, Partition: in.partition, Offset: in.acknowledged.offset,
				Metadata: in.acknowledged.metadata(in.incarnation),
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
		if in.mayCommit() {
			in.committed = max(in.committed, in.acknowledged.offset)
		}
	}
	return nil
}

// mayCommit says that the acknowledged position is one of the records that are in the topic now.
func (in *inputPartition) mayCommit() bool { return in.halted == "" || in.blocking != nil }

// indexOf returns the index of an assigned partition in r.inputs.
func (r *run) indexOf(topic string, partition int32) int {
	index, _ := slices.BinarySearchFunc(r.inputs, inputPartition{topic: topic, partition: partition}, func(in *inputPartition, wanted inputPartition) int {
		return compareInputs(in, &wanted)
	})
	return index
}

func compareInputs(a, b *inputPartition) int {
	if c := strings.Compare(a.topic, b.topic); c != 0 {
		return c
	}
	return int(a.partition) - int(b.partition)
}

func (r *run) observe() {
	all := make([]Status, len(r.inputs))
	now := r.clock.now(r.cfg.Now())
	for i, in := range r.inputs {
		all[i] = Status{
			Topic: in.topic, Partition: in.partition, Read: in.read.offset, Committed: in.committed, Lag: in.lag, Unstable: in.unstable,
			Time: in.read.time, Halted: in.halted, Failing: in.failing, Cause: in.cause,
		}
		in.gauges.set(in, now)
	}
	r.setStatus(all)
}
