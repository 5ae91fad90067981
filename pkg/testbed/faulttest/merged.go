package faulttest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/event"
)

const mergeEvery = 14 // events, on average

// merges says whether customers of a seed's shop are merged. None of them is erased: which ids an erasure reaches depends on the order of
// records of different inputs.
func merges(seed uint64) bool { return seed%5 > 2 }

// merger merges customers, each at most once and into one with a lesser number, so that the input alone says who remains.
type merger struct {
	world    *world
	producer *kafka.Producer
	random   *rand.Rand // of its own, so that the events of a seed are the same with and without merges
	merged   map[int]bool
}

func (w *world) newMerger(producer *kafka.Producer) *merger {
	return &merger{w, producer, rand.New(rand.NewPCG(w.seed, 12)), map[int]bool{}} //nolint:gosec // a seed can be run again
}

// merge merges a customer now and then, and sometimes says so twice.
func (m *merger) merge(i int, at time.Time) {
	if !merges(m.world.seed) || m.random.IntN(mergeEvery) > 0 {
		return
	}
	from := 1 + m.random.IntN(shopCustomers-1)
	into := m.random.IntN(from)
	if m.merged[from] {
		return
	}
	m.merged[from] = true
	value, err := json.Marshal(map[string]any{
		"event": "identity.merged", "event_id": fmt.Sprintf("m%d", i), "userId": fmt.Sprintf("c%d", into), "previousId": fmt.Sprintf("c%d", from),
		"occurred_at": at.UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		panic(err)
	}
	for range 1 + i%2 {
		m.world.produce(m.producer, event.Identity.Descriptor().Topic, value)
	}
}

// readMerged returns who each customer is, by the input alone: themselves, unless they were merged.
func (w *world) readMerged() (func(id string) string, error) {
	into := map[string]string{}
	if merges(w.seed) {
		err := w.readAll(event.Identity.Descriptor().Topic, func(r kafka.Record) error {
			var m struct {
				Into string `json:"userId"`
				From string `json:"previousId"`
			}
			value := withoutSchema(r.Value)
			if value == nil {
				return nil
			}
			if err := json.Unmarshal(value, &m); err != nil {
				return err
			}
			into[m.From] = m.Into
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return func(id string) string {
		for into[id] != "" {
			id = into[id]
		}
		return id
	}, nil
}
