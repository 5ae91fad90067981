package fold

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/consumer"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

const (
	chunkEntries   = 512     // entries whose customers are loaded in one request
	publishEntries = 8000    // a transaction is not made larger than about this
	publishBytes   = 4 << 20 // of outputs
	commitDirty    = 20_000  // changed customers that are not let pile up
	fetchMinBytes  = 1 << 20 // below saturation a fetch waits for time, not for bytes: one wake-up per publish
	fetchMaxBytes  = 4 << 20
)

// owner holds one ledger partition during one generation. All of it runs in one goroutine.
type owner struct {
	*Fold
	//mutant:batch-time insert batchTime int64
	gen       *kafka.Generation
	partition int32
	topic     string
	store     *redis.Partition
	log       *zap.Logger

	// What follows belongs to a claim and is dropped whole with it.
	txn                                    *kafka.Transactional
	fetcher                                *kafka.Fetcher
	state                                  *processors.Partition
	set                                    *workingSet
	customers                              []*held      // of the chunk's entries; nil: the entry is of none
	out                                    output.Batch // of entries at or above K, until they are laid into batches
	request                                *kafka.Batches
	counts                                 counts       // of what is laid and not published
	silent                                 output.Batch // of entries below K: computed for the state, sent by a former owner
	folded                                 int64
	published                              int64 // K
	committed                              int64 // R
	print                                  uint64
	publishedAt, committedAt, checkpointAt time.Time
	unpublished                            int  // entries folded since K
	said                                   bool // outputs were published since the last checkpoint
	lag                                    int64
	reader                                 ledger.Reader
	entry                                  *ledger.Entry
	envelope                               *output.Envelope
	outputs                                [output.Topics]string // the topics' names
	key, headers                           []byte
	oldest                                 int64 // time of the oldest event that is not published, ms; 0: none
	appended                               int64 // append time of the entry folded last, ms
	late                                   prometheus.Counter
	lateOf                                 string // the topic that it counts for
	gauges                                 gauges
	inputsAt                               time.Time
	announced                              *ledger.Contribution // as the metrics have it
	bounds                                 *ledger.Thresholds   // likewise
	swept                                  bool                 // no keys of former snapshots are left
	proposed                               bool                 // settings or logic of ours are on their way into the ledger

	rebuild    bool // outlives the claim: the snapshot in Redis is not to be trusted
	redisAhead int
}

func newOwner(f *Fold, gen *kafka.Generation, partition int32) *owner {
	o := &owner{
		Fold: f, gen: gen, partition: partition, topic: ledger.Topic(f.cfg.Namespace),
		store:    f.redis.Partition(f.cfg.Namespace, partition, f.cfg.Genesis.GetPartitions()),
		gauges:   f.gaugesOf(ledger.Topic(f.cfg.Namespace), partition),
		envelope: output.NewEnvelope(f.cfg.Namespace, f.cfg.Genesis.GetLedgerId(), partition, processors.LogicVersion),
		request:  kafka.NewBatches(),
		log:      f.log.With(zap.Int32("partition", partition)),
	}
	for t := range output.Topics {
		o.outputs[t] = t.Name(f.cfg.Namespace)
	}
	return o
}

// run claims the partition, serves it, and after any error claims it again from the start, until the generation ends or the
// fold is drained.
func (o *owner) run(ctx context.Context) {
	var backoff consumer.Backoff
	for {
		before := o.published
		err := o.serve(ctx)
		o.drop()
		if ctx.Err() != nil || errors.Is(err, errDrained) {
			return
		}
		if errors.Is(err, redis.ErrTorn) {
			o.rebuild = true
		}
		pause := backoff.Next(o.published > before)
		if reason, ok := halt.ReasonOf(err); ok {
			o.halted(reason, err)
			pause = o.cfg.HaltRetry
		} else {
			o.log.Warn("claiming the partition again", zap.Error(err))
			o.setStatus(Status{Partition: o.partition, Folded: o.folded, Published: o.published, Committed: o.committed, Commit: o.committedAt, Cause: err.Error()})
		}
		if !o.consumer.Pause(ctx, pause) {
			return
		}
	}
}

