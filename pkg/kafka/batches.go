package kafka

import "sync"

// idle are batches that nobody uses, kept for their memory: at full speed a partition fills several of a megabyte with every
// transaction, and making them anew would be most of what the process allocates.
var idle = sync.Pool{New: func() any { return NewBatch("", 0) }} //nolint:gochecknoglobals // memory, no state

// Batches are the record batches of one request or transaction, several for a partition that has more than fits into one.
// They are not safe for concurrent use.
type Batches struct {
	all  []*Batch
	open map[topicPartition]*Batch
	last *Batch // that was asked for: one record is often followed by another for the same place
}

// NewBatches is empty.
func NewBatches() *Batches { return &Batches{open: map[topicPartition]*Batch{}} }

// BatchFor returns the batch of a partition that has room for a record of so many bytes (key, value and headers).
func (s *Batches) BatchFor(topic string, partition int32, size int) *Batch {
	if b := s.last; b != nil && b.partition == partition && b.topic == topic && !b.Full(size) {
		return b
	}
	at := topicPartition{topic, partition}
	b := s.open[at]
	if b != nil && !b.Full(size) {
		s.last = b
		return b
	}
	b = idle.Get().(*Batch) //nolint:forcetypeassert // the pool holds nothing else
	b.topic, b.partition = topic, partition
	s.open[at], s.last = b, b
	s.all = append(s.all, b)
	return b
}

// All returns the batches in the order in which they were begun. It is valid until Reset.
func (s *Batches) All() []*Batch { return s.all }

// Reset empties it, and gives the memory of its batches back. The request that they were in must be over.
func (s *Batches) Reset() {
	for _, b := range s.all {
		b.Reset()
		idle.Put(b)
	}
	clear(s.open)
	clear(s.all)
	s.all, s.last = s.all[:0], nil
}
