package ledgercopy

import (
	"context"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// erasures are the customers whom the old ledger has erased, and of whom nothing from before is copied: those whose erase entry is below
// the offset that genesis of the copy states for its partition. Later ones are copied as erase entries, since the copy may hold what they
// erase already; otherwise a run that resumes would not make the same sequence again.
type erasures struct {
	below []int64            // by partition
	own   []map[string]int64 // by partition: customers, and the offset of their last erase entry
	names []map[uint64]int64 // by partition: hashes of their ids, and the offset from which nobody in the partition names the erased one
}

// honoured reports whether an erase entry is one of these.
func (x *erasures) honoured(partition int32, offset int64) bool {
	return int(partition) < len(x.below) && offset < x.below[partition]
}

// covers reports whether an entry is a customer's from before they were erased.
func (x *erasures) covers(e *ledger.Entry) bool {
	from := e.GetCopied()
	return from.GetOffset() < x.own[from.GetPartition()][e.GetCustomer()]
}

// coversName reports whether an entry names somebody from before they were erased.
func (x *erasures) coversName(e *ledger.Entry, customer string) bool {
	from := e.GetCopied()
	names := x.names[from.GetPartition()]
	return len(names) > 0 && from.GetOffset() < names[xxhash.Sum64String(customer)]
}

// findErased returns, for each partition, the offset below which the copy leaves erased customers out: its end, or the first erase entry
// that some partition has not answered yet. From the answers on nobody names the customer.
func findErased(ctx context.Context, m *merge) ([]int64, error) {
	if err := m.look(ctx); err != nil {
		return nil, err
	}
	below := make([]int64, len(m.sides))
	for i, s := range m.sides {
		below[i] = s.end
		f, err := follow(ctx, m, s, func(int64, *ledger.Entry) {})
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue
		}
		if at, ok := f.FirstUnanswered(); ok {
			below[i] = at
		}
	}
	return below, nil
}

// readErasures reads which customers the old ledger has erased below the offsets that genesis of the copy states.
func readErasures(ctx context.Context, m *merge, below []int64) (*erasures, error) {
	x := &erasures{below: below}
	if err := m.look(ctx); err != nil {
		return nil, err
	}
	for _, s := range m.sides {
		own, names := map[string]int64{}, map[uint64]int64{}
		x.own, x.names = append(x.own, own), append(x.names, names)
		var bad error
		_, err := follow(ctx, m, s, func(offset int64, e *ledger.Entry) {
			switch o := e.GetOrigin(); {
			case e.GetKind() == ledger.Kind_KIND_ERASE && x.honoured(s.number, offset):
				//mutant:copy-keeps-erased delete
				own[e.GetCustomer()] = offset
				if below := belowOf(e); below != 0 {
					own[e.GetCustomer()] = below
				}
			case e.GetKind() == ledger.Kind_KIND_UNNAME && x.honoured(o.GetPartition(), o.GetOffset()):
				var u ledger.Unname
				if err := u.UnmarshalVT(e.GetPayload()); err != nil {
					bad = fmt.Errorf("entry %d of %s/%d: %w", offset, m.topic, s.number, err)
				}
				names[u.GetCustomer()] = offset
			}
		})
		if err == nil {
			err = bad
		}
		if err != nil {
			return nil, err
		}
	}
	return x, nil
}

// belowOf returns the offset below which an erase entry erases, where it does not erase all before itself; 0 otherwise.
func belowOf(e *ledger.Entry) int64 {
	var x ledger.Event
	if x.UnmarshalVT(e.GetPayload()) != nil {
		return 0 // the fold halts at it
	}
	return x.GetErasure().GetBelow()
}

// follow calls each for the erase and unname entries of a partition that its fold does not drop, up to the end at the last look. It reads
// the partition twice where it has any, and once otherwise: only then the entries need not be decoded. It returns nil if there are none.
func follow(ctx context.Context, m *merge, s *side, each func(offset int64, e *ledger.Entry)) (*processors.Follower, error) {
	some := false
	read := func(fn func(kafka.Record) error) error {
		if _, err := m.kafka.ReadCommitted(ctx, m.topic, s.number, 0, s.end, fn); err != nil {
			return fmt.Errorf("look for erasures in %s/%d: %w", m.topic, s.number, err)
		}
		return nil
	}
	isErasure := func(k ledger.Kind) bool { return k == ledger.Kind_KIND_ERASE || k == ledger.Kind_KIND_UNNAME }
	err := read(func(r kafka.Record) error {
		k, err := ledger.KindOf(r.Value)
		some = some || isErasure(k)
		return err
	})
	if err != nil || !some {
		return nil, err
	}
	f := processors.NewFollower(s.number)
	var e ledger.Entry
	return f, read(func(r kafka.Record) error {
		e.Reset()
		if err := e.UnmarshalVT(r.Value); err != nil {
			return fmt.Errorf("entry %d: %w", r.Offset, err)
		}
		result, err := f.Follow(r.Offset, &e)
		if err == nil && result == processors.Applied && isErasure(e.GetKind()) {
			each(r.Offset, &e)
		}
		return err
	})
}
