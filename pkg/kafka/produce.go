package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/protocol"
)

// produceVersion is the last version of Produce without tagged fields (KIP-467).
const produceVersion = 8

const (
	// maxRequestBytes keeps a request far below the broker's limit (socket.request.max.bytes, 100 MiB by default).
	maxRequestBytes = 32 << 20
	// copyThreshold, in bytes: smaller batches are copied into one buffer, because a write costs more than a copy.
	copyThreshold = 32 << 10
)

// Ack is the broker's acknowledgement of a batch.
type Ack struct {
	Topic      string
	Partition  int32
	BaseOffset int64 // offset of the first record; -1 for an empty batch, which is not sent
	AppendTime int64 // Unix ms if the topic has LogAppendTime, -1 if it has CreateTime
}

// pendingBatch is a batch that is being sent.
type pendingBatch struct {
	batch *Batch
	wire  []byte
	ack   Ack
	sent  bool
	err   error // of the response, or outcomeUnknown
	// appended: an earlier attempt was answered as appended without enough replicas.
	appended bool
}

// batchWriter is the common part of Producer and Transactional: an identity and the next sequence number of each partition.
type batchWriter struct {
	client     *Client
	identity   producerIdentity
	txnID      string
	sequences  map[topicPartition]int32
	compressor compressor
}

// seal assigns sequence numbers to all batches with records and groups them into rounds: a request may hold only one batch per partition
// (87 otherwise), so the second batch of a partition goes into the second round.
func (w *batchWriter) seal(batches []*Batch) ([][]*pendingBatch, error) {
	pressed, _ := codecNamed(w.client.cfg.Compression) // validated by New
	var rounds [][]*pendingBatch
	nth := map[topicPartition]int{}
	for _, b := range batches {
		if b.count == 0 {
			continue
		}
		tp := topicPartition{b.topic, b.partition}
		wire, err := b.seal(w.identity, w.sequences[tp], pressed, &w.compressor)
		if err != nil {
			return nil, fmt.Errorf("seal batch for %s/%d: %w", b.topic, b.partition, err)
		}
		// Sequences wrap to 0 after 2^31-1.
		w.sequences[tp] = int32((uint32(w.sequences[tp]) + uint32(b.count)) & math.MaxInt32)
		if nth[tp] == len(rounds) {
			rounds = append(rounds, nil)
		}
		rounds[nth[tp]] = append(rounds[nth[tp]], &pendingBatch{batch: b, wire: wire})
		nth[tp]++
	}
	return rounds, nil
}

// sendRound sends the batches, with concurrent requests to each leader, and stores each result in its pendingBatch. Batches for partitions
// without a leader are not sent.
func (w *batchWriter) sendRound(ctx context.Context, flights []*pendingBatch) {
	topics := make([]string, 0, 4)
	for _, f := range flights {
		f.err, f.sent = nil, false
		if !slices.Contains(topics, f.batch.topic) {
			topics = append(topics, f.batch.topic)
		}
	}
	if err := w.client.ensureLeaders(ctx, topics...); err != nil {
		for _, f := range flights {
			f.err = err
		}
		return
	}
	var requests []*produceRequest
	for _, f := range flights {
		broker, err := w.client.leader(f.batch.topic, f.batch.partition)
		if err != nil {
			f.err = err
			w.client.invalidateLeader(f.batch.topic)
			continue
		}
		i := slices.IndexFunc(requests, func(r *produceRequest) bool {
			return r.broker == broker && r.size+len(f.wire) <= maxRequestBytes
		})
		if i < 0 {
			i = len(requests)
			requests = append(requests, &produceRequest{broker: broker})
		}
		requests[i].batches = append(requests[i].batches, f)
		requests[i].size += len(f.wire)
	}
	var side sync.WaitGroup
	for i, r := range requests {
		if i == len(requests)-1 {
			r.exchange(ctx, w)
			break
		}
		side.Go(func() { r.exchange(ctx, w) })
	}
	side.Wait()
}

// produceRequest is the request to one leader.
type produceRequest struct {
	broker  int32
	batches []*pendingBatch
	size    int
}

