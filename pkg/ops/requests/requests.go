// Package requests owns what an operator asks for of single customers: to erase one, or to merge one into another. It appends an entry to the
// ledger, as intake does for an event of an input topic.
//
// It refuses to touch state, outputs or the entries from before: the fold of the entry does what follows (processors), and a copy of the
// ledger leaves out the entries of erased customers (pkg/ops/ledgercopy).
package requests

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Place is where an entry was appended.
type Place struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

// The refusals of all requests. Nothing was changed.
var (
	ErrNoCustomer = errors.New("no customer: the id is empty")
	ErrCopying    = errors.New("the ledger is a copy that is not finished: ask for it in the ledger that is copied, which hands it on")
)

// Ledger is a ledger, and what entries of its own need.
type Ledger struct {
	Namespace string
	Genesis   *ledger.Genesis
	Now       func() time.Time
	Random    func() uint64
}

// customer returns an id as the ledger has it.
func (l *Ledger) customer(asGiven string) (string, error) {
	id := event.Normalise(l.Genesis.GetCustomerNormalisation()).AppendCustomer(nil, []byte(asGiven))
	if len(id) == 0 {
		return "", ErrNoCustomer
	}
	return string(id), nil
}

// requireFinished returns ErrCopying for a copy that is not finished.
func (l *Ledger) requireFinished(ctx context.Context, k *kafka.Client) error {
	finished, err := intake.CopyFinished(ctx, k, l.Namespace, l.Genesis)
	if err == nil && !finished {
		return ErrCopying
	}
	return err
}

// append appends an event of a customer. The entry states no time: this machine's clock is not the ledger's.
func (l *Ledger) append(ctx context.Context, k *kafka.Client, customer string, e *ledger.Event) (Place, error) {
	payload, err := e.MarshalVT()
	if err != nil {
		return Place{}, fmt.Errorf("encode the event: %w", err)
	}
	value, err := (&ledger.Entry{Version: ledger.Version, Kind: event.EntryKind(e), Customer: customer, Payload: payload}).MarshalVT()
	if err != nil {
		return Place{}, fmt.Errorf("encode the entry: %w", err)
	}
	b := kafka.NewBatch(ledger.Topic(l.Namespace), murmur2.PartitionFor([]byte(customer), l.Genesis.GetPartitions()))
	b.Append(l.Now().UnixMilli(), ledger.AppendKey(nil, customer, l.Random()), value, nil)
	producer, err := k.NewProducer(ctx)
	if err != nil {
		return Place{}, fmt.Errorf("append to the ledger: %w", err)
	}
	acks, err := producer.Produce(ctx, []*kafka.Batch{b})
	if err != nil {
		return Place{}, fmt.Errorf("append to the ledger: %w; it may be done or not: asking again does no harm", err)
	}
	return Place{Partition: acks[0].Partition, Offset: acks[0].BaseOffset}, nil
}

// ErrNotFolded means that what was asked for is in the ledger and not yet in the state that Redis holds.
var ErrNotFolded = errors.New("no fold has committed it")

// WaitFolded waits until Redis holds the state as of an entry.
func (l *Ledger) WaitFolded(ctx context.Context, c *redis.Client, at Place, timeout time.Duration) error {
	return wait(ctx, timeout, func(ctx context.Context) (bool, error) {
		meta, err := c.Partition(l.Namespace, at.Partition, l.Genesis.GetPartitions()).ReadMeta(ctx)
		if err != nil {
			return false, fmt.Errorf("read the partition: %w", err)
		}
		return meta.Exists && meta.Offset > at.Offset, nil
	})
}

// wait waits until done returns true.
func wait(ctx context.Context, timeout time.Duration, done func(context.Context) (bool, error)) error {
	const pause = 100 * time.Millisecond
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w after %s", ErrNotFolded, timeout))
	defer cancel()
	for {
		is, err := done(ctx)
		switch {
		case context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case is || err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}
