package fold

import (
	"context"
	"fmt"
	"strconv"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// publish sends everything said since K, and K itself, in one transaction. All of it is computed before the transaction is
// opened. Below K nothing is sent and K stays: a former owner has done it.
func (o *owner) publish(ctx context.Context) error {
	if o.folded <= o.published {
		return nil
	}
	now := o.cfg.Now()
	o.appendSettings()
	said := o.said || o.counts.outputs > 0
	if said && now.Sub(o.checkpointAt) >= o.cfg.CheckpointInterval {
		o.appendOwn(ledger.Kind_KIND_CHECKPOINT, &ledger.Checkpoint{Published: o.folded})
		o.checkpointAt, said = now, false
	}
	if err := o.lay(now.UnixMilli()); err != nil {
		return err
	}
	batches := o.request.All()
	if err := o.cfg.AtStep(ctx, StepPublish); err != nil {
		return err
	}
	//mutant:split-transaction insert if err := o.publishFirst(ctx, &batches); err != nil { return err }
	//mutant:offset-outside insert if err := o.commitOffset(ctx); err != nil { return err }
	err := o.txn.Publish(ctx, kafka.Transaction{
		Batches: batches,
		Group:   Group(o.cfg.Namespace),
		//mutant:no-fence replace Generation: -1
		Generation: o.gen.ID,
		//mutant:no-fence delete
		Member: o.gen.Member,
		Topic:  o.topic, Partition: o.partition, Offset: o.folded,
	})
	if err != nil {
		return fmt.Errorf("publish up to %d: %w", o.folded, err)
	}
	if err := o.cfg.AtStep(ctx, StepPublished); err != nil {
		return err
	}
	o.observePublished(o.cfg.Now().Sub(now))
	o.said = said
	o.published, o.publishedAt, o.unpublished = o.folded, now, 0
	o.request.Reset()
	o.counts = counts{}
	return nil
}

// appendOwn adds an entry of the fold's own to its partition. It has no origin: settings, logic and checkpoints may come
// twice and say the same.
func (o *owner) appendOwn(kind ledger.Kind, payload interface{ MarshalVT() ([]byte, error) }) {
	bytes, err := payload.MarshalVT()
	if err != nil {
		panic(err) // a protobuf message of our own, with no strings from outside
	}
	base, _ := o.state.BaseTime()
	o.out.Sends = append(o.out.Sends, &output.Send{
		Partition: o.partition, Entry: ledger.Entry{Version: ledger.Version, Kind: kind, Time: base, Payload: bytes},
	})
}

// counts is what is laid into batches and not published yet.
type counts struct {
	outputs, bytes int
	of             [output.Topics][output.Triggers]int
}

// waiting says that there is something to publish.
func (o *owner) waiting() bool { return len(o.request.All()) > 0 }

// lay puts what was said into Kafka batches: every output of this partition into the same partition of its topic.
func (o *owner) lay(now int64) error {
	for i := range o.out.Records {
		r := &o.out.Records[i]
		value := o.out.Value(r)
		o.headers = o.envelope.AppendHeaders(o.headers[:0], r)
		o.key = append(o.key[:0], r.Key...)
		o.request.BatchFor(o.outputs[r.Topic], o.partition, len(o.key)+len(value)+len(o.headers)).Append(now, o.key, value, o.headers)
		o.counts.of[r.Topic][r.Trigger]++
	}
	o.counts.outputs += len(o.out.Records)
	o.counts.bytes += o.out.Len()
	for _, s := range o.out.Sends {
		value, err := s.Entry.MarshalVT()
		if err != nil {
			return fmt.Errorf("encode an entry for partition %d: %w", s.Partition, err)
		}
		o.key = ledger.AppendKey(o.key[:0], s.Entry.GetCustomer(), o.cfg.Random())
		o.request.BatchFor(o.topic, s.Partition, len(o.key)+len(value)).Append(now, o.key, value, nil)
	}
	o.out.Reset()
	return nil
}

// commit writes what is folded to Redis, up to an offset that is published: publishing first if it is not.
func (o *owner) commit(ctx context.Context) error {
	//mutant:commit-before-publish delete
	if err := o.publish(ctx); err != nil {
		return err
	}
	if o.folded == o.committed {
		return nil
	}
	now := o.cfg.Now()
	blobs, timers := o.set.changes()
	if err := o.cfg.AtStep(ctx, StepCommit); err != nil {
		return err
	}
	err := o.store.Commit(ctx, redis.Commit{
		CommitID: strconv.FormatUint(o.cfg.Random(), 36),
		Offset:   o.folded, Fingerprint: o.print, State: o.state.Encode(nil),
		Customers: blobs, Timers: timers, UpdatedAt: now.UnixMilli(),
	})
	if err != nil {
		return fmt.Errorf("commit up to %d: %w", o.folded, err)
	}
	if err := o.cfg.AtStep(ctx, StepCommitted); err != nil {
		return err
	}
	o.metrics.CommitDuration.Observe(o.cfg.Now().Sub(now).Seconds())
	o.observeCalibration()
	o.set.committed()
	o.committed, o.committedAt = o.folded, now
	return o.sweep(ctx)
}

// sweep removes some of the keys that former snapshots have left behind, until there are none: they are never read, but they
// take memory.
func (o *owner) sweep(ctx context.Context) error {
	if o.swept {
		return nil
	}
	_, done, err := o.store.SweepSnapshots(ctx)
	if err != nil {
		return fmt.Errorf("remove former snapshots: %w", err)
	}
	o.swept = done
	return nil
}
