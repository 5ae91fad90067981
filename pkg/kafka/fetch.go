package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/protocol"
)

// fetchVersion of the protocol: the last in which topics have names, not ids, and no tagged fields (KIP-392).
const fetchVersion = 11

// patience is how long a Fetch with a short wait goes on trying while leaders are on the move.
const patience = 500 * time.Millisecond

// FetcherConfig bounds one answer, in bytes. A single batch larger than both still comes through.
type FetcherConfig struct {
	MaxBytes          int32 // per leader; 16 MiB when 0
	PartitionMaxBytes int32 // 2 MiB when 0
}

// Fetcher reads many partitions of many topics, read committed, with one request per leader and fetch. It is for one
// goroutine.
type Fetcher struct {
	c       *Client
	cfg     FetcherConfig
	parts   []*position
	index   map[topicPartition]*position
	topics  []string // distinct topics of parts
	leaders map[int32]*fetchRequest
	first   int // which partition the next request names first
	decoder decoder
	out     []Fetched
}

type topicPartition struct {
	topic     string
	partition int32
}

// position is where a partition's reading stands.
type position struct {
	topicPartition
	next     int64
	maxBytes int32
	records  []Record
	err      error // infrastructure trouble in this fetch
	answered bool  // in this fetch
}

// Fetched is what a fetch brought for one partition. It may be empty.
type Fetched struct {
	Topic     string
	Partition int32
	// Records are the committed data records, in order. They and all they point to last until the fetcher's next Fetch.
	Records []Record
	// Next is where the next fetch begins: past the records, and past markers and aborted records.
	Next int64
	// LogStart, LastStable and HighWatermark are the broker's at the time of the answer, -1 if not told.
	LogStart, LastStable, HighWatermark int64
	// Err concerns this partition alone, whose position has not moved: ErrOutOfRange, ErrAuthorization, ErrCorrupt,
	// ErrUnknownTopic, or Retriable trouble that outlasted the fetch's wait. Other partitions go on.
	Err error
}

// AtEnd says that there was nothing more when the broker answered, committed or open.
func (f Fetched) AtEnd() bool {
	return f.Err == nil && f.Next == f.LastStable && f.LastStable == f.HighWatermark
}

// NewFetcher makes a fetcher without partitions.
func (c *Client) NewFetcher(cfg FetcherConfig) *Fetcher {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 16 << 20
	}
	if cfg.PartitionMaxBytes <= 0 {
		cfg.PartitionMaxBytes = 2 << 20
	}
	return &Fetcher{c: c, cfg: cfg, index: map[topicPartition]*position{}, leaders: map[int32]*fetchRequest{}}
}

// Assign adds a partition, or moves it: the next fetch reads it from this offset on.
func (f *Fetcher) Assign(topic string, partition int32, offset int64) {
	f.Unassign(topic, partition)
	p := &position{topicPartition: topicPartition{topic, partition}, next: offset, maxBytes: f.cfg.PartitionMaxBytes}
	f.parts = append(f.parts, p)
	f.index[p.topicPartition] = p
	f.listTopics()
}

// Unassign forgets a partition.
func (f *Fetcher) Unassign(topic string, partition int32) {
	p, ok := f.index[topicPartition{topic, partition}]
	if !ok {
		return
	}
	delete(f.index, p.topicPartition)
	kept := make([]*position, 0, len(f.parts)) // a new slice: Fetched of the last fetch stay as they are
	for _, q := range f.parts {
		if q != p {
			kept = append(kept, q)
		}
	}
	f.parts = kept
	f.listTopics()
}

func (f *Fetcher) listTopics() {
	f.topics = f.topics[:0]
	seen := map[string]bool{}
	for _, p := range f.parts {
		if !seen[p.topic] {
			seen[p.topic] = true
			f.topics = append(f.topics, p.topic)
		}
	}
}

// Position is where the next fetch of the partition begins, -1 if it is not assigned.
func (f *Fetcher) Position(topic string, partition int32) int64 {
	if p, ok := f.index[topicPartition{topic, partition}]; ok {
		return p.next
	}
	return -1
}

