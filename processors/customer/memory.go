package customer

import (
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// recent is the id of a recent event.
type recent struct {
	fingerprint uint64 // of EventFingerprint: 48 bits of the hash of source and id, then 16 of the facts'
	day         int32  // UTC day on which the event was folded
}

// EventMatch is the result of looking an event's id up.
type EventMatch uint8

// The results.
const (
	NewEvent   EventMatch = iota // the id is not in memory
	SameFacts                    // the id is in memory with the same facts
	OtherFacts                   // the id is in memory with other facts
)

// MatchEvent looks an event's fingerprint up among those of the last dedup_days.
func (s *State) MatchEvent(t *Terms, m Moment, fingerprint uint64) EventMatch {
	seen, today := NewEvent, dayOf(m.Now)
	if len(s.recent) > filteredFrom {
		if s.recentFilter.tooSmall(len(s.recent)) {
			s.recentFilter = newCountingFilter(len(s.recent))
			for _, r := range s.recent {
				s.recentFilter.add(r.fingerprint >> 16)
			}
		}
		if s.recentFilter.rulesOut(fingerprint >> 16) {
			return NewEvent
		}
	}
	for i := len(s.recent) - 1; i >= 0; i-- {
		r := &s.recent[i]
		if (r.fingerprint^fingerprint)>>16 != 0 || !remembered(r.day, today, t.Settings.GetDedupDays()) {
			continue
		}
		if r.fingerprint == fingerprint {
			return SameFacts
		}
		seen = OtherFacts
	}
	return seen
}

// RememberEvent adds an event's fingerprint to memory.
func (s *State) RememberEvent(m Moment, fingerprint uint64) {
	s.recent = append(s.recent, recent{fingerprint: fingerprint, day: dayOf(m.Now)})
	s.recentFilter.add(fingerprint >> 16)
}

// EventFingerprint returns 48 bits of the hash of an event's source and id, then 16 bits of the hash of its facts.
func EventFingerprint(e *ledger.Event) uint64 {
	var buffer [256]byte // hashing all bytes in one call is several times faster than a streaming hash
	key := append(buffer[:0], e.GetSource()...)
	key = append(key, 0)
	key = append(key, e.GetId()...)
	return xxhash.Sum64(key)>>16<<16 | e.GetFacts()>>48
}

// HasNaturalID reports whether an event's id consists of the id of its order, refund or response, as intake builds it for an
// event that states none. Orders, refunds and responses are in memory by their own ids, so such an event id need not be kept.
func HasNaturalID(e *ledger.Event) bool {
	switch id := e.GetId(); {
	case e.Purchase != nil:
		return isNaturalID(id, "order:", e.Purchase.GetOrderId())
	case e.Survey != nil:
		return isNaturalID(id, "response:", e.Survey.GetResponseId())
	case e.Cancellation != nil && e.Cancellation.GetKind() == ledger.CancellationKind_CANCELLATION_KIND_REFUND:
		return isNaturalID(id, "refund:", e.Cancellation.GetRefundId())
	}
	return false
}

// isNaturalID reports whether id is prefix and natural id, alone or followed by @ and the time of an update.
func isNaturalID(id, prefix, naturalID string) bool {
	suffix, ok := strings.CutPrefix(id, prefix)
	if !ok {
		return false
	}
	suffix, ok = strings.CutPrefix(suffix, naturalID)
	return ok && (suffix == "" || suffix[0] == '@')
}

// UnmatchedCancellation is the cancellation of a whole order that left memory before its order arrived.
type UnmatchedCancellation struct {
	EventID   string // of the cancellation
	Topic     string // of its input record
	Partition int32  // likewise
	Offset    int64  // likewise
}

// ExpirePending removes the refunds and cancellations whose order has not arrived within memory_days. Refunds keep lowering the
// historic value; cancellations are returned, so that the caller rejects them.
func (s *State) ExpirePending(t *Terms, m Moment) (unmatched []UnmatchedCancellation) {
	for i := 0; s.pending > 0 && i < len(s.orderLog.rows); {
		o := &s.orderLog.rows[i]
		if o.flags&pending == 0 || remembered(o.foldedDay, dayOf(m.Now), t.Settings.GetMemoryDays()) {
			i++
			continue
		}
		unmatched = s.expireOrder(unmatched, i)
	}
	return unmatched
}

func (s *State) expireOrder(unmatched []UnmatchedCancellation, i int) []UnmatchedCancellation {
	_, o := s.removeOrder(i)
	s.forgottenRefunds += o.refunded()
	o.eachCancellation(func(n CancellationCount) { s.forgottenCancellations.AddAtMost(mostForgottenReasons, n) })
	if o.details != nil && o.details.cancellation != nil {
		f := o.details.cancellation
		unmatched = append(unmatched, UnmatchedCancellation{EventID: f.eventID, Topic: f.topic, Partition: f.partition, Offset: f.offset})
	}
	return unmatched
}

// Evict drops orders and event ids that have expired by base time, and those above the limits of the settings, oldest first. It
// returns the cancellations that it dropped before their order arrived.
func (s *State) Evict(t *Terms, m Moment) (unmatched []UnmatchedCancellation) {
	today := dayOf(m.Base)
	most := int(t.Settings.GetMemoryOrders())
	for len(s.orderLog.rows) > 0 {
		o := &s.orderLog.rows[0]
		expired := m.Based && o.flags&pending == 0 && !remembered(o.foldedDay, today, t.Settings.GetMemoryDays())
		if !expired && len(s.orderLog.rows) <= most {
			break
		}
		if o.flags&pending != 0 {
			unmatched = s.expireOrder(unmatched, 0)
			continue
		}
		s.forgetOrder(0)
	}
	drop := max(0, len(s.recent)-int(t.Settings.GetDedupEvents()))
	for drop < len(s.recent) && m.Based && !remembered(s.recent[drop].day, today, t.Settings.GetDedupDays()) {
		drop++
	}
	for _, r := range s.recent[:drop] {
		s.recentFilter.drop(r.fingerprint >> 16)
	}
	s.recent = s.recent[drop:] // without a copy: a full memory drops one id with each event
	return unmatched
}

// PendingExpiry returns the time (ms) at which the first pending refund or cancellation expires; 0: none is pending.
func (s *State) PendingExpiry(t *Terms) int64 {
	if s.pending == 0 {
		return 0
	}
	first := int64(0)
	for i := range s.orderLog.rows {
		if o := &s.orderLog.rows[i]; o.flags&pending != 0 {
			at := (int64(o.foldedDay) + int64(t.Settings.GetMemoryDays()) + 1) * DayMS
			if first == 0 || at < first {
				first = at
			}
		}
	}
	return first
}
