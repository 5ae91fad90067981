// Package ingest owns what a person puts into the streams by hand: a single event (compose.go), a file of history
// (import.go), and the passing of time under the event clock (advance.go).
//
// It refuses to bypass intake: events go to the input topics, where they are read like any shop's. Only time, which no
// input can carry, is appended to the ledger itself.
package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
)

// Record is an event on its way into an input topic.
type Record struct {
	Key, Value []byte
	Headers    []kafka.Header
	Timestamp  int64 // ms
}

// Place is where a record was appended.
type Place struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// Send appends one record to the partition that Kafka's Java client would choose for its key.
func Send(ctx context.Context, k *kafka.Client, topic string, r Record) (Place, error) {
	partitions, err := PartitionsOf(ctx, k, topic)
	if err != nil {
		return Place{}, err
	}
	producer, err := k.NewProducer(ctx)
	if err != nil {
		return Place{}, fmt.Errorf("send to %s: %w", topic, err)
	}
	b := kafka.NewBatch(topic, murmur2.PartitionFor(r.Key, partitions))
	b.Append(r.Timestamp, r.Key, r.Value, kafka.EncodeHeaders(nil, r.Headers))
	acks, err := producer.Produce(ctx, []*kafka.Batch{b})
	if err != nil {
		return Place{}, fmt.Errorf("send to %s: %w; it may have arrived: sending it again is harmless", topic, err)
	}
	return Place{Topic: topic, Partition: acks[0].Partition, Offset: acks[0].BaseOffset}, nil
}

// ErrNoTopic is a topic that does not exist.
var ErrNoTopic = errors.New("the topic does not exist: `mainstay topics apply` makes it")

// PartitionsOf is the number of partitions of a topic; ErrNoTopic if it does not exist.
func PartitionsOf(ctx context.Context, k *kafka.Client, topic string) (int32, error) {
	topics, err := k.Topics(ctx, []string{topic})
	if err != nil {
		return 0, fmt.Errorf("look up topic %s: %w", topic, err)
	}
	if !topics[0].Exists || len(topics[0].Leaders) == 0 {
		return 0, fmt.Errorf("topic %s: %w", topic, ErrNoTopic)
	}
	return int32(len(topics[0].Leaders)), nil //nolint:gosec // a count
}
