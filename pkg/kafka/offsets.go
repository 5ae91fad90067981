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

// TopicPartitionOffset is a group's committed offset in a partition: the next offset to read, -1 for none.
type TopicPartitionOffset struct {
	Topic     string
	Partition int32
	Offset    int64
	Metadata  string
}

// CommittedOffset returns the group's committed offset in one partition and its metadata; -1 if there is none. -1 does not prove that none
// was committed: offsets of a group without members expire (7 days by default), and an unknown topic or group has -1 too. For a
// partition that is committed in transactions the result is reliable only after OpenTransactional.
func (c *Client) CommittedOffset(ctx context.Context, group, topic string, partition int32) (offset int64, metadata string, err error) {
	all, err := c.CommittedOffsets(ctx, group, topic, []int32{partition})
	if err != nil {
		return -1, "", err
	}
	return all[0].Offset, all[0].Metadata, nil
}

// CommittedOffsets is CommittedOffset for several partitions of a topic, in the given order. Retriable errors are retried until the
// context ends.
func (c *Client) CommittedOffsets(ctx context.Context, group, topic string, partitions []int32) ([]TopicPartitionOffset, error) {
	var all []TopicPartitionOffset
	req := &offsetfetch.Request{
		GroupID: group, Topics: []offsetfetch.RequestTopic{{Name: topic, PartitionIndexes: partitions}},
	}
	err := c.withGroupCoordinator(ctx, group, func(broker int32) error {
		res, err := request[*offsetfetch.Response](ctx, c, Call{API: "OffsetFetch", Topic: topic, Group: group}, broker, req)
		if err != nil {
			return err
		}
		all = all[:0]
		if Code(res.ErrorCode) == codeGroupIDNotFound { // most brokers respond with -1 for each partition instead
			for _, p := range partitions {
				all = append(all, TopicPartitionOffset{topic, p, -1, ""})
			}
			return nil
		}
		if res.ErrorCode != 0 {
			return apiError("OffsetFetch", res.ErrorCode)
		}
		for _, want := range partitions {
			found := false
			for _, t := range res.Topics {
				for _, p := range t.Partitions {
					if t.Name != topic || p.PartitionIndex != want || found {
						continue
					}
					if p.ErrorCode != 0 { // with an error code the offset is not valid
						return fmt.Errorf("OffsetFetch %s/%d: %w", topic, want, Code(p.ErrorCode))
					}
					found = true
					all = append(all, TopicPartitionOffset{topic, want, p.CommittedOffset, p.Metadata})
				}
			}
			if !found {
				return fmt.Errorf("OffsetFetch %s/%d: %w", topic, want, &transportError{errShortResponse})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read committed offsets of %s: %w", group, err)
	}
	return all, nil
}

// CommitOffsets sets committed offsets of a group without being a member. The broker rejects this while the group has members (25).
func (c *Client) CommitOffsets(ctx context.Context, group string, at []TopicPartitionOffset) error {
	return c.commitOffsets(ctx, group, -1, "", at)
}

// commitOffsets commits offsets as a member of a generation. The broker rejects other members and generations (22, 25), but it does not
// check that the member owns the partitions.
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
	return c.withCoordinator(ctx, groupCoordinator, group, func(broker int32) error {
		res, err := request[*offsetcommit.Response](ctx, c, Call{API: "OffsetCommit", Group: group}, broker, req)
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
			return fmt.Errorf("OffsetCommit: %d of %d partitions answered: %w", answered, len(at), &transportError{errShortResponse})
		}
		return nil
	})
}

// Offsets are the bounds of a partition: the first available offset, the first offset that read-committed consumers cannot read yet, and
// the offset of the next record.
type Offsets struct {
	Start, LastStable, HighWatermark int64
}

// ListOffsets returns the bounds of partitions. They are requested in the order start, last stable offset, high watermark, so that
// start <= last stable <= high watermark. Retriable errors are retried with refreshed leaders until the context ends.
func (c *Client) ListOffsets(ctx context.Context, topic string, partitions []int32) (map[int32]Offsets, error) {
	all := make(map[int32]Offsets, len(partitions))
	err := c.withLeaders(ctx, topic, partitions, func(broker int32, parts []int32) error {
		return c.listOffsetsOf(ctx, broker, anyEpoch, topic, parts, all)
	})
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	return all, nil
}

// anyEpoch makes a broker answer that believes to lead, in whatever epoch.
const anyEpoch = -1

// listOffsetsOf reads the bounds of partitions that a broker leads in an epoch into all.
func (c *Client) listOffsetsOf(ctx context.Context, broker, epoch int32, topic string, partitions []int32, all map[int32]Offsets) error {
	const earliest, latest = -2, -1
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
		for _, p := range partitions {
			req.Topics[0].Partitions = append(req.Topics[0].Partitions,
				listoffsets.RequestPartition{Partition: p, CurrentLeaderEpoch: epoch, Timestamp: q.timestamp})
		}
		res, err := request[*listoffsets.Response](ctx, c, Call{API: "ListOffsets", Topic: topic}, broker, req)
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
		if answered != len(partitions) {
			return fmt.Errorf("ListOffsets: %d of %d partitions answered: %w", answered, len(partitions), &transportError{errShortResponse})
		}
	}
	return nil
}

// OffsetsReaching returns the bounds of a partition whose log has reached a position before. If it seems to end below, they are those of the
// leader of the newest epoch that any broker knows: a broker that is cut off from the others answers as the leader that it was, and
// lacks what was written since.
func (c *Client) OffsetsReaching(ctx context.Context, topic string, partition int32, position int64) (Offsets, error) {
	bounds, err := c.ListOffsets(ctx, topic, []int32{partition})
	//mutant:former-bounds-believed if $ || true
	if err != nil || position <= bounds[partition].HighWatermark {
		return bounds[partition], err
	}
	confirmed, err := c.offsetsOfNewestLeader(ctx, topic, partition)
	if err != nil {
		return Offsets{}, fmt.Errorf("confirm that %s/%d ends below %d: %w", topic, partition, position, err)
	}
	return confirmed, nil
}

// offsetsOfNewestLeader returns the bounds of a partition as the leader of the newest epoch has them that any broker knows. ListOffsets
// believes whatever broker leads by the metadata of one. Nothing is repeated.
func (c *Client) offsetsOfNewestLeader(ctx context.Context, topic string, partition int32) (Offsets, error) {
	leader, epoch, err := c.newestLeader(ctx, topic, partition)
	if err != nil {
		return Offsets{}, err
	}
	all := map[int32]Offsets{}
	err = c.listOffsetsOf(ctx, leader, epoch, topic, []int32{partition}, all)
	return all[partition], err
}

// withLeaders calls do once per leader with the partitions that it leads. After a retriable error it refreshes the leaders and repeats the
// call for all partitions, until the context ends. A missing topic is looked up a few times, because a new one is not known at once.
func (c *Client) withLeaders(ctx context.Context, topic string, partitions []int32, do func(broker int32, partitions []int32) error) error {
	unknown := 0
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		err := c.withLeadersOnce(ctx, topic, partitions, do)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrUnknownTopic) && unknown < 8:
			unknown++
		case !Retriable(err):
			return err
		}
		c.invalidateLeader(topic)
		if ended := pause(ctx, wait); ended != nil {
			return fmt.Errorf("%w: %w", ended, err)
		}
	}
}

func (c *Client) withLeadersOnce(ctx context.Context, topic string, partitions []int32, do func(int32, []int32) error) error {
	if err := c.ensureLeaders(ctx, topic); err != nil {
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
