package lookup

import (
	"context"
	"fmt"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Snapshot is all customers of a ledger partition as of one ledger offset.
type Snapshot struct {
	Partition *processors.Partition
	Offset    int64 // up to which the ledger is folded, exclusive
	Len       int   // number of customers
	// At returns a customer; they are in the order of their ids.
	At func(i int) (id string, c *customer.State, err error)
}

// ReadSnapshot reads all customers of a partition as of its last commit. Beside a running fold no two of them are of different offsets. Its
// memory is that of their encoded state. ErrNoState: nothing is committed.
func ReadSnapshot(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, partition int32) (*Snapshot, error) {
	meta, blobs, err := r.Partition(namespace, partition, g.GetPartitions()).ReadCommit(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("partition %d: %w", partition, err)
	case !meta.Exists || meta.Offset == 0:
		return nil, fmt.Errorf("partition %d: %w: check with `mainstay status` that a fold is running", partition, ErrNoState)
	case meta.LedgerID != g.GetLedgerId():
		return nil, fmt.Errorf("partition %d: Redis holds ledger %s, Kafka has %s: redis.addresses and kafka.brokers do not belong together", partition, meta.LedgerID, g.GetLedgerId())
	}
	p, err := processors.DecodePartition(meta.State)
	if err != nil {
		return nil, fmt.Errorf("partition %d: decode its state: %w; a newer release may have written it", partition, err)
	}
	return &Snapshot{p, meta.Offset, len(blobs), func(i int) (string, *customer.State, error) {
		c, err := customer.Decode(blobs[i].Value)
		if err != nil {
			err = fmt.Errorf("partition %d: decode a customer's state: %w; a newer release may have written it", partition, err)
		}
		return blobs[i].ID, c, err
	}}, nil
}
