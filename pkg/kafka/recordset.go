package kafka

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// abortedTransaction is an entry of the list in a fetch response: batches of this producer from offset first on are dropped until its
// abort marker (KIP-98).
type abortedTransaction struct {
	producer, first int64
}

// recordSetDecoder decodes the record set of a fetch response. Its memory is reused: the results of decode are valid until reset.
type recordSetDecoder struct {
	arena            []byte               // decompressed batches, one after the other; a new one is begun when it is full
	decompressed     int                  // bytes since reset
	budget           int                  // of decompressed, 0: none; once it is reached, further compressed batches are left to the next fetch
	aborted          []abortedTransaction // aborted transactions listed in the current response
	abortedProducers []int64              // producers whose aborted transaction has begun and not ended
	decompressor     decompressor
}

// reset makes the results of earlier calls invalid. Memory that one unusually large batch has needed is not kept.
func (d *recordSetDecoder) reset() {
	d.arena, d.decompressed = d.arena[:0], 0
	if cap(d.arena) > 2*d.budget {
		d.arena = nil
	}
}

// decode appends to out the committed data records with offsets from from on. next is the offset to continue from, past control records,
// aborted records and emptied batches; it equals from if the set holds no complete batch. wanted, when not 0, is the size in bytes of a
// batch that does not fit into the set. An error is returned only if no progress was made: records before it are returned first, and
// the next call then starts with the error.
//
// The set holds batches as the log does: the first may start below from, and the last may be truncated.
func (d *recordSetDecoder) decode(set []byte, from int64, out []Record) (records []Record, next int64, wanted int, err error) {
	slices.SortFunc(d.aborted, func(a, b abortedTransaction) int { return cmp.Compare(a.first, b.first) })
	d.abortedProducers = d.abortedProducers[:0]
	pending := d.aborted
	next = from
	for len(set) > 0 {
		if len(set) < batchHeader {
			return out, next, batchHeader, nil
		}
		size := int(int32(binary.BigEndian.Uint32(set[atLength:]))) + atLeaderEpoch
		if size < batchHeader || set[atMagic] != 2 {
			return out, next, 0, unlessProgress(next > from, fmt.Errorf("%w: length %d, magic %d", ErrCorrupt, size, set[atMagic]))
		}
		base := int64(binary.BigEndian.Uint64(set[atBaseOffset:]))
		if size > maxReadBatchBytes {
			return out, next, 0, unlessProgress(next > from, fmt.Errorf("batch at %d: %w: it has %d", base, errTooLarge, size))
		}
		if size > len(set) {
			return out, next, size, nil
		}
		b := set[:size]
		set = set[size:]
		if checksum(b[atAttributes:]) != binary.BigEndian.Uint32(b[atCRC:]) {
			return out, next, 0, unlessProgress(next > from, fmt.Errorf("%w: CRC of the batch at %d", ErrCorrupt, base))
		}
		end := base + int64(int32(binary.BigEndian.Uint32(b[atLastOffset:]))) + 1
		if base < 0 || end <= base {
			return out, next, 0, unlessProgress(next > from, fmt.Errorf("%w: batch from %d to %d", ErrCorrupt, base, end))
		}
		for len(pending) > 0 && pending[0].first <= base {
			d.abortedProducers = append(d.abortedProducers, pending[0].producer)
			pending = pending[1:]
		}
		attributes, producer := binary.BigEndian.Uint16(b[atAttributes:]), int64(binary.BigEndian.Uint64(b[atProducerID:]))
		switch {
		case attributes&attrControl != 0:
			// After its abort marker, the producer's next batch belongs to another transaction.
			if isAbort(b[batchHeader:]) {
				d.abortedProducers = slices.DeleteFunc(d.abortedProducers, func(p int64) bool { return p == producer })
			}
		case attributes&attrTransactional != 0 && slices.Contains(d.abortedProducers, producer):
		//mutant:decompress-unbounded replace case false:
		case end > from && d.budget > 0 && d.decompressed >= d.budget && attributes&attrCodec != 0:
			return out, next, 0, nil
		case end > from:
			keep := len(out)
			if out, err = d.records(b, base, end, from, out); err != nil {
				return out[:keep], next, 0, unlessProgress(next > from, fmt.Errorf("batch from %d to %d: %w", base, end-1, err))
			}
		}
		next = max(next, end)
	}
	return out, next, 0, nil
}

