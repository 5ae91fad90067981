package kafka

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestAFormerLeaderAnswers: a broker that is cut off from the others, but not from clients, says of itself that it leads, and has a
// reader's position out of range, since it lacks what was written after it was replaced.
func TestAFormerLeaderAnswers(t *testing.T) {
	const former, leader = 0, 1
	cutOff := func(e *env, topic string) {
		e.fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
			e.fake.KeepControl()
			asked := req.(*kmsg.MetadataRequest)
			if e.fake.CurrentNode() != former || len(asked.Topics) == 0 {
				return nil, nil, false
			}
			res := asked.ResponseKind().(*kmsg.MetadataResponse)
			for id := range int32(3) {
				res.Brokers = append(res.Brokers, kmsg.MetadataResponseBroker{NodeID: id, Host: "localhost", Port: 9092 + id})
			}
			res.Topics = []kmsg.MetadataResponseTopic{{Topic: &topic, Partitions: []kmsg.MetadataResponseTopicPartition{
				{Leader: former, LeaderEpoch: 0, Replicas: []int32{0, 1, 2}, ISR: []int32{0, 1, 2}},
			}}}
			return res, nil, true
		})
		e.fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			e.fake.KeepControl()
			if e.fake.CurrentNode() != former {
				return nil, nil, false
			}
			res := req.ResponseKind().(*kmsg.FetchResponse)
			res.Topics = []kmsg.FetchResponseTopic{{Topic: topic, Partitions: []kmsg.FetchResponseTopicPartition{
				{ErrorCode: kerr.OffsetOutOfRange.Code, HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1},
			}}}
			return res, nil, true
		})
	}
	begin := func(t *testing.T, e *env) (*Client, string) {
		e.brokers = e.brokers[former : former+1] // asked first
		c, _ := e.client(t)
		topic := e.topic(t, c, 1)
		require.NoError(t, e.fake.MoveTopicPartition(topic, 0, leader))
		p, err := c.NewProducer(e.ctx(t))
		require.NoError(t, err)
		_, err = p.Produce(e.ctx(t), []*Batch{batch(topic, 0, "a", "b", "c")})
		require.NoError(t, err)
		cutOff(e, topic)
		return c, topic
	}
	bubble(t, "what the new leader has is read", func(t *testing.T, e *env) {
		c, topic := begin(t, e)
		f := c.NewFetcher(FetcherConfig{})
		f.Assign(topic, 0, 2)
		c.invalidateLeader(topic)
		got, err := f.Fetch(e.ctx(t), 10*time.Millisecond, 1)
		require.NoError(t, err)
		require.NoError(t, got[0].Err)
		require.Len(t, got[0].Records, 1)
		require.Equal(t, "c", string(got[0].Records[0].Value))
	})
	bubble(t, "the end of the log is that of the new leader", func(t *testing.T, e *env) {
		c, topic := begin(t, e)
		e.fake.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
			e.fake.KeepControl()
			if e.fake.CurrentNode() != former {
				return nil, nil, false
			}
			res := req.ResponseKind().(*kmsg.ListOffsetsResponse)
			res.Topics = []kmsg.ListOffsetsResponseTopic{{Topic: topic, Partitions: []kmsg.ListOffsetsResponseTopicPartition{{Offset: 0}}}}
			return res, nil, true
		})
		c.invalidateLeader(topic)
		bounds, err := c.OffsetsReaching(e.ctx(t), topic, 0, 0)
		require.NoError(t, err)
		require.Zero(t, bounds.HighWatermark, "nothing says that the one who answers is not the leader")
		c.invalidateLeader(topic)
		bounds, err = c.OffsetsReaching(e.ctx(t), topic, 0, 3)
		require.NoError(t, err)
		require.Equal(t, int64(3), bounds.HighWatermark)
	})
	bubble(t, "the new leader does not answer", func(t *testing.T, e *env) {
		c, topic := begin(t, e)
		e.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Nodes: []int32{leader}, Err: kerr.BrokerNotAvailable, Count: -1})
		f := c.NewFetcher(FetcherConfig{})
		f.Assign(topic, 0, 2)
		c.invalidateLeader(topic)
		got, err := f.Fetch(e.ctx(t), 10*time.Millisecond, 1)
		require.NoError(t, err)
		require.True(t, Retriable(got[0].Err), got[0].Err)
	})
}
