package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors/customer"
)

// snapshot is a partition's state in Redis, read in batches: while a fold runs, each batch has its own R. The zero value is the
// state of an audit that leaves Redis out.
type snapshot struct {
	batches   []batch         // ordered by R
	customers map[string]bool // all that the scan returned
	timers    map[string]bool // customers with a timer, likewise
	maxOffset int64           // the greatest R
	missing   string          // why there is no snapshot; empty: there is one
}

type batch struct {
	meta   redis.Meta
	blobs  []redis.Blob
	timers []redis.Timer
	first  bool // was read before the scan: it holds the partition's own state, and which customers the scan must return
}

// readSnapshot reads all of a partition's customers and timers. A new snapshot id, or R going back, starts it again.
func readSnapshot(ctx context.Context, p *redis.Partition, ledgerID string) (*snapshot, error) {
	const tries = 5
	for range tries {
		s, err := readSnapshotOnce(ctx, p, ledgerID)
		if err == nil || !errors.Is(err, redis.ErrSnapshotChanged) {
			return s, err
		}
	}
	return nil, fmt.Errorf("read Redis: %w %d times while it was read", redis.ErrSnapshotChanged, tries)
}

func readSnapshotOnce(ctx context.Context, p *redis.Partition, ledgerID string) (*snapshot, error) {
	s := &snapshot{customers: map[string]bool{}, timers: map[string]bool{}}
	meta, err := p.ReadMeta(ctx)
	switch {
	case errors.Is(err, redis.ErrTorn):
		s.missing = "the partition's meta cannot be read"
		return s, nil
	case err != nil:
		return nil, fmt.Errorf("read Redis: %w", err)
	case !meta.Exists:
		s.missing = "the partition has no meta"
		return s, nil
	case meta.LedgerID != ledgerID:
		return nil, fmt.Errorf("Redis holds ledger %s, Kafka has %s: redis.addresses and kafka.brokers do not belong together", meta.LedgerID, ledgerID)
	case meta.Offset == 0: // a refold has begun and committed nothing yet
		return s, nil
	}
	s.batches = append(s.batches, batch{meta: meta, first: true})
	s.maxOffset = meta.Offset
	rise := func(m redis.Meta) error {
		if m.Offset < s.maxOffset {
			return redis.ErrSnapshotChanged
		}
		s.maxOffset = m.Offset
		return nil
	}
	err = p.AuditCustomers(ctx, func(m redis.Meta, blobs []redis.Blob) error {
		s.batches = append(s.batches, batch{meta: m, blobs: blobs})
		return rise(m)
	})
	if err != nil {
		return nil, fmt.Errorf("read customers: %w", err)
	}
	err = p.ScanTimers(ctx, func(m redis.Meta, timers []redis.Timer) error {
		s.batches = append(s.batches, batch{meta: m, timers: timers})
		return rise(m)
	})
	if err != nil {
		return nil, fmt.Errorf("read timers: %w", err)
	}
	for _, b := range s.batches {
		for _, c := range b.blobs {
			s.customers[c.ID] = true
		}
		for _, t := range b.timers {
			s.timers[t.ID] = true
		}
	}
	slices.SortStableFunc(s.batches, func(a, b batch) int { return cmp.Compare(a.meta.Offset, b.meta.Offset) })
	return s, nil
}

// compareState compares every batch whose R is at most folded, the offset up to which the ledger is folded, exclusive.
func (a *auditor) compareState(folded int64) {
	for s := a.snapshot; len(s.batches) > 0 && s.batches[0].meta.Offset <= folded; s.batches = s.batches[1:] {
		b := &s.batches[0]
		if b.first {
			if !bytes.Equal(b.meta.State, a.State.Encode(nil)) {
				a.reportState(Differing, b.meta.Offset, 1, "the partition's own state")
			}
			a.compareCustomers(b.meta.Offset)
		}
		for _, blob := range b.blobs {
			switch want := a.folded(blob.ID); {
			case want == nil:
				a.reportState(Differing, b.meta.Offset, 1, "a customer that is not in the ledger")
			case !bytes.Equal(want.Encode(nil), blob.Value):
				a.reportState(Differing, b.meta.Offset, 1, "a customer's state")
			}
			a.result.Customers++
		}
		for _, t := range b.timers {
			switch want := a.folded(t.ID); {
			case want == nil:
				a.reportState(Differing, b.meta.Offset, 1, "a timer of a customer that is not in the ledger")
			case want.Next != t.Deadline:
				a.reportState(Differing, b.meta.Offset, 1, "a customer's timer has another deadline")
			}
		}
	}
}

// compareCustomers compares which customers there are at R, before the scan: those must be there throughout it. Later ones
// may be missed by it.
func (a *auditor) compareCustomers(offset int64) {
	a.Customers.Each(func(id string, _ *customer.State) {
		if !a.snapshot.customers[id] {
			a.reportState(StateMissing, offset, 1, "a customer")
		} else if !a.snapshot.timers[id] {
			a.reportState(StateMissing, offset, 1, "a customer's timer")
		}
	})
}

// judgeMissingSnapshot reports a partition that Redis holds nothing of. A snapshot that is behind, even at R = 0, is none: the
// owner folds on from it. But every fold that publishes has begun a snapshot before, so where there are outputs, meta was lost.
func (a *auditor) judgeMissingSnapshot() {
	if a.snapshot.missing == "" || a.to == 0 {
		return
	}
	n := int64(a.Customers.Len())
	a.reportState(StateMissing, a.to, 1+n, fmt.Sprintf("%s: it and %d customers are missing; a running fold rebuilds them at its next commit", a.snapshot.missing, n))
}

// folded returns a customer as the ledger has them so far, nil when it has not.
func (a *auditor) folded(id string) *customer.State {
	s, _ := a.Customers.Customer(id) // a MemStore never fails
	return s
}

func (a *auditor) reportState(kind Kind, offset, n int64, detail string) {
	a.result.add(Finding{Kind: kind, Partition: a.partition, Offset: offset, Place: "redis", Detail: detail}, n)
}
