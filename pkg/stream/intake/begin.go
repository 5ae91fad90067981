package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/pkg/stream/ledgerscan"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// begin learns the ledger's time, the set of inputs, and where each owned partition goes on.
func (r *run) begin(ctx context.Context) error {
	producer, err := r.kafka.NewProducer(ctx)
	if err != nil {
		return err
	}
	r.producer = producer
	if err := r.discover(ctx); err != nil {
		return err
	}
	r.fetcher = r.kafka.NewFetcher(kafka.FetcherConfig{MaxBytes: r.cfg.FetchMaxBytes, PartitionMaxBytes: r.cfg.FetchMaxBytes})
	for topic, partitions := range r.gen.Assignments {
		for _, p := range partitions {
			in := &input{topic: topic, partition: p, kind: r.cfg.Topics[topic], incarnation: r.incarnation(topic), gauges: newGauges(r.metrics, topic, p)}
			r.inputs = append(r.inputs, in)
		}
	}
	slices.SortFunc(r.inputs, func(a, b *input) int {
		if c := strings.Compare(a.topic, b.topic); c != 0 {
			return c
		}
		return int(a.partition) - int(b.partition)
	})
	r.lanes = make([]*lane, r.cfg.Genesis.GetPartitions())
	for i := range r.lanes {
		r.lanes[i] = &lane{sent: make([]int64, len(r.inputs)), has: make([]bool, len(r.inputs))}
	}
	// A first tick that claims nothing: its acknowledgement tells the time, the better the sooner it comes.
	const soon, tries = 250 * time.Millisecond, 3
	for range tries {
		r.tickedAt, r.committedAt = r.cfg.Now(), r.cfg.Now()
		r.appendTick()
		if err := r.launch(ctx); err != nil {
			return err
		}
		if err := r.land(ctx); err != nil {
			return err
		}
		if r.cfg.Now().Sub(r.tickedAt) < soon {
			break
		}
	}
	for _, in := range r.inputs {
		at, err := r.position(ctx, in.topic, in.partition)
		if _, halted := halt.ReasonOf(err); halted {
			r.halt(in, err)
			continue
		}
		if err != nil {
			return err
		}
		in.next, in.acked, in.committed = at.Offset, at.Offset, at.Offset
		in.lastOffset, in.print = at.lastOffset, at.print
		in.ackedOffset, in.ackedPrint = at.lastOffset, at.print
		r.fetcher.Assign(in.topic, in.partition, in.next)
		r.metrics.Consumer.Halted.DeletePartialMatch(prometheus.Labels{"partition": haltedPartition(in.topic, in.partition)})
	}
	return nil
}

// discover reads the set of inputs as it stands, for the ticks: partitions are added while we run, and each generation
// begins with all of them.
func (r *run) discover(ctx context.Context) error {
	names := make([]string, 0, len(r.cfg.Topics))
	for t := range r.cfg.Topics {
		names = append(names, t)
	}
	slices.Sort(names)
	topics, err := r.kafka.Topics(ctx, names)
	if err != nil {
		return fmt.Errorf("read the input topics: %w", err)
	}
	var partitions, incarnations uint64
	for _, t := range topics {
		if !t.Exists {
			return fmt.Errorf("input topic %s does not exist: `mainstay topics apply` makes it", t.Name)
		}
		incarnation, err := Incarnation(ctx, r.kafka, r.cfg.Namespace, t.Name, t.Leaders)
		if err != nil {
			return err
		}
		n := int32(len(t.Leaders)) //nolint:gosec // a count
		r.set = append(r.set, &ledger.Input{Topic: t.Name, Incarnation: incarnation, Partitions: n})
		partitions += uint64(n)
		incarnations += uint64(incarnation)
	}
	r.letterBoxes = map[event.Kind]int32{}
	for kind := range event.Kinds {
		boxes, err := r.kafka.Topics(ctx, []string{DeadLetterTopic(r.cfg.Namespace, kind)})
		if err != nil {
			return fmt.Errorf("read the dead-letter topics: %w", err)
		}
		if !boxes[0].Exists {
			return fmt.Errorf("dead-letter topic %s does not exist: `mainstay topics apply` makes it", boxes[0].Name)
		}
		r.letterBoxes[kind] = int32(len(boxes[0].Leaders)) //nolint:gosec // a count
	}
	// Whatever changes the set raises its revision: topics taken out by the setting, the rest by itself.
	r.revision = uint64(r.cfg.Revision)<<48 | incarnations<<32 | partitions
	return nil
}

