package deliver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// The headers of a dead letter: those that intake's have, so that the same commands read them.
const (
	headerTopic     = "__connect.errors.topic"
	headerPartition = "__connect.errors.partition"
	headerOffset    = "__connect.errors.offset"
	headerStage     = "__connect.errors.stage"
	headerClass     = "__connect.errors.class.name"
	headerReason    = "__connect.errors.exception.class.name"
	headerMessage   = "__connect.errors.exception.message"
	headerTimestamp = "mainstay_record_timestamp"
)

// HeaderDestination names, in the topic of replays, whose dead letter a record was.
const HeaderDestination = "mainstay_destination"

// ReplayHeaders are the headers that make a record of the topic of replays, behind those that the output had.
func ReplayHeaders(destination, topic string, partition int32, offset int64) []kafka.Header {
	return append(originHeaders(origin{topic, partition, offset}), kafka.Header{Key: HeaderDestination, Value: []byte(destination)})
}

func originHeaders(o origin) []kafka.Header {
	return []kafka.Header{
		{Key: headerTopic, Value: []byte(o.topic)},
		{Key: headerPartition, Value: []byte(strconv.Itoa(int(o.partition)))},
		{Key: headerOffset, Value: []byte(strconv.FormatInt(o.offset, 10))},
	}
}

var errOrigin = errors.New("the headers " + headerTopic + ", .partition and .offset are missing or wrong")

// Reasons of dead letters besides those of answers (Answer.reason).
const (
	reasonUnreadable = "unreadable"
	reasonTemplate   = "template"
)

// letters writes the dead letters of a destination. The topic has one partition: what an operator looks through is short.
type letters struct {
	kafka *kafka.Client
	topic string

	mu       sync.Mutex
	producer *kafka.Producer // nil: the next write makes one
}

// write returns nil once Kafka has acknowledged the dead letter. It may be written twice if Kafka did not answer; its origin is the same.
func (l *letters) write(ctx context.Context, d *delivery, reason, message string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.producer == nil {
		var err error
		if l.producer, err = l.kafka.NewProducer(ctx); err != nil {
			return err
		}
	}
	batch := kafka.NewBatch(l.topic, 0)
	batch.Append(now.UnixMilli(), d.record.Key, d.record.Value, kafka.AppendHeaders(nil, d.record.RawHeaders(), append(originHeaders(d.from), []kafka.Header{
		{Key: headerStage, Value: []byte("DELIVERY")},
		{Key: headerClass, Value: []byte("mainstay.deliver")},
		{Key: headerReason, Value: []byte("mainstay." + reason)},
		{Key: headerMessage, Value: []byte(message)},
		{Key: headerTimestamp, Value: []byte(strconv.FormatInt(d.record.Timestamp, 10))},
	}...)))
	if _, err := l.producer.Produce(ctx, []*kafka.Batch{batch}); err != nil {
		l.producer = nil
		return fmt.Errorf("write to %s: %w", l.topic, err)
	}
	return nil
}
