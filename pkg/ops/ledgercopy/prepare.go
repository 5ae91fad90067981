package ledgercopy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// prepare checks both ledgers, and creates the new one where there is none. All that can be refused is refused before anything is created.
func prepare(ctx context.Context, cfg Config, k *kafka.Client) (*copier, error) {
	if cfg.From == cfg.To.Namespace {
		return nil, fmt.Errorf("%w (%s)", ErrSelf, cfg.From)
	}
	old, err := topics.Genesis(ctx, k, cfg.From)
	if err != nil {
		return nil, fmt.Errorf("read the ledger that is copied: %w", err)
	}
	former := cfg.To
	former.Namespace, former.Partitions = cfg.From, old.GetPartitions()
	if err := checkTopics(ctx, k, former, func(f topics.Finding) bool { return f.Topic == ledger.Topic(cfg.From) }); err != nil {
		return nil, err
	}
	c := &copier{cfg: cfg, kafka: k, without: map[string]bool{}, base: processors.BeforeTime, merge: newMerge(k, ledger.Topic(cfg.From), old.GetPartitions())}
	for _, id := range cfg.Without {
		c.without[id] = true
	}
	c.genesis, err = topics.Genesis(ctx, k, cfg.To.Namespace)
	switch {
	case errors.Is(err, topics.ErrNoLedger):
		if err := c.create(ctx, old); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fmt.Errorf("read the copy: %w", err)
	default:
		if err := c.checkBegun(ctx, old); err != nil {
			return nil, err
		}
	}
	if c.erased, err = readErasures(ctx, c.merge, c.genesis.GetCopiedFrom().GetErasedBelow()); err != nil {
		return nil, err
	}
	c.out = newAppender(k, cfg.To.Namespace, c.genesis.GetPartitions(), cfg.Random)
	return c, nil
}

// checkTopics refuses topics of a namespace that differ from what a ledger needs. Missing ones are no finding.
func checkTopics(ctx context.Context, k *kafka.Client, c topics.Config, concerns func(topics.Finding) bool) error {
	_, findings, err := topics.Plan(ctx, k, c)
	if err != nil {
		return err
	}
	for _, f := range findings {
		if f.Fatal && !f.Missing && concerns(f) {
			return fmt.Errorf("%w: %s: %s", ErrTopic, f.Topic, f.Text)
		}
	}
	return nil
}

// checkBegun refuses a ledger that is no copy of the old one, or that was begun with other values.
func (c *copier) checkBegun(ctx context.Context, old *ledger.Genesis) error {
	from := c.genesis.GetCopiedFrom()
	switch {
	case from.GetNamespace() != c.cfg.From || !slices.Equal(from.GetLedgerIds(), ledgerIDs(old)):
		return fmt.Errorf("%w: ledger %s under %s is no copy of ledger %s", ErrNotEmpty, c.genesis.GetLedgerId(), c.cfg.To.Namespace, old.GetLedgerId())
	case c.cfg.Partitions != 0 && c.cfg.Partitions != c.genesis.GetPartitions():
		return fmt.Errorf("%w: it has %d partitions", ErrOther, c.genesis.GetPartitions())
	case from.GetWithout() != hashOf(c.cfg.Without):
		return fmt.Errorf("%w: other customers were left out", ErrOther)
	case c.cfg.Timezone != "" && c.cfg.Timezone != c.genesis.GetTimezone():
		return fmt.Errorf("%w: its time zone is %s", ErrOther, c.genesis.GetTimezone())
	}
	finished, err := intake.CopyFinished(ctx, c.kafka, c.cfg.To.Namespace, c.genesis)
	switch {
	case err != nil:
		return err
	case finished:
		return fmt.Errorf("%w: ledger %s under %s", ErrFinished, c.genesis.GetLedgerId(), c.cfg.To.Namespace)
	}
	to := c.cfg.To
	to.Partitions = c.genesis.GetPartitions()
	return checkTopics(ctx, c.kafka, to, func(topics.Finding) bool { return true })
}

// ledgerIDs are the ids of a ledger and of those that it is a copy of.
func ledgerIDs(g *ledger.Genesis) []string {
	return append([]string{g.GetLedgerId()}, g.GetCopiedFrom().GetLedgerIds()...)
}

