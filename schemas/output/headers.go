package output

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Names of the headers by which Mainstay identifies its own outputs.
const (
	HeaderLedgerID  = "mainstay_ledger_id"
	HeaderPartition = "mainstay_ledger_partition"
	HeaderOffset    = "mainstay_ledger_offset"
	HeaderOrdinal   = "mainstay_ordinal"
	HeaderLogic     = "mainstay_logic"
)

// Envelope encodes the record headers of the outputs of one ledger partition under one logic version: CloudEvents 1.0 in binary
// mode, and the output's Identity. The headers that are the same for all outputs are encoded once.
type Envelope struct {
	partition int32
	number    int64     // of the headers
	count     []byte    // encoded number
	constant  []byte    // those that are the same for all outputs
	names     [5]string // encoded names of the others
}

// The headers that change with each output, in this order.
const (
	nameID = iota
	nameType
	nameTime
	nameOffset
	nameOrdinal
)

// NewEnvelope returns the envelope of a ledger partition. ce_source is /mainstay/<namespace>/<ledger id>.
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
	for i, name := range [...]string{nameID: "ce_id", nameType: "ce_type", nameTime: "ce_time", nameOffset: HeaderOffset, nameOrdinal: HeaderOrdinal} {
		e.names[i] = string(appendHeader(nil, name, ""))
	}
	e.number = int64(len(constant) + len(e.names))
	e.count = binary.AppendVarint(nil, e.number)
	for _, h := range constant {
		e.constant = appendHeader(e.constant, h[0], h[1])
	}
	return e
}

// AppendHeaders appends the headers of an output in the encoding of a Kafka record (batch format v2): the count, then names and
// values, each after its length. Those of the input record that are passed on come last. It does not allocate beyond dst.
func (e *Envelope) AppendHeaders(dst []byte, r *Record, passed Headers) []byte {
	n, more, ok := varint(passed)
	if ok && n > 0 {
		dst = binary.AppendVarint(dst, e.number+n)
	} else {
		dst, more = append(dst, e.count...), nil
	}
	dst = append(dst, e.constant...)
	dst = append(dst, e.names[nameID]...)
	at := len(dst)
	id := ID{Partition: e.partition, Offset: r.Offset, Ordinal: r.Ordinal}
	dst = measured(id.Append(dst), at)
	dst = append(dst, e.names[nameType]...)
	at = len(dst)
	dst = measured(append(dst, r.Type...), at)
	dst = append(dst, e.names[nameTime]...)
	at = len(dst)
	dst = measured(timestamp.Append(dst, r.Time), at)
	dst = append(dst, e.names[nameOffset]...)
	at = len(dst)
	dst = measured(strconv.AppendInt(dst, r.Offset, 10), at)
	dst = append(dst, e.names[nameOrdinal]...)
	at = len(dst)
	return append(measured(strconv.AppendUint(dst, uint64(r.Ordinal), 10), at), more...)
}

// measured writes the length of the value that begins at at into the byte before it, which holds the length of an empty value: the
// varint of a length up to 63 is one byte, and no value that changes is longer.
func measured(dst []byte, at int) []byte {
	dst[at-1] = byte(2 * (len(dst) - at))
	return dst
}

func appendHeader(dst []byte, name, value string) []byte {
	dst = binary.AppendVarint(dst, int64(len(name)))
	dst = append(dst, name...)
	dst = binary.AppendVarint(dst, int64(len(value)))
	return append(dst, value...)
}

// Headers are record headers in the encoding of a Kafka record.
type Headers []byte

// Get returns the value of the first header with a name. Bytes that are not in that encoding hold no headers.
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

// Valid reports whether the bytes are headers in that encoding, and nothing else.
func (h Headers) Valid() bool {
	n, rest, ok := varint(h)
	for ; ok && n > 0; n-- {
		if _, rest, ok = sized(rest); ok {
			_, rest, ok = sized(rest)
		}
	}
	return ok && n == 0 && len(rest) == 0
}

func varint(b []byte) (n int64, rest []byte, ok bool) {
	n, size := binary.Varint(b)
	if size <= 0 {
		return 0, nil, false
	}
	return n, b[size:], true
}

// sized reads a length and that many bytes; a length of -1 is null.
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

// Identity identifies an output across ledgers, as its headers state it.
type Identity struct {
	LedgerID string
	ID
	Logic uint32 // logic version under which it was computed
}

// ErrForeign means that Mainstay has not written a record.
var ErrForeign = errors.New("not an output of Mainstay")

// ParseIdentity reads the identity from an output's headers, by Headers.Get or any other look-up. Its errors wrap ErrForeign.
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
