package fold

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

const (
	chunkEntries   = 512     // entries whose customers are loaded in one request
	publishEntries = 8000    // a transaction is not made larger than about this
	commitDirty    = 20_000  // changed customers that a commit does not let pile up
	fetchMinBytes  = 1 << 20 // below saturation a fetch waits for time, not for bytes: one wake-up per publish

	// The memory of fetches and transactions does not grow with the number of partitions that a process owns. With few partitions
	// each has more, which saves requests.
	fetchBytes        = 8 << 20 // of all partitions
	leastFetchBytes   = 512 << 10
	mostFetchBytes    = 4 << 20
	publishBytes      = 16 << 20 // of outputs in transactions, of all partitions
	leastPublishBytes = 512 << 10
	mostPublishBytes  = 4 << 20
)

// share is a partition's part of a budget of the process.
func (f *Fold) share(budget, least, most int) int {
	return min(most, max(least, budget/max(1, int(f.active.Load()))))
}

// serve fetches, folds, publishes and commits until an error, or until the fold is drained: then it returns errDrained.
func (c *claim) serve(ctx context.Context) error {
	for {
		select {
		case <-c.consumer.Drained():
			return c.finish(ctx)
		default:
		}
		records, err := c.fetch(ctx)
		if err != nil {
			return err
		}
		if err := c.foldRecords(ctx, records); err != nil {
			return err
		}
		if !c.pending.empty() && c.cfg.Now().Sub(c.publishedAt) >= c.publishInterval() {
			if err := c.publish(ctx); err != nil {
				return err
			}
		}
		if err := c.commitWhenDue(ctx, len(records) == 0); err != nil {
			return err
		}
		c.observe()
	}
}

// commitWhenDue commits what has been folded if the last commit is long enough ago.
func (c *claim) commitWhenDue(ctx context.Context, idle bool) error {
	if c.folded > c.committed && c.cfg.Now().Sub(c.committedAt) >= c.commitInterval(idle) {
		return c.commit(ctx)
	}
	return nil
}

// commitInterval is long under load, when most of the changed customers will soon change again, and short when nothing
// comes in, so that readers of Redis need not wait for a quiet ledger.
func (c *claim) commitInterval(idle bool) time.Duration {
	if idle {
		return min(c.cfg.CommitInterval, time.Second)
	}
	return c.cfg.CommitInterval
}

// finish commits, so that the next owner has nothing to fold again.
func (c *claim) finish(ctx context.Context) error {
	if err := c.commit(ctx); err != nil {
		return err
	}
	return errDrained
}

// fetch waits for entries, at most until the next publish is due. The records are valid until the next fetch.
func (c *claim) fetch(ctx context.Context) ([]kafka.Record, error) {
	wait := c.publishInterval()
	if !c.pending.empty() {
		wait = max(time.Millisecond, wait-c.cfg.Now().Sub(c.publishedAt))
	}
	// A broker waits for as many bytes as are asked for, also where they do not fit into the response.
	least := min(fetchMinBytes, c.share(fetchBytes, leastFetchBytes, mostFetchBytes)/2)
	fetched, err := c.fetcher.Fetch(ctx, wait, int32(least)) //nolint:gosec // at most 1 MiB
	if err != nil {
		return nil, fmt.Errorf("fetch the ledger: %w", err)
	}
	var records []kafka.Record
	for i := range fetched {
		part := &fetched[i]
		if errors.Is(part.Err, kafka.ErrOutOfRange) {
			return nil, halt.New(halt.LedgerTruncated, "the ledger must be kept forever; restore it, or start another namespace: %w", part.Err)
		}
		if errors.Is(part.Err, kafka.ErrCorrupt) {
			return nil, halt.New(halt.LedgerUnreadable, "%w: restore the topic from another replica", part.Err)
		}
		if part.Err != nil {
			return nil, fmt.Errorf("fetch the ledger: %w", part.Err)
		}
		c.lag = part.LastStable - part.Next
		records = part.Records
	}
	return records, nil
}

// foldRecords folds fetched entries in chunks, and publishes or commits between two chunks what has piled up. A transaction
// ends only between entries: all outputs of one are in one transaction.
func (c *claim) foldRecords(ctx context.Context, records []kafka.Record) error {
	for len(records) > 0 {
		chunk := records[:min(len(records), chunkEntries)]
		records = records[len(chunk):]
		if err := c.foldChunk(ctx, chunk); err != nil {
			return err
		}
		if c.pending.entries >= publishEntries || c.pending.outputBytes >= c.share(publishBytes, leastPublishBytes, mostPublishBytes) {
			if err := c.publish(ctx); err != nil {
				return err
			}
		}
		if c.customers.changed() >= commitDirty || c.customers.crowded() {
			if err := c.commit(ctx); err != nil {
				return err
			}
		}
		// A rebuild finds tens of thousands of entries in a fetch. Where they take long to fold, commits are its only sign of progress.
		if err := c.commitWhenDue(ctx, false); err != nil {
			return err
		}
	}
	return nil
}

