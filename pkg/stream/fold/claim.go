package fold

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/pkg/stream/ledgerscan"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// claim makes this goroutine the only one that can publish or commit for the partition, and learns where it stands.
// The order is the argument: the heartbeat says that the group still means us; opening the transactional id fences the
// last owner and ends what it left pending, so that what was published can be read; the token in Redis then fences its
// commits, and R is read with it. R is read after K, so an R beyond K is a loss in Kafka and not a race.
func (o *owner) claim(ctx context.Context) error {
	if err := o.gen.Heartbeat(ctx); err != nil {
		return fmt.Errorf("heartbeat before the claim: %w", err)
	}
	id := TransactionalID(o.cfg.Namespace, o.partition)
	//mutant:no-fence insert id += strconv.FormatUint(o.cfg.Random(), 36)
	//mutant:offset-before-fence insert early, err := o.readEvidenceEarly(ctx); if err != nil { return err }
	txn, err := o.kafka.OpenTransactional(ctx, id, o.cfg.TransactionTimeout)
	if err != nil {
		return fmt.Errorf("fence the last owner: %w", err)
	}
	o.txn = txn
	if err := o.cfg.AtStep(ctx, StepFenced); err != nil {
		return err
	}
	evidence, err := readEvidence(ctx, o.kafka, o.cfg.Namespace, o.cfg.Genesis.GetLedgerId(), o.partition)
	if err != nil {
		return err
	}
	//mutant:offset-before-fence insert evidence = early
	meta, err := o.store.Claim(ctx, strconv.FormatUint(o.cfg.Random(), 36))
	switch {
	case errors.Is(err, redis.ErrTorn):
		o.rebuild = true // claimed, but what stands there cannot be read
	case errors.Is(err, redis.ErrUnknownFormat):
		return halt.New(halt.LogicOlder, "claim the partition in Redis: %w; run the newer release", err)
	case err != nil:
		return fmt.Errorf("claim the partition in Redis: %w", err)
	}
	if err := o.cfg.AtStep(ctx, StepClaimed); err != nil {
		return err
	}
	if err := o.begin(ctx, meta); err != nil {
		return err
	}
	checkpoint, err := lastCheckpoint(ctx, o.kafka, o.topic, o.partition, o.committed)
	if err != nil {
		return err
	}
	if c := o.state.Checkpoint(); c > 0 {
		checkpoint = max(checkpoint, c)
	}
	if o.published, err = evidence.published(checkpoint, o.committed); err != nil {
		return err
	}
	//mutant:k-lowered insert o.published = o.committed
	o.said = o.published > checkpoint
	if o.committed > o.published {
		return o.ahead()
	}
	o.redisAhead = 0
	now := o.cfg.Now()
	o.publishedAt, o.committedAt, o.checkpointAt = now, now, now.Add(-o.cfg.CheckpointInterval)
	o.fetcher = o.kafka.NewFetcher(kafka.FetcherConfig{MaxBytes: fetchMaxBytes, PartitionMaxBytes: fetchMaxBytes})
	o.fetcher.Assign(o.topic, o.partition, o.folded)
	o.log.Info("partition claimed", zap.Int64("published", o.published), zap.Int64("committed", o.committed))
	return o.checkSettings()
}

// begin takes up the state that Redis holds, or starts a new snapshot where it cannot be trusted.
func (o *owner) begin(ctx context.Context, meta redis.Meta) error {
	o.state, o.committed, o.print = processors.NewPartition(o.partition), 0, 0
	if meta.Exists && !o.rebuild {
		if err := o.resume(ctx, meta); err != nil {
			return err
		}
	}
	if o.committed == 0 {
		// Nothing is folded on: blobs that lie there are of another snapshot, and may be of the future.
		o.state = processors.NewPartition(o.partition)
		snapshot, commit := strconv.FormatUint(o.cfg.Random(), 36), strconv.FormatUint(o.cfg.Random(), 36)
		//mutant:one-snapshot-name insert snapshot = "only"
		if err := o.store.BeginSnapshot(ctx, o.cfg.Genesis.GetLedgerId(), snapshot, commit, o.cfg.Now().UnixMilli()); err != nil {
			return fmt.Errorf("begin a snapshot: %w", err)
		}
		o.rebuild = false
	}
	o.folded = o.committed
	o.set = newWorkingSet(o.cfg.CacheBytes/int64(max(1, o.active.Load())), claimed{ctx, o.store})
	return nil
}

// claimed is the partition in Redis, for as long as the claim lasts.
type claimed struct {
	ctx   context.Context //nolint:containedctx // the claim's
	store *redis.Partition
}

