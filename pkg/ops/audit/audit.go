// Package audit owns the proof that what was published and what Redis holds is what the ledger says: it folds the ledger
// again from its start into memory and compares, byte for byte.
//
// It refuses to touch anything: it fences nobody, writes nothing, and runs beside a live system. What is still on its way
// (below what readers of committed data can see, beyond what the group says is published) is not judged.
package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/memstore"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Result is what an audit found; all of Lost, Doubled and Differing are 0 when the ledger is borne out.
type Result struct {
	Partitions int32     `json:"partitions"`
	Entries    int64     `json:"entries"`   // folded
	Outputs    int64     `json:"outputs"`   // compared
	Customers  int64     `json:"customers"` // compared in Redis
	Lost       int64     `json:"lost"`      // outputs, entries for other partitions, or customers that are not there
	Doubled    int64     `json:"doubled"`   // outputs that are there more than once
	Differing  int64     `json:"differing"` // outputs, customers or timers with other bytes, or that nothing called for
	Findings   []Finding `json:"findings"`  // the first of them
	From       []int64   `json:"from"`      // by partition: outputs are compared from this ledger offset on
	To         []int64   `json:"to"`        // up to here, exclusive
}

// Clean says that nothing was found.
func (r *Result) Clean() bool { return r.Lost == 0 && r.Doubled == 0 && r.Differing == 0 }

// Finding is one difference. It names no customer, only the place.
type Finding struct {
	What      string `json:"what"` // lost, doubled or differing
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"` // of the ledger
	Where     string `json:"where"`  // an output topic, "redis" or "ledger"
	Text      string `json:"text"`
}

const findings = 20 // that are kept; all are counted

// Config is what an audit is told.
type Config struct {
	Namespace string
	Genesis   *ledger.Genesis
	Patience  time.Duration // to wait for outputs to become visible
	Progress  func(partition int32, folded, end int64)
	Now       func() time.Time
}

// Run audits all partitions, one after the other.
func Run(ctx context.Context, cfg Config, k *kafka.Client, r *redis.Client) (*Result, error) {
	res := &Result{Partitions: cfg.Genesis.GetPartitions(), Findings: []Finding{}}
	sends := newSends()
	ends := make([]int64, cfg.Genesis.GetPartitions())
	for p := range cfg.Genesis.GetPartitions() {
		a := &auditor{cfg: cfg, kafka: k, redis: r, partition: p, topic: ledger.Topic(cfg.Namespace), result: res, sends: sends}
		if err := a.run(ctx); err != nil {
			return nil, fmt.Errorf("audit partition %d: %w", p, err)
		}
		ends[p] = max(a.to, a.snapshot.reached)
	}
	// An entry that was sent late may lie behind what was folded of its partition.
	if err := sends.lookBehind(ctx, k, ledger.Topic(cfg.Namespace), ends); err != nil {
		return nil, err
	}
	sends.missing(func(at sendID) {
		res.add(Finding{What: "lost", Partition: at.partition, Offset: at.offset, Where: "ledger", Text: "an entry for another partition did not arrive"})
	})
	return res, nil
}

func (r *Result) add(f Finding) {
	switch f.What {
	case "lost":
		r.Lost++
	case "doubled":
		r.Doubled++
	default:
		r.Differing++
	}
	if len(r.Findings) < findings {
		r.Findings = append(r.Findings, f)
	}
}

// auditor audits one partition.
type auditor struct {
	cfg       Config
	kafka     *kafka.Client
	redis     *redis.Client
	partition int32
	topic     string
	result    *Result
	sends     *sends

	state     *processors.Partition
	customers *memstore.MemStore
	out       output.Batch
	envelope  *output.Envelope
	headers   []byte
	published [output.Topics]*reader
	from, to  int64 // outputs of entries in between are compared
	snapshot  *snapshot
}

