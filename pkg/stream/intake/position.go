package intake

import (
	"context"
	"fmt"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// position is a place in an input partition, and the record below it: a topic that was deleted and created again has the
// same name and may have the same offsets, but not the same record there.
type position struct {
	offset      int64  // of the next record
	lastOffset  int64  // of the last record below offset; transaction markers may stand between the two
	fingerprint uint64 // of the record at lastOffset; 0: none was read
	time        int64  // ms; everything before it is below offset; 0: not known. It is not committed
}

// sameRecord says that both are the same place in the same records.
func (p position) sameRecord(q position) bool {
	return p.offset == q.offset && p.fingerprint == q.fingerprint
}

// metadata is the text that is committed with the offset.
func (p position) metadata(incarnation uint32) string {
	return fmt.Sprintf("v1 %d %d %016x", incarnation, p.lastOffset, p.fingerprint)
}

// parsePosition decodes a committed offset and its metadata, which is empty if the offset was set by hand or by another tool.
func parsePosition(offset int64, metadata string) (p position, incarnation uint32, err error) {
	p.offset = offset
	if metadata == "" {
		return p, 0, nil
	}
	if _, err := fmt.Sscanf(metadata, "v1 %d %d %x", &incarnation, &p.lastOffset, &p.fingerprint); err != nil {
		return p, 0, fmt.Errorf("metadata %q of a committed offset: %w", metadata, err)
	}
	return p, incarnation, nil
}

// DeclareRecreated declares that an input topic was deleted and created again, or that records lost to retention are given
// up: all its partitions are read from their start under a new incarnation. No intake may be running.
func DeclareRecreated(ctx context.Context, k *kafka.Client, namespace, topic string) (uint32, error) {
	topics, err := k.Topics(ctx, []string{topic})
	if err != nil {
		return 0, fmt.Errorf("read topic %s: %w", topic, err)
	}
	t := topics[0]
	if !t.Exists {
		return 0, fmt.Errorf("topic %s does not exist", topic)
	}
	incarnations, err := Incarnations(ctx, k, namespace, topics)
	if err != nil {
		return 0, err
	}
	last, partitions := incarnations[topic], partitionsOf(t.Leaders)
	bounds, err := k.ListOffsets(ctx, topic, partitions)
	if err != nil {
		return 0, fmt.Errorf("read the bounds of %s: %w", topic, err)
	}
	offsets := make([]kafka.TopicPartitionOffset, len(partitions))
	for _, p := range partitions {
		start := position{offset: bounds[p].Start}
		offsets[p] = kafka.TopicPartitionOffset{Topic: topic, Partition: p, Offset: start.offset, Metadata: start.metadata(last + 1)}
	}
	if err := k.CommitOffsets(ctx, Group(namespace), offsets); err != nil {
		return 0, fmt.Errorf("commit the start of %s: %w; stop all intakes first", topic, err)
	}
	return last + 1, nil
}

// partitionsOf returns the numbers of all partitions of a topic.
func partitionsOf(leaders []int32) []int32 { return partitionsTo(int32(len(leaders))) } //nolint:gosec // a count

// partitionsTo returns the numbers of n partitions.
func partitionsTo(n int32) []int32 {
	partitions := make([]int32, n)
	for i := range partitions {
		partitions[i] = int32(i)
	}
	return partitions
}