func (c claimed) Load(ids []string) ([][]byte, error) { return c.store.LoadCustomers(c.ctx, ids) }

func (c claimed) Due(now int64, limit int) ([]redis.Timer, error) {
	return c.store.DueTimers(c.ctx, now, limit)
}

func (c claimed) Classes(first, end, classes uint32) ([][]string, error) {
	return c.store.CustomersOfClasses(c.ctx, first, end, classes)
}

// resume checks that meta belongs to this ledger as it is, and decodes it.
func (o *owner) resume(ctx context.Context, meta redis.Meta) error {
	if id := o.cfg.Genesis.GetLedgerId(); meta.LedgerID != id {
		return halt.New(halt.LedgerForeign, "Redis holds ledger %s under namespace %q, the topic %s is ledger %s: use another namespace, or remove the keys of the old one",
			meta.LedgerID, o.cfg.Namespace, o.topic, id)
	}
	if meta.Offset == 0 {
		return nil // begun, and never committed
	}
	state, err := processors.DecodePartition(meta.State)
	if err != nil { // of another release: what it says can be folded again
		o.log.Warn("folding the ledger again: the state in Redis is not of this release", zap.Error(err))
		return nil
	}
	switch {
	case state.Logic() > processors.LogicVersion:
		return halt.New(halt.LogicOlder, "state was folded by logic %d, this release has %d: run the newer release", state.Logic(), processors.LogicVersion)
	case state.Logic() < processors.LogicVersion:
		o.log.Info("folding the ledger again under new logic", zap.Uint32("from", state.Logic()), zap.Uint32("to", processors.LogicVersion))
		return nil // committed stays 0: a new snapshot
	}
	if err := o.checkFingerprint(ctx, meta); err != nil {
		return err
	}
	o.state, o.committed, o.print = state, meta.Offset, meta.Fingerprint
	return nil
}

// checkFingerprint compares the ledger's entry before R with the one that was folded: a topic that was deleted and made
// again has the same name and may have the same offsets.
func (o *owner) checkFingerprint(ctx context.Context, meta redis.Meta) error {
	if meta.Offset == 0 {
		return nil
	}
	found, err := fingerprintBelow(ctx, o.kafka, o.topic, o.partition, meta.Offset)
	if err != nil {
		return err
	}
	if found != meta.Fingerprint {
		return halt.New(halt.LedgerRecreated, "the entry before offset %d of %s/%d is not the one that was folded: the topic was re-created or restored; start with a new namespace, or restore the right one",
			meta.Offset, o.topic, o.partition)
	}
	return nil
}

func fingerprintBelow(ctx context.Context, k *kafka.Client, topic string, partition int32, offset int64) (uint64, error) {
	r, ok, err := k.ReadAtOrBelow(ctx, topic, partition, offset-1)
	if err != nil {
		if errors.Is(err, kafka.ErrOutOfRange) {
			return 0, nil // shorter than it was: no record can match
		}
		return 0, fmt.Errorf("read the entry below %d of %s/%d: %w", offset, topic, partition, err)
	}
	if !ok || r.Offset != offset-1 {
		return 0, nil
	}
	return ledger.Fingerprint(r.Offset, r.Key, r.Value), nil
}

// ahead is R > K: Redis is never ahead of Kafka by what we do, so Kafka has lost something it had acknowledged. A claim
// more, in case K was read from a replica that had not caught up.
func (o *owner) ahead() error {
	o.redisAhead++
	err := fmt.Errorf("Redis is committed up to %d of %s/%d, but published is only %d", o.committed, o.topic, o.partition, o.published)
	if o.redisAhead > 1 {
		return halt.New(halt.RedisAheadOfKafka, "%w: Kafka lost acknowledged records; what is in between was published or not, compare with `audit`", err)
	}
	return err
}

// checkSettings holds the configuration against what the ledger says. A higher revision is appended with the next
// transaction; settings are part of every answer, so two processes may not disagree about them.
func (o *owner) checkSettings() error {
	want := o.cfg.Settings
	revision, hash := o.state.SettingsRevision()
	switch {
	case o.folded == 0: // genesis is still to be folded, and with it what the settings are
	case want.GetRevision() < revision:
		return halt.New(halt.SettingsConflict, "settings_revision is %d, the ledger already has %d: this process was configured before that; update its configuration", want.GetRevision(), revision)
	case want.GetRevision() == revision && hash != want.GetHash():
		return halt.New(halt.SettingsConflict, "settings_revision %d stands in the ledger with other values: raise settings_revision when you change what answers depend on, or restore the values", revision)
	}
	return nil
}

