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
func (o *owner) publishFirst(ctx context.Context, batches *[]*kafka.Batch) error {
	if len(*batches) < 2 {
		return nil
	}
	first := (*batches)[:1]
	*batches = (*batches)[1:]
	return o.txn.Publish(ctx, kafka.Transaction{Batches: first})
}

// commitOffset commits K to the group without a transaction.
func (o *owner) commitOffset(ctx context.Context) error {
	return o.gen.CommitOffsets(ctx, []kafka.TopicPartitionOffset{{Topic: o.topic, Partition: o.partition, Offset: o.folded}})
}

// withoutThresholds makes an entry that carries thresholds one that changes nothing.
func (o *owner) withoutThresholds() {
	if o.entry.GetKind() == ledger.Kind_KIND_THRESHOLDS {
		o.entry.Kind, o.entry.Payload = ledger.Kind_KIND_CHECKPOINT, nil
	}
}
