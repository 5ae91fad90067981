package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go/protocol/initproducerid"
)

// Producer appends batches idempotently and in order, without transactions (KIP-98). It must be used by one goroutine at a time, which
// keeps at most one request in flight per partition. Otherwise a rejected batch whose successor is in flight could be lost, because the
// sequence numbers of a new producer id may start anywhere.
type Producer struct {
	writer  batchWriter
	failure error
}

// NewProducer obtains a producer id. Retriable errors are retried until the context ends.
func (c *Client) NewProducer(ctx context.Context) (*Producer, error) {
	id, err := c.initProducerID(ctx, "", 0)
	if err != nil {
		return nil, fmt.Errorf("new producer: %w", err)
	}
	return &Producer{writer: batchWriter{client: c, identity: id, sequences: map[topicPartition]int32{}}}, nil
}

// Produce appends the batches, acknowledged by all in-sync replicas, and returns one Ack per batch, in the same order. Several batches of
// a partition are sent one after the other.
//
// A batch is sent again, until the context ends, only after the broker has responded that it is not the leader, or that too few replicas
// acknowledged in time; a batch that was appended nevertheless is recognised by its sequence number. Any other error, in particular a
// missing response, wraps ErrReopen and makes the producer unusable: the batches may have been appended or not, and may still be
// appended later. The caller must then use a new producer and start again from the last position known to be committed.
func (p *Producer) Produce(ctx context.Context, batches []*Batch) ([]Ack, error) {
	if p.failure != nil {
		return nil, p.failure
	}
	acks, err := p.produce(ctx, batches)
	if err != nil {
		p.failure = fmt.Errorf("produce: %w: %w", ErrReopen, err)
		return nil, p.failure
	}
	return acks, nil
}

func (p *Producer) produce(ctx context.Context, batches []*Batch) ([]Ack, error) {
	rounds, err := p.writer.seal(batches)
	if err != nil {
		return nil, err
	}
	by := make(map[*Batch]Ack, len(batches))
	for _, flights := range rounds {
		if err := p.sendUntilAcked(ctx, flights); err != nil {
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

// sendUntilAcked repeats a round for the batches whose error allows it (mayResend), until the context ends.
func (p *Producer) sendUntilAcked(ctx context.Context, flights []*pendingBatch) error {
	start := time.Now()
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		p.writer.sendRound(ctx, flights)
		var again []*pendingBatch
		for _, f := range flights {
			if f.err == nil {
				continue
			}
			if !p.mayResend(f, time.Since(start)) {
				return f.err
			}
			p.writer.client.invalidateLeader(f.batch.topic)
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

// mayResend reports whether the same bytes and sequence number may be sent again. The broker has responded, so the request is no longer in
// flight; and whether the batch was appended (7, 20) or not (the other codes), the broker recognises it among the last five batches of
// the producer and partition. A topic that was just created may be unknown (3) for a while.
func (p *Producer) mayResend(f *pendingBatch, tried time.Duration) bool {
	var c Code
	if outcomeUnknown(f.err) || !errors.As(f.err, &c) {
		return false
	}
	switch c {
	case CodeLeaderNotAvailable, CodeNotLeaderOrFollower, CodeRequestTimedOut, CodeNotEnoughReplicas,
		CodeNotEnoughReplicasAfterAppend, CodeStorageError, CodeFencedLeaderEpoch, CodeUnknownLeaderEpoch:
		return true
	case CodeUnknownTopicOrPartition:
		return tried < p.writer.client.cfg.Timeout
	default:
		return false
	}
}

// initProducerID obtains a producer id and epoch, and retries until the context ends. A repeated request is harmless: the second response
// fences the first. An empty txnID means an idempotent producer without transactions.
func (c *Client) initProducerID(ctx context.Context, txnID string, timeout time.Duration) (producerIdentity, error) {
	var id producerIdentity
	do := func(broker int32) error {
		// Producer id and epoch must be -1: zeros are rejected with 90.
		res, err := request[*initproducerid.Response](ctx, c, Call{API: "InitProducerId", TxnID: txnID}, broker, &initproducerid.Request{
			TransactionalID: txnID, TransactionTimeoutMs: int32(timeout / time.Millisecond), ProducerID: -1, ProducerEpoch: -1,
		})
		if err != nil {
			return err
		}
		if res.ErrorCode != 0 {
			return fmt.Errorf("InitProducerId: %w", Code(res.ErrorCode))
		}
		id = producerIdentity{producer: res.ProducerID, epoch: res.ProducerEpoch, transactional: txnID != ""}
		return nil
	}
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		var err error
		if txnID == "" {
			err = do(anyBroker)
		} else {
			err = c.withCoordinator(ctx, transactionCoordinator, txnID, do)
		}
		if err == nil || !Retriable(err) || ctx.Err() != nil {
			return id, err
		}
		if ended := pause(ctx, wait); ended != nil {
			return id, fmt.Errorf("%w: %w", ended, err)
		}
	}
}
