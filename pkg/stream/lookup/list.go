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

// ListQuery says which customers are listed, and in which order.
type ListQuery struct {
	Where     []Condition // that must all hold
	Sort      Column      // must have an order; customers whose figure is not known are not listed
	Ascending bool        // the smallest figure first; otherwise the greatest
	Limit     int         // 0: all
	Progress  func(read int64)
}

// CallList is the query of the customers to call today: those whose risk is medium or high, the greatest value at stake first.
// value_at_stake is small for whom an action can no longer reach, since predicted CLV falls with the probability that the customer is
// still active.
func CallList(limit int) (q ListQuery, err error) {
	q.Limit = limit
	if q.Sort, err = ColumnNamed("value_at_stake"); err != nil {
		return q, err
	}
	q.Where, err = ParseConditions("churn_risk=medium|high")
	return q, err
}

// List reads all customers of a namespace and returns those that the query names, in its order and then in that of their ids. It is a scan:
// its cost grows with the number of customers, its memory with the limit. Beside a running fold each customer is as of the moment at which
// it was read.
func List(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, q ListQuery) ([]Listed, error) {
	if q.Sort.rank == nil {
		return nil, fmt.Errorf("%s has no order to sort by", q.Sort.Name)
	}
	kept := &listing{query: q, rows: map[string]Listed{}}
	for p := range g.GetPartitions() {
		if err := kept.read(ctx, r.Partition(namespace, p, g.GetPartitions()), g); err != nil {
			return nil, fmt.Errorf("partition %d: %w", p, err)
		}
	}
	all := kept.sorted()
	if q.Limit > 0 {
		all = all[:min(q.Limit, len(all))]
	}
	return all, nil
}

// listing holds the best rows so far, by customer: a scan may return a customer twice, the newer state later.
type listing struct {
	query   ListQuery
	rows    map[string]Listed
	scanned int64
}

func (k *listing) read(ctx context.Context, p *redis.Partition, g *ledger.Genesis) error {
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
			k.consider(Listed{Scores: processors.ScoreCustomer(state, b.ID, c), Alerts: published(processors.OpenAlerts(state, b.ID, c))})
		}
		if k.scanned += int64(len(blobs)); k.query.Progress != nil {
			k.query.Progress(k.scanned)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read customers: %w", err)
	}
	return nil
}

func published(all []processors.OpenAlert) []processors.OpenAlert {
	return slices.DeleteFunc(all, func(a processors.OpenAlert) bool { return !a.Published() })
}

func (k *listing) consider(l Listed) {
	delete(k.rows, l.Scores.Customer)
	if _, known := k.query.Sort.rank(&l); !known {
		return
	}
	for _, c := range k.query.Where {
		if !c.accept(&l) {
			return
		}
	}
	k.rows[l.Scores.Customer] = l
	const slack = 1000 // so that rows are rarely sorted
	if k.query.Limit > 0 && len(k.rows) >= 2*k.query.Limit+slack {
		for _, worse := range k.sorted()[k.query.Limit:] {
			delete(k.rows, worse.Scores.Customer)
		}
	}
}

// sorted returns the rows in order.
func (k *listing) sorted() []Listed {
	all := make([]Listed, 0, len(k.rows))
	for _, l := range k.rows {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b Listed) int {
		x, _ := k.query.Sort.rank(&a)
		y, _ := k.query.Sort.rank(&b)
		if !k.query.Ascending {
			x, y = y, x
		}
		return cmp.Or(cmp.Compare(x, y), strings.Compare(a.Scores.Customer, b.Scores.Customer))
	})
	return all
}
