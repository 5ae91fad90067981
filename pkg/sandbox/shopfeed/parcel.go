package shopfeed

import (
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/sandbox/shop"
	"github.com/mainstay/mainstay/schemas/event"
)

// Input is where the shop's events of one topic go.
type Input struct {
	Topic      string
	Partitions int32
}

// Parcel packs a simulated shop's events for their topics.
type Parcel struct {
	Inputs  map[event.Kind]Input
	Batches []*kafka.Batch // what is packed and not sent yet
	Events  int64          // that were ever packed

	open map[slot]*kafka.Batch
}

// slot is an input partition.
type slot struct {
	topic     string
	partition int32
}

// Add packs an event under Kafka's time of it (ms). One without a key goes to the partitions in turn.
func (p *Parcel) Add(e *shop.Event, timestamp int64) {
	headers := make([]kafka.Header, len(e.Headers))
	for i, h := range e.Headers {
		headers[i] = kafka.Header{Key: h.Key, Value: []byte(h.Value)}
	}
	block := kafka.EncodeHeaders(nil, headers)
	to := p.Inputs[e.Kind]
	at := slot{to.Topic, int32(p.Events % int64(to.Partitions))} //nolint:gosec // below a partition count
	if e.Key != nil {
		at.partition = murmur2.PartitionFor(e.Key, to.Partitions)
	}
	size := len(e.Key) + len(e.Value) + len(block)
	b := p.open[at]
	if b == nil || b.Full(size) {
		b = kafka.NewBatch(at.topic, at.partition)
		if p.open == nil {
			p.open = map[slot]*kafka.Batch{}
		}
		p.open[at] = b
		p.Batches = append(p.Batches, b)
	}
	b.Append(timestamp, e.Key, e.Value, block)
	p.Events++
}

// Reset forgets what is packed, since it was sent.
func (p *Parcel) Reset() {
	clear(p.open)
	p.Batches = nil
}
