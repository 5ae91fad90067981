// Package deadletters owns listing, showing and replaying the records that intake could not decode. It reads those of webhooks as well,
// which pkg/ops/deliveries replays.
//
// It refuses to change the dead letters themselves (a replayed record stays among them until retention ends), to show a payload
// without a flag, and to replay without a bound.
package deadletters

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/schemas/event"
)

// The headers that intake appends to the record's own, in its order.
const (
	headerTopic     = "__connect.errors.topic"
	headerPartition = "__connect.errors.partition"
	headerOffset    = "__connect.errors.offset"
	headerReason    = "__connect.errors.exception.class.name"
	headerMessage   = "__connect.errors.exception.message"
	prefixAdded     = "__connect.errors."
	reasonPrefix    = "mainstay."
)

// DeadLetter is one dead letter. Key, Value and Headers are valid as long as the record.
type DeadLetter struct {
	Topic     string // of the dead letters
	Partition int32
	Offset    int64
	Timestamp time.Time // when it became a dead letter; of one that is stored without a timestamp, the record's own
	// RecordTimestamp is the record's own Kafka timestamp in Unix ms, which may be no sensible time. Letters of releases that
	// did not state it bear it as Timestamp.
	RecordTimestamp int64

	Origin  Origin
	Reason  string // such as bad_format
	Message string // the field, the reason and the expected form; nothing of the payload
	Cut     int64  // size of the record in bytes before it was cut; 0: it is whole

	Key, Value []byte
	Headers    []kafka.Header // the record's own

	timestampStated, keyAdded bool
}

// Origin is the input record. Two dead letters of one origin are duplicates.
type Origin struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// ErrForeign is the error of a record that intake did not write.
var ErrForeign = errors.New("not a dead letter of Mainstay")

// latest is the last millisecond of the year 9999, in Unix ms: no later time can be written in RFC 3339.
const latest = 253_402_300_799_999

func parse(topic string, partition int32, r kafka.Record) (DeadLetter, error) {
	var all []kafka.Header
	for key, value := range r.Headers() {
		all = append(all, kafka.Header{Key: key, Value: value})
	}
	l, err := parseHeaders(topic, partition, r.Offset, all)
	l.Value = r.Value
	if !l.keyAdded {
		l.Key = r.Key
	}
	if !l.timestampStated {
		l.RecordTimestamp = r.Timestamp
	}
	at := r.Timestamp
	if at < 0 {
		at = max(l.RecordTimestamp, 0)
	}
	l.Timestamp = time.UnixMilli(min(at, latest)).UTC()
	return l, err
}

// parseHeaders takes the added headers off the end: the record may have had others of the same names, from somebody else's
// dead letters.
func parseHeaders(topic string, partition int32, offset int64, all []kafka.Header) (DeadLetter, error) {
	l := DeadLetter{Topic: topic, Partition: partition, Offset: offset}
	first := -1
	for i, h := range slices.Backward(all) {
		if h.Key == headerTopic {
			first = i
			break
		}
	}
	if first < 0 {
		return l, fmt.Errorf("%s/%d offset %d: %w: header %s is missing", topic, partition, offset, ErrForeign, headerTopic)
	}
	l.Headers = all[:first:first]
	var bad error
	number := func(h kafka.Header, bits int) int64 {
		n, err := strconv.ParseInt(string(h.Value), 10, bits)
		if err != nil && bad == nil {
			bad = fmt.Errorf("%s/%d offset %d: %w: header %s is no number", topic, partition, offset, ErrForeign, h.Key)
		}
		return n
	}
	for _, h := range all[first:] {
		switch h.Key {
		case headerTopic:
			l.Origin.Topic = string(h.Value)
		case headerPartition:
			l.Origin.Partition = int32(number(h, 32)) //nolint:gosec // parsed as 32 bits
		case headerOffset:
			l.Origin.Offset = number(h, 64)
		case headerReason:
			l.Reason = strings.TrimPrefix(string(h.Value), reasonPrefix)
		case headerMessage:
			l.Message = string(h.Value)
		case intake.HeaderCut:
			l.Cut = number(h, 64)
		case intake.HeaderTimestamp:
			l.RecordTimestamp, l.timestampStated = number(h, 64), true
		case intake.HeaderKeyAdded:
			l.keyAdded = true
		default:
			if !strings.HasPrefix(h.Key, prefixAdded) {
				return l, fmt.Errorf("%s/%d offset %d: %w: unexpected header %s behind those of intake", topic, partition, offset, ErrForeign, h.Key)
			}
		}
	}
	return l, bad
}

// Filter selects dead letters. The zero value selects all.
type Filter struct {
	Letters []string     // dead-letter topics that are read, such as those of webhooks; none: those of Kinds
	Kinds   []event.Kind // whose topics are read; none: all
	Topic   string       // that they came from
	Reason  string
	Since   time.Time // by the time at which they became dead letters
}

func (f Filter) matches(l *DeadLetter) bool {
	return (f.Topic == "" || l.Origin.Topic == f.Topic) && (f.Reason == "" || l.Reason == f.Reason) &&
		(f.Since.IsZero() || !l.Timestamp.Before(f.Since))
}

