package kafka

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// aborted is an entry of a fetch answer's list: from first on, what this producer wrote is to be dropped until its abort
// marker comes.
type aborted struct {
	producer, first int64
}

// decoder turns the record set of a fetch answer into records. Its memory is reused: what decode returns lasts until reset.
type decoder struct {
	arena   []byte    // decompressed batches
	aborted []aborted // of the answer at hand: an earlier answer's are of no use
	dead    []int64   // producers inside an aborted transaction
	unpack  unpacker
}

func (d *decoder) reset() { d.arena = d.arena[:0] }

// decode appends to out the committed data records at or above from, and returns them with the offset to go on from, which
// is past markers, aborted records and emptied batches (from itself when there is no whole batch). wanted, when not 0, is
// the size of a batch that does not fit into the set. An error is returned only when there is nothing before it: what could
// be read is handed out first.
//
// Batches lie in the set as in the log: the first may begin below from, the last may be cut off.
func (d *decoder) decode(set []byte, from int64, out []Record) (records []Record, next int64, wanted int, err error) {
	slices.SortFunc(d.aborted, func(a, b aborted) int { return cmp.Compare(a.first, b.first) })
	d.dead = d.dead[:0]
	pending := d.aborted
	next = from
	for len(set) > 0 {
		if len(set) < batchHeader {
			return out, next, batchHeader, nil
		}
		size := int(int32(binary.BigEndian.Uint32(set[atLength:]))) + atLeaderEpoch
		if size < batchHeader || set[atMagic] != 2 {
			return out, next, 0, orProgress(next > from, fmt.Errorf("%w: length %d, magic %d", ErrCorrupt, size, set[atMagic]))
		}
		if size > len(set) {
			return out, next, size, nil
		}
		b := set[:size]
		set = set[size:]
		if checksum(b[atAttributes:]) != binary.BigEndian.Uint32(b[atCRC:]) {
			return out, next, 0, orProgress(next > from, fmt.Errorf("%w: CRC of the batch at %d", ErrCorrupt, binary.BigEndian.Uint64(b)))
		}
		base := int64(binary.BigEndian.Uint64(b[atBaseOffset:]))
		end := base + int64(int32(binary.BigEndian.Uint32(b[atLastOffset:]))) + 1
		if base < 0 || end <= base {
			return out, next, 0, orProgress(next > from, fmt.Errorf("%w: batch from %d to %d", ErrCorrupt, base, end))
		}
		for len(pending) > 0 && pending[0].first <= base {
			d.dead = append(d.dead, pending[0].producer)
			pending = pending[1:]
		}
		attributes, producer := binary.BigEndian.Uint16(b[atAttributes:]), int64(binary.BigEndian.Uint64(b[atProducerID:]))
		switch {
		case attributes&attrControl != 0:
			// After an abort marker the producer's next batch is of another transaction.
			if isAbort(b[batchHeader:]) {
				d.dead = slices.DeleteFunc(d.dead, func(p int64) bool { return p == producer })
			}
		case attributes&attrTransactional != 0 && slices.Contains(d.dead, producer):
		case end > from:
			keep := len(out)
			if out, err = d.records(b, base, end, from, out); err != nil {
				return out[:keep], next, 0, orProgress(next > from, fmt.Errorf("batch at %d: %w", base, err))
			}
		}
		next = max(next, end)
	}
	return out, next, 0, nil
}

// orProgress holds an error back while there is progress: the next fetch begins with it.
func orProgress(progress bool, err error) error {
	if progress {
		return nil
	}
	return err
}

func (d *decoder) records(b []byte, base, end, from int64, out []Record) ([]Record, error) {
	attributes := binary.BigEndian.Uint16(b[atAttributes:])
	first, maxTime := int64(binary.BigEndian.Uint64(b[atBaseTimestamp:])), int64(binary.BigEndian.Uint64(b[atMaxTimestamp:]))
	n := int(int32(binary.BigEndian.Uint32(b[atCount:])))
	data := b[batchHeader:]
	if c := codec(attributes & attrCodec); c != codecNone {
		mark := len(d.arena)
		grown, err := d.unpack.decompress(c, d.arena, data)
		if err != nil {
			return out, fmt.Errorf("%w: decompress: %w", ErrCorrupt, err)
		}
		d.arena, data = grown, grown[mark:len(grown):len(grown)]
	}
	const smallest = 7 // bytes of a record with neither key nor value
	if n < 0 || n > len(data)/smallest {
		return out, fmt.Errorf("%w: %d records in %d bytes", ErrCorrupt, n, len(data))
	}
	out = slices.Grow(out, n)
	for ; n > 0; n-- {
		size, rest, ok := varint(data)
		if !ok || size < smallest-1 || size > int64(len(rest)) {
			return out, fmt.Errorf("%w: record of %d bytes, %d left", ErrCorrupt, size, len(rest))
		}
		r := rest[1:size:size] // behind the attributes
		data = rest[size:]
		time, r, ok1 := varint(r)
		offset, r, ok2 := varint(r)
		if !ok1 || !ok2 || offset < 0 || offset >= end-base {
			return out, fmt.Errorf("%w: record with offset %d of %d", ErrCorrupt, offset, end-base)
		}
		if base+offset < from {
			continue
		}
		key, r, ok1 := varbytes(r)
		value, r, ok2 := varbytes(r)
		if !ok1 || !ok2 || len(r) == 0 {
			return out, fmt.Errorf("%w: record at %d", ErrCorrupt, base+offset)
		}
		time += first
		if attributes&attrLogAppendTime != 0 {
			time = maxTime // the broker sets only this one
		}
		out = append(out, Record{Offset: base + offset, Timestamp: time, Key: key, Value: value, headers: r})
	}
	return out, nil
}

// isAbort reads the key of a control record: version, then type, 0 for abort (KIP-98).
func isAbort(data []byte) bool {
	_, r, ok := varint(data)
	if !ok || len(r) == 0 {
		return false
	}
	_, r, ok1 := varint(r[1:])
	_, r, ok2 := varint(r)
	key, _, ok3 := varbytes(r)
	return ok1 && ok2 && ok3 && len(key) >= 4 && binary.BigEndian.Uint16(key[2:]) == 0
}
