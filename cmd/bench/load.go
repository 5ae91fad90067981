package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/testbed/containers"
)

const topic = "purchases"

// inputTopic returns the input topic of a namespace: every pass has its own topics.
func inputTopic(namespace string) string { return namespace + "." + topic }

// newPass creates a namespace with empty topics, and returns the program with its settings and a source of its events.
func (b *bench) newPass(ctx context.Context, name string, partitions int) (containers.Program, *source, error) {
	namespace := fmt.Sprintf("bench-%s-%d", name, time.Now().UnixMilli())
	p := b.program.With(map[string]string{
		"NAMESPACE": namespace, "LEDGER_PARTITIONS": strconv.Itoa(partitions), "KAFKA_TOPICS_PURCHASES": inputTopic(namespace),
		"KAFKA_TOPICS_CANCELLATIONS": "", "KAFKA_TOPICS_REFERRALS": "", "KAFKA_TOPICS_SURVEYS": "",
	})
	if _, _, err := p.Do(ctx, "topics", "apply"); err != nil {
		return p, nil, err
	}
	k, err := kafka.New(kafka.Config{Brokers: []string{b.kafka}, ClientID: "bench", Compression: "none"})
	if err != nil {
		return p, nil, err
	}
	b.closers = append(b.closers, func() error { k.Close(); return nil })
	producer, err := k.NewProducer(ctx)
	if err != nil {
		return p, nil, err
	}
	return p, &source{
		namespace: namespace, partitions: int32(partitions), kafka: k, producer: producer,
		rng: rand.New(rand.NewPCG(b.seed, 1)), sent: make([]atomic.Int64, 16<<20),
	}, nil
}

// source generates purchases and sends them. Event n has the id "e-<n>".
type source struct {
	namespace  string
	partitions int32
	kafka      *kafka.Client
	producer   *kafka.Producer
	rng        *rand.Rand
	next       int64          // number of the next event
	sent       []atomic.Int64 // by event number: when its produce request started, ns; the length bounds the events of a namespace
	value      []byte
	bytes      int64
	keys       map[string]struct{} // customer ids that were sent
}

// zipf chooses customers by a zipf distribution: a few very often, many once.
func (s *source) zipf(customers int) func() int {
	z := rand.NewZipf(s.rng, 1.1, 1, uint64(customers-1))
	return func() int { return int(z.Uint64()) }
}

// purchase appends the next event to the batch of its customer's partition.
func (s *source) purchase(customer int, at time.Time, batch func(partition int32, size int) *kafka.Batch) {
	if s.keys == nil {
		s.keys = map[string]struct{}{}
	}
	key := "customer-" + strconv.Itoa(customer)
	s.keys[key] = struct{}{}
	cents := 500 + s.rng.IntN(20_000)
	v := s.value[:0]
	v = append(v, `{"event_id":"e-`...)
	v = strconv.AppendInt(v, s.next, 10)
	v = append(v, `","type":"purchase","occurred_at":"`...)
	v = at.AppendFormat(v, "2006-01-02T15:04:05.000Z")
	v = append(v, `","customer_id":"`...)
	v = append(v, key...)
	v = append(v, `","order_id":"o-`...)
	v = strconv.AppendInt(v, s.next, 10)
	v = append(v, `","total":`...)
	v = appendCents(v, cents)
	v = append(v, `,"currency":"EUR","tax":`...)
	v = appendCents(v, cents/6)
	v = append(v, `,"channel":"web","products":[{"product_id":"sku-`...)
	v = strconv.AppendInt(v, int64(s.rng.IntN(500)), 10)
	v = append(v, `","price":`...)
	v = appendCents(v, cents)
	v = append(v, `,"quantity":1}]}`...)
	s.value = v
	s.bytes += int64(len(v))
	partition := murmur2.PartitionFor([]byte(key), s.partitions)
	batch(partition, len(key)+len(v)).Append(time.Now().UnixMilli(), []byte(key), v, nil)
	s.next++
}

func appendCents(b []byte, n int) []byte {
	b = strconv.AppendInt(b, int64(n/100), 10)
	return append(b, '.', byte('0'+n/10%10), byte('0'+n%10))
}

// round is the content of one produce request: at most one batch for each partition.
type round struct {
	batches []*kafka.Batch
	from    int64 // first event
	to      int64 // after the last event
}

// prepare encodes n purchases into rounds of about a megabyte, so that sending them takes little CPU time during a measurement.
func (s *source) prepare(n int, customer func() int, at func() time.Time) []round {
	var rounds []round
	for left := n; left > 0; {
		r := round{from: s.next}
		open := make([]*kafka.Batch, s.partitions)
		for full := false; !full && left > 0; left-- {
			s.purchase(customer(), at(), func(p int32, _ int) *kafka.Batch {
				if open[p] == nil {
					open[p] = kafka.NewBatch(inputTopic(s.namespace), p)
					r.batches = append(r.batches, open[p])
				}
				full = open[p].Bytes() > kafka.MaxBatchBytes/2
				return open[p]
			})
		}
		r.to = s.next
		rounds = append(rounds, r)
	}
	return rounds
}

// send sends prepared rounds in sequence.
func (s *source) send(ctx context.Context, rounds []round) error {
	for _, r := range rounds {
		now := time.Now().UnixNano()
		for n := r.from; n < r.to; n++ {
			s.sent[n].Store(now)
		}
		if _, err := s.producer.Produce(ctx, r.batches); err != nil {
			return fmt.Errorf("send purchases: %w", err)
		}
	}
	return nil
}

// pace sends purchases at a rate until a time; about every 5 ms it sends those that are due. It returns how many it sent and its
// longest delay, by which it missed the rate.
func (s *source) pace(ctx context.Context, rate int, customer func() int, until time.Time) (n int, delay time.Duration, err error) {
	began := time.Now()
	for now := began; now.Before(until); now = time.Now() {
		due := int(now.Sub(began).Seconds() * float64(rate))
		if due <= n {
			time.Sleep(5*time.Millisecond - now.Sub(began)%(5*time.Millisecond))
			continue
		}
		r := s.prepare(due-n, customer, now.UTC)
		n = due
		if err := s.send(ctx, r); err != nil {
			return n, delay, err
		}
		delay = max(delay, time.Since(now)-5*time.Millisecond)
	}
	return n, delay, nil
}