// Topics returns the dead-letter topics that the filter reads.
func (f Filter) Topics(namespace string) []string {
	if len(f.Letters) > 0 {
		return f.Letters
	}
	kinds := f.Kinds
	if len(kinds) == 0 {
		for k := range event.Kinds {
			kinds = append(kinds, k)
		}
	}
	topics := make([]string, len(kinds))
	for i, k := range kinds {
		topics[i] = intake.DeadLetterTopic(namespace, k)
	}
	return topics
}

// ForEach calls fn for the dead letters that the filter matches, topic by topic and partition by partition, each origin once. A
// letter is valid only during its call. foreign counts records that neither intake nor webhooks wrote.
func ForEach(ctx context.Context, k *kafka.Client, namespace string, f Filter, fn func(*DeadLetter) error) (foreign int64, err error) {
	topics, err := k.Topics(ctx, f.Topics(namespace))
	if err != nil {
		return 0, fmt.Errorf("look up the dead letters: %w", err)
	}
	seen := map[Origin]bool{}
	for _, t := range topics {
		if !t.Exists {
			return foreign, fmt.Errorf("topic %s does not exist: create it with `mainstay topics apply`", t.Name)
		}
		for p := range int32(len(t.Leaders)) { //nolint:gosec // a count
			bounds, err := k.ListOffsets(ctx, t.Name, []int32{p})
			if err != nil {
				return foreign, fmt.Errorf("look up the dead letters: %w", err)
			}
			_, err = k.ReadCommitted(ctx, t.Name, p, bounds[p].Start, bounds[p].LastStable, func(r kafka.Record) error {
				l, err := parse(t.Name, p, r)
				if errors.Is(err, ErrForeign) {
					foreign++
					return nil
				}
				if err != nil || seen[l.Origin] || !f.matches(&l) {
					return err
				}
				seen[l.Origin] = true
				return fn(&l)
			})
			if err != nil {
				return foreign, fmt.Errorf("read the dead letters: %w", err)
			}
		}
	}
	return foreign, nil
}

// Count counts the dead letters of one input topic and reason.
type Count struct {
	Topic  string    `json:"topic"` // that they came from
	Reason string    `json:"reason"`
	Count  int64     `json:"count"`
	Cut    int64     `json:"cut"` // of them, those that were too large to keep whole
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	Where  string    `json:"where"` // the last of them: dead-letter topic/partition/offset, as Show takes it
}

// Counts is the result of List.
type Counts struct {
	Total   int64   `json:"total"`
	Foreign int64   `json:"foreign"` // records that are no dead letters of Mainstay
	Counts  []Count `json:"counts"`
}

// List counts dead letters by topic and reason; a record that was dead-lettered twice counts once.
func List(ctx context.Context, k *kafka.Client, namespace string, f Filter) (*Counts, error) {
	type key struct{ topic, reason string }
	by := map[key]*Count{}
	all := &Counts{Counts: []Count{}}
	foreign, err := ForEach(ctx, k, namespace, f, func(l *DeadLetter) error {
		at := key{l.Origin.Topic, l.Reason}
		c := by[at]
		if c == nil {
			c = &Count{Topic: at.topic, Reason: at.reason, First: l.Timestamp, Last: l.Timestamp}
			by[at] = c
		}
		c.Count++
		if l.Cut > 0 {
			c.Cut++
		}
		if l.Timestamp.Before(c.First) {
			c.First = l.Timestamp
		}
		if !l.Timestamp.Before(c.Last) {
			c.Last, c.Where = l.Timestamp, fmt.Sprintf("%s/%d/%d", l.Topic, l.Partition, l.Offset)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all.Foreign = foreign
	for _, c := range by {
		all.Total += c.Count
		all.Counts = append(all.Counts, *c)
	}
	slices.SortFunc(all.Counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return all, nil
}

// ErrNotFound is the error of a place without a dead letter.
var ErrNotFound = errors.New("there is no dead letter")

// Show reads one dead letter by topic/partition/offset.
func Show(ctx context.Context, k *kafka.Client, place string) (*DeadLetter, error) {
	topic, partition, offset, err := parsePlace(place)
	if err != nil {
		return nil, err
	}
	topics, err := k.Topics(ctx, []string{topic})
	if err != nil {
		return nil, fmt.Errorf("look up the dead letter: %w", err)
	}
	if !topics[0].Exists || int(partition) >= len(topics[0].Leaders) {
		return nil, fmt.Errorf("%s: %w: no such topic or partition", place, ErrNotFound)
	}
	r, ok, err := k.ReadAtOrBelow(ctx, topic, partition, offset)
	if err != nil && !errors.Is(err, kafka.ErrOutOfRange) {
		return nil, fmt.Errorf("read the dead letter: %w", err)
	}
	if err != nil || !ok || r.Offset != offset {
		return nil, fmt.Errorf("%s: %w: there was none, or retention has deleted it", place, ErrNotFound)
	}
	l, err := parse(topic, partition, r)
	return &l, err
}

var errPlace = errors.New("a place is written topic/partition/offset, as `dlq list` shows it")

func parsePlace(place string) (topic string, partition int32, offset int64, err error) {
	parts := strings.Split(place, "/")
	if len(parts) != 3 { //nolint:mnd // as it is written
		return "", 0, 0, fmt.Errorf("%q: %w", place, errPlace)
	}
	p, err1 := strconv.ParseInt(parts[1], 10, 32)
	o, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil || p < 0 || o < 0 {
		return "", 0, 0, fmt.Errorf("%q: %w", place, errPlace)
	}
	return parts[0], int32(p), o, nil
}
