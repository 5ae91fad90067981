package topics

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// ErrNoLedger is a ledger topic that does not exist or has no genesis entry.
var ErrNoLedger = errors.New("no ledger")

// Genesis reads the first entry of every ledger partition; they must agree.
func Genesis(ctx context.Context, k *kafka.Client, namespace string) (*ledger.Genesis, error) {
	topic := ledger.Topic(namespace)
	there, err := k.Topics(ctx, []string{topic})
	if err != nil {
		return nil, fmt.Errorf("read the ledger's partitions: %w", err)
	}
	if !there[0].Exists {
		return nil, fmt.Errorf("%w: topic %s does not exist", ErrNoLedger, topic)
	}
	var genesis *ledger.Genesis
	for p := range int32(len(there[0].Leaders)) { //nolint:gosec // a count
		g, err := genesisOf(ctx, k, topic, p)
		switch {
		case err != nil:
			return nil, err
		case g == nil:
			return nil, fmt.Errorf("%w: partition %d of %s is empty", ErrNoLedger, p, topic)
		case genesis == nil:
			genesis = g
		case !proto.Equal(g, genesis):
			return nil, halt.New(halt.LedgerForeign, "partition %d of %s belongs to another ledger (%s) than partition 0 (%s)", p, topic, g.GetLedgerId(), genesis.GetLedgerId())
		}
	}
	if n := int32(len(there[0].Leaders)); genesis.GetPartitions() != n { //nolint:gosec // a count
		return nil, halt.New(halt.LedgerForeign, "%s has %d partitions, and was created with %d: customers would be routed to other partitions; restore the ledger, and use `mainstay ledger copy` for more partitions", topic, n, genesis.GetPartitions())
	}
	return genesis, nil
}

func genesisOf(ctx context.Context, k *kafka.Client, topic string, partition int32) (*ledger.Genesis, error) {
	bounds, err := k.ListOffsets(ctx, topic, []int32{partition})
	if err != nil {
		return nil, fmt.Errorf("read the bounds of %s/%d: %w", topic, partition, err)
	}
	b := bounds[partition]
	if b.Start > 0 {
		return nil, halt.New(halt.LedgerTruncated, "%s/%d starts at offset %d: entries were deleted; restore the topic, or start another namespace", topic, partition, b.Start)
	}
	var genesis *ledger.Genesis
	done := errors.New("read")
	_, err = k.ReadCommitted(ctx, topic, partition, 0, b.LastStable, func(r kafka.Record) error {
		var e ledger.Entry
		if err := e.UnmarshalVT(r.Value); err != nil || e.GetKind() != ledger.Kind_KIND_GENESIS {
			return halt.New(halt.LedgerMissing, "%s/%d does not start with a genesis entry: another program wrote to this topic, or it was created by hand; see the runbook MainstayPartitionHalted", topic, partition)
		}
		genesis = &ledger.Genesis{}
		if err := genesis.UnmarshalVT(e.GetPayload()); err != nil {
			return fmt.Errorf("decode the genesis entry of %s/%d: %w", topic, partition, err)
		}
		return done
	})
	if err != nil && !errors.Is(err, done) {
		return nil, fmt.Errorf("read the start of %s/%d: %w", topic, partition, err)
	}
	return genesis, nil
}

// createTimeout bounds the repetitions of createLedger; createPause is the first pause between two of them.
const (
	createTimeout = time.Minute
	createPause   = 100 * time.Millisecond
)

// createLedger writes genesis, logic and settings as the first entries of every partition, in one transaction: either all
// partitions begin this ledger, or none. The transactional id serialises processes that create it at the same time; the
// second one returns the ledger of the first. Step's own checks come before the write, since a ledger cannot be corrected.
//
// It is repeated while Kafka fails, as brokers do for some time after they lost each other. A repetition cannot create a second
// ledger: opening the transactional id completes or aborts the transaction before, and what it wrote is read first.
func createLedger(ctx context.Context, k *kafka.Client, namespace string, g *ledger.Genesis, s *ledger.Settings, logic uint32, random func() uint64) (*ledger.Genesis, error) {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	for wait := createPause; ; wait = min(2*wait, 10*createPause) {
		created, err := createLedgerOnce(ctx, k, namespace, g, s, logic, random)
		if err == nil || ctx.Err() != nil || !kafka.Retriable(err) {
			return created, err
		}
		select {
		case <-ctx.Done():
			return nil, err // says more than the end of the context
		case <-time.After(wait):
		}
	}
}

func createLedgerOnce(ctx context.Context, k *kafka.Client, namespace string, g *ledger.Genesis, s *ledger.Settings, logic uint32, random func() uint64) (*ledger.Genesis, error) {
	const timeout = 30 * time.Second
	topic := ledger.Topic(namespace)
	txn, err := k.OpenTransactional(ctx, namespace+"-genesis", timeout)
	if err != nil {
		return nil, fmt.Errorf("create the ledger: %w", err)
	}
	there, err := Genesis(ctx, k, namespace)
	if err == nil {
		return there, nil
	}
	if !errors.Is(err, ErrNoLedger) {
		return nil, err
	}
	g.LedgerId = strconv.FormatUint(random(), 36) + strconv.FormatUint(random(), 36)
	if err := errors.Join(settings.ValidateGenesis(g), settings.Validate(s.GetValues())); err != nil {
		return nil, fmt.Errorf("create the ledger: %w", err)
	}
	var batches []*kafka.Batch
	for p := range g.GetPartitions() {
		b := kafka.NewBatch(topic, p)
		for _, first := range []struct {
			kind    ledger.Kind
			payload interface{ MarshalVT() ([]byte, error) }
		}{{ledger.Kind_KIND_GENESIS, g}, {ledger.Kind_KIND_LOGIC, &ledger.Logic{Version: logic}}, {ledger.Kind_KIND_SETTINGS, s}} {
			payload, err := first.payload.MarshalVT()
			if err != nil {
				return nil, fmt.Errorf("encode the first entries: %w", err)
			}
			value, err := (&ledger.Entry{Version: ledger.Version, Kind: first.kind, Payload: payload}).MarshalVT()
			if err != nil {
				return nil, fmt.Errorf("encode the first entries: %w", err)
			}
			b.Append(0, ledger.AppendKey(nil, "", random()), value, nil)
		}
		batches = append(batches, b)
	}
	if err := txn.Publish(ctx, kafka.Transaction{Batches: batches}); err != nil {
		return nil, fmt.Errorf("create the ledger: %w", err)
	}
	return g, nil // not read back: its transaction markers may not be visible yet
}
