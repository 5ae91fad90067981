package customer

import (
	"strings"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Change is what an event did.
type Change struct {
	// Duplicate: the same was known already, or something newer; nothing changed.
	Duplicate bool
	// Reason, when not empty, is the rejection's (schemas/output): the event, or the Excess of it, was not applied.
	Reason string
	// Excess is what was refunded beyond an order's total, minor units.
	Excess int64
}

func rejected(reason string) Change { return Change{Reason: reason} }

// Purchase records an order. Its newest snapshot stands; without updated_at the first.
func (s *State) Purchase(t *Terms, m Moment, e *ledger.Event, p *ledger.Purchase) Change {
	total, ok := t.Convert(p.GetCurrency(), p.GetTotal())
	if !ok {
		return rejected(output.CurrencyUnknownRate)
	}
	mark := orderMark(p.GetOrderId(), e.GetFacts())
	i := s.find(t, m, mark)
	if i < 0 {
		o := order{seen: dayOf(m.Now)}
		o.state(t, e, p, total)
		return s.enter(mark, o)
	}
	if o := &s.book.rows[i]; o.flags&waiting == 0 {
		switch known := o.updatedAt(); {
		case s.book.marks[i] == mark && p.GetUpdatedAt() == known:
			return Change{Duplicate: true}
		case p.GetUpdatedAt() == 0 || p.GetUpdatedAt() == known:
			return rejected(output.OrderConflict)
		case p.GetUpdatedAt() < known:
			return Change{Duplicate: true}
		}
	}
	_, o := s.take(i)
	before := o.excess()
	o.state(t, e, p, total)
	o.seen = max(o.seen, dayOf(m.Now))
	c := s.enter(mark, o)
	c.exceed(c.Excess - before)
	return c
}

// state takes over what a snapshot says.
func (o *order) state(t *Terms, e *ledger.Event, p *ledger.Purchase, total int64) {
	o.at, o.total, o.day = e.GetOccurredAt(), total, t.Day(e.GetOccurredAt())
	o.flags &^= waiting | cancelledSnapshot
	if p.GetCancelled() {
		o.flags |= cancelledSnapshot
	}
	if o.more != nil || p.GetUpdatedAt() != 0 || len(p.GetRefunds()) > 0 {
		d := o.details()
		d.updatedAt, d.from = p.GetUpdatedAt(), nil
		d.replace(t, p.GetCurrency(), p.GetRefunds())
		o.tidy()
	}
}

// Refund lowers an order, or waits for it.
func (s *State) Refund(t *Terms, m Moment, e *ledger.Event, c *ledger.Cancellation) Change {
	total, ok := t.Convert(c.GetCurrency(), c.GetTotal())
	if !ok {
		return rejected(output.CurrencyUnknownRate)
	}
	mark, o, waits := s.note(t, m, c)
	id := refundMark(c.GetRefundId())
	if known, ok := o.details().told(id); ok {
		o.tidy()
		s.enter(mark, o)
		if known != total {
			return rejected(output.EventConflict)
		}
		return Change{Duplicate: true}
	}
	before := o.excess()
	o.more.put(id, total)
	if waits {
		o.wait(t, e.GetOccurredAt())
	}
	change := s.enter(mark, o)
	change.exceed(change.Excess - before)
	return change
}

// Cancel takes back an order as a whole, or waits for it.
func (s *State) Cancel(t *Terms, m Moment, e *ledger.Event, c *ledger.Cancellation, from *ledger.Origin) Change {
	mark, o, waits := s.note(t, m, c)
	if o.flags&cancelled != 0 {
		s.enter(mark, o)
		return Change{Duplicate: true}
	}
	o.flags |= cancelled
	if waits {
		o.wait(t, e.GetOccurredAt())
		o.details().from = &claimant{
			eventID: strings.Clone(e.GetId()), topic: strings.Clone(from.GetTopic()), partition: from.GetPartition(), offset: from.GetOffset(),
		}
	}
	s.enter(mark, o)
	return Change{}
}

// note takes the order that a cancellation names out of the book; waits says that its purchase has not come.
func (s *State) note(t *Terms, m Moment, c *ledger.Cancellation) (mark uint64, o order, waits bool) {
	mark = orderMark(c.GetOrderId(), 0)
	if i := s.find(t, m, mark); i >= 0 {
		mark, o = s.take(i)
		if o.flags&waiting != 0 {
			o.seen = max(o.seen, dayOf(m.Now))
		}
		return mark, o, o.flags&waiting != 0
	}
	return mark, order{seen: dayOf(m.Now), flags: waiting}, true
}

// wait dates an order that has not come by the latest that is known of it.
func (o *order) wait(t *Terms, at int64) {
	o.at = max(o.at, at)
	o.day = t.Day(o.at)
}

// Close records the end of a subscription or of the account; the latest time given stands.
func (s *State) Close(e *ledger.Event, c *ledger.Cancellation) Change {
	at := c.GetEffectiveAt()
	if at == 0 {
		at = e.GetOccurredAt()
	}
	place := &s.SubscriptionEndedAt
	if c.GetKind() == ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT {
		place = &s.AccountClosedAt
	}
	if at <= *place {
		return Change{Duplicate: true}
	}
	*place = at
	return Change{}
}

func (c *Change) exceed(more int64) {
	c.Reason, c.Excess = "", 0
	if more > 0 {
		c.Reason, c.Excess = output.OverRefund, more
	}
}

// find is where a remembered order stands in the book, -1 when there is none. One that has outlived the memory is a
// stranger: it is dropped here, so that the same id makes a new order.
func (s *State) find(t *Terms, m Moment, mark uint64) int {
	i := s.book.find(mark)
	if i < 0 || s.book.rows[i].flags&waiting != 0 || remembered(s.book.rows[i].seen, dayOf(m.Now), t.Settings.GetMemoryDays()) {
		return i
	}
	s.forget(i)
	return -1
}

func remembered(seen, today int32, days uint32) bool { return int64(today)-int64(seen) <= int64(days) }

// take removes an order and all that it adds to the sums.
func (s *State) take(i int) (uint64, order) {
	mark, o := s.book.remove(i)
	if o.stands() {
		net := o.total - o.refunded()
		s.days = s.days.Remove(o.day, net)
		s.net -= net
		s.orders--
	}
	if o.flags&waiting != 0 {
		s.waiting--
	}
	s.unmatched -= o.owed()
	return mark, o
}

// enter puts an order into the book and into the sums. Excess of the change is the whole excess of the order.
func (s *State) enter(mark uint64, o order) Change {
	s.book.insert(mark, o)
	if o.stands() {
		net := o.total - o.refunded()
		s.days = s.days.Add(o.day, net)
		s.net += net
		s.orders++
	}
	if o.flags&waiting != 0 {
		s.waiting++
	}
	s.unmatched += o.owed()
	change := Change{Excess: o.excess()}
	change.exceed(change.Excess)
	return change
}

// forget drops an order from memory; what it added to the sums stays.
func (s *State) forget(i int) {
	_, o := s.book.remove(i)
	if o.stands() {
		s.forgottenAt = max(s.forgottenAt, o.at)
	}
}
