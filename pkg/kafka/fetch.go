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

// fetchVersion is the last version of Fetch that only leaders answer. From the next one on followers answer consumers too (KIP-392), and a
// follower that lags has the position of a reader out of range.
const fetchVersion = 10

// minFetchRetry is how long a Fetch with a shorter maxWait retries while leaders move.
const minFetchRetry = 500 * time.Millisecond

// maxKeptRecords is the most records whose memory is used again by the next fetch: 88 bytes each.
const maxKeptRecords = 64 << 10

// FetcherConfig bounds a fetch response in bytes. A single batch larger than both bounds is still returned, up to 32 MiB; a larger one is
// ErrCorrupt.
type FetcherConfig struct {
	MaxBytes          int32 // per leader and request, and of what a fetch decompresses; 16 MiB when 0
	PartitionMaxBytes int32 // per partition and request; 2 MiB when 0
}

// Fetcher reads many partitions of many topics, read committed, with one request per leader and fetch. It must be used by one goroutine
// at a time.
type Fetcher struct {
	client      *Client
	cfg         FetcherConfig
	partitions  []*fetchPosition
	byPartition map[topicPartition]*fetchPosition
	topics      []string // distinct topics of parts
	requests    map[int32]*fetchRequest
	rotation    int // index of the partition that the next request names first
	decoder     recordSetDecoder
	records     []Record // of all partitions in a fetch
	results     []Fetched
}

type topicPartition struct {
	topic     string
	partition int32
}

// fetchPosition is the state of an assigned partition.
type fetchPosition struct {
	topicPartition
	next       int64
	maxBytes   int32
	err        error // retriable error of this fetch
	answered   bool  // whether this fetch has a result for it
	outOfRange bool  // whether a broker says that next is out of range
}

// Fetched is the result of a fetch for one partition. It may have no records.
type Fetched struct {
	Topic     string
	Partition int32
	// Records are the committed data records, in order. They and their slices are valid until the fetcher's next Fetch.
	Records []Record
	// Next is the offset of the next fetch, past the records and past control records and aborted records.
	Next int64
	// LogStart, LastStable and HighWatermark are offsets of the partition at the time of the response, -1 if unknown.
	LogStart, LastStable, HighWatermark int64
	// Err is an error of this partition only, whose position has not moved: ErrOutOfRange, ErrAuthorization, ErrCorrupt,
	// ErrUnknownTopic, or a Retriable error that lasted longer than the fetch.
	Err error
}

// AtEnd reports whether the partition had no further records at the time of the response, neither committed nor in an open transaction.
func (f Fetched) AtEnd() bool {
	return f.Err == nil && f.Next == f.LastStable && f.LastStable == f.HighWatermark
}

// NewFetcher returns a fetcher without partitions.
func (c *Client) NewFetcher(cfg FetcherConfig) *Fetcher {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 16 << 20
	}
	if cfg.PartitionMaxBytes <= 0 {
		cfg.PartitionMaxBytes = 2 << 20
	}
	return &Fetcher{
		client: c, cfg: cfg, byPartition: map[topicPartition]*fetchPosition{}, requests: map[int32]*fetchRequest{},
		decoder: recordSetDecoder{budget: int(cfg.MaxBytes)},
	}
}

// Assign adds a partition, or changes its position: the next fetch starts at offset.
func (f *Fetcher) Assign(topic string, partition int32, offset int64) {
	f.Unassign(topic, partition)
	p := &fetchPosition{topicPartition: topicPartition{topic, partition}, next: offset, maxBytes: f.cfg.PartitionMaxBytes}
	f.partitions = append(f.partitions, p)
	f.byPartition[p.topicPartition] = p
	f.listTopics()
}

// Unassign removes a partition.
func (f *Fetcher) Unassign(topic string, partition int32) {
	p, ok := f.byPartition[topicPartition{topic, partition}]
	if !ok {
		return
	}
	delete(f.byPartition, p.topicPartition)
	kept := make([]*fetchPosition, 0, len(f.partitions)) // a new slice: the results of the last fetch stay valid
	for _, q := range f.partitions {
		if q != p {
			kept = append(kept, q)
		}
	}
	f.partitions = kept
	f.listTopics()
}

func (f *Fetcher) listTopics() {
	f.topics = f.topics[:0]
	seen := map[string]bool{}
	for _, p := range f.partitions {
		if !seen[p.topic] {
			seen[p.topic] = true
			f.topics = append(f.topics, p.topic)
		}
	}
}

// Position returns the offset of the next fetch of the partition, -1 if it is not assigned.
func (f *Fetcher) Position(topic string, partition int32) int64 {
	if p, ok := f.byPartition[topicPartition{topic, partition}]; ok {
		return p.next
	}
	return -1
}

