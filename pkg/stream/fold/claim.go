package fold

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// claim is the time from fencing the last owner of a partition to the first error: everything that is known of the partition
// under that fence. After an error nothing in it is trusted, so it is thrown away whole and never reset.
//
// Invariants: committed <= published once claimed, since only what is published is committed; published never decreases;
// folded is below published only while entries whose outputs a former owner has published are folded again.
type claim struct {
	*owner

	txn     *kafka.Transactional // the fence: a later claim makes every request of it fail
	fetcher *kafka.Fetcher       // reads the ledger from folded on
	// state and customers are a function of the ledger below folded. Changes since the last commit are nowhere else.
	state     *processors.Partition
	customers *workingSet

	folded      int64  // all entries below it are folded
	published   int64  // K: the outputs of all entries below it are published
	committed   int64  // R: Redis holds the state as of it
	fingerprint uint64 // of the entry below folded; a commit stores it with R, and the next claim compares it with the ledger
	lag         int64  // entries from folded up to the last stable offset, as of the last fetch
	appendTime  int64  // ms; when the entry below folded was appended

	pending pending
	// discarded takes the outputs of entries below K: Step computes them for the state's sake, and a former owner has
	// published them. Nothing reads it.
	discarded output.Batch

	publishedAt, committedAt, checkpointedAt time.Time
	outputsSinceCheckpoint                   bool // if not, a checkpoint would say nothing that the last one does not
	settingsAppended                         bool // this claim has appended settings, parameters or logic, and need not do so again
	swept                                    bool // no keys of former snapshots are left in Redis

	// The memory below is used again for every entry or chunk.

	decoder        ledger.Entries    // memory of the chunk's entries
	entries        []*ledger.Entry   // the chunk's entries; they alias its records
	entry          *ledger.Entry     // the one being folded
	chunkCustomers []*cachedCustomer // of the chunk's entries; nil: the entry has no customer
	observed       observed
	//mutant:batch-time insert batchTime int64
}

