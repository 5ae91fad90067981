package kafka

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// Record batch v2 (KIP-98; Kafka protocol guide, "Record Batch"): offsets within the batch.
const (
	atBaseOffset    = 0
	atLength        = 8 // of what follows it
	atLeaderEpoch   = 12
	atMagic         = 16
	atCRC           = 17 // CRC-32C of everything from the attributes on
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

// MaxBatchBytes is how large a batch may get, before compression: brokers accept 1,048,588 bytes by default
// (message.max.bytes) and refuse more with 10.
const MaxBatchBytes = 1 << 20

// recordOverhead is the most that a record adds to its key, value and headers: six varints and the attributes.
const recordOverhead = 5 + 1 + 10 + 5 + 5 + 5

// checksum is the CRC-32C that a batch carries of itself.
func checksum(b []byte) uint32 {
	return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) // made once, by the package
}

// Batch is one record batch for one partition, encoded while it is filled. It can be used again after Reset. It is not
// safe for concurrent use, and must not be touched while a call is sending it.
type Batch struct {
	topic     string
	partition int32
	n         int
	first     int64 // timestamp of the first record, ms
	max       int64
	buf       []byte // header and records
	packed    []byte // header and compressed records, when there is a codec
	// lent: a request with these bytes has gone unanswered, and the connection may still be writing them. They must not
	// change any more; whoever wants to write makes a copy first.
	lent bool
}

// NewBatch starts an empty batch.
func NewBatch(topic string, partition int32) *Batch {
	return &Batch{topic: topic, partition: partition, buf: make([]byte, batchHeader, 4096)}
}

// Topic is where the batch goes.
func (b *Batch) Topic() string { return b.topic }

// Partition is where the batch goes.
func (b *Batch) Partition() int32 { return b.partition }

// Append adds a record. The timestamp is in ms since the Unix epoch; a nil key or value is written as null; headers is a
// block from EncodeHeaders, AppendHeaders or RawHeaders, or empty for none. Nothing is kept of the arguments.
func (b *Batch) Append(timestampMs int64, key, value, headers []byte) {
	if b.lent {
		b.unlend()
	}
	if b.n == 0 {
		b.first, b.max = timestampMs, timestampMs
	}
	b.max = max(b.max, timestampMs)
	delta := timestampMs - b.first
	if free := cap(b.buf) - len(b.buf); free < len(key)+len(value)+len(headers)+recordOverhead {
		// Doubled: append itself would grow a large one by a quarter at a time, and copy it that often.
		b.buf = slices.Grow(b.buf, max(len(b.buf), len(key)+len(value)+len(headers)+recordOverhead))
	}
	size := 1 + varintLen(delta) + varintLen(int64(b.n)) + varbytesLen(key) + varbytesLen(value) + max(1, len(headers))
	buf := binary.AppendVarint(b.buf, int64(size))
	buf = append(buf, 0) // attributes
	buf = binary.AppendVarint(buf, delta)
	buf = binary.AppendVarint(buf, int64(b.n))
	buf = appendVarbytes(buf, key)
	buf = appendVarbytes(buf, value)
	if len(headers) == 0 {
		buf = append(buf, 0)
	} else {
		buf = append(buf, headers...)
	}
	b.buf = buf
	b.n++
}

// Len is the number of records.
func (b *Batch) Len() int { return b.n }

// Bytes is the size of the batch before compression, its header included.
func (b *Batch) Bytes() int { return len(b.buf) }

// Full says that a record whose key, value and headers are nextSize bytes together should go into another batch. An empty
// batch is never full: a record too large for any batch is the broker's to refuse (10).
func (b *Batch) Full(nextSize int) bool {
	return b.n > 0 && len(b.buf)+nextSize+recordOverhead > MaxBatchBytes
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	if b.lent {
		b.buf, b.packed, b.lent = make([]byte, batchHeader, cap(b.buf)), nil, false
	}
	b.buf, b.n = b.buf[:batchHeader], 0
}

func (b *Batch) unlend() {
	b.buf, b.packed, b.lent = append(make([]byte, 0, cap(b.buf)), b.buf...), nil, false
}

// identity is what makes a batch idempotent: a broker that has seen it does not append it again.
type identity struct {
	producer      int64
	epoch         int16
	transactional bool
}

// seal writes the header and returns the batch as it goes on the wire. The bytes last until the batch is changed or sealed
// again.
func (b *Batch) seal(id identity, sequence int32, c codec, p *packer) ([]byte, error) {
	if b.lent {
		b.unlend()
	}
	wire := b.buf
	if c != codecNone {
		var err error
		if wire, err = p.compress(c, append(b.packed[:0], b.buf[:batchHeader]...), b.buf[batchHeader:]); err != nil {
			return nil, fmt.Errorf("compress batch: %w", err)
		}
		b.packed = wire
	}
	attributes := uint16(c)
	if id.transactional {
		// Forgotten inside a transaction, this makes a plain record that no abort takes back.
		attributes |= attrTransactional
	}
	binary.BigEndian.PutUint64(wire[atBaseOffset:], 0)
	binary.BigEndian.PutUint32(wire[atLength:], uint32(len(wire)-atLeaderEpoch))
	binary.BigEndian.PutUint32(wire[atLeaderEpoch:], math.MaxUint32) // -1: not known
	wire[atMagic] = 2
	binary.BigEndian.PutUint16(wire[atAttributes:], attributes)
	binary.BigEndian.PutUint32(wire[atLastOffset:], uint32(b.n-1))
	binary.BigEndian.PutUint64(wire[atBaseTimestamp:], uint64(b.first))
	binary.BigEndian.PutUint64(wire[atMaxTimestamp:], uint64(b.max))
	binary.BigEndian.PutUint64(wire[atProducerID:], uint64(id.producer))
	binary.BigEndian.PutUint16(wire[atProducerEpoch:], uint16(id.epoch))
	binary.BigEndian.PutUint32(wire[atBaseSequence:], uint32(sequence))
	binary.BigEndian.PutUint32(wire[atCount:], uint32(b.n))
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
