package customer

import (
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// orderLog holds the orders in memory, by time, then fingerprint. The fingerprints are a slice of their own, so that a search
// reads little memory.
type orderLog struct {
	fingerprints []uint64       // of the rows, each 40 bits of the id's hash, then 16 of the facts'
	rows         []order        // as long as fingerprints
	filter       countingFilter // holds the fingerprints without the bits of the facts; nil while there are few
}

// order is an order in memory, or what is known of one whose purchase has not arrived.
type order struct {
	occurredAt int64    // of the purchase, ms; of a pending order, the latest time of its refunds and cancellation
	total      int64    // minor units; of a pending order 0
	day        int32    // civil day of occurredAt
	foldedDay  int32    // UTC day on which it was folded last
	flags      uint8    // see the constants
	details    *details // nil: none, as for most orders
}

const (
	pending           = 1 << iota // its purchase has not arrived
	cancelled                     // a cancellation has cancelled it
	cancelledSnapshot             // its newest snapshot states that it is cancelled
)

// details are the fields that most orders do not have.
type details struct {
	updatedAt    int64                // of the newest snapshot, ms; 0: not stated
	refunds      []refund             // by fingerprint
	refunded     int64                // sum of the refunds, each refund id counted once
	cancellation *pendingCancellation // nil unless a cancellation waits for the order
}

// refund is a refund of an order.
type refund struct {
	fingerprint uint64 // 63 bits of the hash of its id, then 1 if the order's newest snapshot states it, 0 if an event of its own does
	total       int64  // minor units
}

// pendingCancellation holds the fields of the rejection that is published if the order of a cancellation does not arrive.
type pendingCancellation struct {
	eventID   string
	topic     string
	partition int32
	offset    int64
}

func orderFingerprint(id string, facts uint64) uint64 {
	return xxhash.Sum64String(id)>>24<<16 | facts>>48
}

// size estimates how many bytes of memory the log takes. It counts some details for every order, since it is called often and
// only bounds a cache: to count them exactly would scan all orders.
func (b *orderLog) size() int {
	const details = 24
	return 8*cap(b.fingerprints) + 48*cap(b.rows) + details*len(b.rows) + len(b.filter)
}

// find returns the index of the newest order with the id of a fingerprint, -1 if there is none.
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
	for i := len(b.fingerprints) - 1; i >= 0; i-- { //nolint:modernize // an iterator costs a call per order
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
	if i == 0 { // without a copy: a full log drops its oldest order with each new one
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

// stands reports whether the order is standing: neither pending, cancelled nor refunded in full. An order with a total of 0 is
// standing.
func (o *order) stands() bool {
	refunded := o.refunded()
	return o.flags == 0 && (refunded == 0 || refunded < o.total)
}

// excess returns the amount refunded beyond the order's total; 0 for an order that is pending or cancelled.
func (o *order) excess() int64 {
	if o.flags != 0 {
		return 0
	}
	return max(0, o.refunded()-o.total)
}

// pendingRefunds returns the amount by which a pending order lowers the historic value: its refunds. It is 0 for a cancelled one,
// which will add nothing when its purchase arrives.
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

// dropEmptyDetails removes details in which nothing is set, so that equal orders give equal bytes.
func (o *order) dropEmptyDetails() {
	if d := o.details; d != nil && d.updatedAt == 0 && len(d.refunds) == 0 && d.cancellation == nil {
		o.details = nil
	}
}

func refundFingerprint(id string) uint64 { return xxhash.Sum64String(id) &^ 1 }

// separateRefund returns the amount of a refund that an event of its own states.
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

// replaceSnapshot replaces the refunds of earlier snapshots by those of a newer one.
func (d *details) replaceSnapshot(t *Terms, currency string, refunds []*ledger.Refund) {
	d.refunds = slices.DeleteFunc(d.refunds, func(r refund) bool { return r.fingerprint&1 == 1 })
	for _, r := range refunds {
		if total, ok := t.Convert(currency, r.GetTotal()); ok {
			d.addRefund(refundFingerprint(r.GetRefundId())|1, total)
		}
	}
	d.sumRefunds()
}

// sumRefunds counts each refund once: a refund that both an event of its own and the snapshot state, with the event's amount.
func (d *details) sumRefunds() {
	d.refunded = 0
	for i, r := range d.refunds {
		if r.fingerprint&1 == 1 && i > 0 && d.refunds[i-1].fingerprint == r.fingerprint&^1 {
			continue
		}
		d.refunded = min(d.refunded+r.total, 1<<62)
	}
}
