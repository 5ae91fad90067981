package demo

import (
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/shop"
)

// parcel packs the shop's events for their topics.
type parcel struct {
	partitions int32 // of each input topic
	open       map[place]*kafka.Batch
	batches    []*kafka.Batch
	events     int64
}

type place struct {
	topic     string
	partition int32
}

func (p *parcel) add(e *shop.Event) {
	headers := make([]kafka.Header, len(e.Headers))
	for i, h := range e.Headers {
		headers[i] = kafka.Header{Key: h.Key, Value: []byte(h.Value)}
	}
	block := kafka.EncodeHeaders(nil, headers)
	at := place{e.Topic, int32(p.events % int64(p.partitions))} //nolint:gosec // below a partition count
	if e.Key != nil {
		at.partition = murmur2.PartitionFor(e.Key, p.partitions)
	}
	size := len(e.Key) + len(e.Value) + len(block)
	b := p.open[at]
	if b == nil || b.Full(size) {
		b = kafka.NewBatch(at.topic, at.partition)
		p.open[at] = b
		p.batches = append(p.batches, b)
	}
	b.Append(e.At.UnixMilli(), e.Key, e.Value, block)
	p.events++
}

func (p *parcel) reset() {
	clear(p.open)
	p.batches = nil
}
