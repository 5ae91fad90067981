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
func (s *State) RecordPurchase(t *Terms, m Moment, e *ledger.Event, p *ledger.Purchase) Change {
	total, ok := t.Convert(p.GetCurrency(), p.GetTotal())
	if !ok {
		return rejected(output.CurrencyUnknownRate)
	}
	fingerprint := orderFingerprint(p.GetOrderId(), e.GetFacts())
	i := s.findOrder(t, m, fingerprint)
	if i < 0 {
		o := order{foldedDay: dayOf(m.Now)}
		o.applySnapshot(t, e, p, total)
		return s.addOrder(fingerprint, o)
	}
	if o := &s.orderLog.rows[i]; o.flags&pending == 0 {
		switch known := o.updatedAt(); {
		case s.orderLog.fingerprints[i] == fingerprint && p.GetUpdatedAt() == known:
			return Change{Duplicate: true}
		case p.GetUpdatedAt() == 0 || p.GetUpdatedAt() == known:
			return rejected(output.OrderConflict)
		case p.GetUpdatedAt() < known:
			return Change{Duplicate: true}
		}
	}
	_, o := s.removeOrder(i)
	before := o.excess()
	o.applySnapshot(t, e, p, total)
	o.foldedDay = max(o.foldedDay, dayOf(m.Now))
	c := s.addOrder(fingerprint, o)
	c.setExcess(c.Excess - before)
	return c
}

// state takes over what a snapshot says.
func (o *order) applySnapshot(t *Terms, e *ledger.Event, p *ledger.Purchase, total int64) {
	o.occurredAt, o.total, o.day = e.GetOccurredAt(), total, t.Day(e.GetOccurredAt())
	o.flags &^= pending | cancelledSnapshot
	if p.GetCancelled() {
		o.flags |= cancelledSnapshot
	}
	if o.details != nil || p.GetUpdatedAt() != 0 || len(p.GetRefunds()) > 0 {
		d := o.ensureDetails()
		d.updatedAt, d.cancellation = p.GetUpdatedAt(), nil
		d.replaceSnapshot(t, p.GetCurrency(), p.GetRefunds())
		o.dropEmptyDetails()
	}
}

// Refund lowers an order, or waits for it.
func (s *State) RecordRefund(t *Terms, m Moment, e *ledger.Event, c *ledger.Cancellation) Change {
	total, ok := t.Convert(c.GetCurrency(), c.GetTotal())
	if !ok {
		return rejected(output.CurrencyUnknownRate)
	}
	fingerprint, o, waits := s.removeForCancellation(t, m, c)
	id := refundFingerprint(c.GetRefundId())
	if known, ok := o.ensureDetails().separateRefund(id); ok {
		o.dropEmptyDetails()
		s.addOrder(fingerprint, o)
		if known != total {
			return rejected(output.EventConflict)
		}
		return Change{Duplicate: true}
	}
	before := o.excess()
	o.details.addRefund(id, total)
	if waits {
		o.datePending(t, e.GetOccurredAt())
	}
	change := s.addOrder(fingerprint, o)
	change.setExcess(change.Excess - before)
	return change
}

// Cancel takes back an order as a whole, or waits for it.
func (s *State) RecordCancellation(t *Terms, m Moment, e *ledger.Event, c *ledger.Cancellation, from *ledger.Origin) Change {
	fingerprint, o, waits := s.removeForCancellation(t, m, c)
	if o.flags&cancelled != 0 {
		s.addOrder(fingerprint, o)
		return Change{Duplicate: true}
	}
	o.flags |= cancelled
	if waits {
		o.datePending(t, e.GetOccurredAt())
		o.ensureDetails().cancellation = &pendingCancellation{
			eventID: strings.Clone(e.GetId()), topic: strings.Clone(from.GetTopic()), partition: from.GetPartition(), offset: from.GetOffset(),
		}
	}
	s.addOrder(fingerprint, o)
	return Change{}
}

// note takes the order that a cancellation names out of the orderLog; waits says that its purchase has not come.
func (s *State) removeForCancellation(t *Terms, m Moment, c *ledger.Cancellation) (fingerprint uint64, o order, waits bool) {
	fingerprint = orderFingerprint(c.GetOrderId(), 0)
	if i := s.findOrder(t, m, fingerprint); i >= 0 {
		fingerprint, o = s.removeOrder(i)
		if o.flags&pending != 0 {
			o.foldedDay = max(o.foldedDay, dayOf(m.Now))
		}
		return fingerprint, o, o.flags&pending != 0
	}
	return fingerprint, order{foldedDay: dayOf(m.Now), flags: pending}, true
}

// wait dates an order that has not come by the latest that is known of it.
func (o *order) datePending(t *Terms, at int64) {
	o.occurredAt = max(o.occurredAt, at)
	o.day = t.Day(o.occurredAt)
}

// Close records the end of a subscription or of the account; the latest time given stands.
func (s *State) RecordClosing(e *ledger.Event, c *ledger.Cancellation) Change {
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

func (c *Change) setExcess(more int64) {
	c.Reason, c.Excess = "", 0
	if more > 0 {
		c.Reason, c.Excess = output.OverRefund, more
	}
}

// find is where a remembered order stands in the orderLog, -1 when there is none. One that has outlived the memory is a
// stranger: it is dropped here, so that the same id makes a new order.
func (s *State) findOrder(t *Terms, m Moment, fingerprint uint64) int {
	i := s.orderLog.find(fingerprint)
	if i < 0 || s.orderLog.rows[i].flags&pending != 0 || remembered(s.orderLog.rows[i].foldedDay, dayOf(m.Now), t.Settings.GetMemoryDays()) {
		return i
	}
	s.forgetOrder(i)
	return -1
}

func remembered(seen, today int32, days uint32) bool { return int64(today)-int64(seen) <= int64(days) }

// take removes an order and all that it adds to the sums.
func (s *State) removeOrder(i int) (uint64, order) {
	fingerprint, o := s.orderLog.remove(i)
	if o.stands() {
		net := o.total - o.refunded()
		s.days = s.days.Remove(o.day, net)
		s.net -= net
		s.orders--
	}
	if o.flags&pending != 0 {
		s.pending--
	}
	s.unmatched -= o.pendingRefunds()
	return fingerprint, o
}

// enter puts an order into the orderLog and into the sums. Excess of the change is the whole excess of the order.
func (s *State) addOrder(fingerprint uint64, o order) Change {
	s.orderLog.insert(fingerprint, o)
	if o.stands() {
		net := o.total - o.refunded()
		s.days = s.days.Add(o.day, net)
		s.net += net
		s.orders++
	}
	if o.flags&pending != 0 {
		s.pending++
	}
	s.unmatched += o.pendingRefunds()
	change := Change{Excess: o.excess()}
	change.setExcess(change.Excess)
	return change
}

// forget drops an order from memory; what it added to the sums stays.
func (s *State) forgetOrder(i int) {
	_, o := s.orderLog.remove(i)
	if o.stands() {
		s.forgottenAt = max(s.forgottenAt, o.occurredAt)
	}
}
