package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// appends is the path from encoded entries to the ledger: one batch is filled while the one before it is in flight.
//
// Invariant: at most one produce request is in flight. More were rejected: a broker that refuses the first request of a new
// producer id may accept the second one, and the entries of the first are then missing below acknowledged ones.
type appends struct {
	producer   *kafka.Producer
	topic      string            // of the ledger
	partitions []ledgerPartition // of the ledger
	pending    produceBatch      // being filled
	inflight   produceBatch      // sent, and not acknowledged
	result     chan produceResult
	//mutant:two-in-flight-unordered insert before chan produceResult
}

// ledgerPartition is what this run has sent to one partition of the ledger. Each entry names the one sent before it from the
// same input partition, so that the fold can refuse an entry after a gap.
type ledgerPartition struct {
	lastOrigin []place // by index of the input partition: where the last entry sent came from
	hasOrigin  []bool  // likewise: whether an entry was sent
}

// place is a record of an input partition, and an event of it: a record may tell of several.
type place struct {
	offset  int64
	ordinal uint32
}

// produceBatch is the records of one produce request, and the input positions that are acknowledged with it. Its entries and letters are
// counted in the metrics when it is acknowledged: what is thrown away is read and counted again.
type produceBatch struct {
	*kafka.Batches
	positions []reachedPosition
	letters   []sentLetter
	entries   map[*inputPartition]int // records that gave entries
}

// sentLetter is a dead letter and the record batch that holds it; nil: it was an entry that the ledger has refused.
type sentLetter struct {
	batch *kafka.Batch
	letter
}

type reachedPosition struct {
	input    *inputPartition
	position position
}

type produceResult struct {
	acks       []kafka.Ack
	err        error
	answeredAt time.Time
}

func (b *produceBatch) addPosition(in *inputPartition) {
	b.positions = append(b.positions, reachedPosition{in, in.read})
}

func (b *produceBatch) addEntries(in *inputPartition, n int) {
	if b.entries == nil {
		b.entries = map[*inputPartition]int{}
	}
	b.entries[in] += n
}

func (b *produceBatch) reset() {
	b.Reset()
	clear(b.entries)
	b.positions, b.letters = b.positions[:0], b.letters[:0]
}

// limit sets the maximum size of a topic's batches in bytes.
func (a *appends) limit(topic string, n int) {
	a.pending.Limit(topic, n)
	a.inflight.Limit(topic, n)
}

// send sends the pending batch once the request before it is acknowledged.
func (r *run) send(ctx context.Context) error {
	a := &r.appends
	if len(a.pending.All()) == 0 && len(a.pending.positions) == 0 {
		return r.poll(ctx)
	}
	//mutant:two-in-flight-acked replace if err := r.overtake(ctx, true); err != nil { return err }
	//mutant:two-in-flight-unordered replace if a.before = a.result; a.result != nil { if err := r.overtake(ctx, false); err != nil { return err } }
	if err := r.await(ctx); err != nil {
		return err
	}
	a.pending, a.inflight = a.inflight, a.pending
	//mutant:two-in-flight-acked,two-in-flight-unordered replace a.pending = produceBatch{Batches: kafka.NewBatches()}
	a.pending.reset()
	if len(a.inflight.All()) == 0 { // only markers and skipped records were read: there is nothing to acknowledge
		r.markAcknowledged()
		return nil
	}
	//mutant:commit-before-acknowledged insert r.markAcknowledged()
	result := make(chan produceResult, 1)
	//mutant:two-in-flight-unordered insert before := a.before; a.before = nil
	a.result = result
	producer, batches, now := a.producer, a.inflight.All(), r.cfg.Now
	go func() {
		acks, err := producer.Produce(ctx, batches)
		//mutant:two-in-flight-unordered insert if before != nil { if l := <-before; l.err != nil { err = l.err } }
		result <- produceResult{acks, err, now()}
	}()
	return nil
}

// await waits for the request in flight.
func (r *run) await(ctx context.Context) error {
	if r.appends.result == nil {
		return nil
	}
	return r.acknowledge(ctx, <-r.appends.result) // it ends with ctx
}

// poll takes the result of the request in flight if it is there.
func (r *run) poll(ctx context.Context) error {
	select {
	case result := <-r.appends.result: // never, when nil
		return r.acknowledge(ctx, result)
	default:
		return nil
	}
}

func (r *run) acknowledge(ctx context.Context, result produceResult) error {
	r.appends.result = nil
	refused, ok := errors.AsType[*kafka.RefusedError](result.err)
	if result.err != nil && !ok {
		return fmt.Errorf("append to the ledger: %w", result.err)
	}
	for _, ack := range result.acks {
		if ack.Topic == r.appends.topic && ack.AppendTime >= 0 {
			r.clock.learn(ack.AppendTime, result.answeredAt)
		}
	}
	//mutant:refusal-starts-again replace if ok { return refused }
	if ok {
		if err := r.resolveRefused(ctx, refused); err != nil {
			return err
		}
	}
	r.markAcknowledged()
	return r.cfg.AtStep(ctx, StepAcknowledged)
}

// markAcknowledged moves the inputs to the positions that the batch in flight had reached.
func (r *run) markAcknowledged() {
	for _, p := range r.appends.inflight.positions {
		//mutant:refused-letter-acknowledged if true || $
		if p.input.blocking == nil {
			if p.position.offset > p.input.acknowledged.offset || p.input.lag <= 0 {
				r.progressed(p.input.topic, p.input.partition)
			}
			p.input.acknowledged = p.position
		}
	}
	r.appends.inflight.positions = r.appends.inflight.positions[:0]
	for in, n := range r.appends.inflight.entries {
		in.gauges.accepted.Add(float64(n))
	}
	clear(r.appends.inflight.entries)
	for i := range r.appends.inflight.letters {
		l := &r.appends.inflight.letters[i]
		r.countDeadLetter(l.input.topic, string(l.why.Reason))
	}
	r.appends.inflight.letters = r.appends.inflight.letters[:0]
}
