package whatif

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// sequence reads all partitions of a ledger once, as one sequence: in the order in which the broker appended the entries, and each entry
// that a fold has sent behind the entry that it follows from. The second is kept by the origins, whatever the brokers' clocks say.
//
// It ends at the last stable offsets that it began with. An entry that follows from one beyond them is beyond the end as well.
type sequence struct {
	kafka *kafka.Client
	topic string
	parts []*part
}

// part is one partition.
type part struct {
	number    int32
	next, end int64          // offsets still to be read
	page      []kafka.Record // read ahead
	head      ledger.Entry   // decoded of page[0]
	folded    int64          // the entries below are given out
	ended     bool
}

// pageOffsets bounds what is read ahead of a partition: a few MB.
const pageOffsets = 20_000

func newSequence(ctx context.Context, k *kafka.Client, topic string, partitions int32) (*sequence, error) {
	s := &sequence{kafka: k, topic: topic}
	numbers := make([]int32, partitions)
	for p := range partitions {
		numbers[p] = p
	}
	bounds, err := k.ListOffsets(ctx, topic, numbers)
	if err != nil {
		return nil, fmt.Errorf("read the bounds of %s: %w", topic, err)
	}
	for _, p := range numbers {
		s.parts = append(s.parts, &part{number: p, end: bounds[p].LastStable})
	}
	return s, nil
}

// done returns how many offsets are given out, and of how many.
func (s *sequence) done() (done, total int64) {
	for _, p := range s.parts {
		done, total = done+p.folded, total+p.end
	}
	return done, total
}

// read gives out every entry in order. An entry is valid until fold returns.
func (s *sequence) read(ctx context.Context, fold func(partition int32, offset int64, e *ledger.Entry) error) error {
	for {
		p, err := s.turn(ctx)
		if err != nil || p == nil {
			return err
		}
		offset := p.page[0].Offset
		if err := fold(p.number, offset, &p.head); err != nil {
			return fmt.Errorf("%s/%d: %w", s.topic, p.number, err)
		}
		p.page, p.folded = p.page[1:], offset+1
		if err := s.fill(ctx, p); err != nil {
			return err
		}
	}
}

// turn returns the partition whose head comes next; nil at the end.
func (s *sequence) turn(ctx context.Context) (*part, error) {
	var first *part
	for _, p := range s.parts {
		if p.folded == 0 && !p.ended { // genesis comes first in all of them
			if err := s.fill(ctx, p); err != nil || !p.ended {
				return p, err
			}
		}
		if !p.ended && !s.waits(p) && (first == nil || p.page[0].Timestamp < first.page[0].Timestamp) {
			first = p
		}
	}
	return first, nil
}

// waits reports whether the head of a partition follows from an entry that is not given out yet.
func (s *sequence) waits(p *part) bool {
	o, sent := sentBy(&p.head)
	//mutant:whatif-in-order-of-clocks replace return false && sent && o != nil
	return sent && int(o.GetPartition()) < len(s.parts) && o.GetOffset() >= s.parts[o.GetPartition()].folded
}

// sentBy returns the entry of this ledger from which an entry follows; false for one that no fold of this ledger has sent.
func sentBy(e *ledger.Entry) (*ledger.Origin, bool) {
	o := e.GetOrigin()
	return o, o != nil && o.GetTopic() == "" && e.GetCopied() == nil
}

// fill reads on until the partition has a head, or the end.
func (s *sequence) fill(ctx context.Context, p *part) error {
	for len(p.page) == 0 && p.next < p.end {
		to := min(p.next+pageOffsets, p.end)
		next, err := s.kafka.ReadCommitted(ctx, s.topic, p.number, p.next, to, func(r kafka.Record) error {
			p.page = append(p.page, r.Clone())
			return nil
		})
		if err != nil {
			return fmt.Errorf("read %s/%d: %w", s.topic, p.number, err)
		}
		if next <= p.next {
			return fmt.Errorf("read %s/%d: %w at %d", s.topic, p.number, errStuck, next)
		}
		p.next = next
	}
	if len(p.page) == 0 {
		p.folded, p.ended = p.end, true
		return nil
	}
	p.head.Reset()
	if err := p.head.UnmarshalVT(p.page[0].Value); err != nil {
		return fmt.Errorf("decode entry %d of %s/%d: %w", p.page[0].Offset, s.topic, p.number, err)
	}
	return nil
}

var errStuck = errors.New("the last stable offset went back")
