// Package enter owns how an entry is appended to the ledger at the request of a person, by a command or over HTTP, and how one waits until it is folded.
//
// It refuses to know what the entry says.
package enter

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

// Ledger is where entries are appended.
type Ledger struct {
	Kafka     *kafka.Client
	Namespace string
	Genesis   *ledger.Genesis
	Now       func() time.Time
	Random    func() uint64
}

// Place is where an entry was appended.
type Place struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

// ErrCopying means that nothing was appended, since the ledger is a copy that is not finished: it gets the entry from the ledger that is
// copied.
var ErrCopying = errors.New("the ledger is a copy that is not finished")

// Append appends an entry of a kind to the partition of a customer, or to partition 0 if there is none. The entry states no time: this machine's clock is not the
// ledger's.
func (l *Ledger) Append(ctx context.Context, kind ledger.Kind, customer string, body interface{ MarshalVT() ([]byte, error) }) (Place, error) {
	finished, err := intake.CopyFinished(ctx, l.Kafka, l.Namespace, l.Genesis)
	switch {
	case err != nil:
		return Place{}, err
	case !finished:
		return Place{}, ErrCopying
	}
	payload, err := body.MarshalVT()
	if err != nil {
		return Place{}, fmt.Errorf("encode the payload: %w", err)
	}
	value, err := (&ledger.Entry{Version: ledger.Version, Kind: kind, Customer: customer, Payload: payload}).MarshalVT()
	if err != nil {
		return Place{}, fmt.Errorf("encode the entry: %w", err)
	}
	partition := int32(0)
	if customer != "" {
		partition = murmur2.PartitionFor([]byte(customer), l.Genesis.GetPartitions())
	}
	b := kafka.NewBatch(ledger.Topic(l.Namespace), partition)
	b.Append(l.Now().UnixMilli(), ledger.AppendKey(nil, customer, l.Random()), value, nil)
	producer, err := l.Kafka.NewProducer(ctx)
	if err != nil {
		return Place{}, fmt.Errorf("append to the ledger: %w", err)
	}
	acks, err := producer.Produce(ctx, []*kafka.Batch{b})
	if err != nil {
		return Place{}, fmt.Errorf("append to the ledger: %w; it may be done or not: doing it again does no harm", err)
	}
	return Place{Partition: acks[0].Partition, Offset: acks[0].BaseOffset}, nil
}

// ErrNotFolded means that the entry is in the ledger and not yet in the state that Redis holds.
var ErrNotFolded = errors.New("no fold has committed it")

// Customer returns an id as the ledger has it. The error may be ErrNoCustomer.
func (l *Ledger) Customer(asGiven string) (string, error) {
	id := event.Normalise(l.Genesis.GetCustomerNormalisation()).AppendCustomer(nil, []byte(asGiven))
	if len(id) == 0 {
		return "", ErrNoCustomer
	}
	return string(id), nil
}

// ErrNoCustomer means that an id is empty as the ledger has it.
var ErrNoCustomer = errors.New("no customer: the id is empty")

// WaitFolded waits until Redis holds the state as of the entry.
func (l *Ledger) WaitFolded(ctx context.Context, c *redis.Client, at Place, timeout time.Duration) error {
	return Wait(ctx, timeout, func(ctx context.Context) (bool, error) {
		meta, err := c.Partition(l.Namespace, at.Partition, l.Genesis.GetPartitions()).ReadMeta(ctx)
		if err != nil {
			return false, fmt.Errorf("read the partition: %w", err)
		}
		return meta.Exists && meta.Offset > at.Offset, nil
	})
}

// Wait waits until what the fold of an entry does is done. The error may be ErrNotFolded.
func Wait(ctx context.Context, timeout time.Duration, done func(context.Context) (bool, error)) error {
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
