package kafka

import (
	"context"
	"fmt"
	"time"
)

const (
	// readWait is how long a broker may hold back an answer while there is nothing to read.
	readWait = 100 * time.Millisecond
	// firstLook is how many offsets ReadAtOrBelow looks back at first; each further look goes ten times as far.
	firstLook = 100
	lookGrows = 10
)

// ReadCommitted hands the committed data records of a partition with offsets in [from, to) to each, in order, and returns the
// offset to go on from. That is below to when the last stable offset is: an open transaction, or the log's end. A record is
// valid only during its call. An error of each ends the reading and is returned as it is, with next behind the last record
// that was accepted. ErrOutOfRange when from lies below the log's start or beyond its end; infrastructure trouble is waited
// out until the context ends.
func (c *Client) ReadCommitted(ctx context.Context, topic string, partition int32, from, to int64, each func(Record) error) (next int64, err error) {
	f := c.NewFetcher(FetcherConfig{MaxBytes: 8 << 20, PartitionMaxBytes: 8 << 20})
	f.Assign(topic, partition, from)
	for next = from; next < to; {
		got, err := f.Fetch(ctx, readWait, 1)
		if err != nil {
			return next, fmt.Errorf("read %s/%d: %w", topic, partition, err)
		}
		for _, p := range got {
			if p.Err != nil {
				if Retriable(p.Err) {
					continue
				}
				return next, fmt.Errorf("read: %w", p.Err)
			}
			for _, r := range p.Records {
				if r.Offset >= to {
					return to, nil
				}
				if err := each(r); err != nil {
					return next, err
				}
				next = r.Offset + 1
			}
			next = p.Next
			if next >= p.LastStable { // the rest is open, or not written yet
				return min(next, to), nil
			}
		}
	}
	return min(next, to), nil
}

// ReadAtOrBelow is the last committed data record of a partition at or below an offset, walking back over markers and aborted
// records; ok is false when there is none down to the log's start. The record is a copy. Reading is bounded in memory by one
// answer and in time by the context; it looks back 100 offsets, then 1,000, and so on.
func (c *Client) ReadAtOrBelow(ctx context.Context, topic string, partition int32, offset int64) (r Record, ok bool, err error) {
	ends, err := c.ListOffsets(ctx, topic, []int32{partition})
	if err != nil {
		return r, false, fmt.Errorf("read at %d: %w", offset, err)
	}
	return c.readAt(ctx, topic, partition, ends[partition], offset)
}

// ReadLast is ReadAtOrBelow from a partition's last stable offset.
func (c *Client) ReadLast(ctx context.Context, topic string, partition int32) (r Record, ok bool, err error) {
	ends, err := c.ListOffsets(ctx, topic, []int32{partition})
	if err != nil {
		return r, false, fmt.Errorf("read last: %w", err)
	}
	return c.readAt(ctx, topic, partition, ends[partition], ends[partition].LastStable-1)
}

func (c *Client) readAt(ctx context.Context, topic string, partition int32, ends Offsets, offset int64) (r Record, ok bool, err error) {
	to := min(offset+1, ends.LastStable)
	for look := int64(firstLook); to > ends.Start && !ok; look *= lookGrows {
		from := max(ends.Start, to-look)
		_, err := c.ReadCommitted(ctx, topic, partition, from, to, func(x Record) error {
			r, ok = x.Clone(), true
			return nil
		})
		if err != nil {
			return Record{}, false, err
		}
		to = from
	}
	return r, ok, nil
}
