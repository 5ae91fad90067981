package intake

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// encoder is memory that is used again for every record.
type encoder struct {
	record   *kafka.Record
	each     func(number int, value []byte)   // encodes an event of record
	reading  recordReading                    // of record
	header   func(name string) ([]byte, bool) // of record
	message  event.Message
	decoded  event.Result
	entry    ledger.Entry
	origin   ledger.Origin
	after    ledger.Mark
	customer []byte
	key      []byte
	payload  []byte
	value    []byte
	headers  []kafka.Header
	raw      []byte    // encoded headers
	passed   []byte    // encoded headers of record that are passed on; empty: none
	nonces   *rand.PCG // of the entries' keys
}

// encodeRecord encodes a record as entries, in the order of its events, or a dead letter, or counts it as skipped. After an error nothing of it is encoded.
func (r *run) encodeRecord(ctx context.Context, in *inputPartition, index int, rec *kafka.Record, now int64) error {
	e := &r.encoder
	e.record = rec
	e.message = event.Message{Key: rec.Key, Value: rec.Value, Null: rec.Value == nil, Timestamp: rec.Timestamp, Header: e.header}
	e.reading = recordReading{in: in, index: index, now: now}
	r.encodePassed(rec)
	_, err := r.cfg.Registry.Open(ctx, &e.message)
	if err == nil {
		err = in.format.Decode(r.cfg.Decoder, in.kind, &e.message, now, &e.decoded, e.each)
	}
	if err != nil {
		if refused := (*event.Refused)(nil); errors.As(err, &refused) {
			r.deadLetter(in, rec, refused)
			return nil
		}
		return fmt.Errorf("decode %s/%d offset %d: %w", in.topic, in.partition, rec.Offset, err)
	}
	if e.reading.entries > 0 {
		r.appends.pending.addEntries(in, 1)
	} else {
		r.metrics.RecordsConsumed.WithLabelValues(in.topic, "skipped").Inc()
	}
	return nil
}

// longestPassed bounds the value of a header that is passed on: the ledger is kept for ever. A longer one is left out. Trace contexts have at
// most 512 bytes (W3C Trace Context, 3.3.1.5).
const longestPassed = 512

// encodePassed encodes the headers of a record that its outputs bear, too.
func (r *run) encodePassed(rec *kafka.Record) {
	e := &r.encoder
	e.headers = e.headers[:0]
	for _, name := range r.cfg.PassHeaders {
		if value, ok := rec.Header(name); ok && value != nil && len(value) <= longestPassed {
			e.headers = append(e.headers, kafka.Header{Key: name, Value: value})
		}
	}
	e.passed = e.passed[:0]
	if len(e.headers) > 0 {
		e.passed = kafka.AppendHeaders(e.passed, nil, e.headers)
	}
}

// recordReading is where a record comes from, and what became of it.
type recordReading struct {
	in      *inputPartition
	index   int
	now     int64
	entries int
}

// encodeEach adds the event that is decoded, the one of this number in its record, or counts it as skipped.
func (r *run) encodeEach(number int, _ []byte) {
	e := &r.encoder
	in, now := e.reading.in, e.reading.now
	if e.decoded.Skip != "" {
		r.metrics.RecordsSkipped.WithLabelValues(e.decoded.Skip).Inc()
		return
	}
	e.reading.entries++
	for range e.decoded.NoRefunds {
		r.metrics.RecordsSkipped.WithLabelValues("zero_refund").Inc()
	}
	entryTime := e.decoded.Time
	if r.cfg.Genesis.GetClock() == ledger.Clock_CLOCK_LIVE {
		entryTime = min(entryTime, now) // a shop's clock that is ahead must not move the ledger's time
	}
	in.read.time = max(in.read.time, entryTime)
	r.encodeEvent(in, e.reading.index, place{e.record.Offset, uint32(number)}, entryTime) //nolint:gosec // bounded by format.MaxEvents
}

// encodeEvent adds the decoded event to the pending batch, in the partition that its customer has for the ledger's life.
func (r *run) encodeEvent(in *inputPartition, index int, from place, time int64) {
	e := &r.encoder
	customer := e.decoded.Customer
	e.customer = append(e.customer[:0], customer...)
	number := murmur2.PartitionFor(e.customer, int32(len(r.appends.partitions))) //nolint:gosec // a count
	partition := &r.appends.partitions[number]

	e.payload = marshal(e.payload, &e.decoded.Event)
	//mutant:ordinal-left-out insert from.ordinal = 0
	e.origin = ledger.Origin{Topic: in.topic, Incarnation: in.incarnation, Partition: in.partition, Offset: from.offset, Ordinal: from.ordinal}
	e.entry = ledger.Entry{Version: ledger.Version, Kind: event.EntryKind(&e.decoded.Event), Customer: customer, Origin: &e.origin, Time: time, Payload: e.payload, Headers: e.passed}
	if partition.hasOrigin[index] {
		e.after.Offset, e.after.Ordinal = partition.lastOrigin[index].offset, partition.lastOrigin[index].ordinal
		e.entry.After = &e.after
	}
	e.value = marshal(e.value, &e.entry)
	e.key = ledger.AppendKey(e.key[:0], customer, e.nonces.Uint64())
	r.appends.pending.BatchFor(r.appends.topic, number, len(e.key)+len(e.value)).Append(time, e.key, e.value, nil)
	partition.lastOrigin[index], partition.hasOrigin[index] = from, true
}

type message interface {
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
}

// marshal encodes into memory that is used again, and returns it.
func marshal(into []byte, m message) []byte {
	n := m.SizeVT()
	if cap(into) < n {
		into = make([]byte, 2*n)
	}
	into = into[:n]
	if _, err := m.MarshalToSizedBufferVT(into); err != nil {
		panic(err) // strings were checked by the decoder; there is nothing else that can fail
	}
	return into
}
