package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go/protocol/addoffsetstotxn"
	"github.com/segmentio/kafka-go/protocol/addpartitionstotxn"
	"github.com/segmentio/kafka-go/protocol/endtxn"
	"github.com/segmentio/kafka-go/protocol/txnoffsetcommit"
)

// Transactional is a producer that publishes in transactions (KIP-98, transactions v1: the epoch changes only when it is opened again). It
// must be used by one goroutine at a time. It is fenced as soon as another producer opens the same transactional id.
type Transactional struct {
	writer  batchWriter
	failure error
}

// Transaction is the content of one transaction: batches, and the offset up to which their input was read.
type Transaction struct {
	Batches []*Batch
	// First is a topic whose batches are acknowledged before any other topic becomes part of the transaction. A transaction that is made
	// again and again because the topic refuses it then appends nothing to the others, not even the marker of its abort. Empty: none.
	First string
	// Offset is committed for Group, Topic and Partition: the next offset to read, with Metadata. An empty Group commits no offset.
	Group     string
	Topic     string
	Partition int32
	Offset    int64
	Metadata  string
	// Generation and Member are those under which the caller owns the partition: the broker refuses a former member (22, 25;
	// KIP-447). An empty Member disables the check.
	Generation int32
	Member     string
}

// OpenTransactional takes over the transactional id (InitProducerId): the former producer is fenced, its open transaction is aborted, and
// its committed one is completed. It retries until this has succeeded or the context ends, because CommittedOffset is reliable only
// afterwards; before, it may be stale even after an acknowledged commit.
//
// timeout is how long the broker keeps a transaction open, at most its transaction.max.timeout.ms (15 min by default; 50 otherwise). The
// error is ErrFenced if another producer opened the id at the same time; otherwise it wraps ErrReopen.
func (c *Client) OpenTransactional(ctx context.Context, id string, timeout time.Duration) (*Transactional, error) {
	if id == "" {
		return nil, errors.New("open transactional: empty id")
	}
	who, err := c.initProducerID(ctx, id, timeout)
	if err != nil {
		return nil, wrapReopen("open "+id, err)
	}
	return &Transactional{writer: batchWriter{client: c, identity: who, txnID: id, sequences: map[topicPartition]int32{}}}, nil
}

// Publish commits the transaction as a whole, or returns an error: ErrFenced if another producer has taken over, otherwise ErrReopen, and
// the transaction may be committed or not, and may still be committed later. After any error t is unusable. The alternative, to repeat
// the transaction on the same producer, was rejected: a delayed request of this transaction could end the next one halfway. Open the id
// again and read the committed offset.
//
// The requests are sent strictly one after the other (a concurrent Produce and TxnOffsetCommit are answered with 19 and 14) and repeated
// only while a coordinator is busy or elsewhere (51, 14, 15, 16).
func (t *Transactional) Publish(ctx context.Context, x Transaction) error {
	if t.failure != nil {
		return t.failure
	}
	if err := t.publish(ctx, x); err != nil {
		t.failure = wrapReopen("publish as "+t.writer.txnID, err)
		return t.failure
	}
	return nil
}

// wrapReopen adds ErrReopen to every error but ErrFenced: each leaves the outcome unknown, including 49 (the id was idle too long, or its
// epochs are exhausted) and 48 (the transaction was ended already).
func wrapReopen(what string, err error) error {
	if errors.Is(err, ErrFenced) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, ErrReopen, err)
}

func (t *Transactional) publish(ctx context.Context, x Transaction) error {
	written := false
	for _, batches := range x.stages() {
		wrote, err := t.write(ctx, batches)
		if err != nil {
			return err
		}
		written = written || wrote
	}
	if !written && x.Group == "" {
		return nil // EndTxn of an empty transaction is rejected (48)
	}
	if x.Group != "" {
		if err := t.addOffsets(ctx, x.Group); err != nil {
			return err
		}
		if err := t.commitOffset(ctx, x); err != nil {
			return err
		}
	}
	//mutant:repeat-end insert for range 4 { if err := t.endTransaction(ctx); err == nil || ctx.Err() != nil { return err } }
	return t.endTransaction(ctx)
}

// stages returns the batches of the topic First, and the others.
func (x *Transaction) stages() [2][]*Batch {
	var stages [2][]*Batch
	for _, b := range x.Batches {
		stage := 1
		//mutant:refused-output-again if false && $
		if b.topic == x.First {
			stage = 0
		}
		stages[stage] = append(stages[stage], b)
	}
	return stages
}

// write adds the partitions of batches to the transaction and appends the batches. It reports whether there were records.
func (t *Transactional) write(ctx context.Context, batches []*Batch) (bool, error) {
	rounds, err := t.writer.seal(batches)
	if err != nil || len(rounds) == 0 {
		return false, err
	}
	// The first round contains every partition.
	if err := t.addPartitions(ctx, rounds[0]); err != nil {
		return false, err
	}
	for _, flights := range rounds {
		t.writer.sendRound(ctx, flights)
		if err := firstError(flights); err != nil {
			for _, f := range flights {
				if f.err != nil {
					t.writer.client.invalidateLeader(f.batch.topic)
				}
			}
			return false, err
		}
	}
	return true, nil
}

