package shopfeed

import (
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/sandbox/shop"
	"github.com/mainstay/mainstay/schemas/event"
)

// Input is the input topic of one kind of the shop's events.
type Input struct {
	Topic      string
	Partitions int32
}

// Packer packs a simulated shop's events into batches.
type Packer struct {
	Inputs  map[event.Kind]Input
	Batches []*kafka.Batch // not sent yet
	Events  int64          // packed so far, the sent ones included

	open map[inputPartition]*kafka.Batch
}

// inputPartition is an input partition.
type inputPartition struct {
	topic     string
	partition int32
}

// Add packs an event with a record timestamp in ms. Events without a key go to the partitions in turn.
func (p *Packer) Add(e *shop.Event, timestamp int64) {
	headers := make([]kafka.Header, len(e.Headers))
	for i, h := range e.Headers {
		headers[i] = kafka.Header{Key: h.Key, Value: []byte(h.Value)}
	}
	block := kafka.EncodeHeaders(nil, headers)
	to := p.Inputs[e.Kind]
	at := inputPartition{to.Topic, int32(p.Events % int64(to.Partitions))} //nolint:gosec // below a partition count
	if e.Key != nil {
		at.partition = murmur2.PartitionFor(e.Key, to.Partitions)
	}
	size := len(e.Key) + len(e.Value) + len(block)
	b := p.open[at]
	if b == nil || b.Full(size) {
		b = kafka.NewBatch(at.topic, at.partition)
		if p.open == nil {
			p.open = map[inputPartition]*kafka.Batch{}
		}
		p.open[at] = b
		p.Batches = append(p.Batches, b)
	}
	b.Append(timestamp, e.Key, e.Value, block)
	p.Events++
}

// Reset drops the batches after they were sent.
func (p *Packer) Reset() {
	clear(p.open)
	p.Batches = nil
}
