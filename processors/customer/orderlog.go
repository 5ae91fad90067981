package customer

import (
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// orderLog holds the remembered orders by time, then mark. The marks stand apart, so that looking for one reads little memory.
type orderLog struct {
	fingerprints []uint64 // 40 bits of the id's hash, then 16 of the facts'
	rows         []order
	filter       countingFilter // of the id's part of the marks; nil while there are few
}

type order struct {
	occurredAt int64 // of the purchase; while it waits, the latest of what is known of it
	total      int64
	day        int32 // civil
	foldedDay  int32 // UTC day on which it was folded
	flags      uint8
	details    *details // nil: a plain order, as most are
}

const (
	pending           = 1 << iota // for its purchase
	cancelled                     // by a cancellation
	cancelledSnapshot             // by its newest snapshot
)

type details struct {
	updatedAt    int64
	refunds      []refund // by mark
	refunded     int64    // what counts of them
	cancellation *pendingCancellation
}

// refund's fingerprint is 63 bits of its id's hash, and 1 where the newest snapshot of the order told it, 0 where it was told apart.
type refund struct {
	fingerprint uint64
	total       int64
}

// pendingCancellation is what the rejection of a cancellation that never finds its order will have to say.
type pendingCancellation struct {
	eventID   string
	topic     string
	partition int32
	offset    int64
}

func orderFingerprint(id string, facts uint64) uint64 {
	return xxhash.Sum64String(id)>>24<<16 | facts>>48
}

// size takes every order for one with some details: what it is for is a bound, and it is asked for often.
func (b *orderLog) size() int {
	const details = 24
	return 8*cap(b.fingerprints) + 48*cap(b.rows) + details*len(b.rows) + len(b.filter)
}

// find looks newest first.
func (b *orderLog) find(fingerprint uint64) int {
	if len(b.fingerprints) > filteredFrom {
		if b.filter.tooSmall(len(b.fingerprints)) {
			b.filter = newCountingFilter(len(b.fingerprints))
			for _, m := range b.fingerprints {
				b.filter.add(m >> 16)
			}
		}
		if b.filter.rulesOut(fingerprint >> 16) {
			return -1
		}
	}
	for i := len(b.fingerprints) - 1; i >= 0; i-- { //nolint:modernize // an iterator is a call for each of a thousand
		if (b.fingerprints[i]^fingerprint)>>16 == 0 {
			return i
		}
	}
	return -1
}

func (b *orderLog) insert(fingerprint uint64, o order) {
	i := len(b.rows)
	for i > 0 && (b.rows[i-1].occurredAt > o.occurredAt || b.rows[i-1].occurredAt == o.occurredAt && b.fingerprints[i-1]>>16 > fingerprint>>16) {
		i--
	}
	b.fingerprints = slices.Insert(b.fingerprints, i, fingerprint)
	b.rows = slices.Insert(b.rows, i, o)
	b.filter.add(fingerprint >> 16)
}

func (b *orderLog) remove(i int) (fingerprint uint64, o order) {
	fingerprint, o = b.fingerprints[i], b.rows[i]
	b.filter.drop(fingerprint >> 16)
	if i == 0 { // the oldest goes whenever a new one comes to a full orderLog: nothing is moved
		b.rows[0] = order{}
		b.fingerprints, b.rows = b.fingerprints[1:], b.rows[1:]
		return fingerprint, o
	}
	b.fingerprints = slices.Delete(b.fingerprints, i, i+1)
	b.rows = slices.Delete(b.rows, i, i+1)
	return fingerprint, o
}

func (b *orderLog) latestStanding() (int64, bool) {
	for i := len(b.rows) - 1; i >= 0; i-- {
		if b.rows[i].stands() {
			return b.rows[i].occurredAt, true
		}
	}
	return 0, false
}

func (o *order) refunded() int64 {
	if o.details == nil {
		return 0
	}
	return o.details.refunded
}

func (o *order) updatedAt() int64 {
	if o.details == nil {
		return 0
	}
	return o.details.updatedAt
}

// stands says that the order counts: neither cancelled nor refunded in full. An order of nothing counts.
func (o *order) stands() bool {
	refunded := o.refunded()
	return o.flags == 0 && (refunded == 0 || refunded < o.total)
}

// excess is what was refunded beyond the order's total.
func (o *order) excess() int64 {
	if o.flags != 0 {
		return 0
	}
	return max(0, o.refunded()-o.total)
}

// owed is what a pending order takes from the historic value: its refunds, unless it is cancelled and will add nothing.
func (o *order) pendingRefunds() int64 {
	if o.flags != pending {
		return 0
	}
	return o.refunded()
}

func (o *order) ensureDetails() *details {
	if o.details == nil {
		o.details = new(details)
	}
	return o.details
}

// tidy leaves a plain order without details, so that equal orders are equal bytes.
func (o *order) dropEmptyDetails() {
	if d := o.details; d != nil && d.updatedAt == 0 && len(d.refunds) == 0 && d.cancellation == nil {
		o.details = nil
	}
}

func refundFingerprint(id string) uint64 { return xxhash.Sum64String(id) &^ 1 }

// told returns the amount of a refund that was told apart.
func (d *details) separateRefund(fingerprint uint64) (int64, bool) {
	i, ok := d.search(fingerprint)
	if !ok {
		return 0, false
	}
	return d.refunds[i].total, true
}

func (d *details) search(fingerprint uint64) (int, bool) {
	return slices.BinarySearchFunc(d.refunds, fingerprint, func(r refund, m uint64) int {
		switch {
		case r.fingerprint < m:
			return -1
		case r.fingerprint > m:
			return 1
		}
		return 0
	})
}

func (d *details) addRefund(fingerprint uint64, total int64) {
	if i, ok := d.search(fingerprint); !ok {
		d.refunds = slices.Insert(d.refunds, i, refund{fingerprint, total})
	}
	d.sumRefunds()
}

// replace forgets what earlier snapshots told, and takes what this one tells.
func (d *details) replaceSnapshot(t *Terms, currency string, refunds []*ledger.Refund) {
	d.refunds = slices.DeleteFunc(d.refunds, func(r refund) bool { return r.fingerprint&1 == 1 })
	for _, r := range refunds {
		if total, ok := t.Convert(currency, r.GetTotal()); ok {
			d.addRefund(refundFingerprint(r.GetRefundId())|1, total)
		}
	}
	d.sumRefunds()
}

// sum counts each refund once: one told apart goes before the snapshot's word on it.
func (d *details) sumRefunds() {
	d.refunded = 0
	for i, r := range d.refunds {
		if r.fingerprint&1 == 1 && i > 0 && d.refunds[i-1].fingerprint == r.fingerprint&^1 {
			continue
		}
		d.refunded = min(d.refunded+r.total, 1<<62)
	}
}
