package intake

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// DeadLetterTopic is the dead-letter topic of the input topics that hold a kind of event.
func DeadLetterTopic(namespace string, kind event.Kind) string {
	return namespace + "." + kind.Descriptor().Topic + ".dlq"
}

// letter is an input record that becomes a dead letter.
type letter struct {
	input  *inputPartition
	offset int64
	why    event.Refused
}

// letterTopic is the dead-letter topic of a kind of event as it was when the run began.
type letterTopic struct {
	name       string
	partitions int32
	maxBytes   int  // of a batch: Config.DeadLetterBytes, or max.message.bytes if that is lower
	compacted  bool // records without a key are refused
}

// readLimits reads what the ledger and the dead-letter topics accept. Without the permission to read it (DescribeConfigs),
// the limits are the usual ones, and what exceeds the real ones is found out when brokers refuse it.
func (r *run) readLimits(ctx context.Context) error {
	names := []string{r.appends.topic}
	for _, t := range r.set.letterTopics {
		names = append(names, t.name)
	}
	configs, err := r.kafka.TopicConfigs(ctx, names)
	if err != nil && !errors.Is(err, kafka.ErrAuthorization) {
		return fmt.Errorf("read the limits of the ledger and the dead letters: %w", err)
	}
	limit := func(topic string, atMost int) int {
		n, err := strconv.Atoi(configs[topic]["max.message.bytes"])
		if err != nil || n <= 0 {
			return atMost
		}
		return min(n, atMost)
	}
	r.appends.limit(r.appends.topic, limit(r.appends.topic, kafka.MaxBatchBytes))
	for kind, t := range r.set.letterTopics {
		t.maxBytes = limit(t.name, r.cfg.DeadLetterBytes)
		t.compacted = strings.Contains(configs[t.name]["cleanup.policy"], "compact")
		r.set.letterTopics[kind] = t
		r.appends.limit(t.name, t.maxBytes)
	}
	return nil
}

// deadLetter adds the dead letter of a record to the pending batch.
func (r *run) deadLetter(in *inputPartition, rec *kafka.Record, why *event.Refused) {
	l := letter{in, rec.Offset, *why}
	b := r.addLetter(rec, l, false)
	r.appends.pending.letters = append(r.appends.pending.letters, sentLetter{b, l})
}

// The headers that are added to those of the record, beside those of Kafka Connect.
const (
	HeaderTimestamp = "mainstay_record_timestamp" // of the record, in Unix ms
	HeaderCut       = "mainstay_cut_from_bytes"   // size of the record, if the letter does not hold all of it
	HeaderKeyAdded  = "mainstay_key_added"        // the record has no key
)

// Bounds of what is left of a record that is cut, in bytes.
const (
	cutKeyBytes = 1024
	bareBytes   = 256 // of the key, and of the value, of a bare letter
	// noTimestamp is stored as it is by topics that otherwise check timestamps.
	noTimestamp = -1
)

// addLetter adds a dead letter to the pending batch: the record as it is, with headers that say where it came from and why it
// was refused, in the partition of the same number, modulo the partition count. It is stamped with the ledger's clock: a
// broker refuses a timestamp that is too far from its own time, and the record's may be anything; that one is in a header. A
// record that is too large for the topic is cut and marked as cut. A bare letter is what every topic accepts that accepts
// anything: with a key, without a timestamp, and small.
func (r *run) addLetter(rec *kafka.Record, l letter, bare bool) *kafka.Batch {
	e, to := &r.encoder, r.set.letterTopics[l.input.kind]
	e.headers = append(e.headers[:0],
		kafka.Header{Key: "__connect.errors.topic", Value: []byte(l.input.topic)},
		kafka.Header{Key: "__connect.errors.partition", Value: strconv.AppendInt(nil, int64(l.input.partition), 10)},
		kafka.Header{Key: "__connect.errors.offset", Value: strconv.AppendInt(nil, l.offset, 10)},
		kafka.Header{Key: "__connect.errors.stage", Value: []byte("VALUE_CONVERTER")},
		kafka.Header{Key: "__connect.errors.class.name", Value: []byte("mainstay.intake")},
		kafka.Header{Key: "__connect.errors.exception.class.name", Value: []byte("mainstay." + string(l.why.Reason))},
		kafka.Header{Key: "__connect.errors.exception.message", Value: []byte(l.why.Error())},
		kafka.Header{Key: HeaderTimestamp, Value: strconv.AppendInt(nil, rec.Timestamp, 10)},
	)
	//mutant:letter-own-time replace timestamp, key, value, own := rec.Timestamp, rec.Key, rec.Value, rec.RawHeaders()
	timestamp, key, value, own := r.clock.now(r.cfg.Now()), rec.Key, rec.Value, rec.RawHeaders()
	size := len(key) + len(value) + len(own)
	if bare {
		timestamp, key, value, own = noTimestamp, key[:min(len(key), bareBytes)], value[:min(len(value), bareBytes)], nil
	}
	if key == nil && (bare || to.compacted) {
		key = fmt.Appendf(nil, "%s/%d/%d", l.input.topic, l.input.partition, l.offset)
		e.headers = append(e.headers, kafka.Header{Key: HeaderKeyAdded, Value: []byte("true")})
	}
	e.raw = kafka.AppendHeaders(e.raw[:0], own, e.headers)
	room := to.maxBytes - to.maxBytes/64 - kafka.SingleRecordOverhead // a codec may add a little to what it cannot compress
	if tooLarge := len(key)+len(value)+len(e.raw) > room; tooLarge || bare && len(value)+len(own) < len(rec.Value)+len(rec.RawHeaders()) {
		e.headers = append(e.headers, kafka.Header{Key: HeaderCut, Value: strconv.AppendInt(nil, int64(size), 10)})
		e.raw = kafka.EncodeHeaders(e.raw[:0], e.headers)
		room = max(0, room-len(e.raw))
		key = key[:min(len(key), cutKeyBytes, room)]
		value = value[:min(len(value), room-len(key))]
	}
	b := r.appends.pending.BatchFor(to.name, l.input.partition%to.partitions, len(key)+len(value)+len(e.raw))
	b.Append(timestamp, key, value, e.raw)
	return b
}

