// Package lookup owns reading customers from Redis: their answers, the explanation of these, and the alerts that fire, with
// their text for a terminal. Both the commands and a running process may serve what it reads.
//
// It refuses to change anything, and needs no running fold: state in Redis is as of a ledger offset, which the answers name.
package lookup

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// The errors of Customer and Explanation.
var (
	ErrUnknownCustomer = errors.New("no such customer")
	ErrNoState         = errors.New("Redis holds no state of this ledger yet")
)

// Customer reads a customer's answers. Those of a customer who was merged into another are the other's.
func Customer(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, id string) (processors.CustomerScores, error) {
	scores, _, err := TakenOver(ctx, r, namespace, g, id)
	return scores, err
}

// TakenOver is Customer; it also returns whether the answers include what was known of the id, which is under way right after a merge.
func TakenOver(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, asGiven string) (scores processors.CustomerScores, taken bool, err error) {
	p, id, state, err := read(ctx, r, namespace, g, asGiven)
	if err != nil {
		return processors.CustomerScores{}, false, err
	}
	scores = processors.ScoreCustomer(p, id, state)
	scores.Asked = normalised(g, asGiven)
	return scores, scores.Asked == id || state.HasMerged(scores.Asked), nil
}

// Explanation reads the history, the model's view of it and the terms that a customer's answers are computed from.
func Explanation(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, id string) (processors.Explanation, error) {
	p, id, state, err := read(ctx, r, namespace, g, id)
	if err != nil {
		return processors.Explanation{}, err
	}
	return processors.Explain(p, id, state), nil
}

func normalised(g *ledger.Genesis, id string) string {
	return string(event.Normalise(g.GetCustomerNormalisation()).AppendCustomer(nil, []byte(id)))
}

// mostMerges bounds how many merges are followed, in case they are read while they change.
const mostMerges = 100

// read reads a customer's state and their partition's; of one who was merged, those of the customer into whom they were. It returns the id
// as the ledger has it, normalised.
func read(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, asGiven string) (p *processors.Partition, id string, state *customer.State, err error) {
	id = normalised(g, asGiven)
	for range mostMerges {
		if p, state, err = readOne(ctx, r, namespace, g, id); err != nil || state.MergedInto() == "" {
			return p, id, state, err
		}
		id = state.MergedInto()
	}
	return nil, id, nil, fmt.Errorf("%w: the customer was merged more than %d times, or is being merged: try again", ErrUnknownCustomer, mostMerges)
}

func readOne(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, id string) (p *processors.Partition, state *customer.State, err error) {
	partition := murmur2.PartitionFor([]byte(id), g.GetPartitions())
	meta, blobs, err := r.Partition(namespace, partition, g.GetPartitions()).ReadCustomers(ctx, []string{id})
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("read the customer: %w", err)
	case !meta.Exists || meta.Offset == 0:
		return nil, nil, fmt.Errorf("partition %d: %w: check with `mainstay status` that a fold is running", partition, ErrNoState)
	case meta.LedgerID != g.GetLedgerId():
		return nil, nil, fmt.Errorf("partition %d: Redis holds ledger %s, Kafka has %s: redis.addresses and kafka.brokers do not belong together", partition, meta.LedgerID, g.GetLedgerId())
	case blobs[0] == nil:
		return nil, nil, fmt.Errorf("%w in partition %d up to ledger offset %d; ids are compared byte for byte (normalisation: %s)",
			ErrUnknownCustomer, partition, meta.Offset, g.GetCustomerNormalisation())
	}
	if state, err = customer.Decode(blobs[0]); err != nil {
		return nil, nil, fmt.Errorf("decode the customer's state: %w; a newer release may have written it", err)
	}
	if p, err = processors.DecodePartition(meta.State); err != nil {
		return nil, nil, fmt.Errorf("decode the partition's state: %w; a newer release may have written it", err)
	}
	return p, state, nil
}