// Fetch asks the leaders of all assigned partitions and returns what they answer: at once when minBytes are there on each,
// otherwise after maxWait (rounded up to ms), which is how a caller is woken once per interval and not once per record. It
// returns one Fetched per partition that was answered, also the empty ones. Trouble of the infrastructure (a moved leader, a
// lost connection) is tried again inside, with leaders looked up anew, for as long as nothing else is to be reported and
// maxWait (at least half a second) lasts; after that it stands in Fetched.Err.
//
// The error is the context's end or ErrClosed; positions have not moved then. What is returned lasts until the next Fetch.
func (f *Fetcher) Fetch(ctx context.Context, maxWait time.Duration, minBytes int32) ([]Fetched, error) {
	f.out = f.out[:0]
	f.decoder.reset()
	for _, p := range f.parts {
		p.err, p.answered = nil, false
	}
	start := time.Now()
	if len(f.parts) == 0 {
		return nil, pause(ctx, maxWait)
	}
	f.first = (f.first + 1) % len(f.parts)
	wait := maxWait
	for again := firstPause; ; again = min(2*again, lastPause) {
		f.round(ctx, wait, minBytes)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("fetch: %w", context.Cause(ctx))
		}
		if f.c.net.isClosed() {
			return nil, fmt.Errorf("fetch: %w", ErrClosed)
		}
		troubled := 0
		for _, p := range f.parts {
			if !p.answered {
				troubled++
			}
		}
		if troubled == 0 || f.worthReporting() {
			return f.out, nil
		}
		if time.Since(start) >= max(maxWait, patience) {
			break
		}
		if err := pause(ctx, again); err != nil {
			return nil, fmt.Errorf("fetch: %w", err)
		}
		wait = max(0, maxWait-time.Since(start))
	}
	for _, p := range f.parts {
		if !p.answered {
			f.out = append(f.out, Fetched{
				Topic: p.topic, Partition: p.partition, Next: p.next, LogStart: -1, LastStable: -1, HighWatermark: -1, Err: p.err,
			})
		}
	}
	return f.out, nil
}

func (f *Fetcher) worthReporting() bool {
	for i := range f.out {
		if len(f.out[i].Records) > 0 || f.out[i].Err != nil {
			return true
		}
	}
	return false
}

// round sends one request per leader for the partitions that are not answered yet, and reads the answers.
func (f *Fetcher) round(ctx context.Context, wait time.Duration, minBytes int32) {
	if err := f.c.locate(ctx, f.topics...); err != nil {
		for _, p := range f.parts {
			p.err = err
		}
		return
	}
	for _, l := range f.leaders {
		l.parts = l.parts[:0]
	}
	for i := range f.parts {
		p := f.parts[(f.first+i)%len(f.parts)] // another first each time: only the first may get a batch above the limit
		if p.answered {
			continue
		}
		broker, err := f.c.leader(p.topic, p.partition)
		if err != nil {
			p.err = err
			f.c.doubt(p.topic)
			continue
		}
		l := f.leaders[broker]
		if l == nil {
			l = &fetchRequest{broker: broker}
			f.leaders[broker] = l
		}
		l.parts = append(l.parts, p)
	}
	var active []*fetchRequest
	for _, l := range f.leaders {
		if len(l.parts) > 0 {
			active = append(active, l)
		}
	}
	var side sync.WaitGroup
	for i, l := range active {
		if i == len(active)-1 {
			l.exchange(ctx, f, wait, minBytes)
			break
		}
		side.Go(func() { l.exchange(ctx, f, wait, minBytes) })
	}
	side.Wait()
	for _, l := range active {
		if l.err == nil {
			l.err = f.read(l.answer)
		}
		if l.err != nil {
			for _, p := range l.parts {
				if !p.answered {
					p.err = l.err
					f.c.doubt(p.topic)
				}
			}
		}
	}
}

// fetchRequest is the request to one leader, with its memory.
type fetchRequest struct {
	broker int32
	parts  []*position
	out    []byte
	answer []byte
	err    error
}

func (l *fetchRequest) exchange(ctx context.Context, f *Fetcher, wait time.Duration, minBytes int32) {
	m := &raw{key: protocol.Fetch, version: fetchVersion, broker: l.broker, mine: f.c.correlation.Add(1), in: l.answer}
	call := Call{API: "Fetch"}
	if len(f.topics) == 1 {
		call.Topic = f.topics[0]
	}
	l.out = l.encode(l.out[:0], f, m.mine, wait, minBytes)
	m.out = [][]byte{l.out}
	if _, l.err = f.c.send(ctx, call, wait, m); l.err != nil {
		l.out, l.answer = nil, nil // the connection may not have let go of them
		return
	}
	l.answer = m.in
}

