package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// resolveRefused finishes a produce request of which brokers refused some batches for good and acknowledged all others. What was
// acknowledged is not sent again. Of the refused batches, what the brokers accept alone is sent alone; an entry that the ledger
// refuses becomes a dead letter; a dead letter that is refused even when it is bare halts its input partition, whose position
// stays below it. To start again from the committed offsets was rejected: it appends what was acknowledged beside the refused
// batch once more, each time, for ever.
//
// # Why nothing is lost and nothing counts twice
//
// Nothing is in flight: every batch was answered, and those that were refused or withheld are not in the log and never will be.
// So a new producer id is as safe as at a run's start, where everything below the committed offset is acknowledged: here
// everything below the request's positions is, but for what this call resolves. Three rules keep it that way:
//
//   - The pending batch was filled behind the refused one and names its entries as predecessors. It was never sent, so it is
//     thrown away, and its records are fetched again.
//   - While entries of a ledger partition are appended one by one, one request is in flight, and the next one is sent after its
//     acknowledgement; so no entry can be in the log without those before it, and entries need not name their predecessors.
//     The first entry of each input partition after that does not either, as at a run's start.
//   - An input position is acknowledged when every record below it is an acknowledged entry, an acknowledged dead letter, or
//     skipped. An isolated record never reaches the ledger, whose marks rise past it; if the ledger accepts it in a later run,
//     it counts once then.
//
// Ticks among the refused entries are dropped: the next tick states what they stated, and more.
func (r *run) resolveRefused(ctx context.Context, refused *kafka.RefusedError) error {
	for _, b := range refused.Batches {
		if b.Batch.Topic() == r.appends.topic && b.Code != 0 && !isRecordRefused(b.Code) {
			return r.ledgerRefuses(b.Code)
		}
	}
	r.rewind()
	if err := r.renewProducer(ctx); err != nil {
		return err
	}
	if err := r.readLimits(ctx); err != nil { // they may have changed since the run began
		return err
	}
	letters, err := r.appendOneByOne(ctx, refused)
	if err != nil {
		return err
	}
	//mutant:refused-letter-dropped insert refused.Batches = nil
	for _, l := range r.appends.inflight.letters {
		if slices.ContainsFunc(refused.Batches, func(b kafka.RefusedBatch) bool { return b.Batch == l.batch }) {
			letters = append(letters, l.letter)
		}
	}
	slices.SortStableFunc(letters, func(a, b letter) int { return int(a.offset - b.offset) })
	for _, in := range r.inputs {
		var mine []letter
		for _, l := range letters {
			if l.input == in {
				mine = append(mine, l)
			}
		}
		left, code, err := r.sendLetters(ctx, in, mine)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			r.haltOnLetters(in, &blockingLetters{from: in.acknowledged, incarnation: in.incarnation, end: r.appends.inflight.positionOf(in), letters: left}, code)
		}
	}
	return nil
}

// ledgerRefuses is the error for a ledger that refuses whatever is appended: the run ends, and the next one does not get beyond
// its first tick until an operator has acted.
func (r *run) ledgerRefuses(code kafka.Code) error {
	_, reason := code.ProduceOutcome()
	if errors.Is(code, kafka.ErrAuthorization) {
		return halt.New(halt.NotAuthorized, "appending to %s is refused: %w; grant Write on the topic, and IdempotentWrite on clusters before Kafka 2.8", r.appends.topic, code)
	}
	return halt.New(halt.LedgerRefuses, "appending to %s is refused (%s): %w; `mainstay check` compares the topic's configuration with what is needed", r.appends.topic, reason, code)
}

// rewind throws the pending batch away and moves every input back to the position of the request in flight.
func (r *run) rewind() {
	//mutant:refused-pending-kept delete
	r.appends.pending.reset()
	for _, in := range r.inputs {
		if in.halted == "" {
			r.moveTo(in, r.appends.inflight.positionOf(in))
			r.fetcher.Assign(in.topic, in.partition, in.read.offset)
		}
	}
	for _, p := range r.appends.partitions {
		clear(p.hasOrigin)
	}
	r.readSinceTick = true
}

