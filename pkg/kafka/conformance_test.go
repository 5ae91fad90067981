package kafka

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// conformance is what holds on every cluster.
var conformance = []struct {
	name string
	test func(t *testing.T, e *env)
}{
	{"topics", testTopics},
	{"produce and fetch", testProduceAndFetch},
	{"a batch above the limit comes through", testLargeBatches},
	{"codecs", testCodecs},
	{"log append time", testAppendTime},
	{"out of range and unknown", testOutOfRange},
	{"a transaction is visible as a whole", testTransaction},
	{"offsets only", testOffsetsOnly},
	{"an aborted transaction is never read", testAborted},
	{"a zombie is fenced", testZombie},
	{"a lost answer is found out by opening again", testLostAnswers},
	{"transactions under faults", testTorture},
	{"an unanswered produce kills the producer", testUnansweredProduce},
	{"read at, read last", testReadAt},
	{"cancelled", testCancelled},
	{"groups", testGroups},
	{"a group learns of new partitions", testNewPartitions},
}

func TestConformanceOnFake(t *testing.T) {
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.test(t, fake(t, 3)) })
		})
	}
}

func testTopics(t *testing.T, e *env) {
	c, _ := e.client(t)
	ctx := e.ctx(t)
	require.NoError(t, c.Ping(ctx))
	topic := e.topic(t, c, 3, "retention.ms", "-1", "cleanup.policy", "delete", "message.timestamp.type", "LogAppendTime")
	require.NoError(t, c.CreateTopics(ctx, []TopicSpec{{Name: topic, Partitions: 3, Replicas: 1}}), "exists already")
	got, err := c.Topics(ctx, []string{topic, "no-such-topic"})
	require.NoError(t, err)
	require.True(t, got[0].Exists)
	require.Len(t, got[0].Leaders, 3)
	require.NotContains(t, got[0].Leaders, int32(-1))
	require.False(t, got[1].Exists)
	configs, err := c.TopicConfigs(ctx, []string{topic})
	require.NoError(t, err)
	require.Equal(t, "-1", configs[topic]["retention.ms"])
	require.Equal(t, "LogAppendTime", configs[topic]["message.timestamp.type"])
	require.Contains(t, configs[topic], "max.message.bytes")
	require.NoError(t, c.DeleteTopics(ctx, []string{topic, "no-such-topic"}))
}

func testProduceAndFetch(t *testing.T, e *env) {
	c, _ := e.client(t)
	ctx := e.ctx(t)
	one, two := e.topic(t, c, 4), e.topic(t, c, 4)
	p, err := c.NewProducer(ctx)
	require.NoError(t, err)
	headers := EncodeHeaders(nil, []Header{{"h", []byte("x")}, {"null", nil}})
	var batches []*Batch
	for round := range 3 {
		for _, topic := range []string{one, two} {
			for part := range int32(4) {
				b := NewBatch(topic, part)
				for i := range 10 {
					b.Append(int64(1000*round+i), nil, fmt.Appendf(nil, "%d/%d", round, i), headers)
				}
				batches = append(batches, b)
			}
		}
	}
	odd := NewBatch(one, 0)
	odd.Append(1, []byte{}, nil, nil)
	odd.Append(2, nil, []byte{}, nil)
	batches = append(batches, NewBatch(one, 1), odd)
	acks, err := p.Produce(ctx, batches)
	require.NoError(t, err)
	require.Len(t, acks, len(batches))
	require.Equal(t, Ack{one, 0, 0, -1}, acks[0])
	require.Equal(t, int64(20), acks[16].BaseOffset)
	require.Equal(t, Ack{one, 1, -1, -1}, acks[24], "an empty batch is not sent")
	require.Equal(t, int64(30), acks[25].BaseOffset)

	f := c.NewFetcher(FetcherConfig{})
	for part := range int32(4) {
		f.Assign(one, part, 0)
		f.Assign(two, part, 5)
	}
	require.Equal(t, int64(5), f.Position(two, 3))
	require.Equal(t, int64(-1), f.Position("other", 3))
	seen, ends := map[topicPartition][]string{}, 0
	for ends < 8 {
		got, err := f.Fetch(ctx, 50*time.Millisecond, 1)
		require.NoError(t, err)
		ends = 0
		for _, x := range got {
			require.NoError(t, x.Err)
			for _, r := range x.Records {
				if r.Offset < 30 {
					v, ok := r.Header("h")
					require.True(t, ok)
					require.Equal(t, "x", string(v))
					require.Nil(t, r.Key)
					require.Equal(t, 1000*(r.Offset/10)+r.Offset%10, r.Timestamp)
				}
				seen[topicPartition{x.Topic, x.Partition}] = append(seen[topicPartition{x.Topic, x.Partition}],
					fmt.Sprintf("%s %t %t", r.Value, r.Key == nil, r.Value == nil))
			}
			require.Equal(t, x.Next, f.Position(x.Topic, x.Partition))
			if x.AtEnd() {
				ends++
			}
		}
	}
	require.Len(t, seen[topicPartition{one, 1}], 30)
	require.Len(t, seen[topicPartition{two, 1}], 25)
	require.Equal(t, "0/5 true false", seen[topicPartition{two, 1}][0])
	require.Equal(t, []string{" false true", " true false"}, seen[topicPartition{one, 0}][30:])

	// An idle fetch waits, and a record that arrives ends the wait.
	f.Unassign(two, 0)
	require.Equal(t, int64(-1), f.Position(two, 0))
	_, err = p.Produce(ctx, []*Batch{batch(one, 2, "late")})
	require.NoError(t, err)
	for found := false; !found; {
		got, err := f.Fetch(ctx, 10*time.Second, 1)
		require.NoError(t, err)
		for _, x := range got {
			for _, r := range x.Records {
				found = found || string(r.Value) == "late"
			}
		}
	}
}

