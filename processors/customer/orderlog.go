package customer

import (
	"slices"

	"github.com/cespare/xxhash/v2"
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
	total      int64    // minor units of the base currency; of a pending order 0
	day        int32    // civil day of occurredAt
	foldedDay  int32    // UTC day on which it was folded last
	flags      uint8    // see the constants
	details    *details // nil: none, as for most orders
}

const (
	pending       = 1 << iota // its purchase has not arrived
	cancelled                 // the newest statement of its status says that it is cancelled
	timeStoodIn               // no snapshot has stated occurred_at
	statusStated              // its status was stated, at details.statusAt
	refundsStated             // a snapshot has stated its refunds, at details.refundsAt
)

// details are the fields that most orders do not have.
type details struct {
	updatedAt    int64                // of the newest snapshot, ms; 0: not stated
	timeAt       int64                // updated_at of the newest snapshot that states occurred_at
	statusAt     int64                // likewise the status; or the time of the cancellation, if that is later
	refundsAt    int64                // likewise the refunds
	refunds      []refund             // by fingerprint
	refunded     int64                // sum of the refunds in the base currency, each refund id counted once; at most the total
	excess       int64                // amount refunded beyond the total, likewise
	whole        bool                 // the whole order is refunded
	reason       string               // the newest reason stated for cancelling the order; empty: none
	reasonAt     int64                // when it was stated, ms
	foreign      *foreign             // nil: the order is in the base currency
	cancellation *pendingCancellation // nil unless a cancellation waits for the order
}

// refund is a refund of an order.
type refund struct {
	fingerprint uint64 // 63 bits of the hash of its id, then 1 if a snapshot of the order states it, 0 if an event of its own does
	total       int64  // minor units of the base currency
	currency    string // empty: the base currency
	amount      int64  // minor units of currency; 0 in the base currency
	at          int64  // when it happened, ms, whole seconds; of several statements the earliest
	reason      string // empty: not stated; of several statements the greatest
}

// foreign is the total of an order in another currency, and the rate at which the order was converted. Its refunds are summed in
// that currency and then converted at that rate: to convert each would leave a cent of an order that is refunded in full.
type foreign struct {
	currency               string
	total                  int64 // minor units of currency
	numerator, denominator int64 // of the rate
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
	const details = 34
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