func (r *run) incarnation(topic string) uint32 {
	for _, in := range r.set {
		if in.GetTopic() == topic {
			return in.GetIncarnation()
		}
	}
	return 0
}

// Position is where an input partition goes on, as it stands in the committed offset's metadata.
type Position struct {
	Offset      int64
	Incarnation uint32
	lastOffset  int64
	print       uint64
}

func (p Position) metadata() string {
	return fmt.Sprintf("v1 %d %d %016x", p.Incarnation, p.lastOffset, p.print)
}

func parsePosition(offset int64, metadata string) (Position, error) {
	p := Position{Offset: offset}
	if metadata == "" { // set by hand, or by another tool: taken as it is
		return p, nil
	}
	if _, err := fmt.Sscanf(metadata, "v1 %d %d %x", &p.Incarnation, &p.lastOffset, &p.print); err != nil {
		return p, fmt.Errorf("metadata %q of a committed offset: %w", metadata, err)
	}
	return p, nil
}

// Incarnation of a topic: 0, and one more each time it was declared re-created.
func Incarnation(ctx context.Context, k *kafka.Client, namespace, topic string, leaders []int32) (uint32, error) {
	committed, err := k.CommittedOffsets(ctx, Group(namespace), topic, all(leaders))
	if err != nil {
		return 0, fmt.Errorf("read the committed offsets of %s: %w", topic, err)
	}
	var newest uint32
	for _, c := range committed {
		at, err := parsePosition(c.Offset, c.Metadata)
		if err != nil {
			return 0, err
		}
		newest = max(newest, at.Incarnation)
	}
	return newest, nil
}

// DeclareRecreated declares that an input topic was deleted and created again, or that records lost to retention are given
// up: all its partitions are read from their start under a new incarnation. No intake may be running.
func DeclareRecreated(ctx context.Context, k *kafka.Client, namespace, topic string) (uint32, error) {
	topics, err := k.Topics(ctx, []string{topic})
	if err != nil {
		return 0, fmt.Errorf("read topic %s: %w", topic, err)
	}
	t := topics[0]
	if !t.Exists {
		return 0, fmt.Errorf("topic %s does not exist", topic)
	}
	incarnation, err := Incarnation(ctx, k, namespace, topic, t.Leaders)
	if err != nil {
		return 0, err
	}
	partitions := all(t.Leaders)
	bounds, err := k.ListOffsets(ctx, topic, partitions)
	if err != nil {
		return 0, fmt.Errorf("read the bounds of %s: %w", topic, err)
	}
	offsets := make([]kafka.TopicPartitionOffset, len(partitions))
	for _, p := range partitions {
		at := Position{Offset: bounds[p].Start, Incarnation: incarnation + 1}
		offsets[p] = kafka.TopicPartitionOffset{Topic: topic, Partition: p, Offset: at.Offset, Metadata: at.metadata()}
	}
	if err := k.CommitOffsets(ctx, Group(namespace), offsets); err != nil {
		return 0, fmt.Errorf("commit the start of %s: %w; stop all intakes first", topic, err)
	}
	return incarnation + 1, nil
}

// all partitions of a topic.
func all(leaders []int32) []int32 {
	partitions := make([]int32, len(leaders))
	for i := range partitions {
		partitions[i] = int32(i)
	}
	return partitions
}