// moveTo makes a position the one from which an input partition is read.
func (r *run) moveTo(in *inputPartition, to position) {
	in.lag += in.read.offset - to.offset
	in.atEnd = in.atEnd && in.read.offset == to.offset
	in.read = to
}

// positionOf returns the position that is acknowledged with the batch, or the input's acknowledged one if the batch has none.
func (b *produceBatch) positionOf(in *inputPartition) position {
	for _, p := range slices.Backward(b.positions) {
		if p.input == in {
			return p.position
		}
	}
	return in.acknowledged
}

// resentEntry is an entry that is sent again.
type resentEntry struct {
	input      *inputPartition
	offset     int64
	time       int64
	key, value []byte
}

// appendOneByOne appends the entries of refused batches, one ledger partition after the other. It returns dead letters for those
// that the ledger refuses alone.
func (r *run) appendOneByOne(ctx context.Context, refused *kafka.RefusedError) ([]letter, error) {
	var letters []letter
	for number := range int32(len(r.appends.partitions)) { //nolint:gosec // a count
		entries, err := r.refusedEntries(refused, number)
		if err != nil {
			return nil, err
		}
		if letters, err = r.resendEntries(ctx, number, entries, letters); err != nil {
			return nil, err
		}
	}
	return letters, nil
}

// refusedEntries returns the entries of a ledger partition that are in refused batches, in order, without their predecessors'
// names, and without ticks.
func (r *run) refusedEntries(refused *kafka.RefusedError, number int32) ([]resentEntry, error) {
	var all []resentEntry
	for _, b := range refused.Batches {
		if b.Batch.Topic() != r.appends.topic || b.Batch.Partition() != number {
			continue
		}
		before := len(all)
		err := b.Batch.Records(func(rec kafka.Record) error {
			var e ledger.Entry
			if err := e.UnmarshalVT(rec.Value); err != nil {
				return fmt.Errorf("decode an entry that was refused: %w", err)
			}
			in, offset := r.originOf(&e)
			if in == nil {
				return nil
			}
			e.After = nil
			value, err := e.MarshalVT()
			if err != nil {
				return fmt.Errorf("encode an entry that was refused: %w", err)
			}
			all = append(all, resentEntry{in, offset, rec.Timestamp, slices.Clone(rec.Key), value})
			return nil
		})
		if err != nil {
			return nil, err
		}
		if b.Code != 0 && len(all) == before { // ticks alone: without them time stands still
			return nil, r.ledgerRefuses(b.Code)
		}
	}
	return all, nil
}

// resendEntries appends entries in order. After a refusal it tries half as many, down to a single one, whose record becomes a dead
// letter: one, however many of its events are refused. It returns isolated with those that it adds.
func (r *run) resendEntries(ctx context.Context, number int32, entries []resentEntry, isolated []letter) ([]letter, error) {
	for n := len(entries); len(entries) > 0; {
		sent := 0
		for _, e := range entries[:min(n, len(entries))] {
			size := len(e.key) + len(e.value)
			if all := r.appends.pending.All(); len(all) > 0 && all[0].Full(size) {
				break
			}
			r.appends.pending.BatchFor(r.appends.topic, number, size).Append(e.time, e.key, e.value, nil)
			sent++
		}
		code, err := r.sendAlone(ctx)
		switch {
		case err != nil:
			return nil, err
		case code == 0:
			entries, n = entries[sent:], 2*sent
		case !isRecordRefused(code):
			return nil, r.ledgerRefuses(code)
		case sent > 1:
			n = sent / 2
		default:
			l := isolate(entries[0].input, entries[0].offset, code)
			entries = entries[1:]
			//mutant:letter-for-each-event if false && $
			if slices.ContainsFunc(isolated, func(other letter) bool { return other.input == l.input && other.offset == l.offset }) {
				break
			}
			//mutant:refused-entry-counted-twice delete
			r.appends.inflight.addEntries(l.input, -1)
			r.appends.inflight.letters = append(r.appends.inflight.letters, sentLetter{nil, l})
			//mutant:refused-entry-dropped delete
			isolated = append(isolated, l)
		}
	}
	return isolated, nil
}

