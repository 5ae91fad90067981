package customer

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// An order is a set of registers: its amount, time, status and refunds. Each holds the newest statement of it, by updated_at, and
// a snapshot that does not state one of them leaves it as it is. The content decides between statements of the same time. So the
// registers come to the same whatever the order of arrival.

// apply merges a snapshot into the order. It reports whether anything has changed, and whether the order's amount contradicts that
// of the snapshot although both have the same updated_at.
func (o *order) apply(t *Terms, e *ledger.Event, p *ledger.Purchase, total int64) (changed, conflict bool) {
	arrived, version := o.flags&pending == 0, p.GetUpdatedAt()
	d := o.ensureDetails()
	timeChanged := o.applyTime(e.GetOccurredAt(), version, !p.GetTimeStoodIn(), arrived)
	amountChanged, conflict := o.applyAmount(t, p, total, arrived)
	changed = !arrived || timeChanged || amountChanged
	// Without updated_at a snapshot is older than all others, so it says nothing with a status that is not cancelled, or without
	// refunds.
	if p.GetCancelled() || p.GetStatusStated() && version != 0 {
		changed = o.applyStatus(p.GetCancelled(), version) || changed
	}
	if len(p.GetRefunds()) > 0 || p.GetRefundsStated() && version != 0 {
		changed = o.applyRefunds(t, p, version) || changed
	}
	o.day = t.Day(o.occurredAt)
	o.flags &^= pending
	d.cancellation = nil
	o.sumRefunds()
	o.dropEmptyDetails()
	return changed, conflict
}

func (o *order) applyAmount(t *Terms, p *ledger.Purchase, total int64, arrived bool) (changed, conflict bool) {
	d, next := o.details, t.foreign(p.GetCurrency(), p.GetTotal())
	if arrived && p.GetUpdatedAt() <= d.updatedAt {
		if p.GetUpdatedAt() < d.updatedAt || total == o.total && next.equal(d.foreign) {
			return false, false
		}
		if total < o.total || total == o.total && next.compare(d.foreign) < 0 {
			return false, true
		}
	}
	d.updatedAt, d.foreign, o.total = p.GetUpdatedAt(), next, total
	return true, false
}

// applyTime sets the time of the order. A time that stands in for one that is not stated only yields to a stated one, or to an
// earlier one that stands in.
func (o *order) applyTime(at, version int64, stated, arrived bool) bool {
	d, stoodIn := o.details, o.flags&timeStoodIn != 0
	switch {
	case !arrived:
	case !stated && (!stoodIn || at >= o.occurredAt):
		return false
	case stated && !stoodIn && (version < d.timeAt || version == d.timeAt && at <= o.occurredAt):
		return false
	}
	o.occurredAt = at
	if stated {
		o.flags &^= timeStoodIn
		d.timeAt = version
	} else {
		o.flags |= timeStoodIn
	}
	return true
}

// applyStatus applies a statement that the order is cancelled, or that it is not, as of a time. Of two at the same time the
// cancellation holds.
func (o *order) applyStatus(isCancelled bool, at int64) bool {
	d := o.details
	if o.flags&statusStated != 0 && (at < d.statusAt || at == d.statusAt && (!isCancelled || o.flags&cancelled != 0)) {
		return false
	}
	o.flags = o.flags&^cancelled | statusStated
	if isCancelled {
		o.flags |= cancelled
	}
	d.statusAt = at
	return true
}

