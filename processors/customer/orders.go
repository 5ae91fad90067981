package customer

import (
	"strings"

	"github.com/mainstay/mainstay/schemas/event"
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

// RecordPurchase records an order, or a snapshot of one: what the snapshot states holds unless a newer one states otherwise. Of
// several without updated_at the first holds.
func (s *State) RecordPurchase(t *Terms, m Moment, e *ledger.Event, p *ledger.Purchase) Change {
	total, ok := t.Convert(p.GetCurrency(), p.GetTotal())
	if !ok {
		return rejected(output.CurrencyUnknownRate)
	}
	fingerprint := orderFingerprint(p.GetOrderId(), e.GetFacts())
	o := order{flags: pending}
	if i := s.findOrder(t, m, fingerprint); i >= 0 {
		first := &s.orderLog.rows[i]
		if p.GetUpdatedAt() == 0 && first.flags&pending == 0 && first.updatedAt() == 0 {
			if s.orderLog.fingerprints[i] == fingerprint {
				return Change{Duplicate: true}
			}
			return rejected(output.OrderConflict)
		}
		var known uint64
		if known, o = s.removeOrder(i); o.flags&pending == 0 && p.GetUpdatedAt() <= o.updatedAt() {
			fingerprint = known // the facts of the snapshot that states the amount
		}
	}
	before := o.excess()
	changed, conflict := o.apply(t, e, p, total)
	if changed {
		o.foldedDay = max(o.foldedDay, dayOf(m.Now))
	}
	c := s.addOrder(fingerprint, o)
	c.setExcess(c.Excess - before)
	switch {
	case changed:
		return c
	case conflict:
		return rejected(output.OrderConflict)
	}
	return Change{Duplicate: true}
}

// RecordRefund refunds part of an order; if the order has not arrived, the refund stays pending.
func (s *State) RecordRefund(t *Terms, m Moment, e *ledger.Event, c *ledger.Cancellation) Change {
	r, ok := t.refund(c.GetRefundId(), c.GetCurrency(), c.GetTotal())
	if !ok {
		return rejected(output.CurrencyUnknownRate)
	}
	fingerprint, o, waits := s.removeForCancellation(t, m, c)
	r.at, r.reason = wholeSeconds(e.GetOccurredAt()), strings.Clone(c.GetReason())
	if known, ok := o.ensureDetails().separateRefund(r.fingerprint); ok {
		o.details.restateRefund(r)
		o.dropEmptyDetails()
		s.addOrder(fingerprint, o)
		if known.currency != r.currency || known.amount != r.amount || r.currency == "" && known.total != r.total {
			return rejected(output.EventConflict)
		}
		return Change{Duplicate: true}
	}
	//mutant:refunds-unlimited if false && $
	if o.details.separateRefunds() >= event.MaxRefunds {
		o.dropEmptyDetails()
		s.addOrder(fingerprint, o)
		return rejected(output.TooManyRefunds)
	}
	before := o.excess()
	o.addRefund(r)
	if waits {
		o.datePending(t, e.GetOccurredAt())
	}
	change := s.addOrder(fingerprint, o)
	change.setExcess(change.Excess - before)
	return change
}

// RecordCancellation cancels a whole order, unless a snapshot that is newer than the cancellation states its status. If the order
// has not arrived, the cancellation stays pending.
func (s *State) RecordCancellation(t *Terms, m Moment, e *ledger.Event, c *ledger.Cancellation, from *ledger.Origin) Change {
	fingerprint, o, waits := s.removeForCancellation(t, m, c)
	o.ensureDetails()
	changed := o.applyStatus(true, e.GetOccurredAt())
	o.applyReason(c.GetReason(), e.GetOccurredAt())
	if changed && waits {
		o.datePending(t, e.GetOccurredAt())
		o.details.cancellation = &pendingCancellation{
			eventID: strings.Clone(e.GetId()), topic: strings.Clone(from.GetTopic()), partition: from.GetPartition(), offset: from.GetOffset(),
		}
	}
	o.dropEmptyDetails()
	s.addOrder(fingerprint, o)
	return Change{Duplicate: !changed}
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
	end, reason := &s.SubscriptionEndedAt, &s.SubscriptionEndReason
	if c.GetKind() == ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT {
		end, reason = &s.AccountClosedAt, &s.AccountCloseReason
	}
	if at == *end {
		*reason = max(*reason, strings.Clone(c.GetReason()))
	}
	if at <= *end {
		return Change{Duplicate: true}
	}
	*end, *reason = at, strings.Clone(c.GetReason())
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
		s.days = s.days.Remove(o.day, o.net())
		s.net -= o.net()
		s.orders--
	}
	if o.flags&pending != 0 {
		s.pending--
	}
	s.unmatched -= o.pendingRefunds()
	o.eachCancellation(s.cancellations.Subtract)
	return fingerprint, o
}

// addOrder adds an order to memory and to the sums. The Excess that it returns is the whole excess of the order.
func (s *State) addOrder(fingerprint uint64, o order) Change {
	s.orderLog.insert(fingerprint, o)
	if o.stands() {
		s.days = s.days.Add(o.day, o.net())
		s.net += o.net()
		s.orders++
	}
	if o.flags&pending != 0 {
		s.pending++
	}
	s.unmatched += o.pendingRefunds()
	o.eachCancellation(s.cancellations.Add)
	change := Change{Excess: o.excess()}
	change.setExcess(change.Excess)
	return change
}

// forgetOrder removes an order from memory alone; the sums keep it.
func (s *State) forgetOrder(i int) {
	_, o := s.orderLog.remove(i)
	s.forgetCancellations(&o)
	if o.stands() {
		s.forgottenAt = max(s.forgottenAt, o.occurredAt)
	}
}
