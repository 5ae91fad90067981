package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/offsetcommit"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"
)

// TopicPartitionOffset is a group's position in a partition: the next offset to read, -1 for none.
type TopicPartitionOffset struct {
	Topic     string
	Partition int32
	Offset    int64
	Metadata  string
}

// CommittedOffset is the group's position in one partition and the metadata that was committed with it; -1 when there is
// none, which proves nothing: offsets of a group without members expire (7 days by default), and a topic or group that does
// not exist gives -1 too. It is the truth about a transactional id's partition only after OpenTransactional.
func (c *Client) CommittedOffset(ctx context.Context, group, topic string, partition int32) (offset int64, metadata string, err error) {
	all, err := c.CommittedOffsets(ctx, group, topic, []int32{partition})
	if err != nil {
		return -1, "", err
	}
	return all[0].Offset, all[0].Metadata, nil
}

// CommittedOffsets is CommittedOffset for several partitions of a topic, in the order asked for. Infrastructure trouble is
// waited out until the context ends.
func (c *Client) CommittedOffsets(ctx context.Context, group, topic string, partitions []int32) ([]TopicPartitionOffset, error) {
	var all []TopicPartitionOffset
	req := &offsetfetch.Request{
		GroupID: group, Topics: []offsetfetch.RequestTopic{{Name: topic, PartitionIndexes: partitions}},
	}
	err := c.asked(ctx, ofGroup, group, func(broker int32) error {
		res, err := ask[*offsetfetch.Response](ctx, c, Call{API: "OffsetFetch", Topic: topic, Group: group}, broker, req)
		if err != nil {
			return err
		}
		all = all[:0]
		if Code(res.ErrorCode) == codeGroupIDNotFound { // some brokers say so; most answer -1 for each partition
			for _, p := range partitions {
				all = append(all, TopicPartitionOffset{topic, p, -1, ""})
			}
			return nil
		}
		if res.ErrorCode != 0 {
			return named("OffsetFetch", res.ErrorCode)
		}
		for _, want := range partitions {
			found := false
			for _, t := range res.Topics {
				for _, p := range t.Partitions {
					if t.Name != topic || p.PartitionIndex != want || found {
						continue
					}
					if p.ErrorCode != 0 { // the offset is valid only without one
						return fmt.Errorf("OffsetFetch %s/%d: %w", topic, want, Code(p.ErrorCode))
					}
					found = true
					all = append(all, TopicPartitionOffset{topic, want, p.CommittedOffset, p.Metadata})
				}
			}
			if !found {
				return fmt.Errorf("OffsetFetch %s/%d: %w", topic, want, &transportError{errShort})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read committed offsets of %s: %w", group, err)
	}
	return all, nil
}

// CommitOffsets sets a group's positions from outside. The broker refuses it while the group has members (25).
func (c *Client) CommitOffsets(ctx context.Context, group string, at []TopicPartitionOffset) error {
	return c.commitOffsets(ctx, group, -1, "", at)
}

// commitOffsets writes positions under a generation and member: the broker refuses other ones (22, 25), but not positions of
// partitions that another member owns.
func (c *Client) commitOffsets(ctx context.Context, group string, generation int32, member string, at []TopicPartitionOffset) error {
	req := &offsetcommit.Request{GroupID: group, GenerationID: generation, MemberID: member, RetentionTimeMs: -1}
	for _, o := range at {
		i := slices.IndexFunc(req.Topics, func(t offsetcommit.RequestTopic) bool { return t.Name == o.Topic })
		if i < 0 {
			i = len(req.Topics)
			req.Topics = append(req.Topics, offsetcommit.RequestTopic{Name: o.Topic})
		}
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, offsetcommit.RequestPartition{
			PartitionIndex: o.Partition, CommittedOffset: o.Offset, CommittedLeaderEpoch: -1, CommittedMetadata: o.Metadata,
		})
	}
	return c.coordinated(ctx, ofGroup, group, func(broker int32) error {
		res, err := ask[*offsetcommit.Response](ctx, c, Call{API: "OffsetCommit", Group: group}, broker, req)
		if err != nil {
			return err
		}
		answered := 0
		for _, t := range res.Topics {
			for _, p := range t.Partitions {
				answered++
				if p.ErrorCode != 0 {
					return fmt.Errorf("OffsetCommit %s/%d: %w", t.Name, p.PartitionIndex, Code(p.ErrorCode))
				}
			}
		}
		if answered != len(at) {
			return fmt.Errorf("OffsetCommit: %d of %d partitions answered: %w", answered, len(at), &transportError{errShort})
		}
		return nil
	})
}

// Offsets are the ends of a partition: the first offset that is still there, the one that read-committed readers cannot
// pass yet, and the one that the next record will get.
type Offsets struct {
	Start, LastStable, HighWatermark int64
}

// ListOffsets asks the leaders for the ends of partitions, in this order for each: start, last stable, high watermark, so
// that they never contradict each other. Leaders on the move are looked up again until the context ends.
func (c *Client) ListOffsets(ctx context.Context, topic string, partitions []int32) (map[int32]Offsets, error) {
	const earliest, latest = -2, -1
	all := make(map[int32]Offsets, len(partitions))
	err := c.led(ctx, topic, partitions, func(broker int32, parts []int32) error {
		for _, q := range []struct {
			isolation int8
			timestamp int64
			set       func(*Offsets, int64)
		}{
			{0, earliest, func(o *Offsets, at int64) { o.Start = at }},
			{1, latest, func(o *Offsets, at int64) { o.LastStable = at }},
			{0, latest, func(o *Offsets, at int64) { o.HighWatermark = at }},
		} {
			req := &listoffsets.Request{ReplicaID: -1, IsolationLevel: q.isolation, Topics: []listoffsets.RequestTopic{{Topic: topic}}}
			for _, p := range parts {
				req.Topics[0].Partitions = append(req.Topics[0].Partitions,
					listoffsets.RequestPartition{Partition: p, CurrentLeaderEpoch: -1, Timestamp: q.timestamp})
			}
			res, err := ask[*listoffsets.Response](ctx, c, Call{API: "ListOffsets", Topic: topic}, broker, req)
			if err != nil {
				return err
			}
			answered := 0
			for _, t := range res.Topics {
				for _, p := range t.Partitions {
					if p.ErrorCode != 0 {
						return fmt.Errorf("ListOffsets %s/%d: %w", topic, p.Partition, Code(p.ErrorCode))
					}
					answered++
					o := all[p.Partition]
					q.set(&o, p.Offset)
					all[p.Partition] = o
				}
			}
			if answered != len(parts) {
				return fmt.Errorf("ListOffsets: %d of %d partitions answered: %w", answered, len(parts), &transportError{errShort})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	return all, nil
}

// led does something once per leader with the partitions that it leads, and again with all of them, leaders looked up anew,
// while there is infrastructure trouble and the context lasts. A topic that is not there is looked up a few times, because
// a new one takes a moment.
func (c *Client) led(ctx context.Context, topic string, partitions []int32, do func(broker int32, partitions []int32) error) error {
	unknown := 0
	for wait := firstPause; ; wait = min(2*wait, lastPause) {
		err := c.ledOnce(ctx, topic, partitions, do)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrUnknownTopic) && unknown < 8:
			unknown++
		case !Retriable(err):
			return err
		}
		c.doubt(topic)
		if ended := pause(ctx, wait); ended != nil {
			return fmt.Errorf("%w: %w", ended, err)
		}
	}
}

func (c *Client) ledOnce(ctx context.Context, topic string, partitions []int32, do func(int32, []int32) error) error {
	if err := c.locate(ctx, topic); err != nil {
		return err
	}
	by := map[int32][]int32{}
	for _, p := range partitions {
		broker, err := c.leader(topic, p)
		if err != nil {
			return err
		}
		by[broker] = append(by[broker], p)
	}
	for broker, parts := range by {
		if err := do(broker, parts); err != nil {
			return err
		}
	}
	return nil
}