// Fetch fetches all assigned partitions from their leaders. A leader responds as soon as it has minBytes, at the latest after maxWait
// (rounded up to ms); a large minBytes therefore wakes the caller once per maxWait and not once per record. Fetch returns one Fetched
// per partition, including those without records. Retriable errors (a moved leader, a lost connection) are retried with refreshed
// leaders, until another partition has a result or maxWait (at least half a second) has passed; then they are returned in Fetched.Err.
//
// The error is that of the context or ErrClosed; positions have not moved then. The result is valid until the next Fetch.
func (f *Fetcher) Fetch(ctx context.Context, maxWait time.Duration, minBytes int32) ([]Fetched, error) {
	f.results, f.records = f.results[:0], f.records[:0]
	if cap(f.records) > maxKeptRecords {
		f.records = nil
	}
	f.decoder.reset()
	for _, p := range f.partitions {
		p.err, p.answered, p.outOfRange = nil, false, false
	}
	start := time.Now()
	if len(f.partitions) == 0 {
		return nil, pause(ctx, maxWait)
	}
	f.rotation = (f.rotation + 1) % len(f.partitions)
	wait := maxWait
	for again := minBackoff; ; again = min(2*again, maxBackoff) {
		f.fetchRound(ctx, wait, minBytes)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("fetch: %w", context.Cause(ctx))
		}
		if f.client.dialer.isClosed() {
			return nil, fmt.Errorf("fetch: %w", ErrClosed)
		}
		troubled := 0
		for _, p := range f.partitions {
			if !p.answered {
				troubled++
			}
		}
		if troubled == 0 || f.hasResults() {
			return f.results, nil
		}
		if time.Since(start) >= max(maxWait, minFetchRetry) {
			break
		}
		if err := pause(ctx, again); err != nil {
			return nil, fmt.Errorf("fetch: %w", err)
		}
		wait = max(0, maxWait-time.Since(start))
	}
	for _, p := range f.partitions {
		if !p.answered {
			f.results = append(f.results, Fetched{
				Topic: p.topic, Partition: p.partition, Next: p.next, LogStart: -1, LastStable: -1, HighWatermark: -1, Err: p.err,
			})
		}
	}
	return f.results, nil
}

// hasResults reports whether a result has records or an error.
func (f *Fetcher) hasResults() bool {
	for i := range f.results {
		if len(f.results[i].Records) > 0 || f.results[i].Err != nil {
			return true
		}
	}
	return false
}

// fetchRound sends one request per leader for the partitions without a result, and decodes the responses.
func (f *Fetcher) fetchRound(ctx context.Context, wait time.Duration, minBytes int32) {
	if err := f.client.ensureLeaders(ctx, f.topics...); err != nil {
		for _, p := range f.partitions {
			p.err = err
		}
		return
	}
	for _, l := range f.requests {
		l.partitions = l.partitions[:0]
	}
	for i := range f.partitions {
		p := f.partitions[(f.rotation+i)%len(f.partitions)] // rotated, because only the first partition may get a batch above the limit
		if p.answered {
			continue
		}
		broker, err := f.client.leader(p.topic, p.partition)
		if err != nil {
			p.err = err
			f.client.invalidateLeader(p.topic)
			continue
		}
		l := f.requests[broker]
		if l == nil {
			l = &fetchRequest{broker: broker}
			f.requests[broker] = l
		}
		l.partitions = append(l.partitions, p)
	}
	var active []*fetchRequest
	for _, l := range f.requests {
		if len(l.partitions) > 0 {
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
			l.err = f.readResponse(l.response, l.cut)
		}
		if l.err != nil {
			for _, p := range l.partitions {
				if !p.answered {
					p.err = l.err
					f.client.invalidateLeader(p.topic)
				}
			}
		}
	}
	for _, p := range f.partitions {
		if p.outOfRange {
			f.confirmOutOfRange(ctx, p)
		}
	}
}

// confirmOutOfRange records a position that is out of range as the partition's result only if the newest leader confirms it. A broker
// that is cut off from the others answers as the leader that it was, and lacks what was written since. Otherwise the error is retriable.
func (f *Fetcher) confirmOutOfRange(ctx context.Context, p *fetchPosition) {
	p.outOfRange = false
	bounds, err := f.client.offsetsOfNewestLeader(ctx, p.topic, p.partition)
	switch {
	case err != nil:
		p.err = fmt.Errorf("confirm that offset %d of %s/%d is out of range: %w", p.next, p.topic, p.partition, err)
		f.client.invalidateLeader(p.topic)
		return
	//mutant:former-leader-believed replace case false:
	case p.next >= bounds.Start && p.next <= bounds.HighWatermark:
		p.err = fmt.Errorf("fetch %s/%d: another broker leads: %w", p.topic, p.partition, CodeNotLeaderOrFollower) // it is cached now
		return
	}
	p.answered = true
	f.results = append(f.results, Fetched{
		Topic: p.topic, Partition: p.partition, Next: p.next,
		LogStart: bounds.Start, LastStable: bounds.LastStable, HighWatermark: bounds.HighWatermark,
		Err: &OutOfRangeError{p.topic, p.partition, p.next, bounds.Start, bounds.HighWatermark},
	})
}

