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

// Transactional publishes in transactions (KIP-98, transactions v1: one epoch until it is opened again). It is for one
// goroutine. Whoever opens the same id afterwards fences it.
type Transactional struct {
	w    writer
	dead error
}

// Transaction is what becomes visible together: batches, and the position up to which their input has been read.
type Transaction struct {
	Batches []*Batch
	// Group, Topic and Partition say whose position Offset (the next one to read) is; Metadata goes with it. Without a Group
	// there is no position.
	Group     string
	Topic     string
	Partition int32
	Offset    int64
	Metadata  string
	// Generation and Member are those of the group at which the caller owns the partition, so that a worker that was thrown
	// out is refused (22, 25). An empty Member leaves that check out.
	Generation int32
	Member     string
}

// OpenTransactional takes the transactional id: whoever had it is fenced, an open transaction is aborted, a committed one
// completed. It asks until that has succeeded or the context has ended, because only then is CommittedOffset the truth; read
// before, it may be stale even after an acknowledged commit.
//
// timeout is how long the broker lets a transaction stay open (its transaction.max.timeout.ms bounds it, 15 min by default;
// 50 otherwise). The error is ErrFenced, when another one opened at the same time, or wraps ErrReopen.
func (c *Client) OpenTransactional(ctx context.Context, id string, timeout time.Duration) (*Transactional, error) {
	if id == "" {
		return nil, errors.New("open transactional: empty id")
	}
	who, err := c.initProducer(ctx, id, timeout)
	if err != nil {
		return nil, orReopen("open "+id, err)
	}
	return &Transactional{w: writer{c: c, id: who, txnID: id, sequences: map[topicPartition]int32{}}}, nil
}

// ID is the transactional id.
func (t *Transactional) ID() string { return t.w.txnID }

// Publish makes the transaction visible as a whole, or returns an error: ErrFenced when another owner has taken over, or
// else ErrReopen, when it may be visible or not, now or later. The value is dead after any error: repeating in place would
// let a late request of this transaction end the next one half-way. Open again, and the committed offset tells.
//
// The calls are made strictly one after the other (a Produce and a TxnOffsetCommit side by side are answered with 19 and
// 14), and repeated only while a coordinator is busy or elsewhere (51, 14, 15, 16).
func (t *Transactional) Publish(ctx context.Context, x Transaction) error {
	if t.dead != nil {
		return t.dead
	}
	if err := t.publish(ctx, x); err != nil {
		t.dead = orReopen("publish as "+t.w.txnID, err)
		return t.dead
	}
	return nil
}

// orReopen: everything but fencing leaves the outcome open, also 49 (the id was idle too long, or its epochs are used up)
// and 48 (somebody ended the transaction).
func orReopen(what string, err error) error {
	if errors.Is(err, ErrFenced) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, ErrReopen, err)
}

func (t *Transactional) publish(ctx context.Context, x Transaction) error {
	rounds, err := t.w.seal(x.Batches)
	if err != nil {
		return err
	}
	if len(rounds) == 0 && x.Group == "" {
		return nil // EndTxn of a transaction to which nothing was added is refused (48)
	}
	if len(rounds) > 0 {
		// The first round has every partition.
		if err := t.addPartitions(ctx, rounds[0]); err != nil {
			return err
		}
		for _, flights := range rounds {
			t.w.round(ctx, flights)
			for _, f := range flights {
				if f.err != nil {
					t.w.c.doubt(f.batch.topic)
					return f.err
				}
			}
		}
	}
	if x.Group != "" {
		if err := t.addOffsets(ctx, x.Group); err != nil {
			return err
		}
		if err := t.commitOffset(ctx, x); err != nil {
			return err
		}
	}
	//mutant:repeat-end insert for range 4 { if err := t.end(ctx); err == nil || ctx.Err() != nil { return err } }
	return t.end(ctx)
}

