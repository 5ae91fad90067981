package intake

import (
	"time"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// tick appends, if it is due, to every ledger partition how far the assigned inputs are read. It is in the same batch as the
// entries, after them: when a partition folds the tick, it has folded every entry that the tick presupposes.
func (r *run) tick() {
	now := r.cfg.Now()
	if now.Sub(r.tickedAt) < r.tickInterval() {
		return
	}
	if !r.readSinceTick && r.cfg.Genesis.GetClock() == ledger.Clock_CLOCK_EVENT {
		return // only events move time
	}
	r.tickedAt, r.readSinceTick = now, false
	r.appendTick()
}

// tickInterval is the setting, but short under the event clock, where ticks are appended only while records are read.
func (r *run) tickInterval() time.Duration {
	if r.cfg.Genesis.GetClock() == ledger.Clock_CLOCK_EVENT {
		return min(r.cfg.TickInterval, time.Second)
	}
	return r.cfg.TickInterval
}

func (r *run) appendTick() {
	t := ledger.Tick{Revision: r.set.revision, Inputs: r.set.topics}
	var inputs []int // indexes of the readings' input partitions
	for i, in := range r.inputs {
		if !in.heard || in.halted != "" || (in.read.time == 0 && !in.atEnd) {
			continue
		}
		inputs = append(inputs, i)
		t.Readings = append(t.Readings, &ledger.Reading{
			Topic: in.topic, Incarnation: in.incarnation, Partition: in.partition, Offset: in.read.offset, Time: in.read.time, AtEnd: in.atEnd,
			LastOffset: in.read.lastOffset, Fingerprint: in.read.fingerprint,
		})
	}
	entry := ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_TICK, Time: r.clock.now(r.cfg.Now())}
	e := &r.encoder
	for number := range r.appends.partitions {
		partition := &r.appends.partitions[number]
		for j, i := range inputs {
			t.Readings[j].Last = nil
			if partition.hasOrigin[i] {
				t.Readings[j].Last = &ledger.Mark{Offset: partition.lastOrigin[i].offset, Ordinal: partition.lastOrigin[i].ordinal}
			}
		}
		e.payload = marshal(e.payload, &t)
		entry.Payload = e.payload
		e.value = marshal(e.value, &entry)
		e.key = ledger.AppendKey(e.key[:0], "", e.nonces.Uint64())
		r.appends.pending.BatchFor(r.appends.topic, int32(number), len(e.key)+len(e.value)).Append(entry.Time, e.key, e.value, nil)
	}
}
