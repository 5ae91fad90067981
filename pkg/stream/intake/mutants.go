//go:build mutants

package intake

import (
	"context"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// These are the parts of mutants that do not fit into a directive; cmd/mutants says which rules they break.

// overtake takes another producer while a request of the last one is in flight, and with acked counts that request as acknowledged.
func (r *run) overtake(ctx context.Context, acked bool) error {
	if r.appends.result == nil {
		return nil
	}
	r.appends.result = nil
	p, err := r.kafka.NewProducer(ctx)
	if err != nil {
		return err
	}
	r.appends.producer = p
	if acked {
		r.markAcknowledged()
	}
	return nil
}

// tickApart sends a tick with a producer of its own, ahead of the entries that it presupposes.
func (r *run) tickApart(ctx context.Context) error {
	entries := r.appends.pending
	r.appends.pending = produceBatch{Batches: kafka.NewBatches()}
	defer func() { r.appends.pending = entries }()
	r.tick()
	if len(r.appends.pending.All()) == 0 {
		return nil
	}
	p, err := r.kafka.NewProducer(ctx)
	if err != nil {
		return err
	}
	_, err = p.Produce(ctx, r.appends.pending.All())
	return err
}
