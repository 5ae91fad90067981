// Package whatif owns what a ledger would have come to under other terms: other alert rules, settings or parameters. It folds the ledger
// twice side by side in memory, as it was and as it would be, and compares the alerts and the totals of both.
//
// It refuses to write anything, to Kafka or to Redis, which it does not even read, and to say what customers would have done: their
// events are those of the ledger, whatever alert somebody would have acted on.
//
// Memory is that of all customers, twice. The ledger is looked through for erasures first, then read once.
//
// Run begins; sequence.go reads the ledger, folds.go folds it, episodes.go compares alerts, totals.go sums customers, terms.go says what is
// different, forecast.go and orders.go count alerts of rules that were never in force.
package whatif

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Config parameterises a what-if.
type Config struct {
	Namespace string
	Genesis   *ledger.Genesis
	Terms     Terms
	Since     int64 // ms of the ledger's time, from which the terms hold; 0: from its beginning
	Progress  Progress
}

// Progress is called with what is being done, and how far it has come; nil: it is not.
type Progress func(what string, done, total int64)

func (p Progress) report(what string, done, total int64) {
	const often = 1000
	if p != nil && done%often == 0 {
		p(what, done, total)
	}
}

// Result is what would be different.
type Result struct {
	Since     *time.Time   `json:"since"`      // null: from the beginning of the ledger
	Until     time.Time    `json:"until"`      // base time at the end
	Entries   int64        `json:"entries"`    // of the ledger, each folded twice
	Currency  string       `json:"currency"`   // of the amounts
	Changes   []Change     `json:"changes"`    // against what holds at the end
	Rules     []RuleChange `json:"rules"`      // alerts since then, by rule
	Weeks     []WeekChange `json:"weeks"`      // by week and rule
	Portfolio Portfolio    `json:"portfolio"`  // at the end
	FullWeeks int          `json:"full_weeks"` // between since, or the ledger's first event, and the end

	firstMonday int32 // of the full weeks
}

// Run folds the ledger up to its present end. It returns ErrSame if the terms would make no difference.
func Run(ctx context.Context, cfg Config, k *kafka.Client) (*Result, error) {
	return run(ctx, cfg, k, false)
}

// run is Run; same: also where the terms make no difference.
func run(ctx context.Context, cfg Config, k *kafka.Client, same bool) (*Result, error) {
	topic := ledger.Topic(cfg.Namespace)
	s, err := newSequence(ctx, k, topic, cfg.Genesis.GetPartitions())
	if err != nil {
		return nil, err
	}
	found, err := look(ctx, s, cfg)
	switch {
	case err != nil:
		return nil, err
	case cfg.Since > 0 && cfg.Since > found.until:
		return nil, fmt.Errorf("%w: its time is %s", ErrLate, time.UnixMilli(found.until).UTC().Format(time.RFC3339))
	case !same && !found.terms.differs(&cfg.Terms):
		return nil, ErrSame
	}
	//mutant:whatif-writes insert writeTerms(ctx, k, topic, &cfg.Terms)
	c := newComparison(cfg.Genesis, cfg.Terms, cfg.Since, found.erased)
	err = s.read(ctx, func(partition int32, offset int64, e *ledger.Entry) error {
		done, total := s.done()
		cfg.Progress.report("folding the ledger twice", done, total)
		return c.fold(partition, offset, e)
	})
	if err != nil {
		return nil, fmt.Errorf("fold the ledger: %w", err)
	}
	r := c.result()
	r.Changes = cfg.Terms.changes(found.terms.last())
	return r, nil
}

// found is what is known of a ledger before it is folded.
type found struct {
	erased []map[string]int64 // by partition: customers, and the offset of their last erasure
	terms  *inForce
	until  int64 // base time at the end
}

