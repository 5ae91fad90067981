package customer

import (
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// book holds the remembered orders by time, then mark. The marks stand apart, so that looking for one reads little memory.
type book struct {
	marks []uint64 // 40 bits of the id's hash, then 16 of the facts'
	rows  []order
	known sieve // of the id's part of the marks; nil while there are few
}

type order struct {
	at    int64 // of the purchase; while it waits, the latest of what is known of it
	total int64
	day   int32 // civil
	seen  int32 // UTC day on which it was folded
	flags uint8
	more  *details // nil: a plain order, as most are
}

const (
	waiting           = 1 << iota // for its purchase
	cancelled                     // by a cancellation
	cancelledSnapshot             // by its newest snapshot
)

type details struct {
	updatedAt int64
	refunds   []refund // by mark
	refunded  int64    // what counts of them
	from      *claimant
}

// refund's mark is 63 bits of its id's hash, and 1 where the newest snapshot of the order told it, 0 where it was told apart.
type refund struct {
	mark  uint64
	total int64
}

// claimant is what the rejection of a cancellation that never finds its order will have to say.
type claimant struct {
	eventID   string
	topic     string
	partition int32
	offset    int64
}

func orderMark(id string, facts uint64) uint64 { return xxhash.Sum64String(id)>>24<<16 | facts>>48 }

// size takes every order for one with some details: what it is for is a bound, and it is asked for often.
func (b *book) size() int {
	const details = 24
	return 8*cap(b.marks) + 48*cap(b.rows) + details*len(b.rows) + len(b.known)
}

// find looks newest first.
func (b *book) find(mark uint64) int {
	if len(b.marks) > sieved {
		if b.known.narrow(len(b.marks)) {
			b.known = newSieve(len(b.marks))
			for _, m := range b.marks {
				b.known.add(m >> 16)
			}
		}
		if b.known.lacks(mark >> 16) {
			return -1
		}
	}
	for i := len(b.marks) - 1; i >= 0; i-- { //nolint:modernize // an iterator is a call for each of a thousand
		if (b.marks[i]^mark)>>16 == 0 {
			return i
		}
	}
	return -1
}

func (b *book) insert(mark uint64, o order) {
	i := len(b.rows)
	for i > 0 && (b.rows[i-1].at > o.at || b.rows[i-1].at == o.at && b.marks[i-1]>>16 > mark>>16) {
		i--
	}
	b.marks = slices.Insert(b.marks, i, mark)
	b.rows = slices.Insert(b.rows, i, o)
	b.known.add(mark >> 16)
}

func (b *book) remove(i int) (mark uint64, o order) {
	mark, o = b.marks[i], b.rows[i]
	b.known.drop(mark >> 16)
	if i == 0 { // the oldest goes whenever a new one comes to a full book: nothing is moved
		b.rows[0] = order{}
		b.marks, b.rows = b.marks[1:], b.rows[1:]
		return mark, o
	}
	b.marks = slices.Delete(b.marks, i, i+1)
	b.rows = slices.Delete(b.rows, i, i+1)
	return mark, o
}

func (b *book) latestStanding() (int64, bool) {
	for i := len(b.rows) - 1; i >= 0; i-- {
		if b.rows[i].stands() {
			return b.rows[i].at, true
		}
	}
	return 0, false
}

func (o *order) refunded() int64 {
	if o.more == nil {
		return 0
	}
	return o.more.refunded
}

func (o *order) updatedAt() int64 {
	if o.more == nil {
		return 0
	}
	return o.more.updatedAt
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

// owed is what a waiting order takes from the historic value: its refunds, unless it is cancelled and will add nothing.
func (o *order) owed() int64 {
	if o.flags != waiting {
		return 0
	}
	return o.refunded()
}

func (o *order) details() *details {
	if o.more == nil {
		o.more = new(details)
	}
	return o.more
}

// tidy leaves a plain order without details, so that equal orders are equal bytes.
func (o *order) tidy() {
	if d := o.more; d != nil && d.updatedAt == 0 && len(d.refunds) == 0 && d.from == nil {
		o.more = nil
	}
}

func refundMark(id string) uint64 { return xxhash.Sum64String(id) &^ 1 }

// told returns the amount of a refund that was told apart.
func (d *details) told(mark uint64) (int64, bool) {
	i, ok := d.search(mark)
	if !ok {
		return 0, false
	}
	return d.refunds[i].total, true
}

func (d *details) search(mark uint64) (int, bool) {
	return slices.BinarySearchFunc(d.refunds, mark, func(r refund, m uint64) int {
		switch {
		case r.mark < m:
			return -1
		case r.mark > m:
			return 1
		}
		return 0
	})
}

func (d *details) put(mark uint64, total int64) {
	if i, ok := d.search(mark); !ok {
		d.refunds = slices.Insert(d.refunds, i, refund{mark, total})
	}
	d.sum()
}

// replace forgets what earlier snapshots told, and takes what this one tells.
func (d *details) replace(t *Terms, currency string, refunds []*ledger.Refund) {
	d.refunds = slices.DeleteFunc(d.refunds, func(r refund) bool { return r.mark&1 == 1 })
	for _, r := range refunds {
		if total, ok := t.Convert(currency, r.GetTotal()); ok {
			d.put(refundMark(r.GetRefundId())|1, total)
		}
	}
	d.sum()
}

// sum counts each refund once: one told apart goes before the snapshot's word on it.
func (d *details) sum() {
	d.refunded = 0
	for i, r := range d.refunds {
		if r.mark&1 == 1 && i > 0 && d.refunds[i-1].mark == r.mark&^1 {
			continue
		}
		d.refunded = min(d.refunded+r.total, 1<<62)
	}
}
