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

// load sends the events of a simulated shop at a rate, whatever happens to the broker. It repeats a request whose result is unknown,
// as a producer would; Mainstay recognises the repeated events by their ids.
type load struct {
	kafka     *kafka.Client
	namespace string
	events    []shop.Event
	facts     []fact
	sent      atomic.Int64
	resent    int           // events that were sent again
	noPace    chan struct{} // closed: send as fast as possible
}

// newLoad simulates a shop for a year. It uses no aliases and no CloudEvents, which the tests of the decoder cover, so that the recount
// can read the events with encoding/json alone.
func newLoad(k *kafka.Client, namespace string, seed uint64, customers int) (*load, error) {
	mix := shop.DefaultMix()
	mix.Aliases, mix.CloudEvents = 0, 0
	mix.Duplicate, mix.Late, mix.Refund, mix.Referral = .02, .03, .1, .1
	s, err := shop.New(shop.Config{Seed: seed, Customers: customers, Days: 365, Currency: "USD", Mix: &mix})
	if err != nil {
		return nil, err
	}
	l := &load{kafka: k, namespace: namespace, noPace: make(chan struct{})}
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

// run sends all events, at a rate per second.
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
			// The timestamp of the record is the time of sending: retention would delete a record with the time of the event at once.
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
			l.resent += len(part)
			time.Sleep(50 * time.Millisecond)
			continue
		case err != nil:
			return fmt.Errorf("after %d events: %w", at, err)
		}
		at += len(part)
		l.sent.Store(int64(at))
		select {
		case <-l.noPace:
		case <-time.After(time.Duration(len(part))*time.Second/time.Duration(rate) - time.Since(began)):
		}
	}
	return nil
}

// lastOf returns the time of the latest event.
func lastOf(facts []fact) time.Time {
	last := facts[0].At
	for _, f := range facts {
		if f.At.After(last) {
			last = f.At
		}
	}
	return last
}
