package lookup

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

// OpenAlerts reads the alert episodes that are open: the published ones or, with baseline, those that were opened without an
// output or suppressed. They are ordered by time, customer and rule.
func OpenAlerts(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, baseline bool) ([]processors.OpenAlert, error) {
	var all []processors.OpenAlert
	for p := range g.GetPartitions() {
		some, err := openAlertsOf(ctx, r.Partition(namespace, p, g.GetPartitions()), g, baseline)
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

func openAlertsOf(ctx context.Context, p *redis.Partition, g *ledger.Genesis, baseline bool) ([]processors.OpenAlert, error) {
	newest := map[string][]processors.OpenAlert{} // a scan may return a customer twice, the newer state later
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
				if a.Published() != baseline {
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
