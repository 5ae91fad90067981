package kafka

import (
	"encoding/binary"
	"iter"
)

// Record is one record of a partition. Its slices point into a buffer of whoever read it; see there how long they last.
type Record struct {
	Offset    int64
	Timestamp int64  // ms since the Unix epoch: the producer's, or the broker's where the topic has LogAppendTime
	Key       []byte // nil when there is none, which is not the same as empty
	Value     []byte // nil for a tombstone, which is not the same as empty
	headers   []byte // count and headers as they stand in the batch
}

// Header is one header of a record. A nil Value is written as null.
type Header struct {
	Key   string
	Value []byte
}

// Headers iterates over the headers in their order; values point into the record's buffer.
func (r Record) Headers() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		r.each(func(key, value []byte) bool { return yield(string(key), value) })
	}
}

// Header is the value of the first header with this name. It does not allocate.
func (r Record) Header(name string) (value []byte, ok bool) {
	r.each(func(k, v []byte) bool {
		if string(k) == name {
			value, ok = v, true
		}
		return !ok
	})
	return value, ok
}

// RawHeaders is the header block as Batch.Append takes it, its count included, so that a dead letter can carry the
// original headers byte for byte; AppendHeaders adds to it.
func (r Record) RawHeaders() []byte { return r.headers }

// Clone is a copy that lasts.
func (r Record) Clone() Record {
	whole := make([]byte, 0, len(r.Key)+len(r.Value)+len(r.headers))
	keep := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		n := len(whole)
		whole = append(whole, b...)
		return whole[n:len(whole):len(whole)]
	}
	r.Key, r.Value, r.headers = keep(r.Key), keep(r.Value), keep(r.headers)
	return r
}

// each stops quietly at bytes that make no sense: Kafka's broker does not look into header blocks either.
func (r Record) each(yield func(key, value []byte) bool) {
	n, b, ok := varint(r.headers)
	for ; ok && n > 0; n-- {
		var key, value []byte
		if key, b, ok = varbytes(b); !ok {
			return
		}
		if value, b, ok = varbytes(b); !ok || !yield(key, value) {
			return
		}
	}
}

// EncodeHeaders appends a header block (count, then headers; Kafka protocol guide, "Record") to dst.
func EncodeHeaders(dst []byte, headers []Header) []byte {
	dst = binary.AppendVarint(dst, int64(len(headers)))
	return appendHeaders(dst, headers)
}

// AppendHeaders appends to dst the header block raw (as from RawHeaders; empty counts as none) with more headers behind it.
func AppendHeaders(dst, raw []byte, more []Header) []byte {
	n, rest, ok := varint(raw)
	if !ok {
		n, rest = 0, nil
	}
	dst = binary.AppendVarint(dst, n+int64(len(more)))
	return appendHeaders(append(dst, rest...), more)
}

func appendHeaders(dst []byte, headers []Header) []byte {
	for _, h := range headers {
		dst = binary.AppendVarint(dst, int64(len(h.Key)))
		dst = append(dst, h.Key...)
		if h.Value == nil {
			dst = binary.AppendVarint(dst, -1)
			continue
		}
		dst = binary.AppendVarint(dst, int64(len(h.Value)))
		dst = append(dst, h.Value...)
	}
	return dst
}

// varint reads a zigzag varint; nearly all in a record are one byte long.
func varint(b []byte) (v int64, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 {
		return int64(b[0]>>1) ^ -int64(b[0]&1), b[1:], true
	}
	v, n := binary.Varint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// varbytes reads bytes behind their length; -1 is nil, 0 is empty.
func varbytes(b []byte) (v, rest []byte, ok bool) {
	n, b, ok := varint(b)
	if !ok || n > int64(len(b)) || n < -1 {
		return nil, nil, false
	}
	if n < 0 {
		return nil, b, true
	}
	return b[:n:n], b[n:], true
}
