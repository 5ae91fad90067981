package ledgercopy

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// finish hands the inputs over if no intake of the old namespace runs. waiting is why it did not.
//
// The order is the argument:
//
//  1. No intake runs. What they have committed is where the new ones begin.
//  2. The old ledger is read to its end, and holds no event from beyond these positions. An intake that was killed may have appended such
//     an event in one partition and not yet the one before it in another. The new intakes would append both, and one mark would cover
//     both, since their partitions may be merged: the one that was missing would be lost as a duplicate.
//  3. The entries for which the merge had to wait are copied. Nothing can come before it any more.
//  4. Still no intake runs, and the old ledger holds nothing new. The copy is compared once more.
//  5. The positions are committed for the new intakes. They do not append yet.
//  6. One transaction writes a tick that is not marked as copied to every partition: from then on the new intakes append. It holds the
//     notes of imports too, so that a file that was imported is known to the new namespace.
//
// A run that is interrupted in between leaves a copy that the next run finishes, unless the old namespace was started again.
func (c *copier) finish(ctx context.Context) (waiting, err error) {
	stable, err := c.merge.bounds(ctx)
	if err != nil {
		return nil, err
	}
	if !stable {
		return errOpen, nil
	}
	if err := c.copyAvailable(ctx); err != nil {
		return nil, err
	}
	tick := c.handOverTick()
	if tick.GetRevision() == 0 {
		return nil, ErrNoTick
	}
	committed, err := intake.Stopped(ctx, c.kafka, c.cfg.From, tick.GetInputs())
	if errors.Is(err, intake.ErrRunning) {
		return err, nil
	}
	if err != nil {
		return nil, err
	}
	if err := c.readToEnd(ctx); err != nil { // what they appended before they stopped
		return nil, err
	}
	tick = c.handOverTick()
	//mutant:uncommitted-handed-over delete
	if err := c.checkCommitted(tick.GetInputs(), committed); err != nil {
		return nil, err
	}
	c.merge.sealed = true
	if err := c.copyAvailable(ctx); err != nil {
		return nil, err
	}
	if err := c.out.verify(ctx, true); err != nil {
		return nil, err
	}
	if err := c.checkStopped(ctx, tick, committed); err != nil {
		return nil, err
	}
	if err := committed.Begin(ctx, c.kafka, c.cfg.To.Namespace); err != nil {
		return nil, err
	}
	for _, r := range tick.GetReadings() {
		if err := committed.Complete(r); err != nil {
			return nil, err
		}
	}
	return nil, c.handOver(ctx, tick)
}

var errOpen = errors.New("a transaction in the old ledger is open")

func (c *copier) handOverTick() *ledger.Tick {
	followers := make([]*processors.Follower, len(c.merge.sides))
	for i, s := range c.merge.sides {
		followers[i] = s.follower
	}
	return processors.HandOverTick(followers)
}

// readToEnd reads all of the old ledger and copies what can be ordered.
func (c *copier) readToEnd(ctx context.Context) error {
	for {
		stable, err := c.merge.bounds(ctx)
		if err != nil {
			return err
		}
		for _, s := range c.merge.sides {
			if err := c.merge.readAll(ctx, s); err != nil {
				return err
			}
		}
		if stable {
			return c.copyAvailable(ctx)
		}
		if err := sleep(ctx, c.cfg.Pause); err != nil {
			return err
		}
	}
}

// checkCommitted refuses events from beyond the positions at which the intakes stopped.
func (c *copier) checkCommitted(inputs []*ledger.Input, committed intake.Committed) error {
	var beyond error
	for _, s := range c.merge.sides {
		s.follower.Marks(func(topic string, incarnation uint32, partition int32, offset int64) {
			for _, in := range inputs {
				if in.GetTopic() == topic && in.GetIncarnation() == incarnation && offset >= committed.Of(topic, partition) {
					beyond = fmt.Errorf("%w: offset %d of %s/%d is in the ledger, and %d is committed", ErrUncounted, offset, topic, partition, committed.Of(topic, partition))
				}
			}
		})
	}
	return beyond
}

// checkStopped refuses to go on if an intake of the old namespace has come back.
func (c *copier) checkStopped(ctx context.Context, tick *ledger.Tick, committed intake.Committed) error {
	again, err := intake.Stopped(ctx, c.kafka, c.cfg.From, tick.GetInputs())
	switch {
	case errors.Is(err, intake.ErrRunning):
		return fmt.Errorf("%w: %w", ErrRunsAgain, err)
	case err != nil:
		return err
	case !again.Equal(committed):
		return ErrRunsAgain
	}
	for {
		stable, err := c.merge.bounds(ctx)
		if err != nil {
			return err
		}
		if _, more, err := c.merge.next(ctx); err != nil || more { // entries that folds append to the end are not copied
			return errors.Join(err, ErrRunsAgain)
		}
		if stable {
			return nil
		}
		if err := sleep(ctx, c.cfg.Pause); err != nil {
			return err
		}
	}
}

// handOver writes the tick with which the new intakes begin, and the notes of imports.
func (c *copier) handOver(ctx context.Context, tick *ledger.Tick) error {
	payload, err := tick.MarshalVT()
	if err != nil {
		return fmt.Errorf("encode the tick that hands over: %w", err)
	}
	value, err := encode(&ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_TICK, Time: c.base, Payload: payload})
	if err != nil {
		return err
	}
	c.out.handOver = true
	for i := range c.out.targets {
		c.out.batchFor(&c.out.targets[i], len(value)).Append(0, ledger.AppendKey(nil, "", c.cfg.Random()), value, nil)
	}
	if err := c.copyImports(ctx); err != nil {
		return err
	}
	if err := c.out.publish(ctx); err != nil {
		return err
	}
	if err := c.out.readBack(ctx); err != nil {
		return err
	}
	if !c.out.arrived() {
		return ErrDiffers
	}
	c.done = true
	c.report(nil)
	return nil
}

// copyImports adds the notes of imports to the transaction that hands over.
func (c *copier) copyImports(ctx context.Context) error {
	from, to := topics.Imports(c.cfg.From), topics.Imports(c.cfg.To.Namespace)
	found, err := c.kafka.Topics(ctx, []string{from})
	if err != nil {
		return fmt.Errorf("look up %s: %w", from, err)
	}
	if !found[0].Exists {
		return nil // an import creates notes only where the topic exists
	}
	bounds, err := c.kafka.ListOffsets(ctx, from, []int32{0})
	if err != nil {
		return fmt.Errorf("read the bounds of %s: %w", from, err)
	}
	var batch *kafka.Batch
	_, err = c.kafka.ReadCommitted(ctx, from, 0, bounds[0].Start, bounds[0].LastStable, func(r kafka.Record) error {
		if size := len(r.Key) + len(r.Value); batch == nil || batch.Full(size) {
			batch = kafka.NewBatch(to, 0)
			c.out.batches = append(c.out.batches, batch)
		}
		batch.Append(r.Timestamp, r.Key, r.Value, r.RawHeaders())
		c.imports++
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the notes of imports in %s: %w", from, err)
	}
	return nil
}
