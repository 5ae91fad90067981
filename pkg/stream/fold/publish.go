package fold

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// pending is what the next transaction sends.
type pending struct {
	outputs output.Batch   // of the entry being folded, or of the fold's own entries, until they are encoded
	batches *kafka.Batches // the encoded outputs and entries

	entries     int   // folded since the last transaction, with or without outputs
	outputCount int   // encoded
	outputBytes int   // encoded
	oldestEvent int64 // ms; the least time of the events among the entries; 0: there is none
	counts      [output.Topics][output.Triggers]int

	key, headers, value []byte // memory that is used again for every record
}

func (p *pending) empty() bool { return len(p.batches.All()) == 0 }

func (p *pending) addEventTime(time int64) {
	if p.oldestEvent == 0 || time < p.oldestEvent {
		p.oldestEvent = time
	}
}

// reset keeps the memory.
func (p *pending) reset() {
	p.batches.Reset()
	*p = pending{outputs: p.outputs, batches: p.batches, key: p.key, headers: p.headers, value: p.value}
}

// publish sends the outputs of all entries since K, and the new K, in one transaction. All of it is computed before the
// transaction is opened. While folded is below K, it sends nothing and K stays: a former owner has published those outputs.
func (c *claim) publish(ctx context.Context) error {
	if c.folded <= c.published {
		return nil
	}
	now := c.cfg.Now()
	c.appendSettings()
	outputsSince := c.outputsSinceCheckpoint || c.pending.outputCount > 0
	if outputsSince && now.Sub(c.checkpointedAt) >= c.cfg.CheckpointInterval {
		c.appendOwn(ledger.Kind_KIND_CHECKPOINT, &ledger.Checkpoint{Published: c.folded})
		c.checkpointedAt, outputsSince = now, false
	}
	if err := c.encodePending(ctx); err != nil {
		return err
	}
	batches := c.pending.batches.All()
	if err := c.cfg.AtStep(ctx, StepPublish); err != nil {
		return err
	}
	//mutant:split-transaction insert if err := c.publishFirst(ctx, &batches); err != nil { return err }
	//mutant:offset-outside insert if err := c.commitOffset(ctx); err != nil { return err }
	// After the timeout the broker has aborted the transaction: what is not done by then is in vain.
	publishing, cancel := context.WithTimeout(ctx, c.cfg.TransactionTimeout)
	defer cancel()
	err := c.txn.Publish(publishing, kafka.Transaction{
		Batches: batches, First: c.kept.refusing,
		Group: Group(c.cfg.Namespace),
		//mutant:no-fence replace Generation: -1
		Generation: c.gen.ID,
		//mutant:no-fence delete
		Member: c.gen.Member,
		Topic:  c.topic, Partition: c.partition, Offset: c.folded, Metadata: publishedMetadata(c.fingerprint),
	})
	if err != nil {
		return c.notPublished(err)
	}
	c.kept.refusing, c.kept.notBefore = "", time.Time{}
	c.resolved()
	if err := c.cfg.AtStep(ctx, StepPublished); err != nil {
		return err
	}
	c.observePublished(c.cfg.Now().Sub(now))
	c.outputsSinceCheckpoint = outputsSince
	c.published, c.publishedAt = c.folded, now
	c.pending.reset()
	return nil
}

// notPublished is the error of a transaction that failed. If a topic is at fault, the next transaction begins with it: what is tried again
// for ever must not fill the other topics, and least of all the ledger, with aborted records. A topic that refuses for good halts the
// partition. To isolate the output, as an intake does with a record, was rejected: subscribers would miss an answer.
func (c *claim) notPublished(err error) error {
	failed, ok := errors.AsType[*kafka.TopicError](err)
	if !ok {
		return fmt.Errorf("publish up to %d: %w", c.folded, err)
	}
	c.kept.refusing = failed.Topic
	reason := failed.Refused()
	switch {
	case reason == "":
		return fmt.Errorf("publish up to %d: %w", c.folded, err)
	case errors.Is(err, kafka.ErrAuthorization):
		return halt.New(halt.NotAuthorized, "publishing to %s is refused: %w; grant Write on the topic", failed.Topic, err)
	case failed.Topic == c.topic:
		return halt.New(halt.LedgerRefuses, "appending to %s is refused (%s): %w; `mainstay check` compares the topic's configuration with what is needed", failed.Topic, reason, err)
	}
	return halt.New(halt.OutputRefused, "publishing to %s is refused (%s): %w; correct the topic's configuration (`mainstay check` names it)", failed.Topic, reason, err)
}

