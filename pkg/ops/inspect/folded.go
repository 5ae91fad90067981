package inspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Origin is the place of an event in its input topic.
type Origin struct {
	Topic     string
	Partition int32
	Offset    int64
}

// The refusals of WaitFolded.
var (
	ErrNotFolded   = errors.New("the event is not folded yet")
	ErrNotInLedger = errors.New("intake read the record and added no event to the ledger")
)

// WaitFolded waits until a customer's event is folded into the state that Redis holds, so that what is read afterwards includes
// it. The mark of the event's origin in the customer's ledger partition shows that. A tick that reads beyond the event without
// the mark shows that intake refused or skipped the record.
func WaitFolded(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, customer string, event Origin, timeout time.Duration) error {
	const pause = 100 * time.Millisecond
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w after %s", ErrNotFolded, timeout))
	defer cancel()
	partition := murmur2.PartitionFor([]byte(customer), g.GetPartitions())
	for {
		folded, err := foldedUpTo(ctx, r.Partition(namespace, partition, g.GetPartitions()), event)
		switch {
		case context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case err != nil || folded:
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

func foldedUpTo(ctx context.Context, p *redis.Partition, event Origin) (bool, error) {
	meta, err := p.ReadMeta(ctx)
	if err != nil {
		return false, fmt.Errorf("read the partition: %w", err)
	}
	if !meta.Exists || meta.Offset == 0 { // claimed, and nothing committed yet
		return false, nil
	}
	state, err := processors.DecodePartition(meta.State)
	if err != nil {
		return false, fmt.Errorf("decode the partition's state: %w; a newer release may have written it", err)
	}
	read := false
	for _, input := range state.Inputs() {
		if input.Topic != event.Topic || input.Partition != event.Partition {
			continue
		}
		if input.Mark >= event.Offset {
			return true, nil
		}
		read = read || input.Reported && input.Position > event.Offset
	}
	if read {
		return false, fmt.Errorf("%w: see `mainstay dlq list`", ErrNotInLedger)
	}
	return false, nil
}
