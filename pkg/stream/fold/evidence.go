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
	metadata  string // committed with it
	tail      int64  // one above the ledger offset of the last output that is still kept; -1: none
	emptied   string // an output topic whose partition has lost all its records; empty: there is none
}

// readEvidence must be called after OpenTransactional: before, the committed offset can be stale.
func readEvidence(ctx context.Context, k *kafka.Client, namespace, ledgerID string, partition int32) (evidence, error) {
	e := evidence{namespace: namespace, topic: ledger.Topic(namespace), partition: partition, tail: -1}
	var err error
	if e.offset, e.metadata, err = k.CommittedOffset(ctx, Group(namespace), e.topic, partition); err != nil {
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

// publishedMetadata is committed to the group with K: the fingerprint of the entry below K. Like an intake's, it recognises a ledger
// that has other entries than those whose outputs are published.
func publishedMetadata(fingerprint uint64) string { return fmt.Sprintf("v1 %016x", fingerprint) }

// beyondLedger is the fingerprint in the metadata of an offset that lay above the ledger's end. No entry has it.
const beyondLedger = 0

// fingerprint returns what publishedMetadata has committed with the group's offset; false if the offset was set by hand, by another tool
// or by an earlier release.
func (e evidence) fingerprint() (uint64, bool) {
	var fingerprint uint64
	_, err := fmt.Sscanf(e.metadata, "v1 %x", &fingerprint)
	return fingerprint, err == nil
}

// checkPublished compares K with the ledger. If Kafka has lost the last entries of the ledger (an unclean leader election) but not what
// says that their outputs are published, or if somebody has set the group's offset too high, then other entries are appended below K,
// and nobody would ever publish their outputs.
func (c *claim) checkPublished(ctx context.Context, e evidence) error {
	bounds, err := c.kafka.OffsetsReaching(ctx, c.topic, c.partition, c.published)
	if err != nil {
		return fmt.Errorf("read the bounds of the ledger: %w", err)
	}
	recorded, known := e.fingerprint()
	//mutant:k-beyond-ledger if false && $
	if end := bounds.HighWatermark; c.published > end {
		return c.publishedBeyondLedger(ctx, e, end, known)
	}
	c.beyondLedger = 0
	if !known {
		return nil
	}
	current, err := fingerprintBelow(ctx, c.kafka, c.topic, c.partition, e.offset)
	//mutant:k-unfingerprinted if $ || true
	if err != nil || current == recorded {
		return err
	}
	if recorded == beyondLedger {
		return halt.New(halt.PublishedBeyondLedger, "the offset of group %s in %s/%d is %d: it was above the ledger's end when it was first read, and entries below it have been appended since; delete the offset",
			Group(e.namespace), c.topic, c.partition, e.offset)
	}
	return halt.New(halt.LedgerRecreated, "the entry before offset %d of %s/%d is not the one whose outputs were published: Kafka lost acknowledged entries, or the topic was re-created or restored; restore the right one, or start with a new namespace",
		e.offset, c.topic, c.partition)
}

// publishedBeyondLedger is the error for K above the ledger's end. The first time it does not halt: the end may have been read from a
// replica that had not caught up. An offset without a fingerprint then gets one that no entry has. Otherwise the halt would end by
// itself as soon as the ledger has grown beyond the offset.
func (c *claim) publishedBeyondLedger(ctx context.Context, e evidence, end int64, known bool) error {
	c.beyondLedger++
	err := fmt.Errorf("outputs are published up to %d of %s/%d, but the ledger ends at %d", c.published, c.topic, c.partition, end)
	if c.beyondLedger < 2 {
		return err
	}
	if e.offset == c.published && !known {
		//mutant:k-beyond-forgotten delete
		if err := c.gen.CommitOffsets(ctx, []kafka.TopicPartitionOffset{{
			Topic: c.topic, Partition: c.partition, Offset: e.offset, Metadata: publishedMetadata(beyondLedger),
		}}); err != nil {
			return fmt.Errorf("mark the group's offset as above the ledger's end: %w", err)
		}
	}
	return halt.New(halt.PublishedBeyondLedger, "%w (evidence: offset of group %s %d, outputs %d): Kafka lost acknowledged entries, or the offset was set by hand", err, Group(e.namespace), e.offset, e.tail)
}
