package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/schemas/event"
)

// record is an event on its way into an input topic.
type record struct {
	item       int        // of its request
	kind       event.Kind // of its first event
	events     int        // that it has
	topic      string
	key, value []byte
	timestamp  int64  // ms
	headers    []byte // encoded; nil: none
}

func (r *record) bytes() int { return len(r.key) + len(r.value) + len(r.headers) }

// appender writes the events of all requests.
//
// Invariant: one goroutine (run) produces, with one request to Kafka in flight, and what arrives meanwhile goes into the next one. So
// the order of one client's requests is kept, a producer is used as it must be, and the requests to Kafka become larger, not more,
// as load grows. A producer for each request was rejected: it costs two round trips more and an id of the brokers' each time.
type appender struct {
	kafka   *kafka.Client
	names   []string // of the topics
	now     func() time.Time
	log     *zap.Logger
	arrived chan *pending

	// Used by run alone.
	producer  *kafka.Producer // nil: the next round makes one
	topics    map[string]topicState
	learnedAt time.Time
	batches   *kafka.Batches
	failing   bool // the last round failed, and the log says so
}

// topicState is what Kafka says of a topic.
type topicState struct {
	partitions int32
	maxBytes   int // of a batch
}

// pending is the records of one request.
type pending struct {
	records []record
	batches []*kafka.Batch // that have them, of the current round
	answer  chan error     // holds one
}

const (
	// Times of one round: of two of them, and the time for a body, a client waits at most, which is less than the server gives an answer.
	roundTimeout = 5 * time.Second
	// How long the metadata of the topics is used before it is read again. An added partition is used from then on.
	learnEvery = 30 * time.Second
	// A round takes no more requests once it has this many bytes.
	roundBytes = 4 << 20
)

func newAppender(k *kafka.Client, names []string, now func() time.Time, log *zap.Logger) *appender {
	return &appender{kafka: k, names: names, now: now, log: log, arrived: make(chan *pending), batches: kafka.NewBatches()}
}

