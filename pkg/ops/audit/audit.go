// Package audit owns the proof that the published outputs and the state in Redis follow from the ledger: it folds the ledger
// from its start into memory and compares byte for byte.
//
// It refuses to change anything: it fences no fold, writes nothing, and can run on a live system. Outputs of transactions that
// readers of committed data cannot see yet, and entries beyond the published position, are not judged.
//
// Run audits partition after partition; outputs.go compares the output topics, state.go compares Redis, and sends.go follows
// the entries that folds append to each other's partitions.
package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/ops/refold"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Result counts what was compared and what differed.
type Result struct {
	Partitions   int32     `json:"partitions"`
	Entries      int64     `json:"entries"`       // folded
	Outputs      int64     `json:"outputs"`       // compared
	Customers    int64     `json:"customers"`     // compared in Redis
	Lost         int64     `json:"lost"`          // outputs, and entries for other partitions, that are not in Kafka
	Doubled      int64     `json:"doubled"`       // outputs that were published more than once
	Differing    int64     `json:"differing"`     // outputs and state with other bytes, or that do not follow from the ledger
	StateMissing int64     `json:"state_missing"` // customers, timers and whole partitions that Redis does not hold
	Findings     []Finding `json:"findings"`      // the first of them
	Finals       int64     `json:"finals"`        // portfolios of closed days compared with the sum over all customers
	Final        *Final    `json:"final"`         // the last of them; null: there was none
	From         []int64   `json:"from"`          // by partition: outputs are compared from this ledger offset on
	To           []int64   `json:"to"`            // by partition: up to here, exclusive
}

// Clean reports whether everything that was compared is there, once, and the same.
func (r *Result) Clean() bool {
	return r.Lost == 0 && r.Doubled == 0 && r.Differing == 0 && r.StateMissing == 0
}

// Kind is a kind of difference, by the count in Result that it adds to.
type Kind string

// The kinds of differences.
const (
	Lost         Kind = "lost"
	Doubled      Kind = "doubled"
	Differing    Kind = "differing"
	StateMissing Kind = "state_missing"
)

// Finding is one difference. It names its place, and neither a customer nor a payload.
type Finding struct {
	Kind      Kind   `json:"what"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"` // of the ledger; -1: not known
	Place     string `json:"where"`  // an output topic, "redis" or "ledger"
	Detail    string `json:"text"`
}

// maxFindings is how many findings are kept; all are counted.
const maxFindings = 20

// add counts a finding, or n that are reported as one.
func (r *Result) add(f Finding, n int64) {
	switch f.Kind {
	case Lost:
		r.Lost += n
	case Doubled:
		r.Doubled += n
	case Differing:
		r.Differing += n
	case StateMissing:
		r.StateMissing += n
	}
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, f)
	}
}

// counts are the parts of a result that comparing outputs adds to.
type counts struct {
	outputs, lost, doubled, differing int64
	findings                          int
}

func (r *Result) counts() counts {
	return counts{r.Outputs, r.Lost, r.Doubled, r.Differing, len(r.Findings)}
}

// reset drops what was added since the counts were taken.
func (r *Result) reset(to counts) {
	r.Outputs, r.Lost, r.Doubled, r.Differing, r.Findings = to.outputs, to.lost, to.doubled, to.differing, r.Findings[:to.findings]
}

// Config parameterises an audit.
type Config struct {
	Namespace string
	Genesis   *ledger.Genesis
	Outputs   *encoded.Outputs // nil: they are published as JSON
	Patience  time.Duration    // how long to wait for outputs to become visible
	Progress  func(partition int32, folded, end int64)
	Now       func() time.Time
}

// Run audits all partitions, one after the other. Without r, the state in Redis is left out.
func Run(ctx context.Context, cfg Config, k *kafka.Client, r *redis.Client) (*Result, error) {
	res := &Result{Partitions: cfg.Genesis.GetPartitions(), Findings: []Finding{}}
	sends, finals := newSends(), newFinals()
	ends := make([]int64, cfg.Genesis.GetPartitions())
	for p := range cfg.Genesis.GetPartitions() {
		a := &auditor{cfg: cfg, kafka: k, redis: r, partition: p, topic: ledger.Topic(cfg.Namespace), result: res, sends: sends, finals: finals}
		if err := a.run(ctx); err != nil {
			return nil, fmt.Errorf("audit partition %d: %w", p, err)
		}
		ends[p] = a.end()
	}
	// An entry that was sent late may stand behind the entries that were folded of its partition.
	if err := sends.scanBeyond(ctx, k, ledger.Topic(cfg.Namespace), ends); err != nil {
		return nil, err
	}
	finals.judge(res)
	sends.eachUndelivered(func(id sendID) {
		res.add(Finding{Kind: Lost, Partition: id.partition, Offset: id.offset, Place: "ledger", Detail: "an entry for another partition did not arrive"}, 1)
	})
	return res, nil
}