// applyRefunds replaces the refunds that snapshots have stated. Of two lists at the same time the one that refunds more holds.
func (o *order) applyRefunds(t *Terms, p *ledger.Purchase, at int64) bool {
	d := o.details
	if o.flags&refundsStated != 0 && at < d.refundsAt {
		return false
	}
	next := make([]refund, 0, len(p.GetRefunds()))
	for _, r := range p.GetRefunds() {
		if made, ok := t.refund(r.GetRefundId(), p.GetCurrency(), r.GetTotal()); ok {
			made.fingerprint |= 1
			made.at = wholeSeconds(cmp.Or(r.GetOccurredAt(), at))
			next = append(next, made)
		}
	}
	slices.SortFunc(next, compareRefunds)
	next = slices.CompactFunc(next, func(a, b refund) bool { return a.fingerprint == b.fingerprint })
	if o.flags&refundsStated != 0 && at == d.refundsAt && !moreRefunded(next, d.refunds) {
		return false
	}
	d.refunds = slices.DeleteFunc(d.refunds, func(r refund) bool { return r.fingerprint&1 == 1 })
	d.refunds = append(d.refunds, next...)
	slices.SortFunc(d.refunds, compareRefunds)
	o.flags |= refundsStated
	d.refundsAt = at
	return true
}

func compareRefunds(a, b refund) int {
	return cmp.Or(cmp.Compare(a.fingerprint, b.fingerprint), cmp.Compare(a.total, b.total), cmp.Compare(a.amount, b.amount), strings.Compare(a.currency, b.currency), cmp.Compare(a.at, b.at))
}

// moreRefunded reports whether a list refunds more than those of all that snapshots state, or as much and is greater.
func moreRefunded(list, all []refund) bool {
	var known []refund
	for _, r := range all {
		if r.fingerprint&1 == 1 {
			known = append(known, r)
		}
	}
	sum := func(list []refund) (total int64) {
		for _, r := range list {
			total = min(total+r.total, 1<<62)
		}
		return total
	}
	return cmp.Or(cmp.Compare(sum(list), sum(known)), slices.CompareFunc(list, known, compareRefunds)) > 0
}

// stands reports whether the order is standing: neither pending, cancelled nor refunded in full. An order with a total of 0 is
// standing.
func (o *order) stands() bool {
	return o.flags&(pending|cancelled) == 0 && (o.details == nil || !o.details.whole)
}

// refunded returns what is refunded of the order's total, or of a pending order all that is.
func (o *order) refunded() int64 {
	if o.details == nil {
		return 0
	}
	return o.details.refunded
}

// net returns the total of a standing order less its refunds.
func (o *order) net() int64 { return o.total - o.refunded() }

// excess returns the amount refunded beyond the order's total; 0 for an order that is pending or cancelled.
func (o *order) excess() int64 {
	if o.details == nil || o.flags&(pending|cancelled) != 0 {
		return 0
	}
	return o.details.excess
}

// pendingRefunds returns the amount by which a pending order lowers the historic value: its refunds. A cancellation that waits with
// them does not take them back: the order may have left memory, and its total still stands in the historic value then.
func (o *order) pendingRefunds() int64 {
	if o.flags&pending == 0 {
		return 0
	}
	return o.refunded()
}

func (o *order) updatedAt() int64 {
	if o.details == nil {
		return 0
	}
	return o.details.updatedAt
}

func (o *order) ensureDetails() *details {
	if o.details == nil {
		o.details = new(details)
	}
	return o.details
}

// dropEmptyDetails removes details in which nothing is set, so that equal orders give equal bytes.
func (o *order) dropEmptyDetails() {
	d := o.details
	if d != nil && d.updatedAt == 0 && d.timeAt == 0 && d.statusAt == 0 && d.refundsAt == 0 && len(d.refunds) == 0 && d.reason == "" && d.foreign == nil && d.cancellation == nil {
		o.details = nil
	}
}

// wholeSeconds drops the milliseconds of a time.
func wholeSeconds(ms int64) int64 {
	return int64(dayOf(ms))*DayMS + (ms-int64(dayOf(ms))*DayMS)/1000*1000
}

func refundFingerprint(id string) uint64 { return xxhash.Sum64String(id) &^ 1 }

// refund returns a refund as an event of its own states it; false if there is no rate for its currency.
func (t *Terms) refund(id, currency string, amount int64) (refund, bool) {
	total, ok := t.Convert(currency, amount)
	r := refund{fingerprint: refundFingerprint(id), total: total}
	if currency != t.Unit.Currency {
		r.currency, r.amount = strings.Clone(currency), clamp(amount)
	}
	return r, ok
}

