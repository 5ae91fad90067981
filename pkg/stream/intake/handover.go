package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/ledgerscan"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// A copy of a ledger (pkg/ops/ledgercopy) takes over the inputs of the ledger that is copied. Until then its intake must not append:
// it would read the inputs from their start, and each event would be appended by the intake and by the copy. The newest tick says
// which of the two appends: ticks of the copy are marked as copied, and the one that hands over is not.

// ErrCopying means that a ledger is a copy whose inputs are not handed over yet.
var ErrCopying = errors.New("the ledger is a copy that is not finished: stop the processes of the namespace that is copied, and run `mainstay ledger copy --finish`")

// ErrRunning means that intakes of a namespace are running.
var ErrRunning = errors.New("intakes of the namespace are still running")

// CopyFinished reports whether intake may append to a ledger: it is no copy, or its inputs are handed over.
func CopyFinished(ctx context.Context, k *kafka.Client, namespace string, g *ledger.Genesis) (bool, error) {
	if g.GetCopiedFrom() == nil {
		return true, nil
	}
	finished := false
	err := ledgerscan.Backward(ctx, k, ledger.Topic(namespace), 0, 0, ledger.Kind_KIND_TICK, func(e *ledger.Entry) bool {
		finished = e.GetCopied() == nil
		return true
	})
	if err != nil {
		return false, fmt.Errorf("look for the end of the copy: %w", err)
	}
	return finished, nil
}

// waitForHandOver waits until intake may append. It does not join the group meanwhile, since the positions of a group with members
// cannot be handed over. It returns false if the intake was drained or the context ended before.
func (in *Intake) waitForHandOver(ctx context.Context) bool {
	for logged := false; ; {
		finished, err := CopyFinished(ctx, in.kafka, in.cfg.Namespace, in.cfg.Genesis)
		switch {
		case finished:
			return true
		case err != nil:
			in.log.Warn("waiting for the inputs to be handed over", zap.Error(err))
		case !logged:
			in.log.Warn("waiting for the inputs to be handed over", zap.Error(ErrCopying))
			logged = true
		}
		if !in.consumer.Pause(ctx, time.Second) {
			return false
		}
	}
}

// Committed is where the intakes of a namespace have stopped reading a topic, by partition; an offset of -1 says that nothing was read.
type Committed []kafka.TopicPartitionOffset

// Stopped returns where the intakes of a namespace have stopped reading a set of inputs. The error is ErrRunning while one is running.
func Stopped(ctx context.Context, k *kafka.Client, namespace string, inputs []*ledger.Input) (Committed, error) {
	var all Committed
	for range 2 { // members may come while the offsets are read, so look for them before and after
		members, _, err := k.GroupMembers(ctx, Group(namespace))
		if err != nil {
			return nil, fmt.Errorf("look for running intakes of %s: %w", namespace, err)
		}
		if len(members) > 0 {
			return nil, fmt.Errorf("%w: %d of %s", ErrRunning, len(members), namespace)
		}
		all = all[:0]
		for _, in := range inputs {
			offsets, err := k.CommittedOffsets(ctx, Group(namespace), in.GetTopic(), partitionsTo(in.GetPartitions()))
			if err != nil {
				return nil, fmt.Errorf("read where %s stopped reading %s: %w", namespace, in.GetTopic(), err)
			}
			all = append(all, offsets...)
		}
	}
	return all, nil
}

// Begin lets the intakes of a namespace begin where those of another one have stopped, with the same incarnations and fingerprints.
// No intake of the namespace may be running.
func (c Committed) Begin(ctx context.Context, k *kafka.Client, namespace string) error {
	var read []kafka.TopicPartitionOffset
	for _, o := range c {
		if o.Offset >= 0 {
			read = append(read, o)
		}
	}
	if len(read) == 0 {
		return nil
	}
	if err := k.CommitOffsets(ctx, Group(namespace), read); err != nil {
		return fmt.Errorf("commit the positions of the inputs for %s: %w", namespace, err)
	}
	return nil
}

// Equal reports whether the positions are the same.
func (c Committed) Equal(o Committed) bool { return slices.Equal(c, o) }

// Of returns the committed offset of an input partition; -1: none.
func (c Committed) Of(topic string, partition int32) int64 {
	for _, o := range c {
		if o.Topic == topic && o.Partition == partition {
			return o.Offset
		}
	}
	return -1
}

// Complete adds to a reading the record below its position, by which a re-created topic is recognised.
func (c Committed) Complete(r *ledger.Reading) error {
	for _, o := range c {
		if o.Topic != r.GetTopic() || o.Partition != r.GetPartition() || o.Offset < 0 {
			continue
		}
		p, _, err := parsePosition(o.Offset, o.Metadata)
		if err != nil {
			return err
		}
		r.Offset, r.LastOffset, r.Fingerprint = p.offset, p.lastOffset, p.fingerprint
	}
	return nil
}
