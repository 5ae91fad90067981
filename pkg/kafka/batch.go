package kafka

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// Positions of the fields within a record batch v2 (KIP-98; Kafka protocol guide, "Record Batch").
const (
	atBaseOffset    = 0
	atLength        = 8 // of the bytes after this field
	atLeaderEpoch   = 12
	atMagic         = 16
	atCRC           = 17 // CRC-32C of all bytes from the attributes on
	atAttributes    = 21
	atLastOffset    = 23 // delta
	atBaseTimestamp = 27
	atMaxTimestamp  = 35
	atProducerID    = 43
	atProducerEpoch = 51
	atBaseSequence  = 53
	atCount         = 57
	batchHeader     = 61

	attrCodec         = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
)

// MaxBatchBytes is the maximum size of a batch before compression, unless Batches.Limit lowers it. Brokers accept 1,048,588 bytes by
// default (message.max.bytes) and reject larger batches with 10.
const MaxBatchBytes = 1 << 20

// recordOverhead is the maximum number of bytes that a record adds to its key, value and headers: six varints and the attributes.
const recordOverhead = 5 + 1 + 10 + 5 + 5 + 5

// SingleRecordOverhead is the maximum size of a batch with one record, without its key, value and headers, before compression.
const SingleRecordOverhead = batchHeader + recordOverhead

// checksum returns the CRC-32C of b.
func checksum(b []byte) uint32 {
	return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) // crc32 builds the table once
}

// Batch is a record batch for one partition, encoded as records are appended. It can be reused after Reset. It is not safe for
// concurrent use, and must not be modified while a call sends it.
type Batch struct {
	topic          string
	partition      int32
	count          int
	firstTimestamp int64 // of the first record, Unix ms
	maxTimestamp   int64
	buf            []byte // header and records
	compressed     []byte // header and compressed records, when there is a codec
	limit          int    // of Bytes, for Full
	// shared is set when a request with these bytes got no response: the connection may still write them, so they must be copied
	// before they are modified.
	shared bool
}

// NewBatch returns an empty batch.
func NewBatch(topic string, partition int32) *Batch {
	return &Batch{topic: topic, partition: partition, buf: make([]byte, batchHeader, 4096), limit: MaxBatchBytes}
}

// Topic returns the topic that the batch is for.
func (b *Batch) Topic() string { return b.topic }

// Partition returns the partition that the batch is for.
func (b *Batch) Partition() int32 { return b.partition }

// Append adds a record. The timestamp is in Unix milliseconds; a nil key or value is written as null; headers is a block from
// EncodeHeaders, AppendHeaders or RawHeaders, or empty for none. The arguments are copied.
func (b *Batch) Append(timestampMs int64, key, value, headers []byte) {
	if b.shared {
		b.copyShared()
	}
	if b.count == 0 {
		b.firstTimestamp, b.maxTimestamp = timestampMs, timestampMs
	}
	b.maxTimestamp = max(b.maxTimestamp, timestampMs)
	delta := timestampMs - b.firstTimestamp
	if free := cap(b.buf) - len(b.buf); free < len(key)+len(value)+len(headers)+recordOverhead {
		// Doubled, because append would grow a large buffer by a quarter each time and copy it more often; but not beyond what a batch
		// may have.
		need := len(key) + len(value) + len(headers) + recordOverhead
		b.buf = slices.Grow(b.buf, max(need, min(len(b.buf), MaxBatchBytes-len(b.buf))))
	}
	size := 1 + varintLen(delta) + varintLen(int64(b.count)) + varbytesLen(key) + varbytesLen(value) + max(1, len(headers))
	buf := binary.AppendVarint(b.buf, int64(size))
	buf = append(buf, 0) // attributes
	buf = binary.AppendVarint(buf, delta)
	buf = binary.AppendVarint(buf, int64(b.count))
	buf = appendVarbytes(buf, key)
	buf = appendVarbytes(buf, value)
	if len(headers) == 0 {
		buf = append(buf, 0)
	} else {
		buf = append(buf, headers...)
	}
	b.buf = buf
	b.count++
}

// Len returns the number of records.
func (b *Batch) Len() int { return b.count }

// Bytes returns the size before compression in bytes, including the header.
func (b *Batch) Bytes() int { return len(b.buf) }

