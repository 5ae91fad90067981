package ledgercopy

import (
	"context"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// item is what the copy takes from one entry of the old ledger.
type item struct {
	base      int64         // base time at the entry; processors.BeforeTime while it is not known
	partition int32         // of the old ledger
	offset    int64         // likewise
	entry     *ledger.Entry // nil: only base time moves
}

// merge reads the partitions of the old ledger as one sequence, ordered by (base time, partition, offset).
//
// Base time never falls within a partition, so the next item is the least head. A partition without a head (it is read to its end) holds
// back all items that may come behind its next one: those with a greater base time than its own, or the same in a later partition. Ticks
// move base time in all partitions, so no entry waits for long while an intake runs. Once sealed, nothing comes any more.
//
// An order by time alone was rejected: at one base time the entries of two partitions cannot be told apart, and which is first would
// depend on when they were read.
type merge struct {
	kafka  *kafka.Client
	topic  string
	sides  []*side
	sealed bool
	turn   *side // of the last item; nothing comes between two items of one side that have the same base time
	base   int64 // of the last item
}

// side is one partition of the old ledger.
type side struct {
	number   int32
	follower *processors.Follower
	fetcher  *kafka.Fetcher
	read     int64 // next offset to read
	end      int64 // last stable offset, at the last look
	items    []item
}

const fetchBytes = 1 << 20 // of one partition: all partitions of the old ledger are in memory with so much

func newMerge(k *kafka.Client, topic string, partitions int32) *merge {
	m := &merge{kafka: k, topic: topic}
	for p := range partitions {
		s := &side{number: p, follower: processors.NewFollower(p), fetcher: k.NewFetcher(kafka.FetcherConfig{MaxBytes: fetchBytes, PartitionMaxBytes: fetchBytes})}
		s.fetcher.Assign(topic, p, 0)
		m.sides = append(m.sides, s)
	}
	return m
}

// look reads where the old ledger ends now.
func (m *merge) look(ctx context.Context) error {
	_, err := m.bounds(ctx)
	return err
}

// bounds is look; it also returns whether no transaction is open.
func (m *merge) bounds(ctx context.Context) (stable bool, err error) {
	partitions := make([]int32, len(m.sides))
	for i := range partitions {
		partitions[i] = int32(i)
	}
	bounds, err := m.kafka.ListOffsets(ctx, m.topic, partitions)
	if err != nil {
		return false, fmt.Errorf("read the bounds of %s: %w", m.topic, err)
	}
	stable = true
	for _, s := range m.sides {
		b := bounds[s.number]
		s.end = b.LastStable
		stable = stable && b.LastStable == b.HighWatermark
	}
	return stable, nil
}

// behind returns how many offsets are not read.
func (m *merge) behind() int64 {
	n := int64(0)
	for _, s := range m.sides {
		n += max(0, s.end-s.read)
	}
	return n
}

// next returns the next item; false if there is none whose place is known.
func (m *merge) next(ctx context.Context) (item, bool, error) {
	if s := m.turn; s != nil && len(s.items) > 0 && s.items[0].base == m.base {
		return s.pop(), true, nil
	}
	m.turn = nil
	for _, s := range m.sides {
		if err := m.fill(ctx, s); err != nil {
			return item{}, false, err
		}
		if len(s.items) > 0 && (m.turn == nil || s.items[0].base < m.turn.items[0].base) {
			m.turn = s
		}
	}
	//mutant:copy-in-order-of-reading if m.turn == nil
	if m.turn == nil || !m.sealed && m.mustWait(m.turn) {
		m.turn = nil
		return item{}, false, nil
	}
	m.base = m.turn.items[0].base
	return m.turn.pop(), true, nil
}

// mustWait reports whether a partition that is read to its end may still have an item before the head of s.
func (m *merge) mustWait(s *side) bool {
	head := s.items[0].base
	for _, o := range m.sides {
		if len(o.items) > 0 {
			continue
		}
		if base := o.follower.BaseTime(); base < head || base == head && o.number < s.number {
			return true
		}
	}
	return false
}

func (s *side) pop() item {
	it := s.items[0]
	s.items = s.items[1:]
	return it
}

// fill reads on until there is an item, or the end.
func (m *merge) fill(ctx context.Context, s *side) error {
	for len(s.items) == 0 && s.read < s.end {
		if err := m.fetch(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// readAll reads to the end, whatever items there are.
func (m *merge) readAll(ctx context.Context, s *side) error {
	for s.read < s.end {
		if err := m.fetch(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (m *merge) fetch(ctx context.Context, s *side) error {
	const wait = 100 * time.Millisecond
	fetched, err := s.fetcher.Fetch(ctx, wait, 1)
	if err != nil {
		return fmt.Errorf("read %s/%d: %w; %s", m.topic, s.number, err, resumeHint)
	}
	for i := range fetched {
		f := &fetched[i]
		if f.Err != nil && kafka.Retriable(f.Err) {
			continue
		}
		if f.Err != nil {
			return fmt.Errorf("read %s/%d at %d: %w", m.topic, s.number, s.read, f.Err)
		}
		for j := range f.Records {
			if err := s.follow(&f.Records[j]); err != nil {
				return fmt.Errorf("%s/%d: %w", m.topic, s.number, err)
			}
		}
		s.read = f.Next
	}
	return nil
}

// follow follows an entry, and keeps what is copied of it.
func (s *side) follow(r *kafka.Record) error {
	e := new(ledger.Entry)
	if err := e.UnmarshalVT(r.Value); err != nil {
		return fmt.Errorf("entry %d: %w", r.Offset, err)
	}
	before := s.follower.BaseTime()
	result, err := s.follower.Follow(r.Offset, e)
	if err != nil {
		return fmt.Errorf("%w; a newer release may have written it: use that one", err)
	}
	base := s.follower.BaseTime()
	if base != before && s.number == 0 { // those of the other partitions are copied where an event follows
		s.items = append(s.items, item{base: base, partition: s.number, offset: r.Offset})
	}
	//mutant:copy-keeps-duplicates if result != processors.Ignored && s.isCopied(e)
	if result == processors.Applied && s.isCopied(e) {
		s.items = append(s.items, item{base: base, partition: s.number, offset: r.Offset, entry: e})
	}
	return nil
}

// isCopied reports whether an entry is copied, unless its customer is left out. What holds for all customers is taken from partition 0:
// the partitions of the copy hold customers of several partitions.
func (s *side) isCopied(e *ledger.Entry) bool {
	switch e.GetKind() {
	case ledger.Kind_KIND_EVENT, ledger.Kind_KIND_ERASE, ledger.Kind_KIND_MERGE, ledger.Kind_KIND_CALL_MARK:
		return true
	case ledger.Kind_KIND_CREDIT: // those for erased customers cannot be derived from what is copied
		var k ledger.Credit
		return k.UnmarshalVT(e.GetPayload()) == nil && k.GetErased()
	case ledger.Kind_KIND_SETTINGS, ledger.Kind_KIND_PARAMETERS, ledger.Kind_KIND_THRESHOLDS, ledger.Kind_KIND_COST:
		//mutant:copy-loses-costs replace return s.number == 0 && e.GetKind() != ledger.Kind_KIND_COST
		return s.number == 0
	default: // written by the copy, or derived by the folds of the copy
		return false
	}
}