// appendOwn adds an entry of the fold's own to its partition. It has no origin: settings, logic and checkpoints may be
// appended twice, since the second one changes nothing.
func (c *claim) appendOwn(kind ledger.Kind, payload interface{ MarshalVT() ([]byte, error) }) {
	bytes, err := payload.MarshalVT()
	if err != nil {
		panic(err) // a protobuf message of our own, with no strings from outside
	}
	base, _ := c.state.BaseTime()
	c.pending.outputs.Sends = append(c.pending.outputs.Sends, &output.Send{
		Partition: c.partition, Entry: ledger.Entry{Version: ledger.Version, Kind: kind, Time: base, Payload: bytes},
	})
}

// encodePending encodes the outputs into Kafka batches. Each output goes to the partition of its topic that has the number of
// the ledger partition, where a claim looks for it as evidence of K.
//
// A record bears the time at which its entry was appended to the ledger, never the time of this machine: a broker refuses records that are
// stamped more than an hour ahead of its own clock. Output topics should have LogAppendTime anyway, see topics.Config.
func (c *claim) encodePending(ctx context.Context) error {
	p, stamp := &c.pending, c.appendTime
	//mutant:machine-time-outputs insert stamp = c.cfg.Now().UnixMilli()
	for i := range p.outputs.Records {
		r := &p.outputs.Records[i]
		value := p.outputs.Value(r) // nil, which is written as null, for a tombstone
		if value != nil && c.cfg.Outputs.Encodes() {
			var err error
			if p.value, err = c.cfg.Outputs.Append(ctx, p.value[:0], r.Topic, value); err != nil {
				return err
			}
			value = p.value
		}
		p.headers = c.envelope.AppendHeaders(p.headers[:0], r, p.outputs.Passed(r))
		p.key = append(p.key[:0], r.Key...)
		p.batches.BatchFor(c.outputTopics[r.Topic], c.partition, len(p.key)+len(value)+len(p.headers)).Append(stamp, p.key, value, p.headers)
		p.counts[r.Topic][r.Trigger]++
	}
	p.outputCount += len(p.outputs.Records)
	p.outputBytes += p.outputs.Len()
	for _, s := range p.outputs.Sends {
		value, err := s.Entry.MarshalVT()
		if err != nil {
			return fmt.Errorf("encode an entry for partition %d: %w", s.Partition, err)
		}
		p.key = ledger.AppendKey(p.key[:0], s.Entry.GetCustomer(), c.cfg.Random())
		p.batches.BatchFor(c.topic, s.Partition, len(p.key)+len(value)).Append(stamp, p.key, value, nil)
	}
	p.outputs.Reset()
	return nil
}

// commit writes the changed customers and R to Redis. R is an offset that is published, so commit publishes first.
func (c *claim) commit(ctx context.Context) error {
	//mutant:commit-before-publish delete
	if err := c.publish(ctx); err != nil {
		return err
	}
	if c.folded == c.committed {
		return nil
	}
	now := c.cfg.Now()
	blobs, timers := c.customers.changes()
	if err := c.cfg.AtStep(ctx, StepCommit); err != nil {
		return err
	}
	err := c.store.Commit(ctx, redis.Commit{
		CommitID: strconv.FormatUint(c.cfg.Random(), 36),
		Offset:   c.folded, Fingerprint: c.fingerprint, State: c.state.Encode(nil),
		Customers: blobs, Timers: timers, UpdatedAt: now.UnixMilli(),
	})
	if err != nil {
		return fmt.Errorf("commit up to %d: %w", c.folded, err)
	}
	if err := c.cfg.AtStep(ctx, StepCommitted); err != nil {
		return err
	}
	c.metrics.CommitDuration.Observe(c.cfg.Now().Sub(now).Seconds())
	c.observeCalibration()
	c.customers.committed()
	c.committed, c.committedAt = c.folded, now
	c.progressed()
	return c.sweep(ctx)
}

// sweep removes some of the keys of former snapshots, until none are left: they are never read, but take memory.
func (c *claim) sweep(ctx context.Context) error {
	if c.swept {
		return nil
	}
	_, done, err := c.store.SweepSnapshots(ctx)
	if err != nil {
		return fmt.Errorf("remove former snapshots: %w", err)
	}
	c.swept = done
	return nil
}
