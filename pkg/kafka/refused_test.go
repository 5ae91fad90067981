package kafka

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A refusal concerns the batches of its partition alone, in their order: the others are acknowledged, and no outcome is unknown.
func TestRefusedBatches(t *testing.T) {
	for _, line := range produceCodes() {
		if line.outcome == OutcomeAgain {
			continue
		}
		bubble(t, line.code.Error(), func(t *testing.T, e *env) {
			c, _ := e.client(t)
			topic := e.topic(t, c, 3)
			p, err := c.NewProducer(e.ctx(t))
			require.NoError(t, err)
			h := e.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{1}, Err: kerr.TypedErrorForCode(int16(line.code)), Count: -1})
			acks, err := p.Produce(e.ctx(t), []*Batch{batch(topic, 0, "a"), batch(topic, 1, "b", "c"), batch(topic, 1, "d"), batch(topic, 2, "e")})
			refused, ok := errors.AsType[*RefusedError](err)
			require.True(t, ok, "%v", err)
			require.ErrorIs(t, err, line.code)
			require.NotErrorIs(t, err, ErrReopen)
			require.Equal(t, 1, h.Hits(), "the second batch of the partition is not sent")
			require.Len(t, refused.Batches, 2)
			require.Equal(t, line.code, refused.Batches[0].Code)
			require.Equal(t, Code(0), refused.Batches[1].Code)
			var values []string
			for _, r := range refused.Batches {
				require.NoError(t, r.Batch.Records(func(r Record) error {
					values = append(values, string(r.Key)+" "+string(r.Value))
					return nil
				}))
			}
			require.Equal(t, []string{"key of b b", "key of c c", "key of d d"}, values)
			require.Equal(t, []int64{0, -1, -1, 0}, []int64{acks[0].BaseOffset, acks[1].BaseOffset, acks[2].BaseOffset, acks[3].BaseOffset})
			_, err = p.Produce(e.ctx(t), []*Batch{batch(topic, 0, "f")})
			require.ErrorIs(t, err, ErrReopen, "the producer is unusable")
			require.Empty(t, e.all(t, c, topic, 1))
		})
	}
}

// A batch whose first attempt may have been appended is not taken for refused.
func TestRefusalAfterAnAppendIsUnknown(t *testing.T) {
	for _, appended := range []*kerr.Error{kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend} {
		bubble(t, appended.Message, func(t *testing.T, e *env) {
			c, _ := e.client(t)
			topic := e.topic(t, c, 1)
			p, err := c.NewProducer(e.ctx(t))
			require.NoError(t, err)
			e.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: appended}, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.MessageTooLarge, Count: -1})
			_, err = p.Produce(e.ctx(t), []*Batch{batch(topic, 0, "a")})
			require.ErrorIs(t, err, ErrReopen)
			require.ErrorIs(t, err, CodeMessageTooLarge)
		})
	}
}

// The table has one line per code, and a reason for each refusal.
func TestProduceCodes(t *testing.T) {
	seen := map[Code]bool{}
	for _, line := range produceCodes() {
		require.False(t, seen[line.code], "%v", line.code)
		seen[line.code] = true
		require.Equal(t, line.outcome == OutcomeAgain, line.reason == "", "%v", line.code)
		require.NotEqual(t, OutcomeUnknown, line.outcome)
	}
}

// Batches of a topic with a low max.message.bytes stay below it; a record that is too large alone has a batch of its own.
func TestBatchesLimit(t *testing.T) {
	s := NewBatches()
	s.Limit("small", 1000)
	var counts []int
	for i := range 10 {
		size := 300
		if i == 5 {
			size = 5000
		}
		value := make([]byte, size)
		s.BatchFor("small", 0, len(value)).Append(0, nil, value, nil)
		s.BatchFor("other", 0, len(value)).Append(0, nil, value, nil)
	}
	for _, b := range s.All() {
		if b.Topic() == "small" {
			counts = append(counts, b.Len())
			require.True(t, b.Bytes() <= 1000 || b.Len() == 1, fmt.Sprint(b.Bytes()))
		} else {
			require.Equal(t, 10, b.Len())
		}
	}
	require.Equal(t, []int{2, 2, 1, 1, 2, 2}, counts)
}