// appendSettings says the configuration's settings, parameters and logic in the ledger, once all that was there before is folded:
// an entry further up could have said them already.
func (o *owner) appendSettings() {
	if o.lag > 0 || o.folded == 0 || o.proposed || o.folded < o.published {
		return
	}
	if revision, _ := o.state.SettingsRevision(); o.cfg.Settings.GetRevision() > revision {
		o.appendOwn(ledger.Kind_KIND_SETTINGS, o.cfg.Settings)
		o.proposed = true
	}
	if v := o.cfg.Parameters; v.GetVersion() > o.state.Parameters().GetVersion() {
		o.appendOwn(ledger.Kind_KIND_PARAMETERS, v)
		o.proposed = true
	}
	if o.state.Logic() < processors.LogicVersion {
		o.appendOwn(ledger.Kind_KIND_LOGIC, &ledger.Logic{Version: processors.LogicVersion})
		o.proposed = true
	}
}

// evidence is what outside of Redis says about how far outputs are published.
type evidence struct {
	namespace string
	topic     string
	partition int32
	offset    int64  // the group's; -1: none, or expired
	tail      int64  // behind the last output of this partition that is still kept; -1: none
	emptied   string // an output partition whose records were all deleted
}

// readEvidence must run after InitProducerID has succeeded: before, the committed offset can be stale.
func readEvidence(ctx context.Context, k *kafka.Client, namespace, ledgerID string, partition int32) (evidence, error) {
	e := evidence{namespace: namespace, topic: ledger.Topic(namespace), partition: partition, tail: -1}
	var err error
	if e.offset, _, err = k.CommittedOffset(ctx, Group(namespace), e.topic, partition); err != nil {
		return e, fmt.Errorf("read the published position: %w", err)
	}
	for t := range output.Topics {
		name := t.Name(namespace)
		bounds, err := k.ListOffsets(ctx, name, []int32{partition})
		if err != nil {
			return e, fmt.Errorf("read the bounds of %s/%d: %w", name, partition, err)
		}
		last, ok, err := k.ReadLast(ctx, name, partition)
		switch {
		case err != nil:
			return e, fmt.Errorf("read the last output of %s/%d: %w", name, partition, err)
		case ok:
			id, err := output.ParseIdentity(last.Header)
			if err != nil {
				return e, halt.New(halt.LedgerForeign, "the last record of %s/%d is not of this system: %w", name, partition, err)
			}
			if id.LedgerID == ledgerID && id.Partition == partition {
				e.tail = max(e.tail, id.Offset+1)
			}
		case bounds[partition].Start > 0:
			e.emptied = name
		}
	}
	return e, nil
}

// published is K: the greatest of all evidence. Checkpoints in the ledger cover what is older than the outputs' retention,
// tails what came after the last checkpoint. R stands in only where nothing else speaks.
func (e evidence) published(checkpoint, committed int64) (int64, error) {
	if e.offset < 0 && checkpoint < 0 && e.emptied != "" && committed == 0 {
		return 0, halt.New(halt.PublishedPositionUnknown, "the group's offset is gone, all records of %s/%d were deleted, the ledger holds no checkpoint and Redis is empty: nothing says which outputs were published; set the offset of group %s by hand",
			e.emptied, e.partition, Group(e.namespace))
	}
	//mutant:k-from-tails replace published := max(e.tail, 0)
	//mutant:k-from-offset replace published := max(e.offset, 0)
	published := max(e.offset, e.tail, checkpoint, 0)
	if e.offset < 0 {
		published = max(published, committed)
	}
	return published, nil
}

// lastCheckpoint returns the K of the newest checkpoint above floor; -1: there is none. A publishing fold appends one every
// few minutes, so it is near the end of the ledger.
func lastCheckpoint(ctx context.Context, k *kafka.Client, topic string, partition int32, floor int64) (int64, error) {
	published := int64(-1)
	err := ledgerscan.Backward(ctx, k, topic, partition, floor, ledger.Kind_KIND_CHECKPOINT, func(e *ledger.Entry) bool {
		var c ledger.Checkpoint
		if err := c.UnmarshalVT(e.GetPayload()); err != nil {
			return false // the fold refuses it, by offset, when it gets there
		}
		published = max(published, c.GetPublished())
		return true
	})
	if err != nil {
		return 0, fmt.Errorf("read the last checkpoint: %w", err)
	}
	return published, nil
}
