package kafka

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/segmentio/kafka-go/protocol"
)

// PartitionBytes is the size of partitions on the disks of their leaders, in bytes.
func (c *Client) PartitionBytes(ctx context.Context, topic string, partitions []int32) (map[int32]int64, error) {
	const key, version = protocol.ApiKey(35), 1 // DescribeLogDirs
	sizes := make(map[int32]int64, len(partitions))
	err := c.led(ctx, topic, partitions, func(broker int32, led []int32) error {
		m := &raw{key: key, version: version, broker: broker, mine: c.correlation.Add(1)}
		b := appendHeader(nil, key, version, m.mine, c.cfg.ClientID)
		b = binary.BigEndian.AppendUint32(b, 1)
		b = appendString(b, topic)
		b = binary.BigEndian.AppendUint32(b, uint32(len(led)))
		for _, p := range led {
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		}
		binary.BigEndian.PutUint32(b, uint32(len(b)-4))
		m.out = [][]byte{b}
		if _, err := c.send(ctx, Call{API: "DescribeLogDirs", Topic: topic}, 0, m); err != nil {
			return err
		}
		r := cursor{b: m.in}
		r.take(8) // correlation id, throttle time
		for range r.count() {
			code := r.i16()
			r.str() // the directory
			for range r.count() {
				name := string(r.str())
				for range r.count() {
					p, size := r.i32(), r.i64()
					r.take(8 + 1) // how far it lags behind, whether it is about to replace the present one
					if !r.bad && name == topic {
						sizes[p] += size
					}
				}
			}
			if err := named("DescribeLogDirs", code); err != nil {
				return err
			}
		}
		if r.bad {
			return &transportError{errShort}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the size of %s: %w", topic, err)
	}
	return sizes, nil
}
