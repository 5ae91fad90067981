package intake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// begin learns the set of inputs, the ledger's time, and the position from which each assigned partition is read.
func (r *run) begin(ctx context.Context) error {
	producer, err := r.kafka.NewProducer(ctx)
	if err != nil {
		return err
	}
	r.appends.producer = producer
	if err := r.readInputSet(ctx); err != nil {
		return err
	}
	if err := r.readLimits(ctx); err != nil {
		return err
	}
	r.fetcher = r.kafka.NewFetcher(kafka.FetcherConfig{MaxBytes: r.cfg.FetchMaxBytes, PartitionMaxBytes: r.cfg.FetchMaxBytes})
	for topic, partitions := range r.gen.Assignments {
		for _, p := range partitions {
			in := &inputPartition{topic: topic, partition: p, kind: r.cfg.Topics[topic], format: r.cfg.Formats[topic], incarnation: r.set.incarnation(topic), gauges: newGauges(r.metrics, topic, p)}
			r.inputs = append(r.inputs, in)
		}
	}
	slices.SortFunc(r.inputs, compareInputs)
	r.appends.partitions = make([]ledgerPartition, r.cfg.Genesis.GetPartitions())
	for i := range r.appends.partitions {
		r.appends.partitions[i] = ledgerPartition{lastOrigin: make([]place, len(r.inputs)), hasOrigin: make([]bool, len(r.inputs))}
	}
	if err := r.learnTime(ctx); err != nil {
		return err
	}
	for _, in := range r.inputs {
		r.metrics.Consumer.Halted.DeletePartialMatch(prometheus.Labels{"partition": haltedPartition(in.topic, in.partition)})
		start, err := r.startPosition(ctx, in.topic, in.partition)
		if _, halted := halt.ReasonOf(err); halted {
			r.halt(in, err)
			continue
		}
		if err != nil {
			return err
		}
		in.read, in.acknowledged, in.committed = start, start, start.offset
		//mutant:blocking-letters-forgotten if false && $
		if h := r.blocking[inputID{in.topic, in.partition}]; h != nil && h.from.sameRecord(start) && h.incarnation == in.incarnation {
			r.blockOnLetters(in, h)
			continue
		}
		delete(r.blocking, inputID{in.topic, in.partition})
		r.fetcher.Assign(in.topic, in.partition, start.offset)
	}
	return nil
}

// readInputSet reads the input topics as they are now. Partitions may be added while a run lasts: that ends the generation,
// and the next run reads the set again.
func (r *run) readInputSet(ctx context.Context) error {
	topics, err := r.kafka.Topics(ctx, slices.Sorted(maps.Keys(r.cfg.Topics)))
	if err != nil {
		return fmt.Errorf("read the input topics: %w", err)
	}
	for _, t := range topics {
		if !t.Exists {
			return fmt.Errorf("input topic %s does not exist: create it with `mainstay topics apply`", t.Name)
		}
	}
	known, err := Incarnations(ctx, r.kafka, r.cfg.Namespace, topics)
	if err != nil {
		return err
	}
	var partitions, incarnations uint64
	for _, t := range topics {
		n := int32(len(t.Leaders)) //nolint:gosec // a count
		r.set.topics = append(r.set.topics, &ledger.Input{Topic: t.Name, Incarnation: known[t.Name], Partitions: n})
		partitions += uint64(n)
		incarnations += uint64(known[t.Name])
	}
	r.set.letterTopics = map[event.Kind]letterTopic{}
	read := slices.Collect(maps.Values(r.cfg.Topics))
	for kind := range event.Kinds {
		if kind.Descriptor().Optional && !slices.Contains(read, kind) {
			continue
		}
		topics, err := r.kafka.Topics(ctx, []string{DeadLetterTopic(r.cfg.Namespace, kind)})
		if err != nil {
			return fmt.Errorf("read the dead-letter topics: %w", err)
		}
		if !topics[0].Exists {
			return fmt.Errorf("dead-letter topic %s does not exist: create it with `mainstay topics apply`", topics[0].Name)
		}
		r.set.letterTopics[kind] = letterTopic{name: topics[0].Name, partitions: int32(len(topics[0].Leaders))} //nolint:gosec // a count
	}
	// Incarnations and partition counts only rise, and raise the revision; topics are removed only with the configured revision.
	r.set.revision = uint64(r.cfg.Revision)<<48 | incarnations<<32 | partitions
	return nil
}