// claim makes this goroutine the only one that can publish or commit for the partition, and learns K and R.
//
// The order is the argument:
//
//  1. A heartbeat is answered: the group still assigns the partition to this member. Without it a member that was paused for
//     longer than its session would fence the rightful owner.
//  2. OpenTransactional fences the last owner and ends the transaction that it left open. Before that, the committed offset
//     and the ends of the output topics can be stale.
//  3. The evidence of K is read: all of it, always. Reading only the group's offset was rejected, because offsets expire;
//     only the outputs, because retention deletes them.
//  4. Redis stores a new token, which fences the last owner's commits, and returns R. R is read after K: an owner commits
//     only what it has published, so R above K is a loss in Kafka and not a race.
//  5. The last checkpoint above R is read, as the evidence that outlasts the retention of the outputs.
//
// Before that it has what outputs are encoded with: without it the rightful owner would be fenced by one that cannot publish.
func (o *owner) claim(ctx context.Context) (*claim, error) {
	//mutant:published-without-schema insert if o.cfg.Outputs.Prepare(ctx) != nil { o.cfg.Outputs = nil }
	if err := o.cfg.Outputs.Prepare(ctx); encoded.Refused(err) {
		return nil, halt.New(halt.OutputRefused, "outputs cannot be encoded: %w", err)
	} else if err != nil {
		return nil, fmt.Errorf("find the schemas of the outputs: %w", err)
	}
	if err := o.gen.Heartbeat(ctx); err != nil {
		return nil, fmt.Errorf("heartbeat before the claim: %w", err)
	}
	id := TransactionalID(o.cfg.Namespace, o.partition)
	//mutant:no-fence insert id += strconv.FormatUint(o.cfg.Random(), 36)
	//mutant:offset-before-fence insert early, err := o.readEvidenceEarly(ctx); if err != nil { return nil, err }
	// A coordinator that stays busy, as one does that cannot write its markers, is a failure with a cause, and no silence.
	//mutant:busy-for-ever replace opening, cancel := context.WithCancel(ctx)
	opening, cancel := context.WithTimeout(ctx, o.cfg.TransactionTimeout)
	txn, err := o.kafka.OpenTransactional(opening, id, o.cfg.TransactionTimeout)
	cancel()
	if err != nil {
		return nil, fmt.Errorf("fence the last owner: %w", err)
	}
	if err := o.cfg.AtStep(ctx, StepFenced); err != nil {
		return nil, err
	}
	evidence, err := readEvidence(ctx, o.kafka, o.cfg.Namespace, o.cfg.Genesis.GetLedgerId(), o.partition)
	if err != nil {
		return nil, err
	}
	//mutant:offset-before-fence insert evidence = early
	meta, err := o.store.Claim(ctx, strconv.FormatUint(o.cfg.Random(), 36))
	switch {
	case errors.Is(err, redis.ErrTorn):
		o.rebuild = true // claimed, but the snapshot cannot be read
	case errors.Is(err, redis.ErrUnknownFormat):
		return nil, halt.New(halt.LogicOlder, "claim the partition in Redis: %w; run the newer release", err)
	case err != nil:
		return nil, fmt.Errorf("claim the partition in Redis: %w", err)
	}
	if err := o.cfg.AtStep(ctx, StepClaimed); err != nil {
		return nil, err
	}
	c := &claim{owner: o, txn: txn, state: processors.NewPartition(o.partition), pending: pending{batches: kafka.NewBatches()}}
	if err := c.restore(ctx, meta); err != nil {
		return nil, err
	}
	checkpoint, err := lastCheckpoint(ctx, o.kafka, o.topic, o.partition, c.committed)
	if err != nil {
		return nil, err
	}
	if k := c.state.Checkpoint(); k > 0 {
		checkpoint = max(checkpoint, k)
	}
	if c.published, err = evidence.published(checkpoint, c.committed); err != nil {
		return nil, err
	}
	//mutant:k-lowered insert c.published = c.committed
	c.outputsSinceCheckpoint = c.published > checkpoint
	c.reportPositions()
	if c.committed > c.published {
		return nil, c.committedAbovePublished()
	}
	o.redisAhead = 0
	if err := c.checkPublished(ctx, evidence); err != nil {
		return nil, err
	}
	now := o.cfg.Now()
	c.publishedAt, c.committedAt, c.checkpointedAt = now, now, now.Add(-o.cfg.CheckpointInterval)
	most := int32(o.share(fetchBytes, leastFetchBytes, mostFetchBytes)) //nolint:gosec // a few MiB
	c.fetcher = o.kafka.NewFetcher(kafka.FetcherConfig{MaxBytes: most, PartitionMaxBytes: most})
	c.fetcher.Assign(o.topic, o.partition, c.folded)
	o.log.Info("partition claimed", zap.Int64("published", c.published), zap.Int64("committed", c.committed))
	if err := c.checkSettings(); err != nil {
		return nil, err
	}
	return c, nil
}

// restore decodes the state that Redis holds, or begins a new snapshot if it cannot be used.
func (c *claim) restore(ctx context.Context, meta redis.Meta) error {
	if meta.Exists && !c.rebuild {
		if err := c.resume(ctx, meta); err != nil {
			return err
		}
	}
	if c.committed == 0 {
		// The ledger is folded from its start. Blobs in Redis belong to another snapshot and may be from the future, so the
		// new snapshot gets a name under which they are never read.
		snapshot, commit := strconv.FormatUint(c.cfg.Random(), 36), strconv.FormatUint(c.cfg.Random(), 36)
		//mutant:one-snapshot-name insert snapshot = "only"
		if err := c.store.BeginSnapshot(ctx, c.cfg.Genesis.GetLedgerId(), snapshot, commit, c.cfg.Now().UnixMilli()); err != nil {
			return fmt.Errorf("begin a snapshot: %w", err)
		}
		c.rebuild = false
	}
	c.folded = c.committed
	c.customers = newWorkingSet(cacheShare(c.cfg.CacheBytes)/int64(max(1, c.active.Load())), claimedStore{ctx, c.store})
	return nil
}

