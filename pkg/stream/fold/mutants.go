//go:build mutants

package fold

import (
	"context"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// These are the parts of mutants that do not fit into a directive; cmd/mutants says which rules they break.

func (o *owner) readEvidenceEarly(ctx context.Context) (evidence, error) {
	return readEvidence(ctx, o.kafka, o.cfg.Namespace, o.cfg.Genesis.GetLedgerId(), o.partition)
}

// publishFirst publishes the first batch in a transaction of its own.
func (c *claim) publishFirst(ctx context.Context, batches *[]*kafka.Batch) error {
	if len(*batches) < 2 {
		return nil
	}
	first := (*batches)[:1]
	*batches = (*batches)[1:]
	return c.txn.Publish(ctx, kafka.Transaction{Batches: first})
}

// commitOffset commits K to the group without a transaction.
func (c *claim) commitOffset(ctx context.Context) error {
	return c.gen.CommitOffsets(ctx, []kafka.TopicPartitionOffset{{Topic: c.topic, Partition: c.partition, Offset: c.folded}})
}

// withoutThresholds makes an entry that carries thresholds one that changes nothing.
func (c *claim) withoutThresholds() {
	if c.entry.GetKind() == ledger.Kind_KIND_THRESHOLDS {
		c.entry.Kind, c.entry.Payload = ledger.Kind_KIND_CHECKPOINT, nil
	}
}