// unlessProgress suppresses an error after progress was made: the next fetch starts with it.
func unlessProgress(progress bool, err error) error {
	if progress {
		return nil
	}
	return err
}

func (d *recordSetDecoder) records(b []byte, base, end, from int64, out []Record) ([]Record, error) {
	attributes := binary.BigEndian.Uint16(b[atAttributes:])
	first, maxTime := int64(binary.BigEndian.Uint64(b[atBaseTimestamp:])), int64(binary.BigEndian.Uint64(b[atMaxTimestamp:]))
	n := int(int32(binary.BigEndian.Uint32(b[atCount:])))
	data := b[batchHeader:]
	if c := codec(attributes & attrCodec); c != codecNone {
		var err error
		if data, err = d.decompress(c, data); err != nil {
			return out, err
		}
	}
	const smallest = 7 // bytes of a record with neither key nor value
	if n < 0 || n > len(data)/smallest {
		return out, fmt.Errorf("%w: %d records in %d bytes", ErrCorrupt, n, len(data))
	}
	out = slices.Grow(out, n)
	for ; n > 0; n-- {
		size, rest, ok := readVarint(data)
		if !ok || size < smallest-1 || size > int64(len(rest)) {
			return out, fmt.Errorf("%w: record of %d bytes, %d left", ErrCorrupt, size, len(rest))
		}
		r := rest[1:size:size] // after the attributes
		data = rest[size:]
		time, r, ok1 := readVarint(r)
		offset, r, ok2 := readVarint(r)
		if !ok1 || !ok2 || offset < 0 || offset >= end-base {
			return out, fmt.Errorf("%w: record with offset %d of %d", ErrCorrupt, offset, end-base)
		}
		if base+offset < from {
			continue
		}
		key, r, ok1 := readVarbytes(r)
		value, r, ok2 := readVarbytes(r)
		if !ok1 || !ok2 || len(r) == 0 {
			return out, fmt.Errorf("%w: record at %d", ErrCorrupt, base+offset)
		}
		time += first
		if attributes&attrLogAppendTime != 0 {
			time = maxTime // the broker sets only the maximum
		}
		out = append(out, Record{Offset: base + offset, Timestamp: time, Key: key, Value: value, headers: r})
	}
	return out, nil
}

// decompress decompresses a batch into the arena.
func (d *recordSetDecoder) decompress(c codec, data []byte) ([]byte, error) {
	free := d.arena[len(d.arena):]
	whole, err := d.decompressor.decompress(c, free, data)
	if err != nil {
		return nil, fmt.Errorf("%w: decompress: %w", ErrCorrupt, err)
	}
	if len(whole) <= cap(free) {
		d.arena = d.arena[:len(d.arena)+len(whole)]
	} else {
		d.arena = whole // the records of earlier batches keep the former arena
	}
	d.decompressed += len(whole)
	return slices.Clip(whole), nil
}

// isAbort reports whether the control batch is an abort marker. The key of its record is version, then type, 0 for abort (KIP-98).
func isAbort(data []byte) bool {
	_, r, ok := readVarint(data)
	if !ok || len(r) == 0 {
		return false
	}
	_, r, ok1 := readVarint(r[1:])
	_, r, ok2 := readVarint(r)
	key, _, ok3 := readVarbytes(r)
	return ok1 && ok2 && ok3 && len(key) >= 4 && binary.BigEndian.Uint16(key[2:]) == 0
}
