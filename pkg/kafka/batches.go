package kafka

import "sync"

// batchPool keeps unused batches for their memory: under load a partition fills several batches of 1 MB per transaction, and allocating
// them would be most of what the process allocates.
var batchPool = sync.Pool{New: func() any { return NewBatch("", 0) }} //nolint:gochecknoglobals // a pool of memory, not state

// Batches collects the record batches of one request or transaction; a partition has several if its records do not fit into one. It is
// not safe for concurrent use.
type Batches struct {
	all      []*Batch
	current  map[topicPartition]*Batch
	lastUsed *Batch         // the batch returned last: consecutive records often have the same partition
	limits   map[string]int // by topic, if below MaxBatchBytes
}

// NewBatches returns an empty collection.
func NewBatches() *Batches { return &Batches{current: map[topicPartition]*Batch{}} }

// Limit lowers the maximum size of the topic's batches that are started from now on: to its max.message.bytes, which compression can only
// fall short of. A larger n than MaxBatchBytes has no effect. A record that does not fit gets a batch of its own.
func (s *Batches) Limit(topic string, n int) {
	if s.limits == nil {
		s.limits = map[string]int{}
	}
	s.limits[topic] = min(n, MaxBatchBytes)
}

// BatchFor returns the partition's batch with room for a record of size bytes (key, value and headers).
func (s *Batches) BatchFor(topic string, partition int32, size int) *Batch {
	if b := s.lastUsed; b != nil && b.partition == partition && b.topic == topic && !b.Full(size) {
		return b
	}
	at := topicPartition{topic, partition}
	b := s.current[at]
	if b != nil && !b.Full(size) {
		s.lastUsed = b
		return b
	}
	b = batchPool.Get().(*Batch) //nolint:forcetypeassert // the pool holds nothing else
	b.topic, b.partition, b.limit = topic, partition, MaxBatchBytes
	if limit, ok := s.limits[topic]; ok {
		b.limit = limit
	}
	s.current[at], s.lastUsed = b, b
	s.all = append(s.all, b)
	return b
}

// All returns the batches in the order in which they were started. The slice is valid until Reset.
func (s *Batches) All() []*Batch { return s.all }

// Reset empties the collection and returns its batches to the pool. The request that sent them must have ended.
func (s *Batches) Reset() {
	for _, b := range s.all {
		b.Reset()
		batchPool.Put(b)
	}
	clear(s.current)
	clear(s.all)
	s.all, s.lastUsed = s.all[:0], nil
}