func (r *produceRequest) exchange(ctx context.Context, w *batchWriter) {
	// The request groups batches by topic.
	slices.SortStableFunc(r.batches, func(a, b *pendingBatch) int {
		switch {
		case a.batch.topic < b.batch.topic:
			return -1
		case a.batch.topic > b.batch.topic:
			return 1
		}
		return 0
	})
	call := Call{API: "Produce", TxnID: w.txnID}
	if r.batches[0].batch.topic == r.batches[len(r.batches)-1].batch.topic {
		call.Topic = r.batches[0].batch.topic
	}
	m := &rawRequest{key: protocol.Produce, version: produceVersion, broker: r.broker, correlation: w.client.correlation.Add(1)}
	m.pieces = r.encode(w, m.correlation)
	for _, f := range r.batches {
		f.sent = true
	}
	_, err := w.client.send(ctx, call, 0, m)
	if err == nil {
		err = r.readResponse(m.response)
	}
	if err == nil {
		return
	}
	for _, f := range r.batches {
		f.err, f.batch.shared = err, true
		w.client.invalidateLeader(f.batch.topic)
	}
}

// encode returns the request in pieces, so that large batches are not copied.
func (r *produceRequest) encode(w *batchWriter, correlation int32) [][]byte {
	small := 128 + len(w.txnID) + len(w.client.cfg.ClientID)
	for _, f := range r.batches {
		small += len(f.batch.topic) + 16
		if len(f.wire) < copyThreshold {
			small += len(f.wire)
		}
	}
	b := make([]byte, 0, small) // must not grow, because earlier pieces point into it
	b = appendHeader(b, protocol.Produce, produceVersion, correlation, w.client.cfg.ClientID)
	if w.txnID == "" {
		b = binary.BigEndian.AppendUint16(b, math.MaxUint16) // null
	} else {
		b = appendString(b, w.txnID)
	}
	b = binary.BigEndian.AppendUint16(b, math.MaxUint16) // acks: all (-1)
	b = binary.BigEndian.AppendUint32(b, uint32(w.client.cfg.Timeout/time.Millisecond))
	atTopics, topics := len(b), 0
	b = binary.BigEndian.AppendUint32(b, 0)
	var pieces [][]byte
	cut, size := 0, -4
	for i := 0; i < len(r.batches); topics++ {
		topic := r.batches[i].batch.topic
		b = appendString(b, topic)
		atParts, n := len(b), 0
		b = binary.BigEndian.AppendUint32(b, 0)
		for ; i < len(r.batches) && r.batches[i].batch.topic == topic; i++ {
			f := r.batches[i]
			b = binary.BigEndian.AppendUint32(b, uint32(f.batch.partition))
			b = binary.BigEndian.AppendUint32(b, uint32(len(f.wire)))
			if len(f.wire) < copyThreshold {
				b = append(b, f.wire...)
			} else {
				pieces = append(pieces, b[cut:], f.wire)
				cut = len(b)
				size += len(f.wire)
			}
			n++
		}
		binary.BigEndian.PutUint32(b[atParts:], uint32(n))
	}
	binary.BigEndian.PutUint32(b[atTopics:], uint32(topics))
	binary.BigEndian.PutUint32(b, uint32(size+len(b)))
	if cut < len(b) {
		pieces = append(pieces, b[cut:])
	}
	return pieces
}

// readResponse stores the result of each partition. All must be checked, because EndTxn would commit those that succeeded.
func (r *produceRequest) readResponse(answer []byte) error {
	c := responseReader{rest: answer}
	c.next(4) // correlation id
	answered := 0
	for range c.count() {
		topic := c.str()
		for range c.count() {
			partition, code := c.i32(), c.i16()
			base, appended := c.i64(), c.i64()
			c.next(8) // log start
			for range c.count() {
				c.next(4) // index of a rejected record
				c.str()   // its error message
			}
			message := c.str()
			if c.short {
				return fmt.Errorf("Produce: %w", &transportError{errShortResponse})
			}
			for _, f := range r.batches {
				if f.batch.partition != partition || f.batch.topic != string(topic) {
					continue
				}
				answered++
				f.ack = Ack{f.batch.topic, partition, base, appended}
				if code != 0 {
					f.err = fmt.Errorf("Produce %s/%d: %w %s", f.batch.topic, partition, Code(code), message)
				}
			}
		}
	}
	if c.short || answered != len(r.batches) {
		return fmt.Errorf("Produce: %d of %d partitions answered: %w", answered, len(r.batches), &transportError{errShortResponse})
	}
	return nil
}
