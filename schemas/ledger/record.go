// Package ledger owns the wire contract of the ledger: the entry, its payloads, and the Kafka record around it.
//
// It refuses to interpret entries: processors defines the effect of an entry on a customer.
package ledger

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// Version is the version of the envelope. A reader stops at an entry with any other.
const Version = 1

// Topic returns the name of the ledger's topic under a namespace.
func Topic(namespace string) string { return namespace + ".ledger.v1" }

// AppendKey appends the Kafka key of an entry's record: 8 bytes of the customer's hash, then the nonce. It is unique per
// append, so that one entry can be erased by a tombstone without touching its neighbours.
func AppendKey(dst []byte, customer string, nonce uint64) []byte {
	dst = binary.BigEndian.AppendUint64(dst, xxhash.Sum64String(customer))
	return binary.BigEndian.AppendUint64(dst, nonce)
}

// Fingerprint returns a hash of the record at an offset. If it differs from that of the record that was read before, the topic was
// deleted and re-created, which neither its name nor its offsets show.
func Fingerprint(offset int64, key, value []byte) uint64 {
	var b [8]byte
	var d xxhash.Digest
	d.Reset()
	for _, part := range [...][]byte{binary.BigEndian.AppendUint64(b[:0], uint64(offset)), key, value} { //nolint:gosec // bits, not a number
		_, _ = d.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part)))) //nolint:gosec // a record is far below 4 GiB
		_, _ = d.Write(part)
	}
	return d.Sum64()
}

// FirstID returns the id of a ledger, or of the one that it is a copy of in the end: an import into that one counts for the copy too.
func FirstID(g *Genesis) string {
	if ids := g.GetCopiedFrom().GetLedgerIds(); len(ids) > 0 {
		return ids[len(ids)-1]
	}
	return g.GetLedgerId()
}
