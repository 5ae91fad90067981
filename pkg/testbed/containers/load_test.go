//go:build real

package containers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/sandbox/shop"
)

// load is a shop whose events go out at a pace, over whatever happens to the broker: a request whose fate is unknown is sent
// again, as an emitter would. Mainstay knows the repetition by the event's id.
type load struct {
	kafka     *kafka.Client
	namespace string
	events    []shop.Event
	facts     []fact
	sent      atomic.Int64
	again     int           // events that were sent again
	hurry     chan struct{} // closed: no more pace
}

// newLoad lives a shop's year. Forms and aliases are left to the decoder's own tests, so that the recount can read with
// encoding/json alone.
func newLoad(k *kafka.Client, namespace string, seed uint64, customers int) (*load, error) {
	mix := shop.DefaultMix()
	mix.Aliases, mix.CloudEvents = 0, 0
	mix.Duplicate, mix.Late, mix.Refund, mix.Referral = .02, .03, .1, .1
	s, err := shop.New(shop.Config{Seed: seed, Customers: customers, Days: 365, Currency: "USD", Mix: &mix})
	if err != nil {
		return nil, err
	}
	l := &load{kafka: k, namespace: namespace, hurry: make(chan struct{})}
	seen := map[string]bool{}
	for e := range s.Events() {
		var f fact
		if err := json.Unmarshal(e.Value, &f); err != nil {
			return nil, fmt.Errorf("read %s: %w", e.Value, err)
		}
		l.events = append(l.events, e)
		if !seen[f.ID] {
			seen[f.ID] = true
			l.facts = append(l.facts, f)
		}
	}
	return l, nil
}

// run sends all, so many a second.
func (l *load) run(ctx context.Context, rate int) error {
	const partitions, chunk = 4, 50
	var producer *kafka.Producer
	for at := 0; at < len(l.events); {
		began := time.Now()
		part := l.events[at:min(len(l.events), at+chunk)]
		open := map[string]*kafka.Batch{}
		var batches []*kafka.Batch
		for i, e := range part {
			partition := int32((at + i) % partitions)
			if e.Key != nil {
				partition = murmur2.PartitionFor(e.Key, partitions)
			}
			topic := l.namespace + "." + e.Kind.Descriptor().Topic
			place := fmt.Sprint(topic, partition)
			if open[place] == nil {
				open[place] = kafka.NewBatch(topic, partition)
				batches = append(batches, open[place])
			}
			// The time of the record is when it is sent: by the time that it tells of, retention would delete it at once.
			open[place].Append(time.Now().UnixMilli(), e.Key, e.Value, nil)
		}
		var err error
		if producer == nil {
			producer, err = l.kafka.NewProducer(ctx)
		}
		if err == nil {
			_, err = producer.Produce(ctx, batches)
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("after %d events: %w", at, context.Cause(ctx))
		case errors.Is(err, kafka.ErrReopen), kafka.Retriable(err):
			producer = nil
			l.again += len(part)
			time.Sleep(50 * time.Millisecond)
			continue
		case err != nil:
			return fmt.Errorf("after %d events: %w", at, err)
		}
		at += len(part)
		l.sent.Store(int64(at))
		select {
		case <-l.hurry:
		case <-time.After(time.Duration(len(part))*time.Second/time.Duration(rate) - time.Since(began)):
		}
	}
	return nil
}

// lastOf is the time of the latest event.
func lastOf(facts []fact) time.Time {
	last := facts[0].At
	for _, f := range facts {
		if f.At.After(last) {
			last = f.At
		}
	}
	return last
}