// halted makes a stop that only a person can end visible: in the log, in a metric and in status.
func (o *owner) halted(reason halt.Reason, err error) {
	o.log.Error("partition halted", zap.String("reason", string(reason)), zap.Error(err))
	o.metrics.Consumer.Halted.WithLabelValues(strconv.Itoa(int(o.partition)), string(reason)).Set(1)
	o.setStatus(Status{
		Partition: o.partition, Folded: o.folded, Published: o.published, Committed: o.committed, Commit: o.committedAt,
		Halted: reason, Cause: err.Error(),
	})
}

var errDrained = errors.New("drained")

// serve is the whole life of a claim.
func (o *owner) serve(ctx context.Context) error {
	if err := o.claim(ctx); err != nil {
		return err
	}
	o.running()
	for {
		select {
		case <-o.consumer.Drained():
			return o.finish(ctx)
		default:
		}
		records, err := o.fetch(ctx)
		if err != nil {
			return err
		}
		if err := o.foldRecords(ctx, records); err != nil {
			return err
		}
		now := o.cfg.Now()
		if o.waiting() && now.Sub(o.publishedAt) >= o.publishInterval() {
			if err := o.publish(ctx); err != nil {
				return err
			}
		}
		if o.folded > o.committed && now.Sub(o.committedAt) >= o.commitInterval(len(records) == 0) {
			if err := o.commit(ctx); err != nil {
				return err
			}
		}
		o.observe()
	}
}

// commitInterval: under load most of those who changed will change again before long, so committing seldom is cheap; whoever
// looks at Redis when all is quiet shall not wait for that.
func (o *owner) commitInterval(idle bool) time.Duration {
	if idle {
		return min(o.cfg.CommitInterval, time.Second)
	}
	return o.cfg.CommitInterval
}

// finish leaves nothing behind that the next owner would have to do again.
func (o *owner) finish(ctx context.Context) error {
	if err := o.commit(ctx); err != nil {
		return err
	}
	return errDrained
}

// fetch waits for entries, until the next publish is due at most. The records die with the next fetch.
func (o *owner) fetch(ctx context.Context) ([]kafka.Record, error) {
	wait := o.publishInterval()
	if o.waiting() {
		wait = max(time.Millisecond, wait-o.cfg.Now().Sub(o.publishedAt))
	}
	fetched, err := o.fetcher.Fetch(ctx, wait, fetchMinBytes)
	if err != nil {
		return nil, fmt.Errorf("fetch the ledger: %w", err)
	}
	var records []kafka.Record
	for i := range fetched {
		part := &fetched[i]
		if errors.Is(part.Err, kafka.ErrOutOfRange) {
			return nil, halt.New(halt.LedgerTruncated, "entry %d of %s/%d is wanted, the log holds %d to %d: the ledger is kept for ever; restore it, or start a new one: %w",
				o.fetcher.Position(o.topic, o.partition), o.topic, o.partition, part.LogStart, part.HighWatermark, part.Err)
		}
		if part.Err != nil {
			return nil, fmt.Errorf("fetch the ledger: %w", part.Err)
		}
		o.lag = part.LastStable - part.Next
		records = part.Records
	}
	return records, nil
}

