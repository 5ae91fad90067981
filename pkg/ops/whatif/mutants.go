//go:build mutants

package whatif

import (
	"context"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// These are the parts of mutants that do not fit into a directive; cmd/mutants says which rules they break.

// writeTerms appends the terms to the ledger, as a process with these settings would.
func writeTerms(ctx context.Context, k *kafka.Client, topic string, t *Terms) {
	p, err := k.NewProducer(ctx)
	if err != nil {
		return
	}
	payload, _ := (&ledger.Settings{Revision: 1, Values: t.Settings}).MarshalVT()
	value, _ := (&ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_SETTINGS, Payload: payload}).MarshalVT()
	batch := kafka.NewBatch(topic, 0)
	batch.Append(time.Now().UnixMilli(), nil, value, nil)
	_, _ = p.Produce(ctx, []*kafka.Batch{batch})
}
