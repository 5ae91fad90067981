package kafka

import (
	"context"
	"fmt"
	"time"
)

const (
	// readWait is how long a broker may delay its response while there is nothing to read.
	readWait = 100 * time.Millisecond
	// firstLookBack is how many offsets ReadAtOrBelow looks back at first; each further look covers lookBackGrowth times as many.
	firstLookBack  = 100
	lookBackGrowth = 10
)

// ReadCommitted calls each for the committed data records of a partition with offsets in [from, to), in order, and returns the offset to
// continue from. It is below to if the last stable offset is, because of an open transaction or the end of the log. A record is valid
// only during the call. An error of each stops the reading and is returned unchanged; next is then the offset after the last record for
// which each returned nil. The error is ErrOutOfRange if from is below the log start or above the log end. Retriable errors are retried
// until the context ends.
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
			if next >= p.LastStable { // the remaining records are not committed or not written yet
				return min(next, to), nil
			}
		}
	}
	return min(next, to), nil
}

// ReadAtOrBelow returns the last committed data record of a partition at or below an offset, skipping control records and aborted records;
// ok is false if there is none down to the log start. The record is a copy. Memory is bounded by one fetch response and time by the
// context; it looks back 100 offsets, then 1,000, and so on.
func (c *Client) ReadAtOrBelow(ctx context.Context, topic string, partition int32, offset int64) (r Record, ok bool, err error) {
	ends, err := c.ListOffsets(ctx, topic, []int32{partition})
	if err != nil {
		return r, false, fmt.Errorf("read at %d: %w", offset, err)
	}
	return c.readAtOrBelow(ctx, topic, partition, ends[partition], offset)
}

// ReadLast returns the last committed data record of a partition, as ReadAtOrBelow does.
func (c *Client) ReadLast(ctx context.Context, topic string, partition int32) (r Record, ok bool, err error) {
	ends, err := c.ListOffsets(ctx, topic, []int32{partition})
	if err != nil {
		return r, false, fmt.Errorf("read last: %w", err)
	}
	return c.readAtOrBelow(ctx, topic, partition, ends[partition], ends[partition].LastStable-1)
}

func (c *Client) readAtOrBelow(ctx context.Context, topic string, partition int32, ends Offsets, offset int64) (r Record, ok bool, err error) {
	to := min(offset+1, ends.LastStable)
	for look := int64(firstLookBack); to > ends.Start && !ok; look *= lookBackGrowth {
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
