package lookup

import (
	"context"
	"fmt"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Walk calls each for all customers, without those who were merged into others, partition by partition, and returns the least base time (ms) at which a partition was read; 0 if none
// has a base time. Beside a running fold it may call each twice for a customer, the newer state later. It calls scanned, unless it is nil,
// with the number of customers read so far.
type Walk func(ctx context.Context, scanned func(int64), each func(p *processors.Partition, id string, c *customer.State)) (asOf int64, err error)

// inRedis walks through the customers of a namespace.
func inRedis(r *redis.Client, namespace string, g *ledger.Genesis) Walk {
	return func(ctx context.Context, scanned func(int64), each func(p *processors.Partition, id string, c *customer.State)) (int64, error) {
		return walk(ctx, r, namespace, g, scanned, each)
	}
}

func walk(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, scanned func(int64), each func(p *processors.Partition, id string, c *customer.State)) (asOf int64, err error) {
	var read int64
	for p := range g.GetPartitions() {
		err := r.Partition(namespace, p, g.GetPartitions()).ScanCustomers(ctx, func(m redis.Meta, blobs []redis.Blob) error {
			if m.LedgerID != g.GetLedgerId() {
				return fmt.Errorf("Redis holds ledger %s, Kafka has %s: redis.addresses and kafka.brokers do not belong together", m.LedgerID, g.GetLedgerId())
			}
			state, err := processors.DecodePartition(m.State)
			if err != nil {
				return fmt.Errorf("decode the partition's state: %w; a newer release may have written it", err)
			}
			if base, known := state.BaseTime(); known && (asOf == 0 || base < asOf) {
				asOf = base
			}
			for _, b := range blobs {
				c, err := customer.Decode(b.Value)
				if err != nil {
					return fmt.Errorf("decode a customer's state: %w; a newer release may have written it", err)
				}
				if c.MergedInto() == "" {
					each(state, b.ID, c)
				}
			}
			if read += int64(len(blobs)); scanned != nil {
				scanned(read)
			}
			return nil
		})
		if err != nil {
			return 0, fmt.Errorf("partition %d: read customers: %w", p, err)
		}
	}
	return asOf, nil
}
