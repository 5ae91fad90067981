package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/protocol/metadata"
)

// layout remembers who leads what. An entry is believed until a broker contradicts it or MetadataTTL has passed.
type layout struct {
	mu     sync.Mutex
	topics map[string]topicLayout
}

type topicLayout struct {
	err     error
	leaders []int32 // by partition, -1 for none
	until   time.Time
}

// locate makes sure that the leaders of the topics are known, asking once for all that are not.
func (c *Client) locate(ctx context.Context, topics ...string) error {
	now := time.Now()
	var missing []string
	c.layout.mu.Lock()
	for _, t := range topics {
		if l, ok := c.layout.topics[t]; (!ok || !now.Before(l.until)) && !slices.Contains(missing, t) {
			missing = append(missing, t)
		}
	}
	c.layout.mu.Unlock()
	if len(missing) == 0 {
		return nil
	}
	_, err := c.askMetadata(ctx, missing)
	return err
}

// askMetadata asks a broker and remembers the answer. nil asks for no topics, only for the brokers.
func (c *Client) askMetadata(ctx context.Context, topics []string) (*metadata.Response, error) {
	if topics == nil {
		topics = []string{} // null would mean all
	}
	call := Call{API: "Metadata"}
	if len(topics) == 1 {
		call.Topic = topics[0]
	}
	res, err := ask[*metadata.Response](ctx, c, call, anyBroker, &metadata.Request{TopicNames: topics})
	if err != nil {
		return nil, err
	}
	until := time.Now().Add(c.cfg.MetadataTTL)
	c.layout.mu.Lock()
	defer c.layout.mu.Unlock()
	if c.layout.topics == nil {
		c.layout.topics = map[string]topicLayout{}
	}
	for _, t := range res.Topics {
		l := topicLayout{err: failed(t.ErrorCode), until: until}
		for _, p := range t.Partitions {
			for int(p.PartitionIndex) >= len(l.leaders) {
				l.leaders = append(l.leaders, -1)
			}
			l.leaders[p.PartitionIndex] = p.LeaderID
		}
		if l.err != nil {
			l.until = time.Time{} // a missing topic may be there at the next question
		}
		c.layout.topics[t.Name] = l
	}
	return res, nil
}

// leader is who leads a partition as far as is known; locate first. A partition that is between leaders is Code 5, one
// that does not exist Code 3.
func (c *Client) leader(topic string, partition int32) (int32, error) {
	c.layout.mu.Lock()
	defer c.layout.mu.Unlock()
	l, ok := c.layout.topics[topic]
	switch {
	case !ok:
		return 0, fmt.Errorf("locate %s/%d: %w", topic, partition, CodeLeaderNotAvailable)
	case l.err != nil:
		return 0, fmt.Errorf("locate %s/%d: %w", topic, partition, l.err)
	case partition < 0 || int(partition) >= len(l.leaders):
		return 0, fmt.Errorf("locate %s/%d: %w", topic, partition, CodeUnknownTopicOrPartition)
	case l.leaders[partition] < 0:
		return 0, fmt.Errorf("locate %s/%d: %w", topic, partition, CodeLeaderNotAvailable)
	}
	return l.leaders[partition], nil
}

// doubt makes the next locate of the topic ask again.
func (c *Client) doubt(topic string) {
	c.layout.mu.Lock()
	defer c.layout.mu.Unlock()
	if l, ok := c.layout.topics[topic]; ok {
		l.until = time.Time{}
		c.layout.topics[topic] = l
	}
}
