package refit

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// ErrNoState is a partition of which Redis holds nothing that can be fitted to.
var ErrNoState = errors.New("Redis holds no state of this ledger yet")

// mostRows bounds the memory of a refit to about 200 MB. A larger base is fitted to a part of it, chosen by hash: at a million
// customers a parameter is known to its third digit.
const mostRows = 1 << 20

// row is the input of the fits for one customer.
type row struct {
	class  uint32 // of the id's hash, to drop rows by
	now    lifetimes.Summary
	before lifetimes.Summary // at the split; X is -1 if the customer's first order came later
	after  int32             // purchase days after the split
}

// base holds the customers of all partitions who have a standing order, or an even sample of them.
type base struct {
	rows    []row
	most    int    // rows
	part    uint32 // one of so many is kept, a power of two
	inForce *ledger.Parameters
	horizon float64 // days after the split
	money   float64 // minor units of a unit
}

const rowClasses = 1 << 20

// keep adds a row. When there are too many, it drops every other row, by class.
func (b *base) keep(r row) {
	if r.class&(b.part-1) != 0 {
		return
	}
	b.rows = append(b.rows, r)
	for len(b.rows) > b.most && b.part < rowClasses {
		b.part *= 2
		kept := b.rows[:0]
		for _, r := range b.rows {
			if r.class&(b.part-1) == 0 {
				kept = append(kept, r)
			}
		}
		b.rows = kept
	}
}

// collect reads the customers of all partitions from Redis, each as of the base time of their partition, while folds go on. If a
// partition begins a new snapshot during the scan, all partitions are read again. A scan returns a customer twice if Redis resizes
// its hash meanwhile; they then count twice, which does not change a fit.
func collect(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis) (*base, error) {
	const tries = 3
	for try := 1; ; try++ {
		b := &base{most: mostRows, part: 1, inForce: processors.PriorParameters()}
		var err error
		for p := int32(0); p < g.GetPartitions() && err == nil; p++ {
			if err = b.scan(ctx, r.Partition(namespace, p, g.GetPartitions()), g.GetLedgerId()); err != nil {
				err = fmt.Errorf("partition %d: %w", p, err)
			}
		}
		if err == nil {
			return b, nil
		}
		if !errors.Is(err, redis.ErrSnapshotChanged) || try == tries {
			return nil, err
		}
	}
}

func (b *base) scan(ctx context.Context, p *redis.Partition, ledgerID string) error {
	meta, err := p.ReadMeta(ctx)
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	if !meta.Exists || meta.Offset == 0 || meta.LedgerID != ledgerID {
		return fmt.Errorf("%w: is a fold running?", ErrNoState)
	}
	state, err := processors.DecodePartition(meta.State)
	if err != nil {
		return fmt.Errorf("decode the partition's state: %w", err)
	}
	if v := state.Parameters(); v.GetVersion() > b.inForce.GetVersion() {
		b.inForce = v
	}
	today, ok := state.Today()
	if !ok {
		return nil // without a base time nobody's silence is known
	}
	b.money, b.horizon = state.MinorPerUnit(), float64(state.Settings().GetPurchaseHorizonDays())
	err = p.ScanCustomers(ctx, func(_ redis.Meta, blobs []redis.Blob) error {
		for _, blob := range blobs {
			s, err := customer.Decode(blob.Value)
			if err != nil {
				return fmt.Errorf("decode a customer: %w", err)
			}
			if days := s.Days(); len(days) > 0 {
				b.keep(b.row(blob.ID, days, today))
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the customers: %w", err)
	}
	return nil
}

func (b *base) row(id string, days lifetimes.History, today float64) row {
	r := row{class: ledger.Class(id, rowClasses), now: days.Summary(today, customer.DaysPerWeek, b.money)}
	split := today - b.horizon
	known := days.Until(int32(split)) // the day on which the split falls counts as known: its end is
	r.before = known.Summary(max(split, 0), customer.DaysPerWeek, b.money)
	r.after = int32(len(days) - len(known)) //nolint:gosec // days of a life
	return r
}
