package kafka

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/segmentio/kafka-go/protocol"
)

// PartitionBytes returns the size of each partition on the disk of its leader in bytes (DescribeLogDirs, KIP-113).
func (c *Client) PartitionBytes(ctx context.Context, topic string, partitions []int32) (map[int32]int64, error) {
	const key, version = protocol.ApiKey(35), 1 // DescribeLogDirs
	sizes := make(map[int32]int64, len(partitions))
	err := c.withLeaders(ctx, topic, partitions, func(broker int32, led []int32) error {
		m := &rawRequest{key: key, version: version, broker: broker, correlation: c.correlation.Add(1)}
		b := appendHeader(nil, key, version, m.correlation, c.cfg.ClientID)
		b = binary.BigEndian.AppendUint32(b, 1)
		b = appendString(b, topic)
		b = binary.BigEndian.AppendUint32(b, uint32(len(led)))
		for _, p := range led {
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		}
		binary.BigEndian.PutUint32(b, uint32(len(b)-4))
		m.pieces = [][]byte{b}
		if _, err := c.send(ctx, Call{API: "DescribeLogDirs", Topic: topic}, 0, m); err != nil {
			return err
		}
		r := responseReader{rest: m.response}
		r.next(8) // correlation id, throttle time
		for range r.count() {
			code := r.i16()
			r.str() // the directory
			for range r.count() {
				name := string(r.str())
				for range r.count() {
					p, size := r.i32(), r.i64()
					r.next(8 + 1) // offset lag, whether it is a future replica
					if !r.short && name == topic {
						sizes[p] += size
					}
				}
			}
			if err := apiError("DescribeLogDirs", code); err != nil {
				return err
			}
		}
		if r.short {
			return &transportError{errShortResponse}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the size of %s: %w", topic, err)
	}
	return sizes, nil
}
