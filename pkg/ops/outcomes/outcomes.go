// Package outcomes owns what customers did after something was done: after the alerts of a rule, where those in control show what would have
// happened anyway (Lift), and after a day on which something was done for all (BeforeAfter).
//
// It folds the ledger again, a partition after the other, so memory is that of one partition's customers. What customers bought is read
// from their purchase days at the end: refunds and cancellations are taken off whenever they arrived. It refuses to write anything, and to
// read customers who were erased: what the ledger still holds of them is nobody's to read.
package outcomes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/ops/refold"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Config says which ledger is folded.
type Config struct {
	Namespace string
	Genesis   *ledger.Genesis
	Progress  func(done, total int64) // entries; nil: nobody watches
}

// MostDays bounds the windows of the reports.
const MostDays = 3650

// ErrNoTime means that the ledger has no time yet, so that nothing has an outcome.
var ErrNoTime = errors.New("the ledger's time is not known yet: no input partition has been read to its end")

// fold folds every partition up to its present end. It calls after for each entry and last at the end of each partition. It returns the least
// base time of the partitions.
func fold(ctx context.Context, cfg Config, k *kafka.Client, after, last func(p *refold.Partition) error) (until int64, err error) {
	topic := ledger.Topic(cfg.Namespace)
	numbers := make([]int32, cfg.Genesis.GetPartitions())
	for i := range numbers {
		numbers[i] = int32(i)
	}
	bounds, err := k.ListOffsets(ctx, topic, numbers)
	if err != nil {
		return 0, fmt.Errorf("read the bounds of %s: %w", topic, err)
	}
	const often = 1000
	done, total := int64(0), int64(0)
	for _, n := range numbers {
		total += bounds[n].LastStable
	}
	for _, n := range numbers {
		p := refold.New(n)
		var entry ledger.Entry
		_, err := k.ReadCommitted(ctx, topic, n, 0, bounds[n].LastStable, func(r kafka.Record) error {
			if cfg.Progress != nil && r.Offset%often == 0 {
				cfg.Progress(done+r.Offset, total)
			}
			entry.Reset()
			if err := entry.UnmarshalVT(r.Value); err != nil {
				return fmt.Errorf("decode entry %d: %w", r.Offset, err)
			}
			if _, err := p.Fold(r.Offset, &entry); err != nil {
				return err
			}
			return after(p)
		})
		if err == nil {
			err = last(p)
		}
		if err != nil {
			return 0, fmt.Errorf("fold %s/%d: %w", topic, n, err)
		}
		done += bounds[n].LastStable
		base, known := p.State.BaseTime()
		if !known {
			return 0, ErrNoTime
		}
		if n == 0 || base < until {
			until = base
		}
	}
	return until, nil
}

// bought is what a customer bought within some days.
type bought struct {
	days, orders, revenue int64 // purchase days; standing orders and their net value in minor units
}

// boughtWithin sums the days from first up to last, both included.
func boughtWithin(s *customer.State, first, last int32) (sum bought) {
	for _, d := range s.Days() {
		if d.Day >= first && d.Day <= last {
			sum.days, sum.orders, sum.revenue = sum.days+1, sum.orders+int64(d.Orders), sum.revenue+d.Net
		}
	}
	return sum
}

// totalAt is a customer's total CLV at the beginning of a civil day, under the terms in force now.
func totalAt(p *processors.Partition, id string, s *customer.State, day int32) int64 {
	scores, known := processors.ScoreCustomerAsOf(p, id, s, p.DayBegins(day))
	if !known {
		return 0
	}
	if total := scores.CLV.Total; total.Known {
		return total.Value
	}
	return scores.CLV.Historic
}

func dateOf(day int32) string {
	const seconds = 86_400
	return time.Unix(int64(day)*seconds, 0).UTC().Format(time.DateOnly)
}
