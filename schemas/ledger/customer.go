package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed is an entry that is not the protobuf message it should be.
var ErrMalformed = errors.New("malformed ledger entry")

// CustomerOf returns the customer of an encoded entry, empty if it has none, without decoding the rest. The bytes are part
// of value.
func CustomerOf(value []byte) (customer []byte, err error) {
	err = walk(value, func(field int, _ uint64, bytes []byte) bool {
		if field == customerField {
			customer = bytes
		}
		return field < customerField // in the order of their numbers, as every writer here puts them
	})
	return customer, err
}

// KindOf returns the kind of an encoded entry without decoding the rest.
func KindOf(value []byte) (kind Kind, err error) {
	err = walk(value, func(field int, number uint64, _ []byte) bool {
		if field == kindField {
			kind = Kind(number) //nolint:gosec // an unknown kind stays unknown
		}
		return field < kindField
	})
	return kind, err
}

// Reader decodes entries into memory of its own. What it returns points into the value that was read, and is valid until the
// next Read and as long as that value stands: whoever keeps a string of it clones it.
type Reader struct {
	entry  Entry
	origin Origin
	after  Mark
}

// Read decodes an entry.
func (r *Reader) Read(value []byte) (*Entry, error) {
	r.entry = Entry{}
	err := walk(value, func(field int, _ uint64, _ []byte) bool {
		switch field { // made ready before decoding, which otherwise makes new ones
		case originField:
			r.origin = Origin{}
			r.entry.Origin = &r.origin
		case afterField:
			r.after = Mark{}
			r.entry.After = &r.after
		}
		return field < afterField
	})
	if err != nil {
		return nil, err
	}
	if err := r.entry.UnmarshalVTUnsafe(value); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return &r.entry, nil
}

// Field numbers of Entry.
const kindField, customerField, originField, afterField = 2, 3, 5, 6

// walk calls each for the fields of an encoded message, with the number or the bytes that stand there, until it returns
// false.
func walk(value []byte, each func(field int, number uint64, bytes []byte) bool) error {
	const varint, fixed64, sized, fixed32 = 0, 1, 2, 5 // wire types of the protobuf encoding
	for len(value) > 0 {
		tag, n := binary.Uvarint(value)
		if n <= 0 {
			return ErrMalformed
		}
		value = value[n:]
		var number uint64
		var bytes []byte
		switch tag & 7 {
		case varint:
			if number, n = binary.Uvarint(value); n <= 0 {
				return ErrMalformed
			}
		case fixed64:
			n = 8
		case fixed32:
			n = 4
		case sized:
			size, m := binary.Uvarint(value)
			if m <= 0 || size > uint64(len(value)-m) { //nolint:gosec // m is at most len(value)
				return ErrMalformed
			}
			n = m + int(size) //nolint:gosec // at most len(value)
			bytes = value[m:n]
		default:
			return ErrMalformed
		}
		if n > len(value) {
			return ErrMalformed
		}
		if !each(int(tag>>3), number, bytes) {
			return nil
		}
		value = value[n:]
	}
	return nil
}