func (s *inputSet) incarnation(topic string) uint32 {
	for _, in := range s.topics {
		if in.GetTopic() == topic {
			return in.GetIncarnation()
		}
	}
	return 0
}

// learnTime appends a tick without readings: its acknowledgement contains the ledger's time, the more precisely the sooner it
// comes.
func (r *run) learnTime(ctx context.Context) error {
	const soon, tries = 250 * time.Millisecond, 3
	for range tries {
		r.tickedAt, r.committedAt = r.cfg.Now(), r.cfg.Now()
		r.appendTick()
		if err := r.send(ctx); err != nil {
			return err
		}
		if err := r.await(ctx); err != nil {
			return err
		}
		if r.cfg.Now().Sub(r.tickedAt) < soon {
			break
		}
	}
	return nil
}

// startPosition returns where an input partition is read on, after checking that its records are the ones read before.
func (r *run) startPosition(ctx context.Context, topic string, partition int32) (position, error) {
	offset, metadata, err := r.kafka.CommittedOffset(ctx, Group(r.cfg.Namespace), topic, partition)
	if err != nil {
		return position{}, fmt.Errorf("read the committed offset of %s/%d: %w", topic, partition, err)
	}
	b, err := r.kafka.OffsetsReaching(ctx, topic, partition, offset)
	if err != nil {
		return position{}, fmt.Errorf("read the bounds of %s/%d: %w", topic, partition, err)
	}
	committed, incarnation, err := parsePosition(offset, metadata)
	if err != nil {
		return committed, err
	}
	if offset >= 0 && (metadata == "" || incarnation == r.set.incarnation(topic)) {
		if offset < b.Start || offset > b.HighWatermark {
			return committed, outOfRange(topic, partition, offset, b.Start, b.HighWatermark)
		}
		return committed, r.checkLastRecord(ctx, topic, partition, b, committed)
	}
	// Never committed, expired, deleted with the topic, or of an earlier topic of this name. What was read before is known from the
	// ticks. It is read again from the start of the log, since a tick does not say that the dead letters below it are accepted;
	// but it must still be there, and the same.
	start := position{offset: b.Start}
	ticked, ok, err := r.tickedPosition(ctx, topic, partition)
	if err != nil || !ok {
		return start, err
	}
	if b, err = r.kafka.OffsetsReaching(ctx, topic, partition, ticked.offset); err != nil {
		return start, fmt.Errorf("read the bounds of %s/%d: %w", topic, partition, err)
	}
	//mutant:truncation-unnoticed if ticked.offset > b.HighWatermark
	if ticked.offset < b.Start || ticked.offset > b.HighWatermark {
		return start, outOfRange(topic, partition, ticked.offset, b.Start, b.HighWatermark)
	}
	return start, r.checkLastRecord(ctx, topic, partition, b, ticked)
}

// checkLastRecord compares the record below a position with the one that was read there.
func (r *run) checkLastRecord(ctx context.Context, topic string, partition int32, bounds kafka.Offsets, p position) error {
	if p.fingerprint == 0 || p.lastOffset < bounds.Start {
		return nil
	}
	rec, ok, err := r.kafka.ReadAtOrBelow(ctx, topic, partition, p.lastOffset)
	if err != nil && !errors.Is(err, kafka.ErrOutOfRange) {
		return fmt.Errorf("read the last record below %d of %s/%d: %w", p.offset, topic, partition, err)
	}
	if err != nil || !ok || rec.Offset != p.lastOffset || ledger.Fingerprint(rec.Offset, rec.Key, rec.Value) != p.fingerprint {
		return halt.New(halt.InputRecreated, "the record at offset %d of %s/%d differs from the one that was read: the topic was deleted and re-created; `mainstay topics recreated %s` reads the new topic from its start",
			p.lastOffset, topic, partition, topic)
	}
	return nil
}
