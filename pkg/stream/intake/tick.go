package intake

import (
	"time"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// tick says in every ledger partition how far the owned inputs are read, when it is time. It travels with the entries, in
// order behind them: what it says of a ledger partition is true there when it is folded.
func (r *run) tick() {
	now := r.cfg.Now()
	if now.Sub(r.tickedAt) < r.tickInterval() {
		return
	}
	if !r.moved && r.cfg.Genesis.GetClock() == ledger.Clock_CLOCK_EVENT {
		return // time passes with events alone
	}
	r.tickedAt, r.moved = now, false
	r.appendTick()
}

// tickInterval is the setting's. Under the event clock ticks come only while something is read, so they may come soon.
func (r *run) tickInterval() time.Duration {
	if r.cfg.Genesis.GetClock() == ledger.Clock_CLOCK_EVENT {
		return min(r.cfg.TickInterval, time.Second)
	}
	return r.cfg.TickInterval
}

func (r *run) appendTick() {
	t := ledger.Tick{Revision: r.revision, Inputs: r.set}
	var owned []int
	for i, in := range r.inputs {
		if !in.heard || in.halted != "" || (in.time == 0 && !in.atEnd) {
			continue
		}
		owned = append(owned, i)
		t.Readings = append(t.Readings, &ledger.Reading{
			Topic: in.topic, Incarnation: in.incarnation, Partition: in.partition, Offset: in.next, Time: in.time, AtEnd: in.atEnd,
			LastOffset: in.lastOffset, Fingerprint: in.print,
		})
	}
	entry := ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_TICK, Time: r.clock.now(r.cfg.Now())}
	s := &r.scratch
	for p, l := range r.lanes {
		for j, i := range owned {
			t.Readings[j].Last = nil
			if l.has[i] {
				t.Readings[j].Last = &ledger.Mark{Offset: l.sent[i]}
			}
		}
		s.payload = marshal(s.payload, &t)
		entry.Payload = s.payload
		s.value = marshal(s.value, &entry)
		s.key = ledger.AppendKey(s.key[:0], "", r.nonces.Uint64())
		partition := int32(p)
		r.filling.BatchFor(r.ledger, partition, len(s.key)+len(s.value)).Append(entry.Time, s.key, s.value, nil)
	}
}
