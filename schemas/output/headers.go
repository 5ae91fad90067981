package output

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Names of the headers by which Mainstay knows its own outputs.
const (
	HeaderLedgerID  = "mainstay_ledger_id"
	HeaderPartition = "mainstay_ledger_partition"
	HeaderOffset    = "mainstay_ledger_offset"
	HeaderOrdinal   = "mainstay_ordinal"
	HeaderLogic     = "mainstay_logic"
)

// Envelope is the block of record headers of the outputs of one ledger partition under one logic: CloudEvents 1.0 in
// binary mode, and what tells an output's place in the ledger. What is the same for all of them is prepared once.
type Envelope struct {
	partition int32
	constant  []byte // count and the headers that never change
}

// NewEnvelope prepares the headers. ce_source is /mainstay/<namespace>/<ledger id>.
func NewEnvelope(namespace, ledgerID string, partition int32, logic uint32) *Envelope {
	e := &Envelope{partition: partition}
	constant := [][2]string{
		{"ce_specversion", "1.0"},
		{"ce_source", "/mainstay/" + namespace + "/" + ledgerID},
		{"content-type", "application/json"},
		{HeaderLedgerID, ledgerID},
		{HeaderPartition, strconv.Itoa(int(partition))},
		{HeaderLogic, strconv.FormatUint(uint64(logic), 10)},
	}
	const variable = 5
	e.constant = binary.AppendVarint(nil, int64(len(constant)+variable))
	for _, h := range constant {
		e.constant = appendHeader(e.constant, h[0], h[1])
	}
	return e
}

// AppendHeaders writes the header block of an output as it stands in a Kafka record (batch format v2): the count, then
// names and values, each after its length. It does not allocate beyond dst.
func (e *Envelope) AppendHeaders(dst []byte, r *Record) []byte {
	var value [64]byte
	dst = append(dst, e.constant...)
	id := ID{Partition: e.partition, Offset: r.Offset, Ordinal: r.Ordinal}
	dst = appendHeader(dst, "ce_id", id.Append(value[:0]))
	dst = appendHeader(dst, "ce_type", r.Type)
	dst = appendHeader(dst, "ce_time", timestamp.Append(value[:0], r.Time))
	dst = appendHeader(dst, HeaderOffset, strconv.AppendInt(value[:0], r.Offset, 10))
	return appendHeader(dst, HeaderOrdinal, strconv.AppendUint(value[:0], uint64(r.Ordinal), 10))
}

func appendHeader[T string | []byte](dst []byte, name string, value T) []byte {
	dst = binary.AppendVarint(dst, int64(len(name)))
	dst = append(dst, name...)
	dst = binary.AppendVarint(dst, int64(len(value)))
	return append(dst, value...)
}

// Headers is a block of record headers as it stands in a Kafka record.
type Headers []byte

// Get returns the value of the first header of this name. Bytes that are no block hold no headers.
func (h Headers) Get(name string) ([]byte, bool) {
	n, rest, ok := varint(h)
	for ; ok && n > 0; n-- {
		var key, value []byte
		if key, rest, ok = sized(rest); !ok {
			break
		}
		if value, rest, ok = sized(rest); ok && string(key) == name {
			return value, true
		}
	}
	return nil, false
}

func varint(b []byte) (n int64, rest []byte, ok bool) {
	n, size := binary.Varint(b)
	if size <= 0 {
		return 0, nil, false
	}
	return n, b[size:], true
}

// sized reads a length and so many bytes; a length of -1 is null.
func sized(b []byte) (value, rest []byte, ok bool) {
	n, rest, ok := varint(b)
	if !ok || n < -1 || n > int64(len(rest)) {
		return nil, nil, false
	}
	if n == -1 {
		return nil, rest, true
	}
	return rest[:n:n], rest[n:], true
}

// Identity is an output's place in its ledger, as its headers tell it.
type Identity struct {
	LedgerID string
	ID
	Logic uint32
}

// ErrForeign is the error of records that Mainstay has not written.
var ErrForeign = errors.New("not an output of Mainstay")

// ParseIdentity reads an output's headers, as Headers.Get or any other look-up gives them. Its errors wrap ErrForeign.
func ParseIdentity(header func(name string) ([]byte, bool)) (Identity, error) {
	ledgerID, ok := header(HeaderLedgerID)
	if !ok || len(ledgerID) == 0 {
		return Identity{}, fmt.Errorf("%w: header %s is missing", ErrForeign, HeaderLedgerID)
	}
	id := Identity{LedgerID: string(ledgerID)}
	var err error
	number := func(name string, bits int) uint64 {
		text, _ := header(name)
		n, e := strconv.ParseUint(string(text), 10, bits)
		if e != nil && err == nil {
			err = fmt.Errorf("%w: header %s is missing or no number", ErrForeign, name)
		}
		return n
	}
	id.Partition = int32(number(HeaderPartition, 31))
	id.Offset = int64(number(HeaderOffset, 63))
	id.Ordinal = uint32(number(HeaderOrdinal, 32))
	id.Logic = uint32(number(HeaderLogic, 32))
	return id, err
}
