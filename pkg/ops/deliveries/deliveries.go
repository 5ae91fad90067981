// Package deliveries owns what an operator does with webhooks: pausing and resuming a destination, its status, and replaying its dead
// letters. All of it goes through Kafka, so it reaches the processes with the role deliver wherever they run.
//
// It refuses to send anything to a receiver: what is replayed is sent by the role, with its limits and in its order.
package deliveries

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/edge/deliver"
	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/ops/deadletters"
	"github.com/mainstay/mainstay/schemas/output"
)

// SetPaused pauses or resumes a destination. It returns once Kafka has acknowledged that; the processes follow within a second.
func SetPaused(ctx context.Context, k *kafka.Client, namespace, name string, paused bool, now time.Time) error {
	value, err := json.Marshal(deliver.State{Paused: paused, At: now.UTC()})
	if err != nil {
		return err
	}
	batch := kafka.NewBatch(deliver.ControlTopic(namespace), 0)
	batch.Append(now.UnixMilli(), []byte(name), value, nil)
	return produce(ctx, k, batch)
}

func produce(ctx context.Context, k *kafka.Client, batch *kafka.Batch) error {
	producer, err := k.NewProducer(ctx)
	if err != nil {
		return err
	}
	if _, err := producer.Produce(ctx, []*kafka.Batch{batch}); err != nil {
		return fmt.Errorf("write to %s: %w; repeating the command is safe", batch.Topic(), err)
	}
	return nil
}

// Status is the progress of a destination.
type Status struct {
	Destination string     `json:"destination"`
	Paused      bool       `json:"paused"`
	PausedAt    *time.Time `json:"paused_at"` // null unless it is paused
	Members     int        `json:"members"`   // of its consumer group: processes that deliver to it
	Undelivered int64      `json:"undelivered_records"`
	Oldest      *time.Time `json:"oldest_undelivered_at"` // null: there is none
	DeadLetters int64      `json:"dead_letters"`
}

// ReadStatus returns the progress of destinations, from their groups' offsets.
func ReadStatus(ctx context.Context, k *kafka.Client, namespace string, destinations []destination.Destination) ([]Status, error) {
	states, err := readStates(ctx, k, namespace)
	if err != nil {
		return nil, err
	}
	all := make([]Status, 0, len(destinations))
	for i := range destinations {
		d := &destinations[i]
		s := Status{Destination: d.Name}
		if state := states[d.Name]; state.Paused {
			s.Paused, s.PausedAt = true, &state.At
		}
		members, _, err := k.GroupMembers(ctx, deliver.Group(namespace, d.Name))
		if err != nil {
			return nil, fmt.Errorf("look up the group of %s: %w", d.Name, err)
		}
		s.Members = len(members)
		for _, t := range d.Outputs() {
			if err := s.addTopic(ctx, k, namespace, t); err != nil {
				return nil, err
			}
		}
		letters, err := deadletters.List(ctx, k, namespace, deadletters.Filter{Letters: []string{deliver.DeadLetterTopic(namespace, d.Name)}})
		if err != nil {
			return nil, err
		}
		s.DeadLetters = letters.Total
		all = append(all, s)
	}
	return all, nil
}

func readStates(ctx context.Context, k *kafka.Client, namespace string) (map[string]deliver.State, error) {
	topic, all := deliver.ControlTopic(namespace), map[string]deliver.State{}
	bounds, err := k.ListOffsets(ctx, topic, []int32{0})
	if err == nil {
		_, err = k.ReadCommitted(ctx, topic, 0, bounds[0].Start, bounds[0].LastStable, func(r kafka.Record) error {
			var s deliver.State
			if json.Unmarshal(r.Value, &s) == nil {
				all[string(r.Key)] = s
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", topic, err)
	}
	return all, nil
}

var errFound = errors.New("found")

// addTopic adds what is undelivered of a topic. A partition without a committed offset has not begun, and nothing of it is waiting.
func (s *Status) addTopic(ctx context.Context, k *kafka.Client, namespace string, t output.Topic) error {
	topic := t.Name(namespace)
	found, err := k.Topics(ctx, []string{topic})
	if err != nil {
		return fmt.Errorf("look up topic %s: %w", topic, err)
	}
	partitions := make([]int32, len(found[0].Leaders))
	for i := range partitions {
		partitions[i] = int32(i)
	}
	offsets, err := k.CommittedOffsets(ctx, deliver.Group(namespace, s.Destination), topic, partitions)
	if err != nil {
		return err
	}
	bounds, err := k.ListOffsets(ctx, topic, partitions)
	if err != nil {
		return err
	}
	for _, o := range offsets {
		from, end := max(o.Offset, bounds[o.Partition].Start), bounds[o.Partition].LastStable
		if o.Offset < 0 || from >= end {
			continue
		}
		s.Undelivered += end - from
		_, err := k.ReadCommitted(ctx, topic, o.Partition, from, end, func(r kafka.Record) error {
			at := time.UnixMilli(r.Timestamp).UTC()
			if s.Oldest == nil || at.Before(*s.Oldest) {
				s.Oldest = &at
			}
			return errFound
		})
		if err != nil && !errors.Is(err, errFound) {
			return err
		}
	}
	return nil
}

// Replay sends dead letters of a destination again, with the ids that they had.
type Replay struct {
	Destination string
	Reason      string    // "": of any
	Since       time.Time // by the time at which they became dead letters
	Max         int       // there is always a bound
	Apply       bool      // without it nothing is sent
	Each        func(l *deadletters.DeadLetter)
}

// Replayed counts what a replay did, or would do.
type Replayed struct {
	Applied  bool  `json:"applied"`
	Matched  int64 `json:"matched"`
	Replayed int64 `json:"replayed"` // of a dry run, to be sent
	Beyond   int64 `json:"beyond"`   // left out: beyond the bound
}

// Run writes dead letters to the topic from which the destination's processes take them.
func (r *Replay) Run(ctx context.Context, k *kafka.Client, namespace string) (*Replayed, error) {
	done := &Replayed{Applied: r.Apply}
	batch := kafka.NewBatch(deliver.ReplayTopic(namespace), 0)
	send := func() error {
		if batch.Len() == 0 {
			return nil
		}
		err := produce(ctx, k, batch)
		batch = kafka.NewBatch(deliver.ReplayTopic(namespace), 0)
		return err
	}
	filter := deadletters.Filter{Letters: []string{deliver.DeadLetterTopic(namespace, r.Destination)}, Reason: r.Reason, Since: r.Since}
	_, err := deadletters.ForEach(ctx, k, namespace, filter, func(l *deadletters.DeadLetter) error {
		if done.Matched++; done.Replayed >= int64(r.Max) {
			done.Beyond++
			return nil
		}
		done.Replayed++
		if r.Each != nil {
			r.Each(l)
		}
		if !r.Apply {
			return nil
		}
		headers := kafka.EncodeHeaders(nil, append(l.Headers, deliver.ReplayHeaders(r.Destination, l.Origin.Topic, l.Origin.Partition, l.Origin.Offset)...))
		if batch.Full(len(l.Key) + len(l.Value) + len(headers)) {
			if err := send(); err != nil {
				return err
			}
		}
		batch.Append(l.Timestamp.UnixMilli(), l.Key, l.Value, headers)
		return nil
	})
	if err != nil {
		return done, err
	}
	return done, send()
}
