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

// produceVersion of the protocol: the last without tagged fields (KIP-467).
const produceVersion = 8

const (
	// maxRequest keeps a request far below what a broker reads (socket.request.max.bytes, 100 MiB by default).
	maxRequest = 32 << 20
	// copyBelow: smaller batches are copied into one piece, because a write costs more than a copy.
	copyBelow = 32 << 10
)

// Ack says where a batch has been put.
type Ack struct {
	Topic      string
	Partition  int32
	BaseOffset int64 // of the first record; -1 for an empty batch, which is not sent
	AppendTime int64 // ms since the Unix epoch where the topic has LogAppendTime, -1 where it has CreateTime
}

// flight is one batch on its way.
type flight struct {
	batch *Batch
	wire  []byte
	ack   Ack
	sent  bool
	err   error // the answer's, or unanswered
}

// writer is what idempotent and transactional producing have in common: an identity and the next sequence per partition.
type writer struct {
	c         *Client
	id        identity
	txnID     string
	sequences map[topicPartition]int32
	pack      packer
}

// seal gives every batch that is not empty its sequence, and sorts them into rounds: a request may carry one batch per
// partition (87 otherwise), so the second batch of a partition waits for the second round.
func (w *writer) seal(batches []*Batch) ([][]*flight, error) {
	pressed, _ := codecNamed(w.c.cfg.Compression) // New has checked it
	var rounds [][]*flight
	nth := map[topicPartition]int{}
	for _, b := range batches {
		if b.n == 0 {
			continue
		}
		tp := topicPartition{b.topic, b.partition}
		wire, err := b.seal(w.id, w.sequences[tp], pressed, &w.pack)
		if err != nil {
			return nil, fmt.Errorf("seal batch for %s/%d: %w", b.topic, b.partition, err)
		}
		// Sequences wrap to 0 after 2^31-1.
		w.sequences[tp] = int32((uint32(w.sequences[tp]) + uint32(b.n)) & math.MaxInt32)
		if nth[tp] == len(rounds) {
			rounds = append(rounds, nil)
		}
		rounds[nth[tp]] = append(rounds[nth[tp]], &flight{batch: b, wire: wire})
		nth[tp]++
	}
	return rounds, nil
}

// round sends the flights, one request per leader and side by side, and leaves each flight's fate in it. What has no leader
// at the moment is not sent.
func (w *writer) round(ctx context.Context, flights []*flight) {
	topics := make([]string, 0, 4)
	for _, f := range flights {
		f.err, f.sent = nil, false
		if !slices.Contains(topics, f.batch.topic) {
			topics = append(topics, f.batch.topic)
		}
	}
	if err := w.c.locate(ctx, topics...); err != nil {
		for _, f := range flights {
			f.err = err
		}
		return
	}
	var requests []*produceRequest
	for _, f := range flights {
		broker, err := w.c.leader(f.batch.topic, f.batch.partition)
		if err != nil {
			f.err = err
			w.c.doubt(f.batch.topic)
			continue
		}
		i := slices.IndexFunc(requests, func(r *produceRequest) bool {
			return r.broker == broker && r.size+len(f.wire) <= maxRequest
		})
		if i < 0 {
			i = len(requests)
			requests = append(requests, &produceRequest{broker: broker})
		}
		requests[i].flights = append(requests[i].flights, f)
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
	flights []*flight
	size    int
}

func (r *produceRequest) exchange(ctx context.Context, w *writer) {
	// By topic, because the protocol groups them so.
	slices.SortStableFunc(r.flights, func(a, b *flight) int {
		switch {
		case a.batch.topic < b.batch.topic:
			return -1
		case a.batch.topic > b.batch.topic:
			return 1
		}
		return 0
	})
	call := Call{API: "Produce", TxnID: w.txnID}
	if r.flights[0].batch.topic == r.flights[len(r.flights)-1].batch.topic {
		call.Topic = r.flights[0].batch.topic
	}
	m := &raw{key: protocol.Produce, version: produceVersion, broker: r.broker, mine: w.c.correlation.Add(1)}
	m.out = r.encode(w, m.mine)
	for _, f := range r.flights {
		f.sent = true
	}
	_, err := w.c.send(ctx, call, 0, m)
	if err == nil {
		err = r.read(m.in)
	}
	if err == nil {
		return
	}
	for _, f := range r.flights {
		f.err, f.batch.lent = err, true
		w.c.doubt(f.batch.topic)
	}
}

// encode writes the request in pieces: large batches stay where they are.
func (r *produceRequest) encode(w *writer, correlation int32) [][]byte {
	small := 128 + len(w.txnID) + len(w.c.cfg.ClientID)
	for _, f := range r.flights {
		small += len(f.batch.topic) + 16
		if len(f.wire) < copyBelow {
			small += len(f.wire)
		}
	}
	b := make([]byte, 0, small) // never grows: pieces that were cut off before must stay
	b = appendHeader(b, protocol.Produce, produceVersion, correlation, w.c.cfg.ClientID)
	if w.txnID == "" {
		b = binary.BigEndian.AppendUint16(b, math.MaxUint16) // null
	} else {
		b = appendString(b, w.txnID)
	}
	b = binary.BigEndian.AppendUint16(b, math.MaxUint16) // acks: all (-1)
	b = binary.BigEndian.AppendUint32(b, uint32(w.c.cfg.Timeout/time.Millisecond))
	atTopics, topics := len(b), 0
	b = binary.BigEndian.AppendUint32(b, 0)
	var pieces [][]byte
	cut, size := 0, -4
	for i := 0; i < len(r.flights); topics++ {
		topic := r.flights[i].batch.topic
		b = appendString(b, topic)
		atParts, n := len(b), 0
		b = binary.BigEndian.AppendUint32(b, 0)
		for ; i < len(r.flights) && r.flights[i].batch.topic == topic; i++ {
			f := r.flights[i]
			b = binary.BigEndian.AppendUint32(b, uint32(f.batch.partition))
			b = binary.BigEndian.AppendUint32(b, uint32(len(f.wire)))
			if len(f.wire) < copyBelow {
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

// read notes each partition's answer. Every one of them counts: EndTxn would commit what did get in.
func (r *produceRequest) read(answer []byte) error {
	c := cursor{b: answer}
	c.take(4) // correlation id
	answered := 0
	for range c.count() {
		topic := c.str()
		for range c.count() {
			partition, code := c.i32(), c.i16()
			base, appended := c.i64(), c.i64()
			c.take(8) // log start
			for range c.count() {
				c.take(4) // index of a record that was refused
				c.str()   // and why
			}
			message := c.str()
			if c.bad {
				return fmt.Errorf("Produce: %w", &transportError{errShort})
			}
			for _, f := range r.flights {
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
	if c.bad || answered != len(r.flights) {
		return fmt.Errorf("Produce: %d of %d partitions answered: %w", answered, len(r.flights), &transportError{errShort})
	}
	return nil
}
