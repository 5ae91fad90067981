package audit

import (
	"context"
	"fmt"
	"maps"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// sends are the entries that folds append to each other's partitions: each must arrive. Partitions are folded one after the
// other, so an entry may be found before its sender.
type sends struct {
	sent    map[sendID]bool // and not arrived
	arrived map[sendID]bool
}

// sendID is the origin of such an entry.
type sendID struct {
	partition int32
	offset    int64
	ordinal   uint32
}

func newSends() *sends { return &sends{map[sendID]bool{}, map[sendID]bool{}} }

// trackSends notes where this entry came from, and what it sends to other partitions if that is published.
func (a *auditor) trackSends(offset int64, e *ledger.Entry) {
	a.sends.markArrived(e)
	if offset >= a.to {
		return
	}
	for i := range a.Out.Sends {
		id := sendID{a.partition, offset, uint32(i)}
		if !a.sends.arrived[id] {
			a.sends.sent[id] = true
		}
	}
}

// markArrived notes an entry whose origin is a partition of the ledger. It may arrive more than once.
func (s *sends) markArrived(e *ledger.Entry) {
	o := e.GetOrigin()
	if o == nil || o.GetTopic() != "" {
		return
	}
	id := sendID{o.GetPartition(), o.GetOffset(), o.GetOrdinal()}
	s.arrived[id] = true
	delete(s.sent, id)
}

// scanBeyond looks for entries that have not arrived yet behind those that were folded.
func (s *sends) scanBeyond(ctx context.Context, k *kafka.Client, topic string, ends []int64) error {
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
			s.markArrived(&e)
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the end of %s/%d: %w", topic, p, err)
		}
	}
	return nil
}

// dropBelow forgets what the entries of a partition below an offset have sent.
func (s *sends) dropBelow(partition int32, offset int64) {
	maps.DeleteFunc(s.sent, func(id sendID, _ bool) bool { return id.partition == partition && id.offset < offset })
}

func (s *sends) eachUndelivered(each func(sendID)) {
	for id := range s.sent {
		if !s.arrived[id] {
			each(id)
		}
	}
}