// sendAlone sends the pending batch, while no other request is in flight, and waits for the answer. The code is that of a
// refusal for good; 0: it was acknowledged.
func (r *run) sendAlone(ctx context.Context) (kafka.Code, error) {
	defer r.appends.pending.reset()
	_, err := r.appends.producer.Produce(ctx, r.appends.pending.All())
	refused, ok := errors.AsType[*kafka.RefusedError](err)
	switch {
	case ok:
		return refused.Batches[0].Code, r.renewProducer(ctx)
	case err != nil:
		return 0, fmt.Errorf("append what was refused: %w", err)
	}
	return 0, nil
}

func (r *run) renewProducer(ctx context.Context) error {
	producer, err := r.kafka.NewProducer(ctx)
	if err != nil {
		return err
	}
	r.appends.producer = producer
	return nil
}

// blockingLetters are the dead letters because of which an input partition is halted. They outlive the run: a run that began below them would
// append the entries beside them again, each time that a run ends for another reason.
type blockingLetters struct {
	from        position // where the input partition stands
	incarnation uint32
	end         position // where it stands once the letters are accepted: everything else below is acknowledged
	letters     []letter // from the first one on that is refused
	err         error    // why the partition is halted
	lookAgainAt time.Time
}

// haltOnLetters halts an input partition until its dead letters are accepted.
func (r *run) haltOnLetters(in *inputPartition, h *blockingLetters, code kafka.Code) {
	to := r.set.letterTopics[in.kind].name
	if errors.Is(code, kafka.ErrAuthorization) {
		h.err = halt.New(halt.NotAuthorized, "dead letters of %s/%d from offset %d on cannot be written to %s: %w; grant Write on the topic", in.topic, in.partition, h.letters[0].offset, to, code)
	} else {
		h.err = halt.New(halt.DeadLetterRefused, "%s refuses the dead letter of offset %d of %s/%d, although it was cut, has a key and no timestamp: %w; correct the topic's configuration (`mainstay check` names it)", to, h.letters[0].offset, in.topic, in.partition, code)
	}
	r.moveTo(in, in.acknowledged)
	h.lookAgainAt = r.cfg.Now().Add(r.cfg.HaltRetry)
	r.blockOnLetters(in, h)
}

// blockOnLetters halts an input partition until its dead letters are accepted.
func (r *run) blockOnLetters(in *inputPartition, h *blockingLetters) {
	for i := range h.letters {
		h.letters[i].input = in // of this run
	}
	r.halt(in, h.err)
	in.blocking, in.lookAgainAt = h, h.lookAgainAt
	r.blocking[inputID{in.topic, in.partition}] = h
}

// retryLetters sends the dead letters because of which an input partition is halted, and lets it go on once all are accepted. Only letters are
// sent: the entries beside them are acknowledged.
func (r *run) retryLetters(ctx context.Context, in *inputPartition) error {
	if err := r.await(ctx); err != nil { // nothing else may be in flight; what was filled since is sent already
		return err
	}
	if err := r.readLimits(ctx); err != nil { // they may be what was corrected
		return err
	}
	h := in.blocking
	left, _, err := r.sendLetters(ctx, in, h.letters)
	if err != nil {
		return err
	}
	if h.letters, h.lookAgainAt = left, in.lookAgainAt; len(left) > 0 {
		return nil
	}
	r.log.Info("input partition continues: its dead letters are accepted", zap.String("topic", in.topic), zap.Int32("input_partition", in.partition))
	delete(r.blocking, inputID{in.topic, in.partition})
	r.metrics.Consumer.Halted.DeletePartialMatch(prometheus.Labels{"partition": haltedPartition(in.topic, in.partition)})
	in.halted, in.cause, in.blocking = "", "", nil
	in.acknowledged = h.end
	r.moveTo(in, h.end)
	r.fetcher.Assign(in.topic, in.partition, in.read.offset)
	return nil
}