func (a *auditor) run(ctx context.Context) error {
	// K first, and what the outputs hold after it: K only rises, so what is below it must be there once markers are.
	offset, _, err := a.kafka.CommittedOffset(ctx, fold.Group(a.cfg.Namespace), a.topic, a.partition)
	if err != nil {
		return fmt.Errorf("read the published position: %w", err)
	}
	a.to = max(offset, 0)
	for t := range output.Topics {
		if a.published[t], err = a.open(ctx, t); err != nil {
			return err
		}
	}
	if a.snapshot, err = readSnapshot(ctx, a.redis.Partition(a.cfg.Namespace, a.partition, a.cfg.Genesis.GetPartitions()), a.cfg.Genesis.GetLedgerId()); err != nil {
		return err
	}
	a.state, a.customers = processors.NewPartition(a.partition), memstore.New()
	a.envelope = output.NewEnvelope(a.cfg.Namespace, a.cfg.Genesis.GetLedgerId(), a.partition, processors.LogicVersion)
	if err := a.foldAll(ctx); err != nil {
		return err
	}
	for t := range output.Topics {
		if err := a.rest(ctx, t); err != nil {
			return err
		}
	}
	a.result.From, a.result.To = append(a.result.From, a.from), append(a.result.To, a.to)
	return nil
}

// open begins to read an output partition where its log starts, once all that was appended before now can be read.
func (a *auditor) open(ctx context.Context, t output.Topic) (*reader, error) {
	name := t.Name(a.cfg.Namespace)
	end := int64(-1)
	for began := a.cfg.Now(); ; {
		bounds, err := a.kafka.ListOffsets(ctx, name, []int32{a.partition})
		if err != nil {
			return nil, fmt.Errorf("read the bounds of %s/%d: %w", name, a.partition, err)
		}
		b := bounds[a.partition]
		if end < 0 {
			end = b.HighWatermark
		}
		if b.LastStable < end {
			if a.cfg.Now().Sub(began) > a.cfg.Patience {
				return nil, fmt.Errorf("%s/%d: a transaction has been open for %s (last stable offset %d, wanted %d): look for a fold that hangs", name, a.partition, a.cfg.Patience, b.LastStable, end)
			}
			if err := sleep(ctx, 20*time.Millisecond); err != nil {
				return nil, err
			}
			continue
		}
		r := &reader{kafka: a.kafka, topic: name, partition: a.partition, ledgerID: a.cfg.Genesis.GetLedgerId(), next: b.Start, end: end}
		first, err := r.peek(ctx)
		if err != nil {
			return nil, err
		}
		if b.Start > 0 && first != nil { // some outputs of the first entry may be gone already
			a.from = max(a.from, first.id.Offset+1)
		}
		if b.Start > 0 && first == nil {
			a.from = a.to // all were deleted: nothing of this partition can be compared
		}
		return r, nil
	}
}

