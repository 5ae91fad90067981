package redis

import (
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Meta describes the state of a partition in Redis.
type Meta struct {
	Exists      bool   // false: no snapshot was begun, or it was deleted
	LedgerID    string // from the ledger's genesis entry
	Snapshot    string // name of the snapshot, part of the keys of blobs and timers
	Offset      int64  // R: the next ledger offset to fold
	CommitID    string // of the last commit, or of BeginSnapshot
	State       []byte // the partition's own state; nil before the first commit
	Fingerprint uint64 // of ledger entry R-1, to recognise a replaced ledger
	UpdatedAt   int64  // Unix ms, by the committer's clock
	customers   int64  // number of customers with a blob, to recognise a hash that has lost some
	groups      uint32 // number of timer groups
}

// metaFormat is the version of the layout in Redis. State in formerFormat, which has neither checksums nor a count of customers, is folded
// again from the ledger instead of being migrated.
const (
	metaFormat   = "2"
	formerFormat = "1"
)

// metaFields are the fields in the order in which parseMeta reads them.
func metaFields() []string {
	return []string{"ledger", "snapshot", "offset", "commit", "state", "fingerprint", "updated", "groups", "format", "customers"}
}

// values returns meta as field-value pairs for HSET.
func (m Meta) values() []any {
	return []any{
		"commit", m.CommitID, "format", metaFormat, "ledger", m.LedgerID, "snapshot", m.Snapshot,
		"offset", strconv.FormatInt(m.Offset, 10), "state", m.State, "fingerprint", strconv.FormatUint(m.Fingerprint, 16),
		"updated", strconv.FormatInt(m.UpdatedAt, 10), "groups", strconv.FormatUint(uint64(m.groups), 10),
		"customers", strconv.FormatInt(m.customers, 10),
	}
}

// parseMeta reads the reply to HMGET of metaFields.
func parseMeta(cmd *redis.SliceCmd) (Meta, error) {
	reply, err := cmd.Result()
	if err != nil {
		return Meta{}, err
	}
	fields := metaFields()
	if len(reply) != len(fields) {
		return Meta{}, fmt.Errorf("%w: %d fields in meta instead of %d", ErrTorn, len(reply), len(fields))
	}
	text := func(i int) string { s, _ := reply[i].(string); return s }
	var bad error
	number := func(i, base, bits int) uint64 {
		v, err := strconv.ParseUint(text(i), base, bits)
		if err != nil && bad == nil {
			bad = fmt.Errorf("%w: meta field %s is no number", ErrTorn, fields[i])
		}
		return v
	}
	if text(1) == "" { // no snapshot: at most the token of a claim
		return Meta{}, nil
	}
	if f := text(8); f == formerFormat {
		return Meta{}, fmt.Errorf("%w: it has format %s of an earlier release, this one writes %s", ErrTorn, f, metaFormat)
	} else if f != metaFormat {
		return Meta{}, fmt.Errorf("%w: %q, this release writes %q", ErrUnknownFormat, f, metaFormat)
	}
	m := Meta{
		Exists: true, LedgerID: text(0), Snapshot: text(1), Offset: int64(number(2, 10, 63)), CommitID: text(3),
		Fingerprint: number(5, 16, 64), UpdatedAt: int64(number(6, 10, 63)), groups: uint32(number(7, 10, 32)),
		customers: int64(number(9, 10, 63)),
	}
	if state := text(4); state != "" {
		m.State = []byte(state)
	}
	return m, bad
}
