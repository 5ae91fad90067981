package customer

import (
	"strings"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Change is the effect of an event on a customer.
type Change struct {
	// Duplicate is true if the same or something newer was known already; nothing changed.
	Duplicate bool
	// Reason is the reason of a rejection (schemas/output): the event, or its Excess, was not applied. Empty: it was applied.
	Reason string
	// Excess is the amount that this event refunds beyond the order's total, minor units.
	Excess int64
}

func rejected(reason string) Change { return Change{Reason: reason} }

// RecordPurchase records an order. The snapshot with the latest updated_at holds; without updated_at, the first.
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

// applySnapshot sets the order to a snapshot. A cancellation and refunds that events of their own state remain.
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

// RecordRefund refunds part of an order; if the order has not arrived, the refund stays pending.
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

// RecordCancellation cancels a whole order; if the order has not arrived, the cancellation stays pending.
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

// removeForCancellation removes the order that a cancellation names from memory, or returns a new pending order if there is none.
// waits is true if the order's purchase has not arrived.
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

// datePending moves the time of a pending order forward to that of one of its refunds or its cancellation.
func (o *order) datePending(t *Terms, at int64) {
	o.occurredAt = max(o.occurredAt, at)
	o.day = t.Day(o.occurredAt)
}

// RecordClosing records the end of a subscription or of the account; of several, the latest holds.
func (s *State) RecordClosing(e *ledger.Event, c *ledger.Cancellation) Change {
	at := c.GetEffectiveAt()
	if at == 0 {
		at = e.GetOccurredAt()
	}
	end := &s.SubscriptionEndedAt
	if c.GetKind() == ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT {
		end = &s.AccountClosedAt
	}
	if at <= *end {
		return Change{Duplicate: true}
	}
	*end = at
	return Change{}
}

// setExcess sets the rejection of a refund beyond the order's total, or none if there is no excess.
func (c *Change) setExcess(excess int64) {
	c.Reason, c.Excess = "", 0
	if excess > 0 {
		c.Reason, c.Excess = output.OverRefund, excess
	}
}

// findOrder returns the index of an order in memory, -1 if there is none. An order that has expired by now is dropped here, so
// that the same id makes a new order, whether or not Evict has run.
func (s *State) findOrder(t *Terms, m Moment, fingerprint uint64) int {
	i := s.orderLog.find(fingerprint)
	if i < 0 || s.orderLog.rows[i].flags&pending != 0 || remembered(s.orderLog.rows[i].foldedDay, dayOf(m.Now), t.Settings.GetMemoryDays()) {
		return i
	}
	s.forgetOrder(i)
	return -1
}

// remembered reports whether an item folded on a day is still in a memory of so many days.
func remembered(folded, today int32, days uint32) bool {
	return int64(today)-int64(folded) <= int64(days)
}

// removeOrder removes an order from memory and from the sums.
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

// addOrder adds an order to memory and to the sums. The Excess that it returns is the whole excess of the order.
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

// forgetOrder removes an order from memory alone; the sums keep it.
func (s *State) forgetOrder(i int) {
	_, o := s.orderLog.remove(i)
	if o.stands() {
		s.forgottenAt = max(s.forgottenAt, o.occurredAt)
	}
}
