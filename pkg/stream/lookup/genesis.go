package lookup

import (
	"context"
	"fmt"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Genesis reads the ledger's genesis from the state of partition 0, so that customers can be read while Kafka is away. expected is the
// configured number of partitions; another number is found as well. ErrNoState: nothing is committed under this namespace.
func Genesis(ctx context.Context, r *redis.Client, namespace string, expected int32) (*ledger.Genesis, error) {
	for _, p := range r.FirstPartition(namespace, expected) {
		meta, err := p.ReadMeta(ctx)
		if err != nil {
			return nil, fmt.Errorf("read partition 0: %w", err)
		}
		if !meta.Exists || meta.Offset == 0 {
			continue
		}
		state, err := processors.DecodePartition(meta.State)
		if err != nil {
			return nil, fmt.Errorf("decode the state of partition 0: %w; a newer release may have written it", err)
		}
		if g := state.Genesis(); g != nil {
			return g, nil
		}
	}
	return nil, fmt.Errorf("namespace %s: %w", namespace, ErrNoState)
}
