// Package shopfeed owns sending the events of a simulated shop to the input topics. It refuses to write anywhere else.
package shopfeed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/shop"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Feed sends a shop's past events to the input topics and then, with Stay, its further events in real time.
//
// The shop opened some days before the ledger was created. So the same seed gives one list of events per ledger: sending it
// again sends duplicates only, and a feed that was interrupted can simply be started again.
type Feed struct {
	Namespace string
	Genesis   *ledger.Genesis
	Topics    map[event.Kind]string

	Customers int // over the whole time
	Days      int // from the opening of the shop to the creation of the ledger
	Seed      uint64
	Rate      int  // events a second at most, for past events; 0: unlimited
	Stay      bool // continue in real time after the past events

	Now        func() time.Time
	OnProgress func(Progress)
}

// Progress is how far a feed is.
type Progress struct {
	Events   int64     `json:"events"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`        // the shop's time
	CaughtUp bool      `json:"caught_up"` // the shop's time is the clock's
}

const (
	day = 24 * time.Hour
	// liveDuration is how long the shop continues after the creation of the ledger.
	liveDuration = 365 * day
	// slice is the time whose events are sent together.
	slice = 50 * time.Millisecond
	// maxTogether is how many events are sent together at most: some hundred kilobytes per partition.
	maxTogether = 4000
)

// Run sends the shop's events until there are no more or stopping is closed. On return all sent records are acknowledged, unless
// there is an error.
func (s *Feed) Run(ctx context.Context, k *kafka.Client, stopping <-chan struct{}) (Progress, error) {
	run := feeder{Feed: s, sender: sender{kafka: k}, packer: Packer{Inputs: map[event.Kind]Input{}}, stopping: stopping}
	for kind, topic := range s.Topics {
		n, err := topics.Partitions(ctx, k, topic)
		if err != nil {
			return Progress{}, err
		}
		run.packer.Inputs[kind] = Input{topic, n}
	}
	opened, err := s.openingDay(ctx, k)
	if err != nil {
		return Progress{}, err
	}
	events, err := shop.New(shop.Config{
		Seed: s.Seed, Customers: s.Customers, Days: s.Days + int(liveDuration/day), Start: opened, Currency: s.Genesis.GetCurrency(),
	})
	if err != nil {
		return Progress{}, err
	}
	run.progress = Progress{From: opened, To: opened}
	run.report()
	err = run.sendAll(ctx, events)
	return run.progress, err
}

// openingDay returns the day on which the shop opened, by the append time of the ledger's first entry.
func (s *Feed) openingDay(ctx context.Context, k *kafka.Client) (time.Time, error) {
	var createdAt int64
	_, err := k.ReadCommitted(ctx, ledger.Topic(s.Namespace), 0, 0, 1, func(r kafka.Record) error {
		if r.Offset == 0 {
			createdAt = r.Timestamp
		}
		return nil
	})
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("read when the ledger was created: %w", err)
	case createdAt <= 0:
		return time.Time{}, errors.New("read when the ledger was created: its first entry has no time; check the topic with `mainstay check`")
	}
	return time.UnixMilli(createdAt).UTC().Truncate(day).Add(-time.Duration(s.Days) * day), nil
}

type feeder struct {
	*Feed
	sender   sender
	packer   Packer
	packed   int
	progress Progress
	stopping <-chan struct{}
}

var errStopped = errors.New("stopped")

func (r *feeder) sendAll(ctx context.Context, events *shop.Shop) error {
	began := r.Now()
	for e := range events.Events() {
		if err := r.sendNext(ctx, &e, began); err != nil {
			if errors.Is(err, errStopped) {
				return r.flush(ctx)
			}
			return err
		}
	}
	return r.flush(ctx)
}

// sendNext sends one event: at its time, or a past one when the rate allows.
func (r *feeder) sendNext(ctx context.Context, e *shop.Event, began time.Time) error {
	if ahead := e.At.Sub(r.Now()); ahead > 0 {
		if err := r.flush(ctx); err != nil {
			return err
		}
		if !r.progress.CaughtUp {
			r.progress.CaughtUp, r.progress.To = true, r.Now().UTC()
			r.report()
		}
		if !r.Stay {
			return errStopped
		}
		if err := r.wait(ctx, ahead); err != nil {
			return err
		}
	}
	// The record's timestamp is the present: with a past one, retention could delete the record before it is read.
	r.packer.Add(e, r.Now().UnixMilli())
	r.packed++
	r.progress.To = e.At
	together := maxTogether
	if r.Rate > 0 {
		together = min(maxTogether, max(1, int(float64(r.Rate)*slice.Seconds())))
	}
	if !r.progress.CaughtUp && r.packed < together {
		return nil
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	if r.progress.CaughtUp || r.Rate == 0 {
		return r.wait(ctx, 0)
	}
	due := time.Duration(float64(r.packer.Events) / float64(r.Rate) * float64(time.Second))
	return r.wait(ctx, began.Add(due).Sub(r.Now()))
}

func (r *feeder) wait(ctx context.Context, pause time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-r.stopping:
		return errStopped
	default:
	}
	if pause <= 0 {
		return nil
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-r.stopping:
		return errStopped
	case <-t.C:
		return nil
	}
}

func (r *feeder) flush(ctx context.Context) error {
	if r.packed == 0 {
		return nil
	}
	if err := r.sender.send(ctx, r.packer.Batches); err != nil {
		return fmt.Errorf("send the shop's events: %w; run the same command again: it sends the same events, and those that were accepted count once", err)
	}
	r.progress.Events += int64(r.packed)
	r.packer.Reset()
	r.packed = 0
	r.report()
	return nil
}

func (r *feeder) report() {
	if r.OnProgress != nil {
		r.OnProgress(r.progress)
	}
}
