package customer

import (
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// recent is an event id: 48 bits of the hash of source and id, 16 of the facts', and the UTC day on which it was folded.
type recent struct {
	mark uint64
	day  int32
}

// Seen is what the memory says of an event's id.
type Seen uint8

// What it can say.
const (
	Fresh    Seen = iota
	Repeated      // the same id with the same facts
	Changed       // the same id with other facts
)

// Recall looks an event's mark up among those of the last dedup_days.
func (s *State) Recall(t *Terms, m Moment, mark uint64) Seen {
	seen, today := Fresh, dayOf(m.Now)
	if len(s.recent) > sieved {
		if s.recalled.narrow(len(s.recent)) {
			s.recalled = newSieve(len(s.recent))
			for _, r := range s.recent {
				s.recalled.add(r.mark >> 16)
			}
		}
		if s.recalled.lacks(mark >> 16) {
			return Fresh
		}
	}
	for i := len(s.recent) - 1; i >= 0; i-- {
		r := &s.recent[i]
		if (r.mark^mark)>>16 != 0 || !remembered(r.day, today, t.Settings.GetDedupDays()) {
			continue
		}
		if r.mark == mark {
			return Repeated
		}
		seen = Changed
	}
	return seen
}

// Remember keeps an event's mark.
func (s *State) Remember(m Moment, mark uint64) {
	s.recent = append(s.recent, recent{mark: mark, day: dayOf(m.Now)})
	s.recalled.add(mark >> 16)
}

// EventMark is by what an event is known again: source and id, and what it stated.
func EventMark(e *ledger.Event) uint64 {
	var room [256]byte // one call with all bytes costs a fraction of a running hash
	text := append(room[:0], e.GetSource()...)
	text = append(text, 0)
	text = append(text, e.GetId()...)
	return xxhash.Sum64(text)>>16<<16 | e.GetFacts()>>48
}

// Natural says that an event's id is only the order's, refund's or response's own, as intake makes it where none is stated.
// Those are remembered anyway.
func Natural(e *ledger.Event) bool {
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

// Unclaimed is a whole-order cancellation that left memory without having found its order.
type Unclaimed struct {
	EventID   string
	Topic     string
	Partition int32
	Offset    int64
}

// Expire ends the wait of refunds and cancellations whose order has not come within the memory: refunds stay what they
// are, less revenue; cancellations are given back to be rejected.
func (s *State) Expire(t *Terms, m Moment) (left []Unclaimed) {
	for i := 0; s.waiting > 0 && i < len(s.book.rows); {
		o := &s.book.rows[i]
		if o.flags&waiting == 0 || remembered(o.seen, dayOf(m.Now), t.Settings.GetMemoryDays()) {
			i++
			continue
		}
		left = s.leave(left, i)
	}
	return left
}

func (s *State) leave(left []Unclaimed, i int) []Unclaimed {
	_, o := s.take(i)
	s.forgottenRefunds += o.refunded()
	if o.more != nil && o.more.from != nil {
		f := o.more.from
		left = append(left, Unclaimed{EventID: f.eventID, Topic: f.topic, Partition: f.partition, Offset: f.offset})
	}
	return left
}

// Trim drops what base time has made a stranger, oldest first, and what is more than the settings allow.
func (s *State) Trim(t *Terms, m Moment) (left []Unclaimed) {
	today := dayOf(m.Base)
	most := int(t.Settings.GetMemoryOrders())
	for len(s.book.rows) > 0 {
		o := &s.book.rows[0]
		expired := m.Based && o.flags&waiting == 0 && !remembered(o.seen, today, t.Settings.GetMemoryDays())
		if !expired && len(s.book.rows) <= most {
			break
		}
		if o.flags&waiting != 0 {
			left = s.leave(left, 0)
			continue
		}
		s.forget(0)
	}
	drop := max(0, len(s.recent)-int(t.Settings.GetDedupEvents()))
	for drop < len(s.recent) && m.Based && !remembered(s.recent[drop].day, today, t.Settings.GetDedupDays()) {
		drop++
	}
	for _, r := range s.recent[:drop] {
		s.recalled.drop(r.mark >> 16)
	}
	s.recent = s.recent[drop:] // nothing is moved: a full memory drops one with each event
	return left
}

// LeavesAt is when the first waiting refund or cancellation leaves memory, ms; 0: none waits.
func (s *State) LeavesAt(t *Terms) int64 {
	if s.waiting == 0 {
		return 0
	}
	first := int64(0)
	for i := range s.book.rows {
		if o := &s.book.rows[i]; o.flags&waiting != 0 {
			at := (int64(o.seen) + int64(t.Settings.GetMemoryDays()) + 1) * DayMS
			if first == 0 || at < first {
				first = at
			}
		}
	}
	return first
}
