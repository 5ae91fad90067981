package intake

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/stream/failure"
)

// schemaPause is how long an input partition is not read at whose next record the schema registry did not answer.
const schemaPause = time.Second

// encodeRecords encodes records until an error, and returns how many it has encoded.
func (r *run) encodeRecords(ctx context.Context, in *inputPartition, index int, records []kafka.Record, now int64) (int, error) {
	for i := range records {
		if err := r.encodeRecord(ctx, in, index, &records[i], now); err != nil {
			return i, err
		}
	}
	return len(records), nil
}

// awaitsSchema reports whether the error is of a registry that does not answer.
func awaitsSchema(err error) bool {
	return errors.Is(err, registry.ErrUnreachable) || errors.Is(err, registry.ErrDenied)
}

// awaitSchema stops reading an input partition at the record of this number in what was fetched. What is before it counts as read, and it
// is fetched again: nothing is lost, and the other partitions are read on. Until then no tick says how far it is read, so that time stands.
func (r *run) awaitSchema(in *inputPartition, f *kafka.Fetched, number int, err error) {
	//mutant:awaited-record-lost replace in.read.offset = f.Next
	in.read.offset = f.Records[number].Offset
	in.heard, in.lag, in.unstable = false, f.LastStable-in.read.offset, f.HighWatermark-f.LastStable
	in.failing, in.cause = failure.Of(err), err.Error()
	in.schemaAt = r.cfg.Now().Add(schemaPause)
	r.fetcher.Unassign(in.topic, in.partition)
	r.appends.pending.addPosition(in)
	level := in.complaints.Failed(string(in.failing), r.cfg.Now())
	r.log.Log(level, "input partition waits for the schema registry", zap.String("topic", in.topic), zap.Int32("input_partition", in.partition),
		zap.Int64("offset", in.read.offset), zap.String("cause", string(in.failing)), zap.String("setting", "registry.urls"), zap.Error(err))
}

// resumeAwaiting reads on the input partitions that have waited for a schema.
func (r *run) resumeAwaiting() {
	for _, in := range r.inputs {
		if !in.schemaAt.IsZero() && !r.cfg.Now().Before(in.schemaAt) {
			in.schemaAt = time.Time{}
			if in.halted == "" {
				r.fetcher.Assign(in.topic, in.partition, in.read.offset)
			}
		}
	}
}
