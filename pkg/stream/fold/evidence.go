package fold

import (
	"context"
	"fmt"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/pkg/stream/ledgerscan"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// evidence is what Kafka knows about how far the outputs of a partition are published.
type evidence struct {
	namespace string
	topic     string
	partition int32
	offset    int64  // committed by the group; -1: none, or expired
	tail      int64  // one above the ledger offset of the last output that is still kept; -1: none
	emptied   string // an output topic whose partition has lost all its records; empty: there is none
}

// readEvidence must be called after OpenTransactional: before, the committed offset can be stale.
func readEvidence(ctx context.Context, k *kafka.Client, namespace, ledgerID string, partition int32) (evidence, error) {
	e := evidence{namespace: namespace, topic: ledger.Topic(namespace), partition: partition, tail: -1}
	var err error
	if e.offset, _, err = k.CommittedOffset(ctx, Group(namespace), e.topic, partition); err != nil {
		return e, fmt.Errorf("read the published position: %w", err)
	}
	for t := range output.Topics {
		name := t.Name(namespace)
		bounds, err := k.ListOffsets(ctx, name, []int32{partition})
		if err != nil {
			return e, fmt.Errorf("read the bounds of %s/%d: %w", name, partition, err)
		}
		last, ok, err := k.ReadLast(ctx, name, partition)
		switch {
		case err != nil:
			return e, fmt.Errorf("read the last output of %s/%d: %w", name, partition, err)
		case ok:
			id, err := output.ParseIdentity(last.Header)
			if err != nil {
				return e, halt.New(halt.LedgerForeign, "the last record of %s/%d is not of this system: %w", name, partition, err)
			}
			if id.LedgerID == ledgerID && id.Partition == partition {
				e.tail = max(e.tail, id.Offset+1)
			}
		case bounds[partition].Start > 0:
			e.emptied = name
		}
	}
	return e, nil
}

// published returns K, the greatest of all evidence. Checkpoints in the ledger cover what is older than the retention of the
// outputs, tails what came after the last checkpoint. R is evidence only where the group's offset is gone: with it, R above K
// must be noticed.
func (e evidence) published(checkpoint, committed int64) (int64, error) {
	if e.offset < 0 && checkpoint < 0 && e.emptied != "" && committed == 0 {
		return 0, halt.New(halt.PublishedPositionUnknown, "the group's offset is gone, all records of %s/%d were deleted, the ledger holds no checkpoint and Redis is empty: nothing says which outputs were published; set the offset of group %s by hand",
			e.emptied, e.partition, Group(e.namespace))
	}
	//mutant:k-from-tails replace published := max(e.tail, 0)
	//mutant:k-from-offset replace published := max(e.offset, 0)
	published := max(e.offset, e.tail, checkpoint, 0)
	if e.offset < 0 {
		published = max(published, committed)
	}
	return published, nil
}

// lastCheckpoint returns the K of the newest checkpoint above floor; -1: there is none. A publishing fold appends one every
// few minutes, so it is near the end of the ledger.
func lastCheckpoint(ctx context.Context, k *kafka.Client, topic string, partition int32, floor int64) (int64, error) {
	published := int64(-1)
	err := ledgerscan.Backward(ctx, k, topic, partition, floor, ledger.Kind_KIND_CHECKPOINT, func(e *ledger.Entry) bool {
		var c ledger.Checkpoint
		if err := c.UnmarshalVT(e.GetPayload()); err != nil {
			return false // the fold refuses it, by offset, when it gets there
		}
		published = max(published, c.GetPublished())
		return true
	})
	if err != nil {
		return 0, fmt.Errorf("read the last checkpoint: %w", err)
	}
	return published, nil
}
