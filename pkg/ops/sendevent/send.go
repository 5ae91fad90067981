// Package sendevent owns single events that a person sends by hand: their composition from flags (compose.go) and their way
// into an input topic (send.go).
//
// It refuses to bypass intake: the event goes to an input topic and is read like any other.
package sendevent

import (
	"context"
	"fmt"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/stream/topics"
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
	partitions, err := topics.Partitions(ctx, k, topic)
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
