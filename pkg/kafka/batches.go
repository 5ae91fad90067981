package kafka

// Batches are the record batches of one request or transaction, several for a partition that has more than fits into one.
// After Reset their memory is used again. They are not safe for concurrent use.
type Batches struct {
	all   []*Batch
	open  map[topicPartition]*Batch
	spare map[topicPartition][]*Batch
}

// NewBatches is empty.
func NewBatches() *Batches {
	return &Batches{open: map[topicPartition]*Batch{}, spare: map[topicPartition][]*Batch{}}
}

// For returns the batch of a partition that has room for a record of so many bytes (key, value and headers).
func (s *Batches) For(topic string, partition int32, size int) *Batch {
	at := topicPartition{topic, partition}
	b := s.open[at]
	if b != nil && !b.Full(size) {
		return b
	}
	if free := s.spare[at]; len(free) > 0 {
		b = free[len(free)-1]
		s.spare[at] = free[:len(free)-1]
	} else {
		b = NewBatch(topic, partition)
	}
	s.open[at] = b
	s.all = append(s.all, b)
	return b
}

// All returns the batches in the order in which they were begun. It is valid until Reset.
func (s *Batches) All() []*Batch { return s.all }

// Reset empties all batches. The request that they were in must be over.
func (s *Batches) Reset() {
	const kept = 2 // per partition: a rush does not hold its memory for ever
	for _, b := range s.all {
		if at := (topicPartition{b.topic, b.partition}); len(s.spare[at]) < kept {
			b.Reset()
			s.spare[at] = append(s.spare[at], b)
		}
	}
	clear(s.open)
	clear(s.all)
	s.all = s.all[:0]
}