// position finds where to go on, and makes sure that the records there are the ones that were read before.
func (r *run) position(ctx context.Context, topic string, partition int32) (Position, error) {
	offset, metadata, err := r.kafka.CommittedOffset(ctx, Group(r.cfg.Namespace), topic, partition)
	if err != nil {
		return Position{}, fmt.Errorf("read the committed offset of %s/%d: %w", topic, partition, err)
	}
	bounds, err := r.kafka.ListOffsets(ctx, topic, []int32{partition})
	if err != nil {
		return Position{}, fmt.Errorf("read the bounds of %s/%d: %w", topic, partition, err)
	}
	b := bounds[partition]
	at, err := parsePosition(offset, metadata)
	if err != nil {
		return at, err
	}
	if offset < 0 { // never committed, or expired, or gone with a topic that was deleted: the ledger remembers
		at.Offset = b.Start
		read, err := r.lastReading(ctx, topic, partition)
		if err != nil || read == nil {
			return at, err
		}
		remembered := Position{Offset: read.GetOffset(), lastOffset: read.GetLastOffset(), print: read.GetFingerprint()}
		if remembered.Offset > b.HighWatermark {
			return at, recreated(topic, partition, remembered.Offset, b.HighWatermark)
		}
		return at, r.compare(ctx, topic, partition, b, remembered)
	}
	switch {
	case offset < b.Start:
		return at, outOfRange(&input{topic: topic, partition: partition, next: offset}, &kafka.Fetched{LogStart: b.Start, HighWatermark: b.HighWatermark})
	case offset > b.HighWatermark:
		return at, recreated(topic, partition, offset, b.HighWatermark)
	}
	return at, r.compare(ctx, topic, partition, b, at)
}

func recreated(topic string, partition int32, offset, end int64) error {
	return outOfRange(&input{topic: topic, partition: partition, next: offset}, &kafka.Fetched{HighWatermark: end})
}

// compare holds the record that was read last against the one that is there now.
func (r *run) compare(ctx context.Context, topic string, partition int32, bounds kafka.Offsets, at Position) error {
	if at.print == 0 || at.lastOffset < bounds.Start {
		return nil
	}
	rec, ok, err := r.kafka.ReadAtOrBelow(ctx, topic, partition, at.lastOffset)
	if err != nil && !errors.Is(err, kafka.ErrOutOfRange) {
		return fmt.Errorf("read the last record below %d of %s/%d: %w", at.Offset, topic, partition, err)
	}
	if err != nil || !ok || rec.Offset != at.lastOffset || ledger.Fingerprint(rec.Offset, rec.Key, rec.Value) != at.print {
		return halt.New(halt.InputRecreated, "the record at offset %d of %s/%d is not the one that was read: the topic was deleted and made again; `mainstay topics recreated %s` starts it anew",
			at.lastOffset, topic, partition, topic)
	}
	return nil
}

// lastReading returns the newest reading of an input partition that ticks have carried into the ledger, with a fingerprint;
// nil: there is none. Ticks go to every ledger partition, so one of them is enough.
func (r *run) lastReading(ctx context.Context, topic string, partition int32) (*ledger.Reading, error) {
	var last *ledger.Reading
	incarnation := r.incarnation(topic)
	err := ledgerscan.Backward(ctx, r.kafka, r.ledger, 0, 0, ledger.Kind_KIND_TICK, func(e *ledger.Entry) bool {
		var t ledger.Tick
		if err := t.UnmarshalVT(e.GetPayload()); err != nil {
			return false // the fold refuses it, by offset
		}
		for _, read := range t.GetReadings() {
			if read.GetTopic() == topic && read.GetPartition() == partition && read.GetIncarnation() == incarnation && read.GetFingerprint() != 0 {
				last = read
			}
		}
		return last != nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the last reading of %s/%d in the ledger: %w", topic, partition, err)
	}
	return last, nil
}