// look looks through the ledger for what the folds cannot know yet: who will be erased. It decodes the entries of partition 0 alone.
func look(ctx context.Context, s *sequence, cfg Config) (*found, error) {
	f := &found{terms: newInForce(cfg.Since)}
	_, total := s.done()
	before := int64(0) // offsets of the partitions before
	for _, p := range s.parts {
		erased, follower := map[string]int64{}, processors.NewFollower(p.number)
		f.erased = append(f.erased, erased)
		var e ledger.Entry
		_, err := s.kafka.ReadCommitted(ctx, s.topic, p.number, 0, p.end, func(r kafka.Record) error {
			cfg.Progress.report("looking for erasures", before+r.Offset, total)
			kind, err := ledger.KindOf(r.Value)
			if err == nil && p.number > 0 && kind != ledger.Kind_KIND_ERASE {
				return nil
			}
			e.Reset()
			if err := e.UnmarshalVT(r.Value); err != nil {
				return fmt.Errorf("decode entry %d: %w", r.Offset, err)
			}
			if kind == ledger.Kind_KIND_ERASE {
				erased[e.GetCustomer()] = r.Offset // also one that the fold drops: the request was made
			}
			if p.number > 0 {
				return nil
			}
			result, err := follower.Follow(r.Offset, &e)
			if err == nil && result == processors.Applied {
				f.terms.note(&e, follower.BaseTime())
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look through %s/%d: %w", s.topic, p.number, err)
		}
		before += p.end
		if p.number == 0 {
			f.until = max(0, follower.BaseTime())
		}
	}
	return f, nil
}

// comparison is both folds and what is counted of them.
type comparison struct {
	folds    *folds
	episodes *episodes
	since    int64
	first    int64  // the earliest time to which the first entry with a time has moved a partition; 0: none has
	begun    []bool // by partition: it has such an entry
	entries  int64
	wrong    error // of reading what a fold called for
}

func newComparison(g *ledger.Genesis, terms Terms, since int64, erased []map[string]int64) *comparison {
	c := &comparison{since: since, begun: make([]bool, g.GetPartitions()), episodes: newEpisodes(g.GetPartitions(), since, erased)}
	if zone, err := time.LoadLocation(g.GetTimezone()); err == nil { // otherwise the fold refuses genesis
		c.episodes.zone = zone
	}
	c.folds = newFolds(g.GetPartitions(), &terms, since, func(f *foldEvent) {
		if err := c.episodes.read(f); err != nil && c.wrong == nil {
			c.wrong = err
		}
	})
	return c
}

// fold folds an entry twice and compares what both folds call for.
func (c *comparison) fold(partition int32, offset int64, e *ledger.Entry) error {
	if err := c.folds.fold(partition, offset, e); err != nil {
		return err
	}
	t := c.folds.parts[partition]
	if at := t.timeAt(e); at != 0 && !c.begun[partition] {
		c.begun[partition] = true
		if c.first == 0 || at < c.first {
			c.first = at
		}
	}
	base, _ := t.was.State.BaseTime()
	c.episodes.compare(partition, e.GetCustomer(), base)
	c.entries++
	return c.wrong
}

func (c *comparison) result() *Result {
	c.episodes.finish()
	p := c.folds.parts[0]
	r := &Result{Entries: c.entries, Currency: p.was.State.Unit().Code, Portfolio: c.folds.portfolio(), Weeks: c.episodes.byWeek()}
	if c.since > 0 {
		at := time.UnixMilli(c.since).UTC()
		r.Since = &at
	}
	until, _ := p.was.State.BaseTime()
	r.Until = time.UnixMilli(until).UTC()
	var order []string
	for _, rule := range slices.Concat(p.was.State.Settings().GetAlertRules(), p.would.State.Settings().GetAlertRules()) {
		order = append(order, rule.GetName())
	}
	r.Rules = c.episodes.byRule(unique(order))
	r.firstMonday, r.FullWeeks = c.episodes.fullWeeks(max(c.since, c.first), until)
	return r
}

func unique(all []string) []string {
	var some []string
	seen := map[string]bool{}
	for _, one := range all {
		if !seen[one] {
			some = append(some, one)
		}
		seen[one] = true
	}
	return some
}

const daysPerWeek = 7

// fullWeeks returns the first Monday of the weeks that lie within two times as a whole, and their number.
func (x *episodes) fullWeeks(from, until int64) (first int32, weeks int) {
	begin := time.UnixMilli(from).In(x.zone)
	first = x.monday(begin)
	if y, m, d := begin.Date(); dayOf(begin) != first || !begin.Equal(time.Date(y, m, d, 0, 0, 0, 0, x.zone)) {
		first += daysPerWeek
	}
	return first, int(max(0, x.monday(time.UnixMilli(until))-first) / daysPerWeek)
}