// auditor audits one partition.
type auditor struct {
	cfg       Config
	kafka     *kafka.Client
	redis     *redis.Client // nil: state is left out
	partition int32
	topic     string // the ledger
	result    *Result
	sends     *sends
	finals    *finals

	*refold.Partition // what the ledger says, folded so far

	// What Kafka holds. Outputs of entries in [from, to) are compared: to is the published position K, and from is behind the
	// first entry of which some outputs may have been deleted by retention.
	envelope  *output.Envelope
	headers   []byte
	value     []byte
	published [output.Topics]*outputReader
	from, to  int64

	snapshot *snapshot // what Redis holds
	closing  int64     // end of the day (ms) whose close began last
	sold     int64     // to customers who were erased, minor units
}

// end is the ledger offset up to which the partition is folded, exclusive.
func (a *auditor) end() int64 { return max(a.to, a.snapshot.maxOffset) }

func (a *auditor) run(ctx context.Context) error {
	// K first, and the outputs after it: K only rises, so the outputs below it are there once their markers are.
	offset, _, err := a.kafka.CommittedOffset(ctx, fold.Group(a.cfg.Namespace), a.topic, a.partition)
	if err != nil {
		return fmt.Errorf("read the published position: %w", err)
	}
	a.to = max(offset, 0)
	for t := range output.Topics {
		if a.published[t], err = a.openOutput(ctx, t); err != nil {
			return err
		}
	}
	a.snapshot = &snapshot{}
	if a.redis != nil {
		a.snapshot, err = readSnapshot(ctx, a.redis.Partition(a.cfg.Namespace, a.partition, a.cfg.Genesis.GetPartitions()), a.cfg.Genesis.GetLedgerId())
		if err != nil {
			return err
		}
	}
	a.Partition = refold.New(a.partition)
	a.envelope = output.NewEnvelope(a.cfg.Namespace, a.cfg.Genesis.GetLedgerId(), a.partition, processors.LogicVersion)
	if err := a.foldLedger(ctx); err != nil {
		return err
	}
	for t := range output.Topics {
		if err := a.judgeRemaining(ctx, t); err != nil {
			return err
		}
	}
	a.judgeMissingSnapshot()
	a.result.From, a.result.To = append(a.result.From, a.from), append(a.result.To, a.to)
	return nil
}

// foldLedger folds the ledger up to K and to the greatest R that Redis was found at, and compares on the way.
func (a *auditor) foldLedger(ctx context.Context) error {
	end := a.end()
	before := a.result.counts()
	var entry ledger.Entry
	next, err := a.kafka.ReadCommitted(ctx, a.topic, a.partition, 0, end, func(r kafka.Record) error {
		a.compareState(r.Offset)
		entry.Reset()
		if err := entry.UnmarshalVT(r.Value); err != nil {
			return fmt.Errorf("decode entry %d: %w", r.Offset, err)
		}
		sold := a.soldToErased(&entry)
		verdict, err := a.Fold(r.Offset, &entry)
		if err != nil {
			return err
		}
		if verdict.Result == processors.Applied {
			a.sold += sold
		}
		if err := a.compareOutputs(ctx, r.Offset); err != nil {
			return err
		}
		if entry.GetKind() == ledger.Kind_KIND_LOGIC && a.State.Logic() == processors.LogicVersion {
			// Another logic may have published the outputs before.
			a.from = max(a.from, r.Offset+1)
			a.result.reset(before)
			a.sends.dropBelow(a.partition, r.Offset)
		}
		a.trackSends(r.Offset, &entry)
		a.trackFinals(&entry)
		a.result.Entries++
		if a.cfg.Progress != nil && a.result.Entries%10_000 == 0 {
			a.cfg.Progress(a.partition, r.Offset, end)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("fold the ledger: %w", err)
	}
	if next < end {
		return fmt.Errorf("the ledger can be read up to %d only, but outputs or Redis stand at %d: acknowledged entries are gone, or a transaction is open", next, end)
	}
	if taken := a.State.Logic(); taken > 0 && taken < processors.LogicVersion {
		return fmt.Errorf("the ledger was folded by logic %d, and this release has logic %d: audit it with the release that folded it, or after a fold of this release has taken it over", taken, processors.LogicVersion)
	}
	a.compareState(end)
	return nil
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