// Full reports whether a record of nextSize bytes (key, value and headers) does not fit. An empty batch is never full: a record that is
// too large for any batch is rejected by the broker (10).
func (b *Batch) Full(nextSize int) bool {
	return b.count > 0 && len(b.buf)+nextSize+recordOverhead > b.limit
}

// Records calls each for the records, in order. A record is valid until the batch is modified; its Offset is its number in the batch. An
// error of each stops the iteration and is returned unchanged.
func (b *Batch) Records(each func(Record) error) error {
	data := b.buf[batchHeader:]
	for n := range b.count {
		size, rest, ok := readVarint(data)
		if !ok || size < 1 || size > int64(len(rest)) {
			return fmt.Errorf("%w: record %d of a batch for %s/%d", ErrCorrupt, n, b.topic, b.partition)
		}
		r := rest[1:size:size] // after the attributes
		data = rest[size:]
		delta, r, ok1 := readVarint(r)
		_, r, ok2 := readVarint(r)
		key, r, ok3 := readVarbytes(r)
		value, r, ok4 := readVarbytes(r)
		if !ok1 || !ok2 || !ok3 || !ok4 {
			return fmt.Errorf("%w: record %d of a batch for %s/%d", ErrCorrupt, n, b.topic, b.partition)
		}
		if err := each(Record{Offset: int64(n), Timestamp: b.firstTimestamp + delta, Key: key, Value: value, headers: r}); err != nil {
			return err
		}
	}
	return nil
}

// Reset removes all records and keeps the memory.
func (b *Batch) Reset() {
	if b.shared {
		b.buf, b.compressed, b.shared = make([]byte, batchHeader, cap(b.buf)), nil, false
	}
	b.buf, b.count = b.buf[:batchHeader], 0
}

// copyShared gives the batch buffers of its own.
func (b *Batch) copyShared() {
	b.buf, b.compressed, b.shared = append(make([]byte, 0, cap(b.buf)), b.buf...), nil, false
}

// producerIdentity, together with a sequence number, makes a batch idempotent: a broker does not append it a second time (KIP-98).
type producerIdentity struct {
	producer      int64
	epoch         int16
	transactional bool
}

// seal writes the header and returns the encoded batch. The bytes are valid until the batch is modified or sealed again.
func (b *Batch) seal(id producerIdentity, sequence int32, c codec, p *compressor) ([]byte, error) {
	if b.shared {
		b.copyShared()
	}
	wire := b.buf
	if c != codecNone {
		var err error
		if wire, err = p.compress(c, append(b.compressed[:0], b.buf[:batchHeader]...), b.buf[batchHeader:]); err != nil {
			return nil, fmt.Errorf("compress batch: %w", err)
		}
		b.compressed = wire
	}
	attributes := uint16(c)
	if id.transactional {
		// Without this bit, records of a transaction would be visible at once and would survive its abort.
		attributes |= attrTransactional
	}
	binary.BigEndian.PutUint64(wire[atBaseOffset:], 0)
	binary.BigEndian.PutUint32(wire[atLength:], uint32(len(wire)-atLeaderEpoch))
	binary.BigEndian.PutUint32(wire[atLeaderEpoch:], math.MaxUint32) // -1: unknown
	wire[atMagic] = 2
	binary.BigEndian.PutUint16(wire[atAttributes:], attributes)
	binary.BigEndian.PutUint32(wire[atLastOffset:], uint32(b.count-1))
	binary.BigEndian.PutUint64(wire[atBaseTimestamp:], uint64(b.firstTimestamp))
	binary.BigEndian.PutUint64(wire[atMaxTimestamp:], uint64(b.maxTimestamp))
	binary.BigEndian.PutUint64(wire[atProducerID:], uint64(id.producer))
	binary.BigEndian.PutUint16(wire[atProducerEpoch:], uint16(id.epoch))
	binary.BigEndian.PutUint32(wire[atBaseSequence:], uint32(sequence))
	binary.BigEndian.PutUint32(wire[atCount:], uint32(b.count))
	binary.BigEndian.PutUint32(wire[atCRC:], checksum(wire[atAttributes:]))
	return wire, nil
}

func varintLen(v int64) int {
	n := 1
	for u := uint64(v)<<1 ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}

func varbytesLen(b []byte) int {
	if b == nil {
		return 1
	}
	return varintLen(int64(len(b))) + len(b)
}

func appendVarbytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 1) // -1
	}
	dst = binary.AppendVarint(dst, int64(len(b)))
	return append(dst, b...)
}