// sendLetters sends dead letters of an input partition, in the order of their offsets, from a pending batch that is empty. It
// returns those from the first one on that its topic refuses for good even when it is bare, with the broker's code.
func (r *run) sendLetters(ctx context.Context, in *inputPartition, letters []letter) (refused []letter, code kafka.Code, err error) {
	for n := len(letters); len(letters) > 0; {
		records, err := r.readAgain(ctx, in, letters[:min(n, len(letters))])
		if err != nil {
			return letters, 0, err
		}
		sent := len(records)
		code, err := r.tryLetters(ctx, letters, records, false)
		if err == nil && sent == 1 && isRecordRefused(code) {
			code, err = r.tryLetters(ctx, letters, records, true)
		}
		switch {
		case err != nil:
			return letters, 0, err
		case code == 0:
			letters, n = letters[sent:], 2*sent
		case sent > 1 && isRecordRefused(code):
			n = sent / 2
		default:
			return letters, code, nil
		}
	}
	return nil, 0, nil
}

// tryLetters sends the letters of records, the first ones of letters.
func (r *run) tryLetters(ctx context.Context, letters []letter, records []kafka.Record, bare bool) (kafka.Code, error) {
	for i := range records {
		r.addLetter(&records[i], letters[i], bare)
	}
	return r.sendAlone(ctx)
}

var errEnough = errors.New("enough records")

// readAgain reads the records of letters once more, at least one and at most about a batch of them. Of a record that retention
// has deleted in the meantime nothing but the offset is left.
func (r *run) readAgain(ctx context.Context, in *inputPartition, letters []letter) ([]kafka.Record, error) {
	var records []kafka.Record
	bytes := 0
	_, err := r.kafka.ReadCommitted(ctx, in.topic, in.partition, letters[0].offset, letters[len(letters)-1].offset+1, func(rec kafka.Record) error {
		for len(records) < len(letters) && letters[len(records)].offset < rec.Offset {
			records = append(records, kafka.Record{Offset: letters[len(records)].offset})
		}
		if len(records) == len(letters) || letters[len(records)].offset != rec.Offset {
			return nil
		}
		size := len(rec.Key) + len(rec.Value) + len(rec.RawHeaders())
		if bytes += size; bytes > kafka.MaxBatchBytes && len(records) > 0 {
			return errEnough
		}
		records = append(records, rec.Clone())
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
		return records, nil
	case err != nil && !errors.Is(err, kafka.ErrOutOfRange):
		return nil, fmt.Errorf("read records of %s/%d again: %w", in.topic, in.partition, err)
	case len(records) == 0:
		records = append(records, kafka.Record{Offset: letters[0].offset})
	}
	return records, nil
}

// isolate returns the dead letter of an entry that the ledger refuses for good.
func isolate(in *inputPartition, offset int64, code kafka.Code) letter {
	_, reason := code.ProduceOutcome()
	return letter{in, offset, event.Refused{Reason: event.Reason(reason), Detail: "the ledger refuses the entry: " + code.Error()}}
}

func isRecordRefused(code kafka.Code) bool {
	outcome, _ := code.ProduceOutcome()
	return outcome == kafka.OutcomeRecordRefused
}

// originOf returns the input partition and the offset that an entry came from; nil for one that no input record caused.
func (r *run) originOf(e *ledger.Entry) (*inputPartition, int64) {
	o := e.GetOrigin()
	if o == nil {
		return nil, 0
	}
	return r.inputs[r.indexOf(o.GetTopic(), o.GetPartition())], o.GetOffset()
}
