// Package ledgercopy owns the copy of a ledger into another namespace, with another number of partitions or another time zone.
//
// It refuses to change the ledger that is copied, to write into a ledger that is no copy of it, and to let two intakes read the same
// inputs for one ledger.
//
// # What is copied
//
// Events, with their origins and times. Base time, as ticks. Settings, parameters and thresholds as partition 0 has them. The folds of the
// copy derive the rest again: credits, contributions, continue entries, checkpoints. Entries that a fold drops by their origin
// (processors.Follower) are left out, and so are the events of customers that are to be forgotten or were erased, and referrals by them
// (erasures.go). What referrers were credited with for erased customers is copied as credits without a name.
//
// # The order
//
// Each event is copied behind the tick with the base time that it had, and events with the same base time are ordered by partition and
// offset (merge.go). So every customer's entries keep their order and their time, in whatever partition they are now, and the copy is a
// function of the ledger: it does not depend on when the copying command read which entry.
//
// Hence a copy is resumed without notes. A run that begins makes the whole sequence again, compares what the copy has with it, and
// appends what is missing. The same comparison, over hashes of all entries, is the audit of the copy (target.go).
//
// # Exactly once
//
// Entries are appended in transactions under one transactional id, so a second copying process fences the first. A copied entry is
// marked as such, and its origin is not checked again (ledger.Copied).
//
// # The hand-over
//
// The inputs are handed over when no intake of the old namespace runs and all of the old ledger is copied (finish.go). Intakes of the new
// namespace wait until then (intake.CopyFinished).
package ledgercopy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Config is a copy to be made.
type Config struct {
	From       string        // namespace of the ledger that is copied
	To         topics.Config // of the new namespace; its partition counts are replaced by Partitions
	Partitions int32         // of the new ledger; 0: as many as the old one has
	Timezone   string        // of the new ledger; empty: that of the old one
	Without    []string      // ids of the customers that are left out, normalised: nothing of them is copied
	Follow     bool          // go on copying until the context ends
	Finish     bool          // follow until no intake of the old namespace runs, then hand the inputs over
	Logic      uint32        // version of the logic by which the new ledger is folded
	Pause      time.Duration // between two looks at the end of the old ledger

	Now      func() time.Time
	Random   func() uint64
	Progress func(Progress)
}

// Progress is reported after each transaction and each look at the end of the old ledger.
type Progress struct {
	Copied  int64 // entries that the copy has, so far as they were compared
	Behind  int64 // entries of the old ledger that are not read yet
	Waiting error // why the inputs are not handed over yet; nil: they are, or Finish is not set, or not all is copied
}

// Result is what a run has come to.
type Result struct {
	From       string `json:"from"`
	To         string `json:"to"`
	LedgerID   string `json:"ledger_id"` // of the copy
	Partitions int32  `json:"partitions"`
	Timezone   string `json:"timezone"`
	Entries    int64  `json:"entries"`  // copied, all runs together
	Appended   int64  `json:"appended"` // of them, by this run
	Imports    int64  `json:"imports"`  // notes of imports that were copied
	Finished   bool   `json:"finished"` // the inputs are handed over
}

// The refusals. Nothing was changed, unless the text says otherwise.
var (
	ErrSelf      = errors.New("a ledger cannot be copied onto itself: choose another namespace for the copy")
	ErrNotEmpty  = errors.New("the namespace of the copy is in use: choose another one, or delete its topics and its consumer groups")
	ErrOther     = errors.New("the copy was begun with other values: give the same ones, or choose another namespace")
	ErrTopic     = errors.New("a topic is not as a ledger needs it")
	ErrFinished  = errors.New("this copy is finished: its inputs were handed over")
	ErrDiffers   = errors.New("the copy does not hold what the ledger gives: one of them was changed or re-created, or the old namespace ran on after a hand-over that was interrupted; delete the topics of the copy and begin again")
	ErrTaken     = errors.New("another `ledger copy` has taken this copy over")
	ErrNoTick    = errors.New("no intake has run on the ledger, so there is nothing to hand over: create the new namespace with `mainstay topics apply`")
	ErrUncounted = errors.New("an intake stopped before it committed what it had read: start the old namespace again, stop it with SIGTERM, and wait until it has ended")
	ErrRunsAgain = errors.New("the old ledger grew while its inputs were handed over: an intake was started again; delete the topics of the copy and begin again")
)

const resumeHint = "run `ledger copy` again: it resumes"

// Run copies until the end of the old ledger, or as Follow and Finish say. After an error other than a refusal, the next run resumes.
func Run(ctx context.Context, cfg Config, k *kafka.Client) (*Result, error) {
	c, err := prepare(ctx, cfg, k)
	if err != nil {
		return nil, err
	}
	if err := c.out.open(ctx); err != nil {
		return nil, err
	}
	for {
		if err := c.copyAvailable(ctx); err != nil {
			return nil, err
		}
		if err := c.out.verify(ctx, false); err != nil {
			return nil, err
		}
		if !cfg.Finish && !cfg.Follow {
			return c.result(), nil
		}
		var waiting error
		if cfg.Finish {
			waiting, err = c.finish(ctx)
			if err != nil {
				return nil, err
			}
			if waiting == nil {
				return c.result(), nil
			}
		}
		c.report(waiting)
		if err := sleep(ctx, cfg.Pause); err != nil {
			return nil, err
		}
	}
}

// copier is one run.
type copier struct {
	cfg     Config
	kafka   *kafka.Client
	genesis *ledger.Genesis // of the copy
	merge   *merge
	out     *appender

	without map[string]bool    // customers that are left out
	erased  *erasures          // customers of whom nothing from before their erasure is copied
	events  ledger.EventReader // of events that are looked into for them

	base    int64 // of the last tick that was copied
	waiting error
	imports int64
	done    bool
}

func (c *copier) result() *Result {
	r := &Result{
		From: c.cfg.From, To: c.cfg.To.Namespace, LedgerID: c.genesis.GetLedgerId(), Partitions: c.genesis.GetPartitions(),
		Timezone: c.genesis.GetTimezone(), Appended: c.out.appended, Imports: c.imports, Finished: c.done,
	}
	for i := range c.out.targets {
		r.Entries += c.out.targets[i].made.entries
	}
	return r
}

func (c *copier) report(waiting error) {
	if c.cfg.Progress == nil {
		return
	}
	p := Progress{Behind: c.merge.behind(), Waiting: waiting}
	for i := range c.out.targets {
		p.Copied += c.out.targets[i].made.entries
	}
	c.cfg.Progress(p)
}

// copyAvailable copies all that can be ordered now.
func (c *copier) copyAvailable(ctx context.Context) error {
	if err := c.merge.look(ctx); err != nil {
		return err
	}
	for {
		it, ok, err := c.merge.next(ctx)
		switch {
		case err != nil:
			return err
		case !ok:
			return c.flush(ctx)
		}
		if err := c.copyItem(it); err != nil {
			return err
		}
		if c.out.full() {
			if err := c.flush(ctx); err != nil {
				return err
			}
		}
	}
}

func (c *copier) flush(ctx context.Context) error {
	if err := c.out.publish(ctx); err != nil {
		return err
	}
	c.report(c.waiting)
	return nil
}

// sleep waits, or returns why the context ended.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("copy the ledger: %w; %s", context.Cause(ctx), resumeHint)
	case <-t.C:
		return nil
	}
}
