package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// ErrRetention means that the output topics no longer hold all outputs since an offset.
var ErrRetention = errors.New("retention has deleted outputs since then")

// FromServers is the Source that reads Redis, and for Changed Kafka.
type FromServers struct {
	Kafka     *kafka.Client
	Redis     *redis.Client
	Namespace string
	Genesis   *ledger.Genesis
	Now       func() time.Time
}

// Snapshot implements Source.
func (s *FromServers) Snapshot(ctx context.Context, partition int32) (*lookup.Snapshot, error) {
	return lookup.ReadSnapshot(ctx, s.Redis, s.Namespace, s.Genesis, partition)
}

// Changed returns the customers for whom the entries of a partition from an offset to another, exclusive, have published an answer or an
// alert. The output topics say so, since timers wake customers whom no entry names; and what is committed was published before. What
// moves by less than is material, such as the days since the last order, is no change.
//
// The error is ErrRetention if some of those outputs are deleted. To fold the ledger was rejected: it takes as long as the ledger is.
func (s *FromServers) Changed(ctx context.Context, partition int32, from, to int64) (map[string]struct{}, error) {
	ids := map[string]struct{}{}
	for _, t := range output.AnswerTopics() {
		if err := s.changedIn(ctx, t, partition, from, to, ids); err != nil {
			return nil, fmt.Errorf("read the outputs of %s since offset %d: %w", t.Name(s.Namespace), from, err)
		}
	}
	return ids, nil
}

// firstSpan is the number of records that are read first, from the end on; each further span is four times as long.
const firstSpan = 10_000

func (s *FromServers) changedIn(ctx context.Context, t output.Topic, partition int32, from, to int64, ids map[string]struct{}) error {
	name := t.Name(s.Namespace)
	bounds, err := s.stableBounds(ctx, name, partition)
	if err != nil {
		return err
	}
	before := false // a record of an entry below from was found: all later ones are read
	for end, span := bounds.HighWatermark, int64(firstSpan); end > bounds.Start && !before; span *= 4 {
		start := max(bounds.Start, end-span)
		_, err := s.Kafka.ReadCommitted(ctx, name, partition, start, end, func(r kafka.Record) error {
			id, err := output.ParseIdentity(r.Header)
			switch {
			case err != nil || id.LedgerID != s.Genesis.GetLedgerId(): // of another ledger of this namespace, or of nobody
			case id.Offset < from:
				before = true
			case id.Offset < to:
				ids[string(r.Key)] = struct{}{}
			}
			return nil //nolint:nilerr // a record that is no output is no change
		})
		if err != nil {
			return err //nolint:wrapcheck // Changed wraps it
		}
		end = start
	}
	//mutant:since-ignores-retention if false && $
	if !before && bounds.Start > 0 {
		return fmt.Errorf("%w: export all customers", ErrRetention)
	}
	return nil
}

// patience is how long a transaction may be open that hides records.
const patience = time.Minute

// stableBounds returns the bounds of a partition once every record in them can be read.
func (s *FromServers) stableBounds(ctx context.Context, topic string, partition int32) (kafka.Offsets, error) {
	const pause = 20 * time.Millisecond
	end := int64(-1)
	for began := s.Now(); ; {
		all, err := s.Kafka.ListOffsets(ctx, topic, []int32{partition})
		if err != nil {
			return kafka.Offsets{}, fmt.Errorf("read the bounds: %w", err)
		}
		b := all[partition]
		if end < 0 {
			end = b.HighWatermark
		}
		switch {
		case b.LastStable >= end:
			b.HighWatermark = end
			return b, nil
		case s.Now().Sub(began) > patience:
			return b, fmt.Errorf("a transaction has been open for %s: find the fold that hangs with `mainstay status`", patience)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return b, context.Cause(ctx)
		case <-timer.C:
		}
	}
}
