// Package forget owns the erasure of one customer at an operator's request: it appends an erase entry to the ledger, as intake does for a
// request of an input topic.
//
// It refuses to touch state, outputs or the entries from before: the fold of the entry does what follows (processors), and a copy of the
// ledger leaves the entries out (pkg/ops/ledgercopy).
package forget

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Request asks that a customer be forgotten.
type Request struct {
	Namespace string
	Genesis   *ledger.Genesis
	Customer  string // id, as given
	Unknown   bool   // also if there is no such customer
	Now       func() time.Time
	Random    func() uint64
}

// Place is where the erase entry was appended.
type Place struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

// The refusals. Nothing was changed.
var (
	ErrNoCustomer = errors.New("no customer: the id is empty")
	ErrCopying    = errors.New("the ledger is a copy that is not finished: forget the customer in the ledger that is copied, which hands the erasure on")
)

// Append appends the erase entry. Besides the refusals, its error is lookup.ErrUnknownCustomer: there is no such customer, and nothing
// was changed.
func (r *Request) Append(ctx context.Context, k *kafka.Client, c *redis.Client) (Place, error) {
	id := event.Normalise(r.Genesis.GetCustomerNormalisation()).AppendCustomer(nil, []byte(r.Customer))
	if len(id) == 0 {
		return Place{}, ErrNoCustomer
	}
	finished, err := intake.CopyFinished(ctx, k, r.Namespace, r.Genesis)
	switch {
	case err != nil:
		return Place{}, err
	case !finished:
		return Place{}, ErrCopying
	}
	_, err = lookup.Customer(ctx, c, r.Namespace, r.Genesis, string(id))
	if unknown := errors.Is(err, lookup.ErrUnknownCustomer); err != nil && (!unknown || !r.Unknown) {
		return Place{}, err
	}
	e := &ledger.Event{Id: "forget-" + strconv.FormatUint(r.Random(), 36), Source: event.Erasure.String(), OccurredAt: r.Now().UnixMilli(), Erasure: &ledger.Erasure{}}
	payload, err := e.MarshalVT()
	if err != nil {
		return Place{}, fmt.Errorf("encode the erasure: %w", err)
	}
	// The entry states no time: this machine's clock is not the ledger's.
	value, err := (&ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_ERASE, Customer: string(id), Payload: payload}).MarshalVT()
	if err != nil {
		return Place{}, fmt.Errorf("encode the entry: %w", err)
	}
	b := kafka.NewBatch(ledger.Topic(r.Namespace), murmur2.PartitionFor(id, r.Genesis.GetPartitions()))
	b.Append(r.Now().UnixMilli(), ledger.AppendKey(nil, string(id), r.Random()), value, nil)
	producer, err := k.NewProducer(ctx)
	if err != nil {
		return Place{}, fmt.Errorf("append to the ledger: %w", err)
	}
	acks, err := producer.Produce(ctx, []*kafka.Batch{b})
	if err != nil {
		return Place{}, fmt.Errorf("append to the ledger: %w; it may be done or not: forgetting again does no harm", err)
	}
	return Place{Partition: acks[0].Partition, Offset: acks[0].BaseOffset}, nil
}

// ErrNotFolded means that the erasure is in the ledger and not yet in the state that Redis holds.
var ErrNotFolded = errors.New("no fold has committed it")

// WaitFolded waits until Redis holds the state as of the erase entry.
func WaitFolded(ctx context.Context, c *redis.Client, namespace string, g *ledger.Genesis, at Place, timeout time.Duration) error {
	const pause = 100 * time.Millisecond
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w after %s", ErrNotFolded, timeout))
	defer cancel()
	for {
		meta, err := c.Partition(namespace, at.Partition, g.GetPartitions()).ReadMeta(ctx)
		switch {
		case context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("read the partition: %w", err)
		case meta.Exists && meta.Offset > at.Offset:
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}
