package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// snapshot is what Redis was found to hold, in batches: beside a live fold each has its own R.
type snapshot struct {
	batches []batch
	seen    map[string]bool // customers
	grouped map[string]bool // customers, among the timers
	reached int64           // the greatest R
}

type batch struct {
	meta   redis.Meta
	blobs  []redis.Blob
	timers []redis.Timer
	first  bool
}

// readSnapshot reads all of a partition's customers and timers. A new snapshot id, or R going back, starts it again.
func readSnapshot(ctx context.Context, p *redis.Partition, ledgerID string) (*snapshot, error) {
	const tries = 5
	for range tries {
		s, err := tryRead(ctx, p, ledgerID)
		if err == nil || !errors.Is(err, redis.ErrSnapshotChanged) {
			return s, err
		}
	}
	return nil, fmt.Errorf("read Redis: %w %d times while it was read", redis.ErrSnapshotChanged, tries)
}

func tryRead(ctx context.Context, p *redis.Partition, ledgerID string) (*snapshot, error) {
	s := &snapshot{seen: map[string]bool{}, grouped: map[string]bool{}}
	meta, err := p.ReadMeta(ctx)
	if err != nil {
		return nil, fmt.Errorf("read Redis: %w", err)
	}
	if !meta.Exists || meta.Offset == 0 {
		return s, nil
	}
	if meta.LedgerID != ledgerID {
		return nil, fmt.Errorf("Redis holds ledger %s, not %s", meta.LedgerID, ledgerID)
	}
	s.batches = append(s.batches, batch{meta: meta, first: true})
	s.reached = meta.Offset
	rises := func(m redis.Meta) error {
		if m.Offset < s.reached {
			return redis.ErrSnapshotChanged
		}
		s.reached = m.Offset
		return nil
	}
	err = p.ScanCustomers(ctx, func(m redis.Meta, blobs []redis.Blob) error {
		s.batches = append(s.batches, batch{meta: m, blobs: blobs})
		return rises(m)
	})
	if err != nil {
		return nil, fmt.Errorf("read customers: %w", err)
	}
	err = p.ScanTimers(ctx, func(m redis.Meta, timers []redis.Timer) error {
		s.batches = append(s.batches, batch{meta: m, timers: timers})
		return rises(m)
	})
	if err != nil {
		return nil, fmt.Errorf("read timers: %w", err)
	}
	for _, b := range s.batches {
		for _, c := range b.blobs {
			s.seen[c.ID] = true
		}
		for _, t := range b.timers {
			s.grouped[t.ID] = true
		}
	}
	slices.SortStableFunc(s.batches, func(a, b batch) int { return cmp.Compare(a.meta.Offset, b.meta.Offset) })
	return s, nil
}

// compareState compares every batch whose R is reached when the ledger is folded up to here, exclusive.
func (a *auditor) compareState(folded int64) error {
	for s := a.snapshot; len(s.batches) > 0 && s.batches[0].meta.Offset <= folded; s.batches = s.batches[1:] {
		b := &s.batches[0]
		say := func(what, text string) {
			a.result.add(Finding{What: what, Partition: a.partition, Offset: b.meta.Offset, Where: "redis", Text: text})
		}
		if b.first {
			if !bytes.Equal(b.meta.State, a.state.Encode(nil)) {
				say("differing", "the partition's own state")
			}
			// Whoever is there now is there throughout the scan.
			a.customers.Each(func(id string, _ *customer.State) {
				switch {
				case !s.seen[id]:
					say("lost", "a customer")
				case !s.grouped[id]:
					say("lost", "a customer's timer")
				}
			})
		}
		for _, blob := range b.blobs {
			want, _ := a.customers.Customer(blob.ID) // a MemStore never fails
			switch {
			case want == nil:
				say("differing", "a customer that the ledger does not know")
			case !bytes.Equal(want.Encode(nil), blob.Value):
				say("differing", "a customer's state")
			}
			a.result.Customers++
		}
		for _, t := range b.timers {
			want, _ := a.customers.Customer(t.ID) // a MemStore never fails
			if want == nil || want.Next != t.Deadline {
				say("differing", "a customer's timer")
			}
		}
	}
	return nil
}

// sends are the entries that folds append to each other's partitions: each must arrive.
type sends struct {
	sent    map[sendID]bool
	arrived map[sendID]bool
}

type sendID struct {
	partition int32
	offset    int64
	ordinal   uint32
}

func newSends() *sends { return &sends{map[sendID]bool{}, map[sendID]bool{}} }

func (s *sends) missing(each func(sendID)) {
	for at := range s.sent {
		if !s.arrived[at] {
			each(at)
		}
	}
}

// lookBehind looks for what has not arrived yet in the entries that were not folded.
func (s *sends) lookBehind(ctx context.Context, k *kafka.Client, topic string, ends []int64) error {
	for p, end := range ends {
		if len(s.sent) == 0 {
			return nil
		}
		partition := int32(p)
		bounds, err := k.ListOffsets(ctx, topic, []int32{partition})
		if err != nil {
			return fmt.Errorf("read the bounds of %s/%d: %w", topic, p, err)
		}
		_, err = k.ReadCommitted(ctx, topic, partition, end, bounds[partition].LastStable, func(r kafka.Record) error {
			var e ledger.Entry
			if err := e.UnmarshalVT(r.Value); err != nil {
				return fmt.Errorf("decode entry %d: %w", r.Offset, err)
			}
			s.arrives(&e)
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the end of %s/%d: %w", topic, p, err)
		}
	}
	return nil
}

// arrives notes where an entry came from, if that is a partition of the ledger. It may come more than once.
func (s *sends) arrives(e *ledger.Entry) {
	o := e.GetOrigin()
	if o == nil || o.GetTopic() != "" {
		return
	}
	at := sendID{o.GetPartition(), o.GetOffset(), o.GetOrdinal()}
	s.arrived[at] = true
	delete(s.sent, at)
}

// noteSends notes where this entry came from, and what it sends to other partitions if that is published.
func (a *auditor) noteSends(offset int64, e *ledger.Entry) {
	a.sends.arrives(e)
	if offset >= a.to {
		return
	}
	for i := range a.out.Sends {
		at := sendID{a.partition, offset, uint32(i)}
		if !a.sends.arrived[at] {
			a.sends.sent[at] = true
		}
	}
}
