package kafka

import (
	"encoding/binary"
	"iter"
)

// Record is a record of a partition. Its slices point into a buffer of the reader, whose documentation says how long they are valid.
type Record struct {
	Offset    int64
	Timestamp int64  // Unix ms: of the producer, or of the broker if the topic has LogAppendTime
	Key       []byte // nil for null, which differs from empty
	Value     []byte // nil for null (a tombstone), which differs from empty
	headers   []byte // count and headers, as encoded in the batch
}

// Header is a header of a record. A nil Value is written as null.
type Header struct {
	Key   string
	Value []byte
}

// Headers iterates over the headers in order; values point into the record's buffer.
func (r Record) Headers() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		r.eachHeader(func(key, value []byte) bool { return yield(string(key), value) })
	}
}

// Header returns the value of the first header with this name. It does not allocate.
func (r Record) Header(name string) (value []byte, ok bool) {
	r.eachHeader(func(k, v []byte) bool {
		if string(k) == name {
			value, ok = v, true
		}
		return !ok
	})
	return value, ok
}

// RawHeaders returns the header block, including its count, in the form that Batch.Append takes. A dead letter keeps the original headers
// byte for byte in this way and adds its own with AppendHeaders.
func (r Record) RawHeaders() []byte { return r.headers }

// Clone returns a copy that does not depend on the reader's buffer.
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

// eachHeader stops without an error at malformed bytes, because brokers do not validate header blocks either.
func (r Record) eachHeader(yield func(key, value []byte) bool) {
	n, b, ok := readVarint(r.headers)
	for ; ok && n > 0; n-- {
		var key, value []byte
		if key, b, ok = readVarbytes(b); !ok {
			return
		}
		if value, b, ok = readVarbytes(b); !ok || !yield(key, value) {
			return
		}
	}
}

// EncodeHeaders appends a header block (count, then headers; Kafka protocol guide, "Record") to dst.
func EncodeHeaders(dst []byte, headers []Header) []byte {
	dst = binary.AppendVarint(dst, int64(len(headers)))
	return appendHeaders(dst, headers)
}

// AppendHeaders appends to dst the header block raw (from RawHeaders, or empty) followed by more headers.
func AppendHeaders(dst, raw []byte, more []Header) []byte {
	n, rest, ok := readVarint(raw)
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

// readVarint reads a zigzag varint. Most varints of a record have one byte.
func readVarint(b []byte) (v int64, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 {
		return int64(b[0]>>1) ^ -int64(b[0]&1), b[1:], true
	}
	v, n := binary.Varint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// readVarbytes reads a length and that many bytes; length -1 is nil, 0 is empty.
func readVarbytes(b []byte) (v, rest []byte, ok bool) {
	n, b, ok := readVarint(b)
	if !ok || n > int64(len(b)) || n < -1 {
		return nil, nil, false
	}
	if n < 0 {
		return nil, b, true
	}
	return b[:n:n], b[n:], true
}