// separateRefund returns the refund with a fingerprint that an event of its own states.
func (d *details) separateRefund(fingerprint uint64) (refund, bool) {
	i, ok := d.search(fingerprint)
	if !ok {
		return refund{}, false
	}
	return d.refunds[i], true
}

// restateRefund merges another statement of a refund that is known: the earlier time holds, and the greater reason.
func (d *details) restateRefund(r refund) {
	if i, ok := d.search(r.fingerprint); ok {
		d.refunds[i].at, d.refunds[i].reason = min(d.refunds[i].at, r.at), max(d.refunds[i].reason, r.reason)
	}
}

// separateRefunds returns the number of refunds that events of their own state.
func (d *details) separateRefunds() (n int) {
	for i := range d.refunds {
		if d.refunds[i].fingerprint&1 == 0 {
			n++
		}
	}
	return n
}

func (d *details) search(fingerprint uint64) (int, bool) {
	return slices.BinarySearchFunc(d.refunds, fingerprint, func(r refund, m uint64) int { return cmp.Compare(r.fingerprint, m) })
}

// addRefund adds a refund of which separateRefund knows nothing.
func (o *order) addRefund(r refund) {
	d := o.details
	i, _ := d.search(r.fingerprint)
	d.refunds = slices.Insert(d.refunds, i, r)
	o.sumRefunds()
}

// stated reports whether an event of its own states a refund of a snapshot.
func (d *details) stated(i int) bool {
	return d.refunds[i].fingerprint&1 == 1 && i > 0 && d.refunds[i-1].fingerprint == d.refunds[i].fingerprint&^1
}

// sumRefunds counts each refund once: a refund that both an event of its own and a snapshot state, with the event's amount.
func (o *order) sumRefunds() {
	d := o.details
	if d == nil {
		return
	}
	f := d.foreign
	sum, total := int64(0), o.total
	if f != nil {
		total = f.total
	}
	for i := range d.refunds {
		r := &d.refunds[i]
		if d.stated(i) {
			continue
		}
		sum = min(sum+f.amountOf(r), 1<<62)
	}
	if o.flags&pending != 0 {
		d.refunded, d.excess, d.whole = sum, 0, false
		return
	}
	d.whole = sum > 0 && sum >= total
	d.excess = f.convert(max(0, sum-total))
	d.refunded = min(f.convert(sum), o.total)
	if d.whole {
		d.refunded = o.total
	}
}

// foreign returns the total of an order in another currency; nil for one in the base currency.
func (t *Terms) foreign(currency string, total int64) *foreign {
	if currency == t.Unit.Currency {
		return nil
	}
	r := t.rate(currency)
	return &foreign{currency: strings.Clone(currency), total: clamp(total), numerator: r.GetNumerator(), denominator: r.GetDenominator()}
}

func (f *foreign) equal(g *foreign) bool { return f == g || f != nil && g != nil && *f == *g }

// compare orders two totals of an order that are worth the same; one in the base currency comes first.
func (f *foreign) compare(g *foreign) int {
	switch {
	case f == nil:
		return -1
	case g == nil:
		return 1
	}
	return cmp.Or(strings.Compare(f.currency, g.currency), cmp.Compare(f.total, g.total), cmp.Compare(f.numerator, g.numerator), cmp.Compare(f.denominator, g.denominator))
}

// amountOf returns a refund's amount in the currency of the order.
func (f *foreign) amountOf(r *refund) int64 {
	switch {
	case f == nil:
		return r.total
	case r.currency == f.currency:
		return r.amount
	}
	return clamp(ratio(r.total, f.denominator, f.numerator))
}

// convert converts an amount in the currency of the order at the order's rate.
func (f *foreign) convert(amount int64) int64 {
	if f == nil {
		return amount
	}
	return clamp(ratio(amount, f.numerator, f.denominator))
}
