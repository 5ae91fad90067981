// Package shopfeed sends the events of a simulated shop to the input topics. It refuses to write anywhere else.
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

// Simulation is a simulated shop on its way into the input topics: first the life that it has behind it, then, as long as it
// may stay, what happens as it happens.
//
// The shop opened some days before the ledger was founded. So the same seed tells every ledger one story only: to tell it
// again is all duplicates, and a simulation that was cut off goes on by beginning again.
type Simulation struct {
	Namespace string
	Genesis   *ledger.Genesis
	Topics    map[event.Kind]string

	Customers int // who ever come
	Days      int // that the shop had been open when the ledger was founded
	Seed      uint64
	Rate      int  // events a second at most, of those that lie behind; 0: as many as Kafka takes
	Stay      bool // and go on when all that lies behind is told

	Now      func() time.Time
	Progress func(Told)
}

// Told is how far a simulation is.
type Told struct {
	Events int64     `json:"events"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`        // the shop's time
	Caught bool      `json:"caught_up"` // the shop's time is the clock's
}

const (
	day = 24 * time.Hour
	// afterlife is how long the shop goes on after the ledger was founded.
	afterlife = 365 * day
	// slice is how much of a second's events are sent together.
	slice = 50 * time.Millisecond
	// most events that are sent together: a batch per partition of some hundred kilobytes.
	most = 4000
)

// Run tells the shop's life until all of it is told, or stopping is closed. What it has begun to send is acknowledged then.
func (s *Simulation) Run(ctx context.Context, k *kafka.Client, stopping <-chan struct{}) (Told, error) {
	run := telling{Simulation: s, sender: sender{kafka: k}, parcel: Parcel{Inputs: map[event.Kind]Input{}}, stopping: stopping}
	for kind, topic := range s.Topics {
		n, err := topics.Partitions(ctx, k, topic)
		if err != nil {
			return Told{}, err
		}
		run.parcel.Inputs[kind] = Input{topic, n}
	}
	opened, err := s.opening(ctx, k)
	if err != nil {
		return Told{}, err
	}
	life, err := shop.New(shop.Config{
		Seed: s.Seed, Customers: s.Customers, Days: s.Days + int(afterlife/day), Start: opened, Currency: s.Genesis.GetCurrency(),
	})
	if err != nil {
		return Told{}, err
	}
	run.told = Told{From: opened, To: opened}
	run.report()
	err = run.all(ctx, life)
	return run.told, err
}

// opening is the day on which the shop opened, by the append time of the ledger's first entry.
func (s *Simulation) opening(ctx context.Context, k *kafka.Client) (time.Time, error) {
	var founded int64
	_, err := k.ReadCommitted(ctx, ledger.Topic(s.Namespace), 0, 0, 1, func(r kafka.Record) error {
		if r.Offset == 0 {
			founded = r.Timestamp
		}
		return nil
	})
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("read when the ledger was founded: %w", err)
	case founded <= 0:
		return time.Time{}, errors.New("read when the ledger was founded: its first entry has no time; `mainstay check` says what is wrong with the topic")
	}
	return time.UnixMilli(founded).UTC().Truncate(day).Add(-time.Duration(s.Days) * day), nil
}

type telling struct {
	*Simulation
	sender   sender
	parcel   Parcel
	packed   int
	told     Told
	stopping <-chan struct{}
}

var errStopped = errors.New("stopped")

func (r *telling) all(ctx context.Context, life *shop.Shop) error {
	began := r.Now()
	for e := range life.Events() {
		if err := r.next(ctx, &e, began); err != nil {
			if errors.Is(err, errStopped) {
				return r.flush(ctx)
			}
			return err
		}
	}
	return r.flush(ctx)
}

// next tells one event, at its moment, or, where that has passed, when the rate allows.
func (r *telling) next(ctx context.Context, e *shop.Event, began time.Time) error {
	if ahead := e.At.Sub(r.Now()); ahead > 0 {
		if err := r.flush(ctx); err != nil {
			return err
		}
		if !r.told.Caught {
			r.told.Caught, r.told.To = true, r.Now().UTC()
			r.report()
		}
		if !r.Stay {
			return errStopped
		}
		if err := r.wait(ctx, ahead); err != nil {
			return err
		}
	}
	// Kafka's own time is now: stamped with the past, retention would delete the records before they are read.
	r.parcel.Add(e, r.Now().UnixMilli())
	r.packed++
	r.told.To = e.At
	together := most
	if r.Rate > 0 {
		together = min(most, max(1, int(float64(r.Rate)*slice.Seconds())))
	}
	if !r.told.Caught && r.packed < together {
		return nil
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	if r.told.Caught || r.Rate == 0 {
		return r.wait(ctx, 0)
	}
	due := time.Duration(float64(r.parcel.Events) / float64(r.Rate) * float64(time.Second))
	return r.wait(ctx, began.Add(due).Sub(r.Now()))
}

func (r *telling) wait(ctx context.Context, pause time.Duration) error {
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

func (r *telling) flush(ctx context.Context) error {
	if r.packed == 0 {
		return nil
	}
	if err := r.sender.send(ctx, r.parcel.Batches); err != nil {
		return fmt.Errorf("send the shop's events: %w; the same command tells the same story again, and what was taken counts once", err)
	}
	r.told.Events += int64(r.packed)
	r.parcel.Reset()
	r.packed = 0
	r.report()
	return nil
}

func (r *telling) report() {
	if r.Progress != nil {
		r.Progress(r.told)
	}
}
