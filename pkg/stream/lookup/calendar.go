package lookup

import (
	"context"
	"fmt"
	"math"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// Calendar is what all customers did month by month.
type Calendar struct {
	calendar.Table

	AsOf    int64          // the least time of the ledger up to which a partition is read, ms
	Current calendar.Month // of that time, in the ledger's time zone; those before it are over
	Unit    money.Unit
}

// ReadCalendar reads and adds up the calendars of all partitions. It reads no customer. ErrNoState: a partition has none, or no time of
// the ledger is known yet.
func ReadCalendar(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis) (*Calendar, error) {
	all, err := readPartitions(ctx, r, namespace, g)
	if err != nil {
		return nil, err
	}
	return SumCalendars(all)
}

// SumCalendars adds up the calendars of all partitions, in the order of their numbers. ErrNoState: no time of the ledger is known yet.
func SumCalendars(all []*processors.Partition) (*Calendar, error) {
	sum := &Calendar{AsOf: math.MaxInt64, Current: math.MaxInt32}
	for number, p := range all {
		base, known := p.BaseTime()
		if !known {
			return nil, fmt.Errorf("partition %d: %w: not every input has been read, so no month is known to be over", number, ErrNoState)
		}
		today, _ := p.Today()
		sum.AsOf, sum.Current, sum.Unit = min(sum.AsOf, base), min(sum.Current, calendar.MonthOf(int32(math.Floor(today)))), p.Unit()
		t := p.Calendar()
		sum.Merge(&t)
	}
	return sum, nil
}

func readPartitions(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis) (all []*processors.Partition, err error) {
	for number := range g.GetPartitions() {
		p, err := Partition(ctx, r, namespace, g, number)
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", number, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// Partition reads the state of a partition that belongs to no single customer. ErrNoState: it has none.
func Partition(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, number int32) (*processors.Partition, error) {
	meta, err := r.Partition(namespace, number, g.GetPartitions()).ReadMeta(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read its state: %w", err)
	case !meta.Exists || meta.Offset == 0:
		return nil, fmt.Errorf("%w: check with `mainstay status` that a fold is running", ErrNoState)
	case meta.LedgerID != g.GetLedgerId():
		return nil, fmt.Errorf("Redis holds ledger %s, Kafka has %s: redis.addresses and kafka.brokers do not belong together", meta.LedgerID, g.GetLedgerId())
	}
	p, err := processors.DecodePartition(meta.State)
	if err != nil {
		return nil, fmt.Errorf("decode its state: %w; a newer release may have written it", err)
	}
	return p, nil
}
