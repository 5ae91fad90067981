package deadletters

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
)

// Replay sends dead letters to the input topics that they came from, with their own bytes, headers and timestamp, without the
// headers that intake appended. Intake decodes them again.
//
// A record whose event has been accepted in the meantime changes nothing: event_id, order, refund, response or referral identify
// it as a duplicate. A record that is refused again becomes another dead letter with another origin.
type Replay struct {
	Filter
	Max   int  // records; there is always a bound
	Apply bool // without it nothing is sent

	Each func(l *DeadLetter, to int32) // is called for each record that is sent, or would be; to is the partition
}

// Replayed counts what a replay did, or would do.
type Replayed struct {
	Applied  bool  `json:"applied"`
	Matched  int64 `json:"matched"`  // by the filter, without the bound
	Replayed int64 `json:"replayed"` // sent; of a dry run, to be sent
	Cut      int64 `json:"cut"`      // left out: too large to have been kept whole
	Beyond   int64 `json:"beyond"`   // left out: beyond the bound
	Unknown  int64 `json:"unknown"`  // left out: their topic is no input any more
}

var errBound = errors.New("a replay needs a bound of at least 1 record (--max)")

const maxRequestBytes = 1 << 20 // of one produce request

// Run replays. inputs are the topics that intake reads: nothing is sent anywhere else.
func (r *Replay) Run(ctx context.Context, k *kafka.Client, namespace string, inputs []string) (*Replayed, error) {
	if r.Max < 1 {
		return nil, errBound
	}
	topics, err := k.Topics(ctx, inputs)
	if err != nil {
		return nil, fmt.Errorf("look up the inputs: %w", err)
	}
	partitions := map[string]int32{}
	for _, t := range topics {
		if t.Exists {
			partitions[t.Name] = int32(len(t.Leaders)) //nolint:gosec // a count
		}
	}
	sending := sending{kafka: k, open: map[Origin]*kafka.Batch{}}
	done := &Replayed{Applied: r.Apply}
	_, err = ForEach(ctx, k, namespace, r.Filter, func(l *DeadLetter) error {
		done.Matched++
		switch n := partitions[l.Origin.Topic]; {
		case n == 0:
			done.Unknown++
		case l.Cut > 0:
			done.Cut++
		case done.Replayed >= int64(r.Max):
			done.Beyond++
		default:
			to := l.Origin.Partition
			if to >= n { // the topic has fewer partitions than it had
				to = murmur2.PartitionFor(l.Key, n)
			}
			done.Replayed++
			if r.Each != nil {
				r.Each(l, to)
			}
			if r.Apply {
				return sending.add(ctx, l, to)
			}
		}
		return nil
	})
	if err != nil {
		return done, err
	}
	return done, sending.flush(ctx)
}

type sending struct {
	kafka    *kafka.Client
	producer *kafka.Producer
	open     map[Origin]*kafka.Batch // offset unused
	batches  []*kafka.Batch
	bytes    int
}

func (s *sending) add(ctx context.Context, l *DeadLetter, to int32) error {
	at := Origin{Topic: l.Origin.Topic, Partition: to}
	headers := kafka.EncodeHeaders(nil, l.Headers)
	size := len(l.Key) + len(l.Value) + len(headers)
	b := s.open[at]
	if b == nil || b.Full(size) {
		b = kafka.NewBatch(at.Topic, at.Partition)
		s.open[at] = b
		s.batches = append(s.batches, b)
	}
	b.Append(l.RecordTimestamp, l.Key, l.Value, headers)
	if s.bytes += size; s.bytes >= maxRequestBytes {
		return s.flush(ctx)
	}
	return nil
}

func (s *sending) flush(ctx context.Context) error {
	if len(s.batches) == 0 {
		return nil
	}
	if s.producer == nil {
		var err error
		if s.producer, err = s.kafka.NewProducer(ctx); err != nil {
			return fmt.Errorf("replay: %w", err)
		}
	}
	if _, err := s.producer.Produce(ctx, s.batches); err != nil {
		return fmt.Errorf("replay: %w; some may have been accepted; replaying them again is safe", err)
	}
	clear(s.open)
	s.batches, s.bytes = nil, 0
	return nil
}
