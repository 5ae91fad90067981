package faulttest

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// The shop of some seeds writes several events in a record, of whatever kinds and customers, to a topic with a format of its own. So a record
// is spread over partitions of the ledger, and what fails in between leaves some of its events appended and others not.

// batches says whether a seed's shop does so.
func batches(seed uint64) bool { return seed%3 == 1 }

// batchesTable is the format of the topic.
const batchesTable = "./testdata/batches.yaml"

// batcher holds events back, and writes them in their order, as one record where they are several.
type batcher struct {
	w        *world
	producer *kafka.Producer
	rng      *rand.Rand // of its own, so that the events of a seed are the same with and without batches
	held     []json.RawMessage
}

func (w *world) newBatcher(producer *kafka.Producer) *batcher {
	return &batcher{w: w, producer: producer, rng: rand.New(rand.NewPCG(w.seed, 12))} //nolint:gosec // a seed can be run again
}

// add writes an event, now or with later ones.
func (b *batcher) add(topic string, value []byte) {
	const most = 5
	if batches(b.w.seed) && len(b.held) < most && b.rng.IntN(3) > 0 {
		b.held = append(b.held, bytes.Clone(value))
		return
	}
	b.flush()
	b.w.produce(b.producer, topic, value)
}

// flush writes what is held, and now and then a record that is refused for its last event, of which nothing may count.
func (b *batcher) flush() {
	if len(b.held) == 0 {
		return
	}
	b.write(map[string]any{"batch": b.held})
	if b.rng.IntN(4) == 0 {
		b.write(map[string]any{"refused": true, "batch": append(neverCounts(b.held), json.RawMessage(`{"order_id":"of nobody"}`))})
	}
	b.held = nil
}

func (b *batcher) write(record any) {
	value, err := json.Marshal(record)
	if err != nil {
		panic(err)
	}
	b.w.produce(b.producer, "purchases", value)
}

// neverCounts are the events under other ids.
func neverCounts(all []json.RawMessage) (others []json.RawMessage) {
	for _, one := range all {
		for _, id := range []string{"event_id", "order_id", "refund_id", "response_id", "referral_id"} {
			one = bytes.ReplaceAll(one, []byte(`"`+id+`":"`), []byte(`"`+id+`":"never-`))
		}
		others = append(others, one)
	}
	return others
}

// eventsOf are the events of an input record, in their order; none if it is malformed on purpose, or refused for one of them or for its schema.
func eventsOf(record []byte) ([]inputEvent, error) {
	record = withoutSchema(record)
	if !json.Valid(record) {
		return nil, nil
	}
	var batch struct {
		Refused bool         `json:"refused"`
		Batch   []inputEvent `json:"batch"`
	}
	if err := json.Unmarshal(record, &batch); err != nil || batch.Refused || batch.Batch != nil {
		if batch.Refused {
			return nil, err
		}
		return batch.Batch, err
	}
	var one inputEvent
	err := json.Unmarshal(record, &one)
	return []inputEvent{one}, err
}