func testLargeBatches(t *testing.T, e *env) {
	c, _ := e.client(t)
	ctx := e.ctx(t)
	topic := e.topic(t, c, 3)
	p, err := c.NewProducer(ctx)
	require.NoError(t, err)
	var batches []*Batch
	for part := range int32(3) {
		for i := range 3 {
			b := NewBatch(topic, part)
			for j := 0; !b.Full(1000); j++ {
				b.Append(int64(i), nil, bytes.Repeat([]byte{byte(j)}, 1000), nil)
			}
			batches = append(batches, b)
		}
	}
	_, err = p.Produce(ctx, batches)
	require.NoError(t, err)
	f := c.NewFetcher(FetcherConfig{MaxBytes: 2000, PartitionMaxBytes: 1000})
	want, n := 0, 0
	for part := range int32(3) {
		f.Assign(topic, part, 0)
	}
	for _, b := range batches {
		want += b.Len()
	}
	for n < want {
		got, err := f.Fetch(ctx, 20*time.Millisecond, 1)
		require.NoError(t, err)
		for _, x := range got {
			require.NoError(t, x.Err)
			n += len(x.Records)
		}
	}
	require.Equal(t, want, n)
}

func testCodecs(t *testing.T, e *env) {
	for _, codec := range []string{"none", "lz4", "zstd"} {
		c, _ := e.client(t, func(cfg *Config) { cfg.Compression = codec })
		topic := e.topic(t, c, 1)
		p, err := c.NewProducer(e.ctx(t))
		require.NoError(t, err)
		b := NewBatch(topic, 0)
		for i := range 1000 {
			b.Append(int64(i), nil, fmt.Append(nil, "value ", i), nil)
		}
		for range 2 { // the same batch again, encoded again
			_, err = p.Produce(e.ctx(t), []*Batch{b})
			require.NoError(t, err)
		}
		values := e.all(t, c, topic, 0)
		require.Len(t, values, 2000, codec)
		require.Equal(t, "value 999", values[1999])
	}
}

func testAppendTime(t *testing.T, e *env) {
	c, _ := e.client(t)
	ctx := e.ctx(t)
	topic := e.topic(t, c, 1, "message.timestamp.type", "LogAppendTime")
	p, err := c.NewProducer(ctx)
	require.NoError(t, err)
	b := NewBatch(topic, 0)
	b.Append(5, nil, []byte("a"), nil)
	b.Append(9, nil, []byte("b"), nil)
	acks, err := p.Produce(ctx, []*Batch{b})
	require.NoError(t, err)
	require.Positive(t, acks[0].AppendTime)
	for _, offset := range []int64{0, 1} {
		r, ok, err := c.ReadAtOrBelow(ctx, topic, 0, offset)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, acks[0].AppendTime, r.Timestamp)
	}
}

func testOutOfRange(t *testing.T, e *env) {
	c, _ := e.client(t)
	ctx := e.ctx(t)
	topic := e.topic(t, c, 2)
	p, err := c.NewProducer(ctx)
	require.NoError(t, err)
	_, err = p.Produce(ctx, []*Batch{batch(topic, 0, "a", "b", "c"), batch(topic, 1, "x")})
	require.NoError(t, err)
	require.NoError(t, c.DeleteRecords(ctx, topic, 0, 2))
	ends, err := c.ListOffsets(ctx, topic, []int32{0, 1})
	require.NoError(t, err)
	require.Equal(t, Offsets{2, 3, 3}, ends[0])
	require.Equal(t, Offsets{0, 1, 1}, ends[1])

	for _, from := range []int64{0, 17} { // below the start, beyond the end
		f := c.NewFetcher(FetcherConfig{})
		f.Assign(topic, 0, from)
		f.Assign(topic, 1, 0)
		var bad, good bool
		for !bad || !good {
			got, err := f.Fetch(ctx, 50*time.Millisecond, 1)
			require.NoError(t, err)
			for _, x := range got {
				if x.Partition == 1 {
					good = good || len(x.Records) == 1
					continue
				}
				bad = true
				require.ErrorIs(t, x.Err, ErrOutOfRange)
				require.False(t, Retriable(x.Err))
				var detail *OutOfRangeError
				require.ErrorAs(t, x.Err, &detail)
				require.Equal(t, OutOfRangeError{topic, 0, from, 2, 3}, *detail)
				require.Equal(t, from, f.Position(topic, 0))
			}
		}
	}
	_, err = c.ReadCommitted(ctx, topic, 0, 0, 3, func(Record) error { return nil })
	require.ErrorIs(t, err, ErrOutOfRange)

	f := c.NewFetcher(FetcherConfig{})
	f.Assign("no-such-topic", 0, 0)
	got, err := f.Fetch(ctx, time.Millisecond, 1)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.ErrorIs(t, got[0].Err, ErrUnknownTopic)
	_, err = c.ListOffsets(ctx, "no-such-topic", []int32{0})
	require.ErrorIs(t, err, ErrUnknownTopic)
	_, err = c.ListOffsets(ctx, topic, []int32{7})
	require.ErrorIs(t, err, ErrUnknownTopic)
}
