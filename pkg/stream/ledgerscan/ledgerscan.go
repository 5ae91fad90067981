// Package ledgerscan owns the search for the newest entry of a kind in a partition of the ledger.
//
// It refuses to judge entries: one that cannot be decoded is passed over, since the partition's fold refuses it with its
// offset and a named reason, which an error of the search would hide.
package ledgerscan

import (
	"context"
	"fmt"
	"slices"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// firstSpan is the number of offsets that are read first; each further span is four times as long as the one before. What is
// looked for is appended every few seconds or minutes and so is near the end; the growth bounds the number of requests
// where it is not.
const firstSpan = 10_000

// Backward is BackwardOf for one kind.
func Backward(ctx context.Context, k *kafka.Client, topic string, partition int32, floor int64, kind ledger.Kind, visit func(*ledger.Entry) bool) error {
	return BackwardOf(ctx, k, topic, partition, floor, []ledger.Kind{kind}, visit)
}

// BackwardOf calls visit with the committed entries of some kinds, span by span from the end of a ledger partition down to floor
// or to the start of the log. Within a span, entries come in ledger order. After the span in which visit returned true for
// some entry, the search ends: of several that match, the last one visited is the newest.
//
// Reading single records backwards was rejected: Kafka serves only forwards, so that each step would be a request.
func BackwardOf(ctx context.Context, k *kafka.Client, topic string, partition int32, floor int64, kinds []ledger.Kind, visit func(*ledger.Entry) bool) error {
	bounds, err := k.ListOffsets(ctx, topic, []int32{partition})
	if err != nil {
		return fmt.Errorf("read the bounds of %s/%d: %w", topic, partition, err)
	}
	floor = max(floor, bounds[partition].Start)
	end := bounds[partition].LastStable
	matched := false
	for span := int64(firstSpan); end > floor && !matched; span *= 4 {
		start := max(floor, end-span)
		_, err := k.ReadCommitted(ctx, topic, partition, start, end, func(r kafka.Record) error {
			if k, err := ledger.KindOf(r.Value); err != nil || !slices.Contains(kinds, k) {
				return nil //nolint:nilerr // passed over, as the package's doc says
			}
			var e ledger.Entry
			if err := e.UnmarshalVT(r.Value); err != nil {
				return nil //nolint:nilerr // likewise
			}
			if visit(&e) {
				matched = true
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("look for a %v entry in %s/%d below %d: %w", kinds, topic, partition, end, err)
		}
		end = start
	}
	return nil
}