// encode writes the request. None of the -1 may be a 0: ReplicaID 0 is a broker's, CurrentLeaderEpoch 0 is fenced once the
// leader has changed (74), SessionEpoch 0 opens a fetch session each time.
func (l *fetchRequest) encode(b []byte, f *Fetcher, correlation int32, wait time.Duration, minBytes int32) []byte {
	const none32, none64 = ^uint32(0), ^uint64(0)
	b = appendHeader(b, protocol.Fetch, fetchVersion, correlation, f.c.cfg.ClientID)
	b = binary.BigEndian.AppendUint32(b, none32) // replica id
	b = binary.BigEndian.AppendUint32(b, uint32((wait+time.Millisecond-1)/time.Millisecond))
	b = binary.BigEndian.AppendUint32(b, uint32(minBytes))
	b = binary.BigEndian.AppendUint32(b, uint32(f.cfg.MaxBytes))
	//mutant:read-uncommitted replace b = append(b, 0)
	b = append(b, 1)                             // isolation level: read committed
	b = binary.BigEndian.AppendUint32(b, 0)      // session id
	b = binary.BigEndian.AppendUint32(b, none32) // session epoch
	atTopics, topics := len(b), 0
	b = binary.BigEndian.AppendUint32(b, 0)
	for i := 0; i < len(l.parts); topics++ {
		topic := l.parts[i].topic
		b = appendString(b, topic)
		atParts, n := len(b), 0
		b = binary.BigEndian.AppendUint32(b, 0)
		for ; i < len(l.parts) && l.parts[i].topic == topic; i++ {
			p := l.parts[i]
			b = binary.BigEndian.AppendUint32(b, uint32(p.partition))
			b = binary.BigEndian.AppendUint32(b, none32) // current leader epoch
			b = binary.BigEndian.AppendUint64(b, uint64(p.next))
			b = binary.BigEndian.AppendUint64(b, none64) // log start offset
			b = binary.BigEndian.AppendUint32(b, uint32(p.maxBytes))
			n++
		}
		binary.BigEndian.PutUint32(b[atParts:], uint32(n))
	}
	binary.BigEndian.PutUint32(b[atTopics:], uint32(topics))
	b = binary.BigEndian.AppendUint32(b, 0) // forgotten topics
	b = appendString(b, "")                 // rack
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// read takes one leader's answer apart.
func (f *Fetcher) read(answer []byte) error {
	r := cursor{b: answer}
	r.take(8) // correlation id, throttle time
	if err := failed(r.i16()); err != nil {
		return fmt.Errorf("Fetch: %w", err)
	}
	r.take(4) // session id
	for range r.count() {
		topic := r.str()
		for range r.count() {
			partition := r.i32()
			code := r.i16()
			got := Fetched{Partition: partition, HighWatermark: r.i64(), LastStable: r.i64(), LogStart: r.i64()}
			f.decoder.aborted = f.decoder.aborted[:0]
			for range r.count() {
				f.decoder.aborted = append(f.decoder.aborted, aborted{producer: r.i64(), first: r.i64()})
			}
			r.take(4) // preferred replica: only with a rack
			set := r.bytes()
			if r.bad {
				return fmt.Errorf("Fetch: %w", &transportError{errShort})
			}
			if p := f.index[topicPartition{string(topic), partition}]; p != nil && !p.answered {
				got.Topic = p.topic
				f.accept(p, code, got, set)
			}
		}
	}
	return nil
}

// accept moves one partition on, or notes its trouble.
func (f *Fetcher) accept(p *position, code int16, got Fetched, set []byte) {
	switch err := failed(code); {
	case err == nil:
		var wanted int
		p.records, got.Next, wanted, got.Err = f.decoder.decode(set, p.next, p.records[:0])
		if wanted > 0 && got.Next == p.next {
			// The broker gives a batch above the limit only to the request's first partition: make room for this one.
			p.maxBytes = max(p.maxBytes, int32(min(max(2*int(p.maxBytes), wanted), maxAnswer/2)))
		}
		got.Records, p.next = p.records, got.Next
	case errors.Is(err, ErrOutOfRange):
		got.Next, got.Err = p.next, &OutOfRangeError{p.topic, p.partition, p.next, got.LogStart}
	case errors.Is(err, ErrUnknownTopic), Code(code).retriable():
		p.err = fmt.Errorf("fetch %s/%d: %w", p.topic, p.partition, err)
		f.c.doubt(p.topic)
		return
	default:
		got.Next, got.Err = p.next, err
	}
	if got.Err != nil && !errors.Is(got.Err, ErrOutOfRange) {
		got.Err = fmt.Errorf("fetch %s/%d at %d: %w", p.topic, p.partition, p.next, got.Err)
	}
	p.answered = true
	f.out = append(f.out, got)
}
