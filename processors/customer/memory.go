package customer

import (
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// recent is an event id: 48 bits of the hash of source and id, 16 of the facts', and the UTC day on which it was folded.
type recent struct {
	fingerprint uint64
	day         int32
}

// Seen is what the memory says of an event's id.
type EventMatch uint8

// What it can say.
const (
	NewEvent   EventMatch = iota
	SameFacts             // the same id with the same facts
	OtherFacts            // the same id with other facts
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

// RememberEvent keeps an event's mark.
func (s *State) RememberEvent(m Moment, fingerprint uint64) {
	s.recent = append(s.recent, recent{fingerprint: fingerprint, day: dayOf(m.Now)})
	s.recentFilter.add(fingerprint >> 16)
}

// EventFingerprint is by what an event is known again: source and id, and what it stated.
func EventFingerprint(e *ledger.Event) uint64 {
	var room [256]byte // one call with all bytes costs a fraction of a running hash
	text := append(room[:0], e.GetSource()...)
	text = append(text, 0)
	text = append(text, e.GetId()...)
	return xxhash.Sum64(text)>>16<<16 | e.GetFacts()>>48
}

// HasNaturalID reports that an event's id is only the order's, refund's or response's own, as intake makes it where none is stated.
// Those are remembered anyway.
func HasNaturalID(e *ledger.Event) bool {
	switch id := e.GetId(); {
	case e.Purchase != nil:
		return natural(id, "order:", e.Purchase.GetOrderId())
	case e.Survey != nil:
		return natural(id, "response:", e.Survey.GetResponseId())
	case e.Cancellation != nil && e.Cancellation.GetKind() == ledger.CancellationKind_CANCELLATION_KIND_REFUND:
		return natural(id, "refund:", e.Cancellation.GetRefundId())
	}
	return false
}

// natural is what, the id, and perhaps @ and the time of an update.
func natural(id, what, own string) bool {
	rest, ok := strings.CutPrefix(id, what)
	if !ok {
		return false
	}
	rest, ok = strings.CutPrefix(rest, own)
	return ok && (rest == "" || rest[0] == '@')
}

// UnmatchedCancellation is a whole-order cancellation that left memory without having found its order.
type UnmatchedCancellation struct {
	EventID   string
	Topic     string
	Partition int32
	Offset    int64
}

// Expire ends the wait of refunds and cancellations whose order has not come within the memory: refunds stay what they
// are, less revenue; cancellations are given back to be rejected.
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
	if o.details != nil && o.details.cancellation != nil {
		f := o.details.cancellation
		unmatched = append(unmatched, UnmatchedCancellation{EventID: f.eventID, Topic: f.topic, Partition: f.partition, Offset: f.offset})
	}
	return unmatched
}

// Trim drops what base time has made a stranger, oldest first, and what is more than the settings allow.
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
	s.recent = s.recent[drop:] // nothing is moved: a full memory drops one with each event
	return unmatched
}

// PendingExpiry is when the first pending refund or cancellation leaves memory, ms; 0: none waits.
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