// firstError returns the error of a batch that was not acknowledged: of one that is refused for good, if there is one.
func firstError(flights []*pendingBatch) error {
	var first error
	for _, f := range flights {
		if f.err == nil {
			continue
		}
		err := topicError(f.batch.topic, f.err)
		if refused, ok := errors.AsType[*TopicError](err); ok && refused.Refused() != "" {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// TopicError is in the error of Publish if a broker has answered that a topic does not take its part of the transaction.
type TopicError struct {
	Topic string
	code  Code
	err   error
}

func topicError(topic string, err error) error {
	if code, ok := errors.AsType[Code](err); ok && !outcomeUnknown(err) {
		return &TopicError{topic, code, err}
	}
	return err
}

func (e *TopicError) Error() string { return e.err.Error() }

func (e *TopicError) Unwrap() error { return e.err }

// Refused returns the stable name of the reason for which the topic refuses this content, or all, for good; "" if the same transaction
// may be accepted later.
func (e *TopicError) Refused() string {
	_, reason := e.code.ProduceOutcome()
	return reason
}

// addPartitions adds the partitions to the transaction. It succeeds for all or none: if one is rejected, the others have code 55.
func (t *Transactional) addPartitions(ctx context.Context, flights []*pendingBatch) error {
	req := &addpartitionstotxn.Request{
		TransactionalID: t.writer.txnID, ProducerID: t.writer.identity.producer, ProducerEpoch: t.writer.identity.epoch,
	}
	for _, f := range flights {
		i := slices.IndexFunc(req.Topics, func(x addpartitionstotxn.RequestTopic) bool { return x.Name == f.batch.topic })
		if i < 0 {
			i = len(req.Topics)
			req.Topics = append(req.Topics, addpartitionstotxn.RequestTopic{Name: f.batch.topic})
		}
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, f.batch.partition)
	}
	call := Call{API: "AddPartitionsToTxn", TxnID: t.writer.txnID}
	if len(req.Topics) == 1 {
		call.Topic = req.Topics[0].Name
	}
	return t.writer.client.withCoordinator(ctx, transactionCoordinator, t.writer.txnID, func(broker int32) error {
		res, err := request[*addpartitionstotxn.Response](ctx, t.writer.client, call, broker, req)
		if err != nil {
			return err
		}
		answered := 0
		var refused error
		for _, topic := range res.Results {
			for _, p := range topic.Results {
				answered++
				// 55 means that another partition was rejected, whose error is the reason.
				if p.ErrorCode != 0 && (refused == nil || errors.Is(refused, CodeOperationNotAttempted)) {
					refused = topicError(topic.Name, fmt.Errorf("AddPartitionsToTxn %s/%d: %w", topic.Name, p.PartitionIndex, Code(p.ErrorCode)))
				}
			}
		}
		if refused == nil && answered != len(flights) {
			return fmt.Errorf("AddPartitionsToTxn: %d of %d partitions answered: %w", answered, len(flights), &transportError{errShortResponse})
		}
		return refused
	})
}

// addOffsets adds the group to the transaction; without it TxnOffsetCommit is rejected (48).
func (t *Transactional) addOffsets(ctx context.Context, group string) error {
	return t.writer.client.withCoordinator(ctx, transactionCoordinator, t.writer.txnID, func(broker int32) error {
		res, err := request[*addoffsetstotxn.Response](ctx, t.writer.client, Call{API: "AddOffsetsToTxn", Group: group, TxnID: t.writer.txnID}, broker,
			&addoffsetstotxn.Request{
				TransactionalID: t.writer.txnID, ProducerID: t.writer.identity.producer, ProducerEpoch: t.writer.identity.epoch, GroupID: group,
			})
		if err != nil {
			return err
		}
		return apiError("AddOffsetsToTxn", res.ErrorCode)
	})
}

// commitOffset commits the offset at the group's coordinator. The leader epoch is -1 (unknown): 0 would be stored as known.
func (t *Transactional) commitOffset(ctx context.Context, x Transaction) error {
	generation := x.Generation
	if x.Member == "" {
		generation = -1
	}
	req := &txnoffsetcommit.Request{
		TransactionalID: t.writer.txnID, GroupID: x.Group, ProducerID: t.writer.identity.producer, ProducerEpoch: t.writer.identity.epoch,
		GenerationID: generation, MemberID: x.Member,
		Topics: []txnoffsetcommit.RequestTopic{{Name: x.Topic, Partitions: []txnoffsetcommit.RequestPartition{{
			Partition: x.Partition, CommittedOffset: x.Offset, CommittedLeaderEpoch: -1, CommittedMetadata: x.Metadata,
		}}}},
	}
	call := Call{API: "TxnOffsetCommit", Topic: x.Topic, Group: x.Group, TxnID: t.writer.txnID}
	return t.writer.client.withCoordinator(ctx, groupCoordinator, x.Group, func(broker int32) error {
		res, err := request[*txnoffsetcommit.Response](ctx, t.writer.client, call, broker, req)
		if err != nil {
			return err
		}
		if len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
			return fmt.Errorf("TxnOffsetCommit: %w", &transportError{errShortResponse})
		}
		return apiError("TxnOffsetCommit", res.Topics[0].Partitions[0].ErrorCode)
	})
}

// endTransaction commits the transaction. The broker responds before it has written the markers.
func (t *Transactional) endTransaction(ctx context.Context) error {
	return t.writer.client.withCoordinator(ctx, transactionCoordinator, t.writer.txnID, func(broker int32) error {
		res, err := request[*endtxn.Response](ctx, t.writer.client, Call{API: "EndTxn", TxnID: t.writer.txnID}, broker, &endtxn.Request{
			TransactionalID: t.writer.txnID, ProducerID: t.writer.identity.producer, ProducerEpoch: t.writer.identity.epoch, Committed: true,
		})
		if err != nil {
			return err
		}
		return apiError("EndTxn", res.ErrorCode)
	})
}

func apiError(api string, code int16) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", api, Code(code))
}