// fetchRequest is the request to one leader, with reused buffers.
type fetchRequest struct {
	broker     int32
	partitions []*fetchPosition
	encoded    []byte
	response   []byte
	cut        bool // response has lost its end
	err        error
}

func (l *fetchRequest) exchange(ctx context.Context, f *Fetcher, wait time.Duration, minBytes int32) {
	// A response can exceed what was asked for by one batch. What comes behind it, or behind the part of it that is read, is discarded.
	most := 2*int(f.cfg.MaxBytes) + maxReadBatchBytes
	if cap(l.response) > 2*int(f.cfg.MaxBytes) {
		l.response = nil
	}
	m := &rawRequest{
		key: protocol.Fetch, version: fetchVersion, broker: l.broker, correlation: f.client.correlation.Add(1), response: l.response, most: most,
	}
	call := Call{API: "Fetch"}
	if len(f.topics) == 1 {
		call.Topic = f.topics[0]
	}
	l.encoded = l.encode(l.encoded[:0], f, m.correlation, wait, minBytes)
	m.pieces = [][]byte{l.encoded}
	if _, l.err = f.client.send(ctx, call, wait, m); l.err != nil {
		l.encoded, l.response = nil, nil // the connection may still use them
		return
	}
	l.response, l.cut = m.response, m.cut
}

// encode appends the request to b. None of the fields that are -1 may be 0: ReplicaID 0 is a broker, CurrentLeaderEpoch 0 is fenced after
// the leader has changed (74), and SessionEpoch 0 would open a fetch session with each request.
func (l *fetchRequest) encode(b []byte, f *Fetcher, correlation int32, wait time.Duration, minBytes int32) []byte {
	const none32, none64 = ^uint32(0), ^uint64(0)
	b = appendHeader(b, protocol.Fetch, fetchVersion, correlation, f.client.cfg.ClientID)
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
	for i := 0; i < len(l.partitions); topics++ {
		topic := l.partitions[i].topic
		b = appendString(b, topic)
		atParts, n := len(b), 0
		b = binary.BigEndian.AppendUint32(b, 0)
		for ; i < len(l.partitions) && l.partitions[i].topic == topic; i++ {
			p := l.partitions[i]
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
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// readResponse decodes the response of one leader. If its end was cut off, the partitions in it are answered by the next request.
func (f *Fetcher) readResponse(answer []byte, cut bool) error {
	r := responseReader{rest: answer, cut: cut}
	r.next(8) // correlation id, throttle time
	if err := codeError(r.i16()); err != nil {
		return fmt.Errorf("Fetch: %w", err)
	}
	r.next(4) // session id
	for range r.count() {
		topic := r.str()
		for range r.count() {
			partition := r.i32()
			code := r.i16()
			got := Fetched{Partition: partition, HighWatermark: r.i64(), LastStable: r.i64(), LogStart: r.i64()}
			f.decoder.aborted = f.decoder.aborted[:0]
			for range r.count() {
				f.decoder.aborted = append(f.decoder.aborted, abortedTransaction{producer: r.i64(), first: r.i64()})
			}
			set := r.bytes()
			if r.short && cut {
				return nil
			}
			if r.short {
				return fmt.Errorf("Fetch: %w", &transportError{errShortResponse})
			}
			if p := f.byPartition[topicPartition{string(topic), partition}]; p != nil && !p.answered {
				got.Topic = p.topic
				f.applyPartition(p, code, got, set)
			}
		}
	}
	return nil
}

// applyPartition advances one partition, or records its error.
func (f *Fetcher) applyPartition(p *fetchPosition, code int16, got Fetched, set []byte) {
	switch err := codeError(code); {
	case err == nil:
		var wanted int
		first := len(f.records)
		f.records, got.Next, wanted, got.Err = f.decoder.decode(set, p.next, f.records)
		if wanted > 0 && got.Next == p.next {
			// A broker returns a batch above the limit only for the first partition of a request: raise this one's limit.
			p.maxBytes = max(p.maxBytes, int32(min(max(2*int(p.maxBytes), wanted), maxReadBatchBytes)))
		}
		got.Records, p.next = f.records[first:len(f.records):len(f.records)], got.Next
	case errors.Is(err, ErrOutOfRange):
		p.outOfRange = true
		return
	case errors.Is(err, ErrUnknownTopic), Code(code).retriable():
		p.err = fmt.Errorf("fetch %s/%d: %w", p.topic, p.partition, err)
		f.client.invalidateLeader(p.topic)
		return
	default:
		got.Next, got.Err = p.next, err
	}
	if got.Err != nil {
		got.Err = fmt.Errorf("fetch %s/%d at %d: %w", p.topic, p.partition, p.next, got.Err)
	}
	p.answered = true
	f.results = append(f.results, got)
}
