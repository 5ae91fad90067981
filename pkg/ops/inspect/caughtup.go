package inspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// waitCaughtUp reads positions until they have reached the ends, or no longer than CatchUp: first those of the inputs, then those of the ledger,
// whose ends are read again if intake has appended to it meanwhile.
func (l *look) waitCaughtUp(ctx context.Context) error {
	began := l.Now()
	waited, err := l.wait(ctx, began, l.inputPositions)
	if err == nil && waited {
		err = withTimeout(ctx, l.partitions)
	}
	if err == nil {
		_, err = l.wait(ctx, began, l.ledgerPositions)
	}
	return err
}

// wait repeats a look while it finds that something is behind, no longer than CatchUp from a time on.
func (l *look) wait(ctx context.Context, began time.Time, look func(context.Context) (behind bool, err error)) (waited bool, err error) {
	for {
		var behind bool
		err := withTimeout(ctx, func(ctx context.Context) (err error) {
			behind, err = look(ctx)
			return err
		})
		if err != nil || !behind || l.Now().Sub(began) >= l.CatchUp || !pauseToWait(ctx) {
			return waited, err
		}
		waited = true
	}
}

// waitInRedis waits until Redis holds what is published in the partitions that have an owner, or no longer than CatchUp. States reports a
// Redis that does not answer.
func (l *look) waitInRedis(ctx context.Context) {
	began := l.Now()
	for i := range l.status.Partitions {
		p := &l.status.Partitions[i]
		for p.Owner != "" {
			var meta redis.Meta
			err := withTimeout(ctx, func(ctx context.Context) (err error) {
				meta, err = l.redis.Partition(l.Namespace, p.Partition, l.Genesis.GetPartitions()).ReadMeta(ctx)
				return err
			})
			if err != nil || meta.Offset >= *p.Published {
				break
			}
			if l.Now().Sub(began) >= l.CatchUp {
				l.problem("ledger partition %d: the answers of entries %d to %d are published, and not in Redis yet", p.Partition, meta.Offset, *p.Published-1)
				break
			}
			if !pauseToWait(ctx) {
				return
			}
		}
	}
}

// pauseToWait reports whether the context still holds after a pause.
func pauseToWait(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(100 * time.Millisecond):
		return true
	}
}

// inputPositions reports whether any input partition that has an owner is behind.
func (l *look) inputPositions(ctx context.Context) (behind bool, err error) {
	partitions := map[string]int{}
	for _, in := range l.status.Inputs {
		partitions[in.Topic]++
	}
	committed := map[string][]kafka.TopicPartitionOffset{}
	for i := range l.status.Inputs {
		in := &l.status.Inputs[i]
		if in.Cause != "" {
			continue
		}
		if committed[in.Topic] == nil {
			if committed[in.Topic], err = l.kafka.CommittedOffsets(ctx, intake.Group(l.Namespace), in.Topic, count(partitions[in.Topic])); err != nil {
				return false, err
			}
		}
		in.Committed = new(max(*in.Committed, committed[in.Topic][in.Partition].Offset))
		lag, err := l.countRecords(ctx, in.Topic, in.Partition, *in.Committed, *in.End)
		if err != nil {
			return false, err
		}
		in.Lag = &lag
		behind = behind || lag > 0 && in.Owner != ""
	}
	return behind, nil
}

// ledgerPositions reports whether any ledger partition that has an owner is behind.
func (l *look) ledgerPositions(ctx context.Context) (behind bool, err error) {
	topic := ledger.Topic(l.Namespace)
	committed, err := l.kafka.CommittedOffsets(ctx, fold.Group(l.Namespace), topic, count(len(l.status.Partitions)))
	if err != nil {
		return false, err
	}
	for i := range l.status.Partitions {
		p := &l.status.Partitions[i]
		p.Published = new(max(0, committed[p.Partition].Offset))
		lag, err := l.countRecords(ctx, topic, p.Partition, *p.Published, *p.End)
		if err != nil {
			return false, err
		}
		p.Lag = &lag
		behind = behind || lag > 0 && p.Owner != ""
	}
	return behind, nil
}

// countRecords counts the records in [from, to): transaction markers and aborted records do not count. Beyond some thousand
// offsets it returns the difference of the offsets, which is close enough then.
func (l *look) countRecords(ctx context.Context, topic string, partition int32, from, to int64) (int64, error) {
	const exact = 5000
	if to-from > exact {
		return to - from, nil
	}
	if to <= from {
		return 0, nil
	}
	var n int64
	_, err := l.kafka.ReadCommitted(ctx, topic, partition, from, to, func(kafka.Record) error {
		n++
		return nil
	})
	if errors.Is(err, kafka.ErrOutOfRange) || errors.Is(err, kafka.ErrCorrupt) { // deleted or damaged: the reader halts there and reports it
		return to - from, nil
	}
	if err != nil {
		return 0, fmt.Errorf("count what is left of %s/%d: %w", topic, partition, err)
	}
	return n, nil
}
