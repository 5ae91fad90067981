package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
// acknowledged in time; a batch that was appended nevertheless is recognised by its sequence number. If brokers refuse batches for good
// (see Code.ProduceOutcome) and acknowledge all others, the error is a *RefusedError, beside the Acks of the others. Any other error, in
// particular a missing response, wraps ErrReopen: the batches may have been appended or not, and may still be appended later. The caller
// must then use a new producer and start again from the last position known to be committed. After any error the producer is unusable.
func (p *Producer) Produce(ctx context.Context, batches []*Batch) ([]Ack, error) {
	if p.failure != nil {
		return nil, p.failure
	}
	acks, err := p.produce(ctx, batches)
	if err == nil {
		return acks, nil
	}
	p.failure = fmt.Errorf("produce: %w: %w", ErrReopen, err)
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return acks, refused
	}
	return nil, p.failure
}

func (p *Producer) produce(ctx context.Context, batches []*Batch) ([]Ack, error) {
	rounds, err := p.writer.seal(batches)
	if err != nil {
		return nil, err
	}
	by := make(map[*Batch]Ack, len(batches))
	var refused []RefusedBatch
	for _, flights := range rounds {
		if len(refused) > 0 {
			flights, refused = withhold(flights, refused)
		}
		refusedNow, err := p.sendUntilAnswered(ctx, flights)
		if err != nil {
			return nil, err
		}
		refused = append(refused, refusedNow...)
		for _, f := range flights {
			if f.err == nil {
				by[f.batch] = f.ack
			}
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
	if len(refused) > 0 {
		return acks, &RefusedError{refused}
	}
	return acks, nil
}

// withhold takes the batches out of a round whose partition has refused an earlier one: their sequence numbers would leave a gap, and
// their records would overtake the refused ones.
func withhold(flights []*pendingBatch, refused []RefusedBatch) ([]*pendingBatch, []RefusedBatch) {
	var kept []*pendingBatch
	for _, f := range flights {
		if slices.ContainsFunc(refused, func(r RefusedBatch) bool {
			return r.Batch.topic == f.batch.topic && r.Batch.partition == f.batch.partition
		}) {
			refused = append(refused, RefusedBatch{Batch: f.batch})
			continue
		}
		kept = append(kept, f)
	}
	return kept, refused
}

// sendUntilAnswered repeats a round for the batches whose answer allows it (OutcomeAgain), until each is acknowledged or refused for good,
// or the context ends. The broker has answered, so the request is no longer in flight; and whether the batch was appended (7, 20) or not
// (the other codes), the broker recognises it among the last five batches of the producer and partition.
func (p *Producer) sendUntilAnswered(ctx context.Context, flights []*pendingBatch) (refused []RefusedBatch, err error) {
	start := time.Now()
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		p.writer.sendRound(ctx, flights)
		var again []*pendingBatch
		for _, f := range flights {
			if f.err == nil {
				continue
			}
			outcome, code := f.outcome()
			if code == CodeUnknownTopicOrPartition && time.Since(start) < p.writer.client.cfg.Timeout {
				outcome = OutcomeAgain // a topic that was just created may be unknown for a while
			}
			switch outcome {
			case OutcomeAgain:
				p.writer.client.invalidateLeader(f.batch.topic)
				again = append(again, f)
			case OutcomeRecordRefused, OutcomeTopicRefused:
				p.writer.client.invalidateLeader(f.batch.topic) // a refusal for lack of permission may come from the cached metadata
				refused = append(refused, RefusedBatch{f.batch, code, f.err})
			case OutcomeUnknown:
				return nil, f.err
			}
		}
		if len(again) == 0 {
			return refused, nil
		}
		if err := pause(ctx, wait); err != nil {
			return nil, fmt.Errorf("%w: %w", err, again[0].err)
		}
		flights = again
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
