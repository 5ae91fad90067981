package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"
)

// Decoding an entry reads each of its bytes once. Entries.Decode and EventReader.Read walk the fields of Entry and Event
// themselves, and hand Origin, Mark, Copied and the event's body to the generated decoders. The generated decoders of Entry and Event
// would allocate these inner messages, unless a walk before them found out which are present.

// ErrMalformed means that an entry or an event is not a valid protobuf message.
var ErrMalformed = errors.New("malformed ledger entry")

// Entries decodes the entries of a chunk into memory of its own. The zero value is ready.
type Entries struct {
	slots []*entrySlot // allocated one by one, so that an entry does not move when the chunk grows
	used  int
}

type entrySlot struct {
	entry  Entry
	origin Origin
	after  Mark
	copied Copied
}

// Reset makes the memory of all entries decoded so far available again.
func (c *Entries) Reset() { c.used = 0 }

// Decode decodes one entry. Its strings and its payload alias value. The entry is valid until Reset, and only as long as value
// is not overwritten: a caller that keeps a string longer clones it. Unknown fields are dropped.
func (c *Entries) Decode(value []byte) (*Entry, error) {
	if c.used == len(c.slots) {
		c.slots = append(c.slots, new(entrySlot))
	}
	slot := c.slots[c.used]
	if err := slot.decode(value); err != nil {
		return nil, err
	}
	c.used++
	return &slot.entry, nil
}

func (s *entrySlot) decode(value []byte) error {
	s.entry = Entry{}
	e := &s.entry
	f := fields{rest: value}
	for f.next() {
		switch {
		case f.is(1, varint):
			e.Version = uint32(f.value) //nolint:gosec // truncated, as the generated decoder does
		case f.is(kindField, varint):
			e.Kind = Kind(f.value) //nolint:gosec // an unknown kind stays unknown
		case f.is(3, sized):
			e.Customer = alias(f.bytes)
		case f.is(4, varint):
			e.PayloadKeyId = uint32(f.value) //nolint:gosec // truncated, as the generated decoder does
		case f.is(5, sized):
			if e.Origin == nil { // a repeated message is merged
				s.origin = Origin{}
				e.Origin = &s.origin
			}
			f.check(e.Origin.UnmarshalVTUnsafe(f.bytes))
		case f.is(6, sized):
			if e.After == nil {
				s.after = Mark{}
				e.After = &s.after
			}
			f.check(e.After.UnmarshalVTUnsafe(f.bytes))
		case f.is(7, varint):
			e.Time = zigzag(f.value)
		case f.is(8, sized):
			e.Payload = f.bytes
		case f.is(9, sized):
			if e.Copied == nil {
				s.copied = Copied{}
				e.Copied = &s.copied
			}
			f.check(e.Copied.UnmarshalVTUnsafe(f.bytes))
		case f.is(10, sized):
			e.Headers = f.bytes
		case f.number <= 10:
			f.check(errWireType)
		}
	}
	return f.err
}

// EventReader decodes the payloads of events into memory of its own. The zero value is ready.
type EventReader struct {
	event        Event
	purchase     Purchase
	cancellation Cancellation
	referral     Referral
	survey       Survey
	erasure      Erasure
	engagement   Engagement
	merge        Merge
	details      []byte // of the purchase, encoded; empty: none
	attributes   []*Attribute
}

// Read decodes an event. Its strings alias payload. The event is valid until the next Read, and only as long as payload is not
// overwritten: a caller that keeps a string longer clones it. Unknown fields are dropped. The details of a purchase are not decoded:
// folding needs few of them, which Details reads.
func (r *EventReader) Read(payload []byte) (*Event, error) {
	r.event, r.details = Event{}, nil
	e := &r.event
	f := fields{rest: payload}
	for f.next() {
		switch {
		case f.is(1, sized):
			e.Id = alias(f.bytes)
		case f.is(2, sized):
			e.Source = alias(f.bytes)
		case f.is(3, varint):
			e.OccurredAt = zigzag(f.value)
		case f.is(4, fixed64):
			e.Facts = f.value
		case f.is(10, sized):
			if e.Purchase == nil {
				r.purchase = Purchase{Refunds: r.purchase.Refunds[:0]}
				e.Purchase = &r.purchase
			}
			f.check(e.Purchase.UnmarshalVTUnsafe(f.bytes))
		case f.is(11, sized):
			if e.Cancellation == nil {
				r.cancellation = Cancellation{}
				e.Cancellation = &r.cancellation
			}
			f.check(e.Cancellation.UnmarshalVTUnsafe(f.bytes))
		case f.is(12, sized):
			if e.Referral == nil {
				r.referral = Referral{}
				e.Referral = &r.referral
			}
			f.check(e.Referral.UnmarshalVTUnsafe(f.bytes))
		case f.is(13, sized):
			if e.Survey == nil {
				r.survey = Survey{}
				e.Survey = &r.survey
			}
			f.check(e.Survey.UnmarshalVTUnsafe(f.bytes))
		case f.is(14, sized):
			if e.Erasure == nil {
				r.erasure = Erasure{}
				e.Erasure = &r.erasure
			}
			f.check(e.Erasure.UnmarshalVTUnsafe(f.bytes))
		case f.is(15, sized):
			r.details = f.bytes
		case f.is(16, sized):
			if e.Engagement == nil {
				r.engagement = Engagement{}
				e.Engagement = &r.engagement
			}
			f.check(e.Engagement.UnmarshalVTUnsafe(f.bytes))
		case f.is(17, sized):
			if e.Merge == nil {
				r.merge = Merge{}
				e.Merge = &r.merge
			}
			f.check(e.Merge.UnmarshalVTUnsafe(f.bytes))
		case f.is(20, sized):
			f.check(r.nextAttribute().UnmarshalVTUnsafe(f.bytes))
		case f.number <= 4 || f.number >= 10 && f.number <= 14 || f.number == 16 || f.number == 17 || f.number == 20:
			f.check(errWireType)
		}
	}
	return e, f.err
}

