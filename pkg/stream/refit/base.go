package refit

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/models/parameters"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/season"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// ErrNoState is a partition of which Redis holds nothing that can be fitted to.
var ErrNoState = errors.New("Redis holds no state of this ledger yet")

// ErrCopying means that the ledger is a copy that is not finished: the parameters of the ledger that is copied are still to come.
var ErrCopying = errors.New("the ledger is a copy that is not finished: refit after `mainstay ledger copy --finish`")

// mostRows bounds the memory of a refit to about 100 MB at ten purchase days each. A larger base is fitted to a part of it, chosen
// by hash: at half a million customers a parameter is known to its third digit.
const mostRows = 1 << 19

// row is the history of one customer.
type row struct {
	class uint32 // of the id's hash, to drop rows by
	days  lifetimes.History
}

// base holds the customers of all partitions who have a standing order, or an even sample of them.
type base struct {
	rows    []row
	most    int    // rows
	part    uint32 // one of so many is kept, a power of two
	inForce *ledger.Parameters
	today   float64 // the least base time of the partitions, as a civil day with its fraction
	horizon float64 // days after the split
	money   float64 // minor units of a unit

	seasons   bool
	campaigns []season.Campaign
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

// collect reads the customers of all partitions from Redis, while folds go on. If a
// partition begins a new snapshot during the scan, all partitions are read again. A scan returns a customer twice if Redis resizes
// its hash meanwhile; they then count twice, which does not change a fit.
func collect(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis) (*base, error) {
	const tries = 3
	for try := 1; ; try++ {
		b := &base{most: mostRows, part: 1, inForce: processors.PriorParameters(), today: math.Inf(1)}
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
	if state.Copying() {
		return ErrCopying
	}
	if v := state.Parameters(); v.GetVersion() > b.inForce.GetVersion() {
		b.inForce = v
	}
	today, ok := state.Today()
	if !ok {
		return nil // without a base time nobody's silence is known
	}
	b.today = min(b.today, today)
	b.money, b.horizon = state.MinorPerUnit(), float64(state.Settings().GetPurchaseHorizonDays())
	err = p.ScanCustomers(ctx, func(_ redis.Meta, blobs []redis.Blob) error {
		for _, blob := range blobs {
			s, err := customer.Decode(blob.Value)
			if err != nil {
				return fmt.Errorf("decode a customer: %w", err)
			}
			if days := s.Days(); len(days) > 0 {
				b.keep(row{ledger.Class(blob.ID, rowClasses), days})
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the customers: %w", err)
	}
	return nil
}

// data returns what the models are fitted to.
func (b *base) data() parameters.Data {
	d := parameters.Data{Now: b.today, MinorPerUnit: b.money, Seasons: b.seasons, Campaigns: b.campaigns, Histories: make([]lifetimes.History, len(b.rows))}
	for i := range b.rows {
		d.Histories[i] = b.rows[i].days
	}
	return d
}