// foldChunk encodes the outputs of each entry right after its fold, while they are in the processor's cache.
func (c *claim) foldChunk(ctx context.Context, chunk []kafka.Record) error {
	if err := c.loadCustomers(chunk); err != nil {
		return err
	}
	if err := c.cfg.AtStep(ctx, StepFold); err != nil {
		return err
	}
	for i := range chunk {
		c.entry, c.customers.lastLookup = c.entries[i], c.chunkCustomers[i]
		if err := c.foldRecord(&chunk[i]); err != nil {
			return err
		}
		if err := c.encodePending(ctx); err != nil {
			return err
		}
	}
	last := &chunk[len(chunk)-1]
	c.fingerprint = ledger.Fingerprint(last.Offset, last.Key, last.Value)
	return nil
}

// loadCustomers decodes the entries of a chunk, and asks Redis once for all of their customers that are not in memory.
func (c *claim) loadCustomers(chunk []kafka.Record) error {
	c.customers.evict()
	c.chunkCustomers, c.entries = c.chunkCustomers[:0], c.entries[:0]
	c.decoder.Reset()
	for i := range chunk {
		entry, err := c.decoder.Decode(chunk[i].Value)
		if err != nil {
			return c.refused(&chunk[i], err)
		}
		var customer *cachedCustomer
		if id := entry.GetCustomer(); id != "" {
			customer = c.customers.request(id)
			// Step's outputs are published after the record's memory is used again, so Step gets the id that the cache holds.
			entry.Customer = customer.id
		}
		c.chunkCustomers, c.entries = append(c.chunkCustomers, customer), append(c.entries, entry)
	}
	return c.customers.load()
}

// foldRecord runs Step on one entry.
func (c *claim) foldRecord(r *kafka.Record) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			c.log.Error("step panicked", zap.Int64("offset", r.Offset), c.cfg.Customers.Field(c.entry.GetCustomer()), zap.ByteString("stack", debug.Stack()))
			err = halt.New(halt.StepPanicked, "entry %d of %s/%d: %v", r.Offset, c.topic, c.partition, caught)
		}
	}()
	out := &c.pending.outputs
	if r.Offset < c.published {
		//mutant:threshold-moves-on-replay insert c.withoutThresholds()
		out = &c.discarded
		out.Reset()
	}
	sends := len(out.Sends)
	//mutant:batch-time insert if c.pending.entries == 0 { c.batchTime = c.entry.GetTime() }; c.entry.Time = c.batchTime
	verdict, err := processors.Step(c.state, r.Offset, c.entry, c.customers, out)
	switch {
	case errors.Is(err, processors.ErrRefused):
		c.log.Error("entry refused", zap.Int64("offset", r.Offset), c.cfg.Customers.Field(c.entry.GetCustomer()), zap.Error(err))
		return c.refused(r, err)
	case err != nil:
		return fmt.Errorf("fold entry %d: %w", r.Offset, err)
	}
	for i, s := range out.Sends[sends:] {
		s.Entry.Version = ledger.Version
		s.Entry.Origin = &ledger.Origin{Partition: c.partition, Offset: r.Offset, Ordinal: uint32(i)}
	}
	c.folded = r.Offset + 1
	c.appendTime = r.Timestamp
	c.pending.entries++
	if out == &c.pending.outputs && c.entry.GetKind() == ledger.Kind_KIND_EVENT {
		c.pending.addEventTime(c.entry.GetTime())
	}
	c.countVerdict(verdict)
	if verdict.Result == processors.Rejected && out == &c.pending.outputs {
		c.log.Debug("event rejected", zap.Int64("offset", r.Offset), zap.String("reason", verdict.Reason), c.cfg.Customers.Field(c.entry.GetCustomer()))
	}
	if c.entry.GetKind() == ledger.Kind_KIND_SETTINGS || c.entry.GetKind() == ledger.Kind_KIND_LOGIC {
		return c.checkSettings()
	}
	return nil
}

// refused halts the partition. An entry that cannot be read is never skipped, since every later answer may depend on it.
func (c *claim) refused(r *kafka.Record, err error) error {
	return halt.New(halt.EntryRefused, "entry %d of %s/%d: %w; a newer release may have written it: run that one", r.Offset, c.topic, c.partition, err)
}