// nextAttribute adds an attribute to the event, in memory that former events had.
func (r *EventReader) nextAttribute() *Attribute {
	n := len(r.event.Attributes)
	if n == len(r.attributes) {
		r.attributes = append(r.attributes, new(Attribute))
	}
	*r.attributes[n] = Attribute{}
	r.event.Attributes = r.attributes[: n+1 : n+1]
	return r.attributes[n]
}

// Last returns the event that Read decoded last.
func (r *EventReader) Last() *Event { return &r.event }

// UnmarshalVT decodes a copy of value, so that the entry aliases nothing.
func (x *Entry) UnmarshalVT(value []byte) error { return x.UnmarshalVTUnsafe(bytes.Clone(value)) }

// UnmarshalVT decodes a copy of value, so that the event aliases nothing.
func (x *Event) UnmarshalVT(value []byte) error { return x.UnmarshalVTUnsafe(bytes.Clone(value)) }

// UnmarshalVT decodes numbers alone, so that the mark aliases nothing.
func (x *Mark) UnmarshalVT(value []byte) error { return x.UnmarshalVTUnsafe(value) }

// KindOf returns the kind of an encoded entry. It reads no further than the kind, which every writer puts before the payload.
func KindOf(value []byte) (Kind, error) {
	f := fields{rest: value}
	for f.next() && f.number <= kindField {
		if f.is(kindField, varint) {
			return Kind(f.value), nil //nolint:gosec // an unknown kind stays unknown
		}
	}
	return Kind_KIND_UNSPECIFIED, f.err
}

const kindField = 2 // of Entry

// Wire types of the protobuf encoding.
const (
	varint  = 0
	fixed64 = 1
	sized   = 2
	fixed32 = 5
)

var errWireType = errors.New("a known field of another wire type")

// fields walks the fields of an encoded message. After next, value or bytes holds what the field holds.
type fields struct {
	rest   []byte
	number int
	wire   uint64
	value  uint64
	bytes  []byte // aliases the message
	err    error  // wraps ErrMalformed
}

// is reports whether the current field has this number and wire type.
func (f *fields) is(number int, wire uint64) bool { return f.number == number && f.wire == wire }

// check ends the walk if err is not nil.
func (f *fields) check(err error) {
	if err != nil {
		f.err = fmt.Errorf("%w: field %d: %w", ErrMalformed, f.number, err)
	}
}

// next moves to the next field. It returns false at the end of the message and after an error.
func (f *fields) next() bool {
	if len(f.rest) == 0 || f.err != nil {
		return false
	}
	tag, n := binary.Uvarint(f.rest)
	const mostNumber = 1<<29 - 1
	if n <= 0 || tag>>3 == 0 || tag>>3 > mostNumber {
		return f.fail()
	}
	f.number, f.wire = int(tag>>3), tag&7
	f.rest = f.rest[n:]
	switch f.wire {
	case varint:
		if f.value, n = binary.Uvarint(f.rest); n <= 0 {
			return f.fail()
		}
	case fixed64:
		if n = 8; len(f.rest) < n {
			return f.fail()
		}
		f.value = binary.LittleEndian.Uint64(f.rest)
	case fixed32:
		if n = 4; len(f.rest) < n {
			return f.fail()
		}
	case sized:
		size, m := binary.Uvarint(f.rest)
		if m <= 0 || size > uint64(len(f.rest)-m) { //nolint:gosec // m is at most len(f.rest)
			return f.fail()
		}
		n = m + int(size) //nolint:gosec // at most len(f.rest)
		f.bytes = f.rest[m:n:n]
	default: // groups are not used in the ledger
		return f.fail()
	}
	f.rest = f.rest[n:]
	return true
}

func (f *fields) fail() bool {
	f.err = ErrMalformed
	return false
}

// alias returns a string over the bytes themselves, without a copy.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // the memory outlives the entry, as documented above

func zigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
