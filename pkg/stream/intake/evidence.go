package intake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/ledgerscan"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Incarnations returns the incarnation of input topics: 0, and one more each time that a topic was declared re-created. It is the
// greatest of all evidence: the committed offsets' metadata, which expires, and which Kafka deletes with the topic; and the ticks
// and the origins of events in the ledger, which are kept. Too low a number would let the fold take the records of the new
// topic for those of the old one, and drop them.
//
// The newest ticks name all topics, so that the search in the ledger ends soon, unless a topic is new and has no committed
// offset: then nothing but the whole partition shows that it was never an input.
func Incarnations(ctx context.Context, k *kafka.Client, namespace string, topics []kafka.Topic) (map[string]uint32, error) {
	known := map[string]uint32{}
	unnamed := map[string]bool{} // topics of which nothing is known yet
	for _, t := range topics {
		known[t.Name], unnamed[t.Name] = 0, true
		committed, err := k.CommittedOffsets(ctx, Group(namespace), t.Name, partitionsOf(t.Leaders))
		if err != nil {
			return nil, fmt.Errorf("read the committed offsets of %s: %w", t.Name, err)
		}
		for _, c := range committed {
			_, incarnation, err := parsePosition(c.Offset, c.Metadata)
			if err != nil {
				return nil, err
			}
			known[t.Name] = max(known[t.Name], incarnation)
			if c.Metadata != "" {
				delete(unnamed, t.Name)
			}
		}
	}
	//mutant:incarnation-from-offsets insert if true { return known, nil }
	raise := func(topic string, incarnation uint32) {
		if _, ok := known[topic]; ok {
			known[topic] = max(known[topic], incarnation)
			delete(unnamed, topic)
		}
	}
	err := ledgerscan.BackwardOf(ctx, k, ledger.Topic(namespace), 0, 0, []ledger.Kind{ledger.Kind_KIND_TICK, ledger.Kind_KIND_EVENT}, func(e *ledger.Entry) bool {
		if o := e.GetOrigin(); o != nil {
			raise(o.GetTopic(), o.GetIncarnation())
			return false
		}
		var t ledger.Tick
		if err := t.UnmarshalVT(e.GetPayload()); err != nil {
			return false // the fold refuses it, by offset
		}
		for _, in := range t.GetInputs() {
			raise(in.GetTopic(), in.GetIncarnation())
		}
		return len(unnamed) == 0
	})
	if err != nil && !errors.Is(err, kafka.ErrUnknownTopic) {
		return nil, fmt.Errorf("read the incarnations of the input topics in the ledger: %w", err)
	}
	return known, nil
}

// tickedPosition returns how far an input partition was read according to the ticks in the ledger; false: they do not say. Ticks
// follow the entries that they presuppose within a ledger partition, so it is the least position over all of them.
func (r *run) tickedPosition(ctx context.Context, topic string, partition int32) (position, bool, error) {
	if r.ticked == nil {
		wanted := map[inputID]bool{}
		for _, in := range r.inputs {
			wanted[inputID{in.topic, in.partition}] = true
		}
		all := map[inputID]position{}
		for number := range int32(len(r.appends.partitions)) { //nolint:gosec // a count
			found, err := r.readingsIn(ctx, number, wanted)
			if err != nil {
				return position{}, false, err
			}
			for id, p := range found {
				if least, ok := all[id]; !ok || p.offset < least.offset {
					all[id] = p
				}
			}
			if number == 0 { // every tick goes to every ledger partition: what the first has never heard of, none has
				wanted = map[inputID]bool{}
				for id := range found {
					wanted[id] = true
				}
			}
		}
		r.ticked = all
	}
	p, ok := r.ticked[inputID{topic, partition}]
	return p, ok, nil
}

// readingsIn returns the furthest positions of the wanted input partitions, in the topics' present incarnations, that the newest ticks
// in a ledger partition state.
func (r *run) readingsIn(ctx context.Context, number int32, wanted map[inputID]bool) (map[inputID]position, error) {
	found := map[inputID]position{}
	missing := maps.Clone(wanted)
	if len(missing) == 0 {
		return found, nil
	}
	err := ledgerscan.Backward(ctx, r.kafka, r.appends.topic, number, 0, ledger.Kind_KIND_TICK, func(e *ledger.Entry) bool {
		var t ledger.Tick
		if err := t.UnmarshalVT(e.GetPayload()); err != nil {
			return false // the fold refuses it, by offset
		}
		for _, read := range t.GetReadings() {
			id := inputID{read.GetTopic(), read.GetPartition()}
			if !wanted[id] || read.GetIncarnation() != r.set.incarnation(id.topic) {
				continue
			}
			delete(missing, id)
			if before, ok := found[id]; !ok || read.GetOffset() >= before.offset {
				found[id] = position{offset: read.GetOffset(), lastOffset: read.GetLastOffset(), fingerprint: read.GetFingerprint()}
			}
		}
		for id := range missing { // a partition that the topic did not have then has not been read before
			if slices.ContainsFunc(t.GetInputs(), func(in *ledger.Input) bool {
				return in.GetTopic() == id.topic && (in.GetPartitions() <= id.partition || in.GetIncarnation() != r.set.incarnation(id.topic))
			}) {
				delete(missing, id)
			}
		}
		return len(missing) == 0
	})
	if err != nil {
		return nil, fmt.Errorf("read how far the inputs were read from the ledger: %w", err)
	}
	return found, nil
}
