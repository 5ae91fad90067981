package containers

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/sandbox/shop"
	"github.com/mainstay/mainstay/pkg/testbed/recount"
)

// Load sends the events of a simulated shop at a rate, whatever happens to the brokers. It repeats a request whose result is unknown,
// as a producer would; Mainstay recognises the repeated events by their ids.
//
// Events are generated while they are sent, and once more for the recount, so that a load of millions of them needs little memory.
type Load struct {
	Kafka      *kafka.Client
	Namespace  string // prefix of the input topics
	Partitions int32  // of each input topic
	Shop       shop.Config

	rate, sent, resent atomic.Int64
	ended              atomic.Bool
	chunk              []shop.Event
	producer           *kafka.Producer
}

// PlainMix is a mix without aliases and CloudEvents, which the tests of the decoder cover, so that the recount can read the events
// with encoding/json alone.
func PlainMix() *shop.Mix {
	mix := shop.DefaultMix()
	mix.Aliases, mix.CloudEvents = 0, 0
	mix.Duplicate, mix.Late, mix.Refund, mix.Referral = .02, .03, .1, .1
	return &mix
}

// SetRate sets the rate in events per second; 0 is as fast as possible.
func (l *Load) SetRate(rate int64) { l.rate.Store(rate) }

// Sent is the number of events that are acknowledged.
func (l *Load) Sent() int64 { return l.sent.Load() }

// Resent is the number of events that were sent again after a request whose result was unknown.
func (l *Load) Resent() int64 { return l.resent.Load() }

// Ended reports whether the shop has no further event.
func (l *Load) Ended() bool { return l.ended.Load() }

// Run sends events until the shop ends or stop is closed. Cancelling ctx gives up, which is an error: nobody knows then what was sent.
func (l *Load) Run(ctx context.Context, stop <-chan struct{}) error {
	const chunk = 50
	s, err := shop.New(l.Shop)
	if err != nil {
		return fmt.Errorf("open the shop of the load: %w", err)
	}
	for e := range s.Events() {
		if e.At.After(time.Now()) {
			return fmt.Errorf("load after %d events: the shop's next event is at %s, later than now: Mainstay refuses events of the future", l.sent.Load(), e.At)
		}
		if l.chunk = append(l.chunk, e); len(l.chunk) < chunk {
			continue
		}
		if err := l.sendChunk(ctx, stop); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		default:
		}
	}
	l.ended.Store(true)
	return l.sendChunk(ctx, stop)
}

// sendChunk sends the chunk until it is acknowledged, and keeps the rate.
func (l *Load) sendChunk(ctx context.Context, stop <-chan struct{}) error {
	began := time.Now()
	for len(l.chunk) > 0 {
		err := l.produce(ctx)
		switch {
		case err == nil:
			l.sent.Add(int64(len(l.chunk)))
			pause := time.Duration(0)
			if rate := l.rate.Load(); rate > 0 {
				pause = time.Duration(len(l.chunk))*time.Second/time.Duration(rate) - time.Since(began)
			}
			l.chunk = l.chunk[:0]
			select {
			case <-stop:
			case <-time.After(pause):
			}
		case ctx.Err() != nil:
			return fmt.Errorf("load after %d events: %w", l.sent.Load(), context.Cause(ctx))
		case errors.Is(err, kafka.ErrReopen), kafka.Retriable(err):
			l.producer = nil
			l.resent.Add(int64(len(l.chunk)))
			time.Sleep(50 * time.Millisecond)
		default:
			return fmt.Errorf("load after %d events: %w", l.sent.Load(), err)
		}
	}
	return nil
}

func (l *Load) produce(ctx context.Context) (err error) {
	batches := kafka.NewBatches()
	for i, e := range l.chunk {
		partition := int32((l.sent.Load() + int64(i)) % int64(l.Partitions))
		if e.Key != nil {
			partition = murmur2.PartitionFor(e.Key, l.Partitions)
		}
		topic := l.Namespace + "." + e.Kind.Descriptor().Topic
		// The timestamp of the record is the time of sending: retention would delete a record with the time of the event at once.
		batches.BatchFor(topic, partition, len(e.Key)+len(e.Value)).Append(time.Now().UnixMilli(), e.Key, e.Value, nil)
	}
	if l.producer == nil {
		if l.producer, err = l.Kafka.NewProducer(ctx); err != nil {
			return err
		}
	}
	_, err = l.producer.Produce(ctx, batches.All())
	return err
}

// Recount counts the events that were sent. Run must have returned.
func (l *Load) Recount() (*recount.Recount, error) {
	s, err := shop.New(l.Shop)
	if err != nil {
		return nil, fmt.Errorf("open the shop of the load: %w", err)
	}
	r, left := recount.New(), l.sent.Load()
	for e := range s.Events() {
		if left == 0 {
			break
		}
		left--
		if err := r.AddEvent(e.Value); err != nil {
			return nil, err
		}
	}
	r.Finish()
	return r, nil
}

// InputTopics returns the settings that give a namespace its own input topics, as Load names them.
func InputTopics(namespace string) map[string]string {
	return map[string]string{
		"NAMESPACE": namespace, "KAFKA_TOPICS_PURCHASES": namespace + ".purchases", "KAFKA_TOPICS_CANCELLATIONS": namespace + ".cancellations",
		"KAFKA_TOPICS_REFERRALS": namespace + ".referrals", "KAFKA_TOPICS_SURVEYS": namespace + ".surveys",
	}
}
