package deliver

import (
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// progress is what is known of one partition. It is used by the claim's goroutine alone.
type progress struct {
	topic     string
	partition int32
	next      int64       // offset after the last record that was read
	open      []*delivery // in the order of offsets; those before the first that is not done are dropped
	committed int64
	lastRead  time.Time // when the last record that was read was published; zero: none was
	end       int64     // last stable offset, -1: not known
}

// low is the offset up to which every record is done: the only one that may be committed.
func (p *progress) low() int64 {
	//mutant:commit-before-delivery insert return p.next
	for len(p.open) > 0 && p.open[0].done.Load() {
		p.open[0] = nil
		p.open = p.open[1:]
	}
	if len(p.open) == 0 {
		return p.next
	}
	return p.open[0].at.offset
}

// due returns the offsets to commit.
func due(all []*progress) (at []kafka.TopicPartitionOffset) {
	for _, p := range all {
		if low := p.low(); low != p.committed {
			at = append(at, kafka.TopicPartitionOffset{Topic: p.topic, Partition: p.partition, Offset: low})
		}
	}
	return at
}

// waiting is the number of deliveries that are not known to be done.
func waiting(all []*progress) (n int) {
	for _, p := range all {
		n += len(p.open)
	}
	return n
}
