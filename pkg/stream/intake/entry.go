package intake

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// scratch is memory that is used again for every record.
type scratch struct {
	record   *kafka.Record
	header   func(name string) ([]byte, bool) // of the record
	message  event.Message
	customer []byte
	key      []byte
	payload  []byte
	value    []byte
	origin   ledger.Origin
	after    ledger.Mark
	headers  []kafka.Header
	raw      []byte
}

// takeRecord turns a record into an entry, a dead letter, or a count.
func (r *run) takeRecord(in *input, at int, rec *kafka.Record, now int64) error {
	s := &r.scratch
	s.record = rec
	s.message = event.Message{Key: rec.Key, Value: rec.Value, Null: rec.Value == nil, Timestamp: rec.Timestamp, Header: s.header}
	if err := r.cfg.Decoder.Decode(in.kind, &s.message, now, &r.result); err != nil {
		if refused := (*event.Refused)(nil); errors.As(err, &refused) {
			r.deadLetter(in, rec, refused)
			return nil
		}
		return fmt.Errorf("decode %s/%d offset %d: %w", in.topic, in.partition, rec.Offset, err)
	}
	if r.result.Skip != "" {
		r.countSkipped(in.topic, r.result.Skip)
		return nil
	}
	entryTime := r.result.Time
	if r.cfg.Genesis.GetClock() == ledger.Clock_CLOCK_LIVE {
		entryTime = min(entryTime, now) // a producer's clock that runs ahead must not carry ours along
	}
	in.time = max(in.time, entryTime)
	r.appendEvent(in, at, rec.Offset, entryTime)
	in.gauges.accepted.Inc()
	return nil
}

// appendEvent adds the entry to the cargo, in the partition that its customer has for the ledger's life.
func (r *run) appendEvent(in *input, at int, offset, time int64) {
	s, e := &r.scratch, &r.entry
	customer := r.result.Customer
	s.customer = append(s.customer[:0], customer...)
	partition := murmur2.PartitionFor(s.customer, int32(len(r.lanes))) //nolint:gosec // a count
	l := r.lanes[partition]

	s.payload = marshal(s.payload, &r.result.Event)
	s.origin = ledger.Origin{Topic: in.topic, Incarnation: in.incarnation, Partition: in.partition, Offset: offset}
	*e = ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_EVENT, Customer: customer, Origin: &s.origin, Time: time, Payload: s.payload}
	if l.has[at] {
		s.after.Offset = l.sent[at]
		e.After = &s.after
	}
	s.value = marshal(s.value, e)
	s.key = ledger.AppendKey(s.key[:0], customer, r.nonces.Uint64())
	r.filling.BatchFor(r.ledger, partition, len(s.key)+len(s.value)).Append(time, s.key, s.value, nil)
	l.sent[at], l.has[at] = offset, true
}

type message interface {
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
}

// marshal encodes into memory that is used again.
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

// DeadLetterTopic of the input topics that hold a kind of event.
func DeadLetterTopic(namespace string, kind event.Kind) string {
	return namespace + "." + kind.Descriptor().Topic + ".dlq"
}

// deadLetter adds the record as it is, with headers that say where it came from and what was wrong. It goes to the same
// partition as it came from, as far as there is one. What is too large is cut and marked: it never stops the stream.
func (r *run) deadLetter(in *input, rec *kafka.Record, why *event.Refused) {
	s := &r.scratch
	s.headers = append(s.headers[:0],
		kafka.Header{Key: "__connect.errors.topic", Value: []byte(in.topic)},
		kafka.Header{Key: "__connect.errors.partition", Value: strconv.AppendInt(nil, int64(in.partition), 10)},
		kafka.Header{Key: "__connect.errors.offset", Value: strconv.AppendInt(nil, rec.Offset, 10)},
		kafka.Header{Key: "__connect.errors.stage", Value: []byte("VALUE_CONVERTER")},
		kafka.Header{Key: "__connect.errors.class.name", Value: []byte("mainstay.intake")},
		kafka.Header{Key: "__connect.errors.exception.class.name", Value: []byte("mainstay." + string(why.Reason))},
		kafka.Header{Key: "__connect.errors.exception.message", Value: []byte(why.Error())},
	)
	key, value := rec.Key, rec.Value
	if size := len(key) + len(value) + len(rec.RawHeaders()); size > r.cfg.DeadLetterBytes {
		s.headers = append(s.headers, kafka.Header{Key: "mainstay_cut_from_bytes", Value: strconv.AppendInt(nil, int64(size), 10)})
		key, value = key[:min(len(key), 1024)], value[:min(len(value), r.cfg.DeadLetterBytes/2)]
		s.raw = kafka.EncodeHeaders(s.raw[:0], s.headers)
	} else {
		s.raw = kafka.AppendHeaders(s.raw[:0], rec.RawHeaders(), s.headers)
	}
	topic := DeadLetterTopic(r.cfg.Namespace, in.kind)
	partition := in.partition % r.letterBoxes[in.kind]
	r.filling.BatchFor(topic, partition, len(key)+len(value)+len(s.raw)).Append(rec.Timestamp, key, value, s.raw)
	r.countDeadLetter(in.topic, string(why.Reason))
}
