package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go/protocol/initproducerid"
)

// Producer appends batches idempotently and in order, without a transaction. It is for one goroutine, which by itself keeps
// at most one request in flight per partition: a refused batch with a successor in flight would be lost for ever, because a
// new producer id may start with any sequence.
type Producer struct {
	w    writer
	dead error
}

// NewProducer obtains a producer id. It asks again while infrastructure is in trouble, until the context ends.
func (c *Client) NewProducer(ctx context.Context) (*Producer, error) {
	id, err := c.initProducer(ctx, "", 0)
	if err != nil {
		return nil, fmt.Errorf("new producer: %w", err)
	}
	return &Producer{w: writer{c: c, id: id, sequences: map[topicPartition]int32{}}}, nil
}

// Produce appends the batches, acknowledged by all in-sync replicas, and returns one Ack per batch, in their order. Several
// batches of one partition are sent one after the other.
//
// The same bytes are sent again, for as long as the context lasts, only after the broker has answered that it was not the
// leader, or had too few replicas or too little time; if it did append them, it knows them by their sequence. Any other
// error, above all a missing answer, wraps ErrReopen, and the producer is dead: what it sent may be there or not, now or
// later. Only a new producer, and starting again from what is known to be committed, is safe then.
func (p *Producer) Produce(ctx context.Context, batches []*Batch) ([]Ack, error) {
	if p.dead != nil {
		return nil, p.dead
	}
	acks, err := p.produce(ctx, batches)
	if err != nil {
		p.dead = fmt.Errorf("produce: %w: %w", ErrReopen, err)
		return nil, p.dead
	}
	return acks, nil
}

func (p *Producer) produce(ctx context.Context, batches []*Batch) ([]Ack, error) {
	rounds, err := p.w.seal(batches)
	if err != nil {
		return nil, err
	}
	by := make(map[*Batch]Ack, len(batches))
	for _, flights := range rounds {
		if err := p.deliver(ctx, flights); err != nil {
			return nil, err
		}
		for _, f := range flights {
			by[f.batch] = f.ack
		}
	}
	acks := make([]Ack, len(batches))
	for i, b := range batches {
		a, ok := by[b]
		if !ok {
			a = Ack{b.topic, b.partition, -1, -1}
		}
		acks[i] = a
	}
	return acks, nil
}

// deliver repeats a round for what was answered with an error that allows it.
func (p *Producer) deliver(ctx context.Context, flights []*flight) error {
	start := time.Now()
	for wait := firstPause; ; wait = min(2*wait, lastPause) {
		p.w.round(ctx, flights)
		var again []*flight
		for _, f := range flights {
			if f.err == nil {
				continue
			}
			if !p.sameAgain(f, time.Since(start)) {
				return f.err
			}
			p.w.c.doubt(f.batch.topic)
			again = append(again, f)
		}
		if len(again) == 0 {
			return nil
		}
		if err := pause(ctx, wait); err != nil {
			return fmt.Errorf("%w: %w", err, again[0].err)
		}
		flights = again
	}
}

// sameAgain says whether the same bytes and sequence may be sent once more. The broker has answered, so nothing of this
// request is still on its way; and whether it has appended the batch (7, 20) or not (the others), its memory of the last
// five batches per producer and partition sorts it out. A topic that was created a moment ago may be unknown (3), but not
// for ever.
func (p *Producer) sameAgain(f *flight, tried time.Duration) bool {
	var c Code
	if unanswered(f.err) || !errors.As(f.err, &c) {
		return false
	}
	switch c {
	case CodeLeaderNotAvailable, CodeNotLeaderOrFollower, CodeRequestTimedOut, CodeNotEnoughReplicas,
		CodeNotEnoughReplicasAfterAppend, CodeStorageError, CodeFencedLeaderEpoch, CodeUnknownLeaderEpoch:
		return true
	case CodeUnknownTopicOrPartition:
		return tried < p.w.c.cfg.Timeout
	default:
		return false
	}
}

// initProducer asks for a producer id and epoch until it gets them. Asking twice does no harm: the second answer fences the
// first. txnID "" means idempotent only.
func (c *Client) initProducer(ctx context.Context, txnID string, timeout time.Duration) (identity, error) {
	var id identity
	do := func(broker int32) error {
		// -1 and -1 must be spelled out: zeros are answered with 90.
		res, err := ask[*initproducerid.Response](ctx, c, Call{API: "InitProducerId", TxnID: txnID}, broker, &initproducerid.Request{
			TransactionalID: txnID, TransactionTimeoutMs: int32(timeout / time.Millisecond), ProducerID: -1, ProducerEpoch: -1,
		})
		if err != nil {
			return err
		}
		if res.ErrorCode != 0 {
			return fmt.Errorf("InitProducerId: %w", Code(res.ErrorCode))
		}
		id = identity{producer: res.ProducerID, epoch: res.ProducerEpoch, transactional: txnID != ""}
		return nil
	}
	for wait := firstPause; ; wait = min(2*wait, lastPause) {
		var err error
		if txnID == "" {
			err = do(anyBroker)
		} else {
			err = c.coordinated(ctx, ofTransaction, txnID, do)
		}
		if err == nil || !Retriable(err) || ctx.Err() != nil {
			return id, err
		}
		if ended := pause(ctx, wait); ended != nil {
			return id, fmt.Errorf("%w: %w", ended, err)
		}
	}
}
