// Package history owns a customer's answers as of a time: it folds the customer's partition of the ledger again, up to where base time
// reaches that time, and scores the customer as of it.
//
// It refuses Redis, which holds the present alone, and changes nothing. Nor does it answer for a customer who was erased after the time:
// what the ledger still holds of them is nobody's to read. What came later than the time's passing is not known to the
// answer, so it equals what the portfolio of a closed day counts.
package history

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/ops/refold"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// ErrUnknownCustomer means that nothing of the customer is dated before the time.
var ErrUnknownCustomer = errors.New("no such customer")

// CustomerAsOf returns a customer's answers as of a time (ms, whole seconds). A time that base time has not reached is answered from
// the whole partition, as silence until then leaves the answers.
func CustomerAsOf(ctx context.Context, k *kafka.Client, namespace string, g *ledger.Genesis, asGiven string, at int64) (processors.CustomerScores, error) {
	id := string(event.Normalise(g.GetCustomerNormalisation()).AppendCustomer(nil, []byte(asGiven)))
	partition := murmur2.PartitionFor([]byte(id), g.GetPartitions())
	folded, err := foldUntil(ctx, k, ledger.Topic(namespace), partition, id, at)
	if err != nil {
		return processors.CustomerScores{}, fmt.Errorf("fold partition %d of the ledger: %w", partition, err)
	}
	s, err := folded.Customers.Customer(id)
	if err != nil {
		return processors.CustomerScores{}, fmt.Errorf("read the customer: %w", err)
	}
	if s != nil {
		if into := s.MergedInto(); into != "" {
			return processors.CustomerScores{}, fmt.Errorf("%w: by this time they were merged into %q: ask for that one", ErrUnknownCustomer, into)
		}
		if scores, known := processors.ScoreCustomerAsOf(folded.State, id, s, at); known {
			return scores, nil
		}
	}
	return processors.CustomerScores{}, fmt.Errorf("%w in partition %d as of this time; ids are compared byte for byte (normalisation: %s)",
		ErrUnknownCustomer, partition, g.GetCustomerNormalisation())
}

// foldUntil folds a partition up to the tick, exclusive, that moves base time to a time or beyond. It looks through the entries from there
// on for an erasure of the customer, which removes them from what it returns.
func foldUntil(ctx context.Context, k *kafka.Client, topic string, partition int32, id string, at int64) (*refold.Partition, error) {
	bounds, err := k.ListOffsets(ctx, topic, []int32{partition})
	if err != nil {
		return nil, fmt.Errorf("read the bounds: %w", err)
	}
	folded, follower := refold.New(partition), processors.NewFollower(partition)
	var entry ledger.Entry
	reached := false
	_, err = k.ReadCommitted(ctx, topic, partition, 0, bounds[partition].LastStable, func(r kafka.Record) error {
		if kind, err := ledger.KindOf(r.Value); reached && (err != nil || kind != ledger.Kind_KIND_ERASE) {
			return err
		}
		entry.Reset()
		if err := entry.UnmarshalVT(r.Value); err != nil {
			return fmt.Errorf("decode entry %d: %w", r.Offset, err)
		}
		if reached {
			if entry.GetCustomer() == id { // also one that the fold drops: the request was made
				folded.Customers.Delete(id)
			}
			return nil
		}
		if _, err := follower.Follow(r.Offset, &entry); err != nil {
			return err
		}
		if reached = follower.BaseTime() >= at; reached {
			return nil
		}
		_, err := folded.Fold(r.Offset, &entry)
		return err
	})
	if err != nil {
		return nil, err
	}
	return folded, nil
}
