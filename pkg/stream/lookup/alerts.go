package lookup

import (
	"cmp"
	"context"
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
	newest := map[string][]processors.OpenAlert{} // a walk may come to a customer twice, the newer state later
	_, err := walk(ctx, r, namespace, g, nil, func(p *processors.Partition, id string, c *customer.State) {
		delete(newest, id)
		for _, a := range processors.OpenAlerts(p, id, c) {
			if a.Published() != baseline {
				newest[id] = append(newest[id], a)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	var all []processors.OpenAlert
	for _, some := range newest {
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b processors.OpenAlert) int {
		return cmp.Or(cmp.Compare(a.RaisedAt, b.RaisedAt), strings.Compare(a.Customer, b.Customer), strings.Compare(a.Rule, b.Rule))
	})
	return all, nil
}

// published leaves the episodes whose alerts subscribers know.
func published(all []processors.OpenAlert) []processors.OpenAlert {
	return slices.DeleteFunc(all, func(a processors.OpenAlert) bool { return !a.Published() })
}