// foldAll folds the ledger up to K and to what Redis was found to hold.
func (a *auditor) foldAll(ctx context.Context) error {
	end := max(a.to, a.snapshot.reached)
	var entry ledger.Entry
	next, err := a.kafka.ReadCommitted(ctx, a.topic, a.partition, 0, end, func(r kafka.Record) error {
		if err := a.compareState(r.Offset); err != nil {
			return err
		}
		entry.Reset()
		if err := entry.UnmarshalVT(r.Value); err != nil {
			return fmt.Errorf("decode entry %d: %w", r.Offset, err)
		}
		a.out.Reset()
		if _, err := processors.Step(a.state, r.Offset, &entry, a.customers, &a.out); err != nil {
			return fmt.Errorf("fold entry %d: %w", r.Offset, err)
		}
		if err := a.compareOutputs(ctx, r.Offset); err != nil {
			return err
		}
		a.noteSends(r.Offset, &entry)
		a.result.Entries++
		if a.cfg.Progress != nil && a.result.Entries%10_000 == 0 {
			a.cfg.Progress(a.partition, r.Offset, end)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("fold the ledger again: %w", err)
	}
	if next < end {
		return fmt.Errorf("the ledger can be read up to %d only, outputs or Redis say %d: acknowledged entries are gone, or a transaction is open", next, end)
	}
	return a.compareState(end)
}

// compareOutputs holds what this entry called for against what was published.
func (a *auditor) compareOutputs(ctx context.Context, offset int64) error {
	if offset < a.from || offset >= a.to {
		return nil
	}
	for i := range a.out.Records {
		want := &a.out.Records[i]
		id := output.ID{Partition: a.partition, Offset: want.Offset, Ordinal: want.Ordinal}
		got, err := a.skipTo(ctx, want.Topic, id)
		if err != nil {
			return err
		}
		if got == nil {
			a.say("lost", offset, want.Topic, "ordinal %d was not published", want.Ordinal)
			continue
		}
		a.headers = a.envelope.AppendHeaders(a.headers[:0], want)
		switch {
		case !bytes.Equal(got.record.Value, a.out.Value(want)):
			a.say("differing", offset, want.Topic, "ordinal %d was published with another value", want.Ordinal)
		case string(got.record.Key) != want.Key:
			a.say("differing", offset, want.Topic, "ordinal %d was published with another key", want.Ordinal)
		case !bytes.Equal(got.record.RawHeaders(), a.headers) && got.id.Logic == processors.LogicVersion:
			a.say("differing", offset, want.Topic, "ordinal %d was published with other headers", want.Ordinal)
		}
		a.result.Outputs++
		a.published[want.Topic].take()
	}
	return nil
}

// skipTo moves to the published record of this identity; nil when there is none. What lies before it was not called for:
// either it was there before, or nothing says why it is there.
func (a *auditor) skipTo(ctx context.Context, t output.Topic, id output.ID) (*published, error) {
	for r := a.published[t]; ; r.take() {
		got, err := r.peek(ctx)
		if err != nil || got == nil {
			return nil, err
		}
		switch order := compare(got.id.ID, id); {
		case order > 0:
			return nil, nil
		case order == 0:
			return got, nil
		case got.id.Offset >= a.from:
			a.unexpected(t, r, got)
		}
	}
}

func (a *auditor) unexpected(t output.Topic, r *reader, got *published) {
	if r.taken && compare(got.id.ID, r.last) <= 0 {
		a.say("doubled", got.id.Offset, t, "ordinal %d was published again", got.id.Ordinal)
		return
	}
	a.say("differing", got.id.Offset, t, "ordinal %d was published, and nothing calls for it", got.id.Ordinal)
}

// rest judges what was published behind the last output that was called for.
func (a *auditor) rest(ctx context.Context, t output.Topic) error {
	for r := a.published[t]; ; r.take() {
		got, err := r.peek(ctx)
		if err != nil || got == nil {
			return err
		}
		if got.id.Offset < a.to && got.id.Offset >= a.from {
			a.unexpected(t, r, got)
		}
	}
}

func (a *auditor) say(what string, offset int64, t output.Topic, text string, args ...any) {
	a.result.add(Finding{What: what, Partition: a.partition, Offset: offset, Where: t.Name(a.cfg.Namespace), Text: fmt.Sprintf(text, args...)})
}

func compare(a, b output.ID) int {
	switch {
	case a.Offset != b.Offset:
		return int(min(max(a.Offset-b.Offset, -1), 1))
	case a.Ordinal != b.Ordinal:
		return int(min(max(int64(a.Ordinal)-int64(b.Ordinal), -1), 1))
	}
	return 0
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// published is an output as it stands in Kafka.
type published struct {
	id     output.Identity
	record kafka.Record
}

// reader walks over the outputs of this ledger in one partition, some thousand offsets at a time.
type reader struct {
	kafka     *kafka.Client
	topic     string
	partition int32
	ledgerID  string
	next, end int64
	page      []published
	last      output.ID // taken last
	taken     bool
}

const page = 5000

func (r *reader) peek(ctx context.Context) (*published, error) {
	for len(r.page) == 0 && r.next < r.end {
		to := min(r.next+page, r.end)
		next, err := r.kafka.ReadCommitted(ctx, r.topic, r.partition, r.next, to, func(rec kafka.Record) error {
			id, err := output.ParseIdentity(rec.Header)
			if err != nil {
				return err
			}
			if id.LedgerID == r.ledgerID && id.Partition == r.partition {
				r.page = append(r.page, published{id, rec.Clone()})
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read %s/%d: %w", r.topic, r.partition, err)
		}
		if next <= r.next {
			return nil, fmt.Errorf("read %s/%d: %w at %d", r.topic, r.partition, errStuck, next)
		}
		r.next = next
	}
	if len(r.page) == 0 {
		return nil, nil
	}
	return &r.page[0], nil
}

var errStuck = errors.New("the last stable offset went back")

func (r *reader) take() {
	if id := r.page[0].id.ID; !r.taken || compare(id, r.last) > 0 {
		r.last, r.taken = id, true
	}
	r.page = r.page[1:]
}