// append returns once Kafka has acknowledged all records. The error is a *refusal, after which some of them may have been written, or may
// still be; or that of the context: a client that disconnects is not waited for.
func (a *appender) append(ctx context.Context, records []record) error {
	p := &pending{records: records, answer: make(chan error, 1)}
	select {
	case a.arrived <- p:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-p.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run produces until the context ends.
func (a *appender) run(ctx context.Context) {
	for {
		var round []*pending
		select {
		case <-ctx.Done():
			return
		case first := <-a.arrived:
			round = a.gather(first)
		}
		a.round(ctx, round)
	}
}

// gather takes whatever else has arrived.
func (a *appender) gather(first *pending) []*pending {
	round, size := []*pending{first}, 0
	for {
		for i := range round[len(round)-1].records {
			size += round[len(round)-1].records[i].bytes()
		}
		if size >= roundBytes {
			return round
		}
		select {
		case p := <-a.arrived:
			round = append(round, p)
		default:
			return round
		}
	}
}

// round writes the records of some requests and answers each of them.
func (a *appender) round(ctx context.Context, all []*pending) {
	ctx, cancel := context.WithTimeoutCause(ctx, roundTimeout, fmt.Errorf("no answer within %s", roundTimeout))
	defer cancel()
	if err := a.prepare(ctx); err != nil {
		a.learnedAt = time.Time{}
		answerAll(all, a.fails(err))
		return
	}
	sent := slices.DeleteFunc(slices.Clone(all), func(p *pending) bool {
		err := a.fits(p)
		if err == nil {
			a.fill(p)
			return false
		}
		p.answer <- err
		return true
	})
	defer a.batches.Reset()
	if len(sent) == 0 {
		return
	}
	_, err := a.producer.Produce(ctx, a.batches.All())
	if err == nil {
		a.works()
		answerAll(sent, nil)
		return
	}
	a.producer, a.learnedAt = nil, time.Time{}
	refused, ok := errors.AsType[*kafka.RefusedError](err)
	if !ok {
		answerAll(sent, a.fails(err))
		return
	}
	a.retryOneByOne(ctx, sent, refused)
}

// retryOneByOne answers the requests of a round of which brokers refused batches for good. A batch has the records of several requests, of which
// one may be the cause: each of them is tried alone, so that it fails alone.
func (a *appender) retryOneByOne(ctx context.Context, sent []*pending, refused *kafka.RefusedError) {
	for _, p := range sent {
		i := slices.IndexFunc(refused.Batches, func(b kafka.RefusedBatch) bool { return slices.Contains(p.batches, b.Batch) })
		switch {
		case i < 0:
			p.answer <- nil
		case len(sent) > 1:
			a.batches.Reset()
			a.round(ctx, []*pending{p})
		default:
			p.answer <- a.whyRefused(refused)
		}
	}
}

// whyRefused is the answer to the one request of a round that was refused.
func (a *appender) whyRefused(refused *kafka.RefusedError) error {
	for _, b := range refused.Batches {
		if outcome, reason := b.Code.ProduceOutcome(); outcome == kafka.OutcomeRecordRefused {
			return refuse(recordRefused, "Kafka refuses an event for good ("+reason+"); others of the request may have been written, and count once if they are sent again")
		}
	}
	return a.fails(refused) // of the topic: an operator has to act, and the client to send again
}

// fails logs the first failure in a row, however many requests it concerns, and returns the answer to them.
func (a *appender) fails(err error) error {
	if !a.failing {
		a.log.Warn("events are not acknowledged: requests are answered with 503 until they are", zap.Error(err))
	}
	a.failing = true
	return refuse(unavailable, "Kafka has not acknowledged the events, of which some may have been written: send the request again, what was written counts once")
}

func (a *appender) works() {
	if a.failing {
		a.log.Info("events are acknowledged again")
	}
	a.failing = false
}

func answerAll(all []*pending, err error) {
	for _, p := range all {
		p.answer <- err
	}
}

// prepare makes the producer, and learns of the topics how many partitions they have and what they accept.
func (a *appender) prepare(ctx context.Context) (err error) {
	if a.producer == nil {
		if a.producer, err = a.kafka.NewProducer(ctx); err != nil {
			a.producer = nil
			return err
		}
	}
	if now := a.now(); a.learnedAt.IsZero() || now.Sub(a.learnedAt) >= learnEvery {
		if err := a.learn(ctx); err != nil {
			return err
		}
		a.learnedAt = now
	}
	return nil
}

// learn reads the topics. Without the permission to read their limits (DescribeConfigs), these are the usual ones, and what exceeds the
// real ones is found out when brokers refuse it.
func (a *appender) learn(ctx context.Context) error {
	found, err := a.kafka.Topics(ctx, a.names)
	if err != nil {
		return fmt.Errorf("read the input topics: %w", err)
	}
	var there []string // a topic that does not exist hinders only its own events
	for _, t := range found {
		if t.Exists {
			there = append(there, t.Name)
		}
	}
	configs, err := a.kafka.TopicConfigs(ctx, there)
	if err != nil && !errors.Is(err, kafka.ErrAuthorization) {
		return fmt.Errorf("read the limits of the input topics: %w", err)
	}
	a.topics = map[string]topicState{}
	for _, t := range found {
		s := topicState{partitions: int32(len(t.Leaders)), maxBytes: kafka.MaxBatchBytes} //nolint:gosec // a count
		if n, err := strconv.Atoi(configs[t.Name]["max.message.bytes"]); err == nil && n > 0 {
			s.maxBytes = min(n, kafka.MaxBatchBytes)
		}
		a.topics[t.Name] = s
		a.batches.Limit(t.Name, s.maxBytes)
	}
	return nil
}

// fits returns why a request cannot be written, before anything of it is.
func (a *appender) fits(p *pending) error {
	for i := range p.records {
		r := &p.records[i]
		t := a.topics[r.topic]
		if t.partitions == 0 {
			return a.fails(fmt.Errorf("the topic %s does not exist: create it with `mainstay topics apply`", r.topic))
		}
		if size := r.bytes() + kafka.SingleRecordOverhead; size > t.maxBytes {
			return refuse(eventTooLarge, fmt.Sprintf("item %d has %d bytes as a record, and its topic accepts %d (max.message.bytes)", r.item, size, t.maxBytes))
		}
	}
	return nil
}

// fill adds the records of a request to the batches, each in the partition that Kafka's Java client would choose for its key.
func (a *appender) fill(p *pending) {
	p.batches = p.batches[:0]
	for i := range p.records {
		r := &p.records[i]
		b := a.batches.BatchFor(r.topic, murmur2.PartitionFor(r.key, a.topics[r.topic].partitions), r.bytes())
		b.Append(r.timestamp, r.key, r.value, r.headers)
		if !slices.Contains(p.batches, b) {
			p.batches = append(p.batches, b)
		}
	}
}