// resume checks that meta belongs to this ledger and this release, and takes state and R from it. R stays 0 if the ledger
// has to be folded from its start.
func (c *claim) resume(ctx context.Context, meta redis.Meta) error {
	if id := c.cfg.Genesis.GetLedgerId(); meta.LedgerID != id {
		return halt.New(halt.LedgerForeign, "Redis holds ledger %s under namespace %q, the topic %s is ledger %s: use another namespace, or remove the keys of the old one",
			meta.LedgerID, c.cfg.Namespace, c.topic, id)
	}
	if meta.Offset == 0 {
		return nil // a snapshot was begun, and nothing was committed to it
	}
	state, err := processors.DecodePartition(meta.State)
	if err != nil { // written by another release: halting was rejected, since the ledger holds all that the state does
		c.log.Warn("folding the ledger again: the state in Redis is not of this release", zap.Error(err))
		return nil
	}
	switch {
	case state.Logic() > processors.LogicVersion:
		return halt.New(halt.LogicOlder, "state was folded by logic %d, this release has %d: run the newer release", state.Logic(), processors.LogicVersion)
	case state.Logic() < processors.LogicVersion:
		c.log.Info("folding the ledger again under new logic", zap.Uint32("from", state.Logic()), zap.Uint32("to", processors.LogicVersion))
		return nil
	}
	if err := c.checkFingerprint(ctx, meta); err != nil {
		return err
	}
	c.state, c.committed, c.fingerprint = state, meta.Offset, meta.Fingerprint
	return nil
}

// checkFingerprint compares the ledger's entry below R with the one that was folded: a topic that was deleted and created
// again has the same name and may have the same offsets.
func (c *claim) checkFingerprint(ctx context.Context, meta redis.Meta) error {
	current, err := fingerprintBelow(ctx, c.kafka, c.topic, c.partition, meta.Offset)
	if err != nil {
		return err
	}
	if current != meta.Fingerprint {
		return halt.New(halt.LedgerRecreated, "the entry before offset %d of %s/%d is not the one that was folded: the topic was re-created or restored; start with a new namespace, or restore the right one",
			meta.Offset, c.topic, c.partition)
	}
	return nil
}

// fingerprintBelow returns the fingerprint of the entry right below an offset; 0, which no entry has, if it is not there.
func fingerprintBelow(ctx context.Context, k *kafka.Client, topic string, partition int32, offset int64) (uint64, error) {
	r, ok, err := k.ReadAtOrBelow(ctx, topic, partition, offset-1)
	if err != nil {
		if errors.Is(err, kafka.ErrOutOfRange) {
			return 0, nil
		}
		return 0, fmt.Errorf("read the entry below %d of %s/%d: %w", offset, topic, partition, err)
	}
	if !ok || r.Offset != offset-1 {
		return 0, nil
	}
	return ledger.Fingerprint(r.Offset, r.Key, r.Value), nil
}

// committedAbovePublished is the error for R > K. A fold commits only what it has published, so Kafka has lost records that
// it had acknowledged. The first time it does not halt: K may have been read from a replica that had not caught up.
func (c *claim) committedAbovePublished() error {
	c.redisAhead++
	err := fmt.Errorf("Redis is committed up to %d of %s/%d, but published is only %d", c.committed, c.topic, c.partition, c.published)
	if c.redisAhead > 1 {
		return halt.New(halt.RedisAheadOfKafka, "%w: Kafka lost acknowledged records; what is in between was published or not, compare with `audit`", err)
	}
	return err
}

// claimedStore is the partition in Redis for as long as the claim lasts.
type claimedStore struct {
	ctx   context.Context //nolint:containedctx // the claim's
	store *redis.Partition
}

func (c claimedStore) Load(ids []string) ([][]byte, error) { return c.store.LoadCustomers(c.ctx, ids) }

func (c claimedStore) Due(now int64, limit int) ([]redis.Timer, error) {
	return c.store.DueTimers(c.ctx, now, limit)
}

func (c claimedStore) Classes(first, end, classes uint32) ([][]string, error) {
	return c.store.CustomersOfClasses(c.ctx, first, end, classes)
}