// hashOf returns a hash of a set of customers, by which a run that resumes is known to leave out the same ones; 0 for none. The ledger
// holds no id of them.
func hashOf(customers []string) uint64 {
	if len(customers) == 0 {
		return 0
	}
	t := newTally()
	for _, id := range slices.Compact(slices.Sorted(slices.Values(customers))) {
		t.add([]byte(id))
	}
	return t.hash.Sum64()
}

// create creates the topics of the new namespace and its ledger.
func (c *copier) create(ctx context.Context, old *ledger.Genesis) error {
	below, err := findErased(ctx, c.merge)
	if err != nil {
		return err
	}
	g := proto.CloneOf(old)
	g.CopiedFrom = &ledger.CopiedFrom{Namespace: c.cfg.From, LedgerIds: ledgerIDs(old), Without: hashOf(c.cfg.Without), ErasedBelow: below}
	if c.cfg.Partitions != 0 {
		g.Partitions = c.cfg.Partitions
	}
	if c.cfg.Timezone != "" {
		g.Timezone = c.cfg.Timezone
	}
	to := c.cfg.To
	to.Partitions = g.GetPartitions()
	if err := checkTopics(ctx, c.kafka, to, func(topics.Finding) bool { return true }); err != nil {
		return err
	}
	if err := c.checkUnread(ctx); err != nil {
		return err
	}
	first, err := c.firstSettings(ctx)
	if err != nil {
		return err
	}
	if _, c.genesis, err = topics.Apply(ctx, c.kafka, to, g, first, c.cfg.Logic, c.cfg.Random); err != nil {
		return fmt.Errorf("create the copy: %w", err)
	}
	const pause = 50 * time.Millisecond
	for { // until readers see it
		_, err := topics.Genesis(ctx, c.kafka, to.Namespace)
		if !errors.Is(err, topics.ErrNoLedger) {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// checkUnread refuses a namespace whose intakes have read something: they would go on from there instead of where the old ones stop.
func (c *copier) checkUnread(ctx context.Context) error {
	found, err := c.kafka.Topics(ctx, c.cfg.To.Inputs)
	if err != nil {
		return fmt.Errorf("look up the inputs: %w", err)
	}
	var inputs []*ledger.Input
	for _, t := range found {
		if t.Exists {
			inputs = append(inputs, &ledger.Input{Topic: t.Name, Partitions: int32(len(t.Leaders))}) //nolint:gosec // a count
		}
	}
	committed, err := intake.Stopped(ctx, c.kafka, c.cfg.To.Namespace, inputs)
	if err != nil {
		return err
	}
	for _, o := range committed {
		if o.Offset >= 0 {
			return fmt.Errorf("%w: the consumer group %s has read %s", ErrNotEmpty, intake.Group(c.cfg.To.Namespace), o.Topic)
		}
	}
	return nil
}

// firstSettings are the settings with which the old ledger began.
func (c *copier) firstSettings(ctx context.Context) (*ledger.Settings, error) {
	bounds, err := c.kafka.ListOffsets(ctx, c.merge.topic, []int32{0})
	if err != nil {
		return nil, fmt.Errorf("read the bounds of %s: %w", c.merge.topic, err)
	}
	var first *ledger.Settings
	found := errors.New("found")
	_, err = c.kafka.ReadCommitted(ctx, c.merge.topic, 0, 0, bounds[0].LastStable, func(r kafka.Record) error {
		var e ledger.Entry
		if err := e.UnmarshalVT(r.Value); err != nil {
			return fmt.Errorf("entry %d: %w", r.Offset, err)
		}
		if e.GetKind() != ledger.Kind_KIND_SETTINGS {
			return nil
		}
		first = new(ledger.Settings)
		if err := first.UnmarshalVT(e.GetPayload()); err != nil {
			return fmt.Errorf("entry %d: %w", r.Offset, err)
		}
		return found
	})
	switch {
	case first != nil && errors.Is(err, found):
		return first, nil
	case err != nil:
		return nil, fmt.Errorf("read the first settings of %s: %w", c.merge.topic, err)
	}
	return nil, fmt.Errorf("%w: %s/0 has no settings entry", ErrTopic, c.merge.topic)
}
