package ledger

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed is an entry that is not the protobuf message it should be.
var ErrMalformed = errors.New("malformed ledger entry")

// CustomerOf returns the customer of an encoded entry, empty if it has none, without decoding the rest. The bytes are part
// of value.
func CustomerOf(value []byte) ([]byte, error) {
	_, customer, err := peek(value)
	return customer, err
}

// KindOf returns the kind of an encoded entry without decoding the rest.
func KindOf(value []byte) (Kind, error) {
	kind, _, err := peek(value)
	return kind, err
}

// peek reads up to the customer, whose field follows the kind's in every entry that is written here.
func peek(value []byte) (kind Kind, customer []byte, err error) {
	const varint, fixed64, bytes, fixed32 = 0, 1, 2, 5 // wire types of the protobuf encoding
	for len(value) > 0 {
		tag, n := binary.Uvarint(value)
		if n <= 0 {
			return 0, nil, ErrMalformed
		}
		value = value[n:]
		switch tag & 7 {
		case varint:
			v, m := binary.Uvarint(value)
			if m <= 0 {
				return 0, nil, ErrMalformed
			}
			if n = m; tag>>3 == 2 {
				kind = Kind(v) //nolint:gosec // an unknown kind stays unknown
			}
		case fixed64:
			n = 8
		case fixed32:
			n = 4
		case bytes:
			size, m := binary.Uvarint(value)
			if m <= 0 || size > uint64(len(value)-m) {
				return 0, nil, ErrMalformed
			}
			n = m + int(size) //nolint:gosec // at most len(value)
			if tag>>3 == 3 {
				return kind, value[m:n], nil
			}
		default:
			return 0, nil, ErrMalformed
		}
		if n > len(value) {
			return 0, nil, ErrMalformed
		}
		value = value[n:]
	}
	return kind, nil, nil
}