// foldRecords folds what was fetched. A transaction is only ever cut between entries: all outputs of one are in one.
func (o *owner) foldRecords(ctx context.Context, records []kafka.Record) error {
	for len(records) > 0 {
		chunk := records[:min(len(records), chunkEntries)]
		records = records[len(chunk):]
		if err := o.foldChunk(ctx, chunk); err != nil {
			return err
		}
		if o.unpublished >= publishEntries || o.counts.bytes >= publishBytes {
			if err := o.publish(ctx); err != nil {
				return err
			}
		}
		if o.set.changed() >= commitDirty {
			if err := o.commit(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// foldChunk leaves what each entry says in batches at once, while it is still in the processor's cache.
func (o *owner) foldChunk(ctx context.Context, chunk []kafka.Record) error {
	if err := o.loadCustomers(chunk); err != nil {
		return err
	}
	if err := o.cfg.AtStep(ctx, StepFold); err != nil {
		return err
	}
	now := o.cfg.Now().UnixMilli()
	for i := range chunk {
		o.set.hand = o.customers[i]
		if err := o.foldRecord(&chunk[i]); err != nil {
			return err
		}
		if err := o.lay(now); err != nil {
			return err
		}
	}
	last := &chunk[len(chunk)-1]
	o.print = ledger.Fingerprint(last.Offset, last.Key, last.Value)
	return nil
}

// loadCustomers asks Redis once for all customers of a chunk that are not in memory.
func (o *owner) loadCustomers(chunk []kafka.Record) error {
	o.set.shrink()
	o.customers = o.customers[:0]
	for i := range chunk {
		customer, err := ledger.CustomerOf(chunk[i].Value)
		if err != nil {
			return o.refused(&chunk[i], err)
		}
		var h *held
		if len(customer) > 0 {
			h = o.set.wants(customer)
		}
		o.customers = append(o.customers, h)
	}
	return o.set.load()
}

func (o *owner) foldRecord(r *kafka.Record) (err error) {
	if o.entry, err = o.reader.Read(r.Value); err != nil {
		return o.refused(r, err)
	}
	// What the step says is published later than the record's memory lasts, so it gets the id that lasts.
	o.entry.Customer = o.set.lasting(o.entry.GetCustomer())
	defer func() {
		if caught := recover(); caught != nil {
			o.log.Error("step panicked", zap.Int64("offset", r.Offset), o.cfg.Customers.Field(o.entry.GetCustomer()), zap.ByteString("stack", debug.Stack()))
			err = halt.New(halt.StepPanicked, "entry %d of %s/%d: %v", r.Offset, o.topic, o.partition, caught)
		}
	}()
	out := &o.out
	if r.Offset < o.published {
		//mutant:threshold-moves-on-replay insert o.withoutThresholds()
		out = &o.silent
		out.Reset()
	}
	sends := len(out.Sends)
	//mutant:batch-time insert if o.unpublished == 0 { o.batchTime = o.entry.GetTime() }; o.entry.Time = o.batchTime
	verdict, err := processors.Step(o.state, r.Offset, o.entry, o.set, out)
	switch {
	case errors.Is(err, processors.ErrRefused):
		o.log.Error("entry refused", zap.Int64("offset", r.Offset), o.cfg.Customers.Field(o.entry.GetCustomer()), zap.Error(err))
		return o.refused(r, err)
	case err != nil:
		return fmt.Errorf("fold entry %d: %w", r.Offset, err)
	}
	for i, s := range out.Sends[sends:] {
		s.Entry.Version = ledger.Version
		s.Entry.Origin = &ledger.Origin{Partition: o.partition, Offset: r.Offset, Ordinal: uint32(i)}
	}
	o.folded = r.Offset + 1
	o.unpublished++
	o.appended = r.Timestamp
	if at := o.entry.GetTime(); out == &o.out && o.entry.GetKind() == ledger.Kind_KIND_EVENT && (o.oldest == 0 || at < o.oldest) {
		o.oldest = at
	}
	o.count(verdict)
	if verdict.Result == processors.Rejected && out == &o.out {
		o.log.Debug("event rejected", zap.Int64("offset", r.Offset), zap.String("reason", verdict.Reason), o.cfg.Customers.Field(o.entry.GetCustomer()))
	}
	if o.entry.GetKind() == ledger.Kind_KIND_SETTINGS || o.entry.GetKind() == ledger.Kind_KIND_LOGIC {
		return o.checkSettings()
	}
	return nil
}

// refused stops the partition: what cannot be read is never skipped, since everything behind it may depend on it.
func (o *owner) refused(r *kafka.Record, err error) error {
	return halt.New(halt.EntryRefused, "entry %d of %s/%d: %w; a newer release may have written it: run that one", r.Offset, o.topic, o.partition, err)
}

// drop forgets all that was learned under the last claim.
func (o *owner) drop() {
	o.txn, o.fetcher, o.state, o.set = nil, nil, nil, nil
	o.out.Reset()
	o.request.Reset()
	o.counts = counts{}
	o.unpublished, o.said, o.proposed, o.swept = 0, false, false, false
}
