package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/protocol/metadata"
)

// leaderCache caches the leaders of partitions. An entry is valid until invalidateLeader or until MetadataTTL has passed.
type leaderCache struct {
	mu     sync.Mutex
	topics map[string]topicLeaders
}

type topicLeaders struct {
	err        error
	leaders    []int32 // broker id by partition, -1 for none
	validUntil time.Time
}

// ensureLeaders makes sure that the leaders of the topics are cached, with one request for all that are not.
func (c *Client) ensureLeaders(ctx context.Context, topics ...string) error {
	now := time.Now()
	var missing []string
	c.leaders.mu.Lock()
	for _, t := range topics {
		if l, ok := c.leaders.topics[t]; (!ok || !now.Before(l.validUntil)) && !slices.Contains(missing, t) {
			missing = append(missing, t)
		}
	}
	c.leaders.mu.Unlock()
	if len(missing) == 0 {
		return nil
	}
	_, err := c.fetchMetadata(ctx, missing)
	return err
}

// fetchMetadata requests the metadata of topics and caches the leaders. nil requests no topics, only the brokers.
func (c *Client) fetchMetadata(ctx context.Context, topics []string) (*metadata.Response, error) {
	if topics == nil {
		topics = []string{} // null would request all topics
	}
	call := Call{API: "Metadata"}
	if len(topics) == 1 {
		call.Topic = topics[0]
	}
	res, err := request[*metadata.Response](ctx, c, call, anyBroker, &metadata.Request{TopicNames: topics})
	if err != nil {
		return nil, err
	}
	until := time.Now().Add(c.cfg.MetadataTTL)
	c.leaders.mu.Lock()
	defer c.leaders.mu.Unlock()
	if c.leaders.topics == nil {
		c.leaders.topics = map[string]topicLeaders{}
	}
	for _, t := range res.Topics {
		l := topicLeaders{err: codeError(t.ErrorCode), validUntil: until}
		for _, p := range t.Partitions {
			for int(p.PartitionIndex) >= len(l.leaders) {
				l.leaders = append(l.leaders, -1)
			}
			l.leaders[p.PartitionIndex] = p.LeaderID
		}
		if l.err != nil {
			l.validUntil = time.Time{} // a missing topic may exist at the next request
		}
		c.leaders.topics[t.Name] = l
	}
	return res, nil
}

// newestLeader asks every broker for the leader of a partition, and returns and caches that of the newest epoch. Every broker that one of
// them lists must answer: the one that does not may be the one that knows better.
func (c *Client) newestLeader(ctx context.Context, topic string, partition int32) (leader, epoch int32, err error) {
	res, err := c.fetchMetadata(ctx, []string{topic})
	if err != nil {
		return 0, 0, err
	}
	leader, epoch = -1, -1
	for _, broker := range res.Brokers {
		res, err := request[*metadata.Response](ctx, c, Call{API: "Metadata", Topic: topic}, broker.NodeID, &metadata.Request{TopicNames: []string{topic}})
		if err != nil {
			return 0, 0, fmt.Errorf("ask broker %d for the leader of %s/%d: %w", broker.NodeID, topic, partition, err)
		}
		for _, t := range res.Topics {
			if t.ErrorCode != 0 {
				return 0, 0, fmt.Errorf("ask broker %d for the leader of %s/%d: %w", broker.NodeID, topic, partition, Code(t.ErrorCode))
			}
			for _, p := range t.Partitions {
				if p.PartitionIndex == partition && p.LeaderEpoch > epoch {
					leader, epoch = p.LeaderID, p.LeaderEpoch
				}
			}
		}
	}
	if leader < 0 {
		return 0, 0, fmt.Errorf("find the leader of %s/%d: %w", topic, partition, CodeLeaderNotAvailable)
	}
	c.leaders.mu.Lock()
	defer c.leaders.mu.Unlock()
	if l := c.leaders.topics[topic]; int(partition) < len(l.leaders) {
		l.leaders[partition] = leader
	}
	return leader, epoch, nil
}

// leader returns the cached leader of a partition; call ensureLeaders first. The error is CodeLeaderNotAvailable for a partition without a
// leader, and CodeUnknownTopicOrPartition for one that does not exist.
func (c *Client) leader(topic string, partition int32) (int32, error) {
	c.leaders.mu.Lock()
	defer c.leaders.mu.Unlock()
	l, ok := c.leaders.topics[topic]
	switch {
	case !ok:
		return 0, fmt.Errorf("find the leader of %s/%d: %w", topic, partition, CodeLeaderNotAvailable)
	case l.err != nil:
		return 0, fmt.Errorf("find the leader of %s/%d: %w", topic, partition, l.err)
	case partition < 0 || int(partition) >= len(l.leaders):
		return 0, fmt.Errorf("find the leader of %s/%d: %w", topic, partition, CodeUnknownTopicOrPartition)
	case l.leaders[partition] < 0:
		return 0, fmt.Errorf("find the leader of %s/%d: %w", topic, partition, CodeLeaderNotAvailable)
	}
	return l.leaders[partition], nil
}

// invalidateLeader makes the next ensureLeaders request the leaders of the topic again.
func (c *Client) invalidateLeader(topic string) {
	c.leaders.mu.Lock()
	defer c.leaders.mu.Unlock()
	if l, ok := c.leaders.topics[topic]; ok {
		l.validUntil = time.Time{}
		c.leaders.topics[topic] = l
	}
}
