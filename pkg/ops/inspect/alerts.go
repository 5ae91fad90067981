package inspect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Alerts reads the episodes that fire from Redis: those that subscribers were told of, or those that opened silently or were
// held back. They are ordered by time, then customer and rule.
func Alerts(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, baseline bool) ([]processors.OpenAlert, error) {
	var all []processors.OpenAlert
	for p := range g.GetPartitions() {
		some, err := alertsOf(ctx, r.Partition(namespace, p, g.GetPartitions()), g, baseline)
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", p, err)
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b processors.OpenAlert) int {
		return cmp.Or(cmp.Compare(a.RaisedAt, b.RaisedAt), strings.Compare(a.Customer, b.Customer), strings.Compare(a.Rule, b.Rule))
	})
	return all, nil
}

func alertsOf(ctx context.Context, p *redis.Partition, g *ledger.Genesis, baseline bool) ([]processors.OpenAlert, error) {
	newest := map[string][]processors.OpenAlert{} // a customer may come twice, the newer blob later
	err := p.ScanCustomers(ctx, func(m redis.Meta, blobs []redis.Blob) error {
		if m.LedgerID != g.GetLedgerId() {
			return fmt.Errorf("Redis holds ledger %s, Kafka has %s: redis.addresses and kafka.brokers do not belong together", m.LedgerID, g.GetLedgerId())
		}
		state, err := processors.DecodePartition(m.State)
		if err != nil {
			return fmt.Errorf("decode the partition's state: %w; a newer release may have written it", err)
		}
		for _, b := range blobs {
			c, err := customer.Decode(b.Value)
			if err != nil {
				return fmt.Errorf("decode a customer's state: %w; a newer release may have written it", err)
			}
			delete(newest, b.ID)
			for _, a := range processors.OpenAlerts(state, b.ID, c) {
				if told := a.State == customer.Published.String() || a.State == customer.Initial.String(); told != baseline {
					newest[b.ID] = append(newest[b.ID], a)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read customers: %w", err)
	}
	var all []processors.OpenAlert
	for _, some := range newest {
		all = append(all, some...)
	}
	return all, nil
}