// addPartitions is all or nothing: with one bad partition the others are answered with 55.
func (t *Transactional) addPartitions(ctx context.Context, flights []*flight) error {
	req := &addpartitionstotxn.Request{
		TransactionalID: t.w.txnID, ProducerID: t.w.id.producer, ProducerEpoch: t.w.id.epoch,
	}
	for _, f := range flights {
		i := slices.IndexFunc(req.Topics, func(x addpartitionstotxn.RequestTopic) bool { return x.Name == f.batch.topic })
		if i < 0 {
			i = len(req.Topics)
			req.Topics = append(req.Topics, addpartitionstotxn.RequestTopic{Name: f.batch.topic})
		}
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, f.batch.partition)
	}
	call := Call{API: "AddPartitionsToTxn", TxnID: t.w.txnID}
	if len(req.Topics) == 1 {
		call.Topic = req.Topics[0].Name
	}
	return t.w.c.coordinated(ctx, ofTransaction, t.w.txnID, func(broker int32) error {
		res, err := ask[*addpartitionstotxn.Response](ctx, t.w.c, call, broker, req)
		if err != nil {
			return err
		}
		answered := 0
		var refused error
		for _, topic := range res.Results {
			for _, p := range topic.Results {
				answered++
				// 55 only says that another partition was refused: that one's error is the reason.
				if p.ErrorCode != 0 && (refused == nil || errors.Is(refused, CodeOperationNotAttempted)) {
					refused = fmt.Errorf("AddPartitionsToTxn %s/%d: %w", topic.Name, p.PartitionIndex, Code(p.ErrorCode))
				}
			}
		}
		if refused == nil && answered != len(flights) {
			return fmt.Errorf("AddPartitionsToTxn: %d of %d partitions answered: %w", answered, len(flights), &transportError{errShort})
		}
		return refused
	})
}

// addOffsets announces the group; without it TxnOffsetCommit is refused (48).
func (t *Transactional) addOffsets(ctx context.Context, group string) error {
	return t.w.c.coordinated(ctx, ofTransaction, t.w.txnID, func(broker int32) error {
		res, err := ask[*addoffsetstotxn.Response](ctx, t.w.c, Call{API: "AddOffsetsToTxn", Group: group, TxnID: t.w.txnID}, broker,
			&addoffsetstotxn.Request{
				TransactionalID: t.w.txnID, ProducerID: t.w.id.producer, ProducerEpoch: t.w.id.epoch, GroupID: group,
			})
		if err != nil {
			return err
		}
		return named("AddOffsetsToTxn", res.ErrorCode)
	})
}

// commitOffset goes to the group's coordinator. The leader epoch is -1, "not known": 0 would be stored as a fact.
func (t *Transactional) commitOffset(ctx context.Context, x Transaction) error {
	generation := x.Generation
	if x.Member == "" {
		generation = -1
	}
	req := &txnoffsetcommit.Request{
		TransactionalID: t.w.txnID, GroupID: x.Group, ProducerID: t.w.id.producer, ProducerEpoch: t.w.id.epoch,
		GenerationID: generation, MemberID: x.Member,
		Topics: []txnoffsetcommit.RequestTopic{{Name: x.Topic, Partitions: []txnoffsetcommit.RequestPartition{{
			Partition: x.Partition, CommittedOffset: x.Offset, CommittedLeaderEpoch: -1, CommittedMetadata: x.Metadata,
		}}}},
	}
	call := Call{API: "TxnOffsetCommit", Topic: x.Topic, Group: x.Group, TxnID: t.w.txnID}
	return t.w.c.coordinated(ctx, ofGroup, x.Group, func(broker int32) error {
		res, err := ask[*txnoffsetcommit.Response](ctx, t.w.c, call, broker, req)
		if err != nil {
			return err
		}
		if len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
			return fmt.Errorf("TxnOffsetCommit: %w", &transportError{errShort})
		}
		return named("TxnOffsetCommit", res.Topics[0].Partitions[0].ErrorCode)
	})
}

// end commits. The broker answers before the markers are written.
func (t *Transactional) end(ctx context.Context) error {
	return t.w.c.coordinated(ctx, ofTransaction, t.w.txnID, func(broker int32) error {
		res, err := ask[*endtxn.Response](ctx, t.w.c, Call{API: "EndTxn", TxnID: t.w.txnID}, broker, &endtxn.Request{
			TransactionalID: t.w.txnID, ProducerID: t.w.id.producer, ProducerEpoch: t.w.id.epoch, Committed: true,
		})
		if err != nil {
			return err
		}
		return named("EndTxn", res.ErrorCode)
	})
}

func named(api string, code int16) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", api, Code(code))
}
