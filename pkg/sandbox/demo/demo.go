// Package demo owns the demonstration: a Kafka and a Redis in this process, the real intake and fold on them, a simulated
// shop whose truth is known, a picture of what goes on, and a summary in which everything is checked.
//
// It refuses to be a special case: what runs is what runs in production, under the event clock, and other programs can
// connect to it. Read Run for the story, feed.go for the shop's events, watch.go for the answers as they go by, screen.go for
// the picture, learn.go for the models that are fitted to it, summary.go for what is checked at the end.
package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/node/process"
	"github.com/mainstay/mainstay/pkg/ops/advance"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/sandbox/shop"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Config is what a demonstration is told.
type Config struct {
	Customers int
	Days      int
	Seed      uint64
	Pace      time.Duration // wall time that the simulated time is spread over; 0: as fast as it goes
	Exit      bool          // stop at the end of the simulated time
	Listen    string        // of HTTP; port 0 takes a free one

	Log    *zap.Logger
	Now    func() time.Time
	Random func() uint64
	Screen *Screen
}

// day is the unit of the simulated time.
const day = 24 * time.Hour

// Run shows the demonstration. The simulated time ends now, so that an event that is sent by hand comes next. Without
// Exit it then stays up until stopping is closed; the summary is made before.
func Run(ctx context.Context, c Config, stopping <-chan struct{}) (*Summary, error) {
	began := c.Now()
	servers, err := embedded.Start(ctx, embedded.Options{Kafka: true, Redis: true})
	if err != nil {
		return nil, err
	}
	defer servers.Close()
	end := began.UTC().Truncate(time.Hour)
	s, err := shop.New(shop.Config{Seed: c.Seed, Customers: c.Customers, Days: c.Days, Start: end.Add(-time.Duration(c.Days) * day)})
	if err != nil {
		return nil, err
	}
	d := &demo{Config: c, shop: s, truth: s.GroundTruth(), end: end}
	if err := d.open(ctx, servers); err != nil {
		return nil, err
	}
	defer d.app.Close()
	return d.show(ctx, began, stopping)
}

type demo struct {
	Config
	shop    *shop.Shop
	truth   *shop.GroundTruth
	app     *app.App
	genesis *ledger.Genesis
	process *process.Process
	end     time.Time
}

// settings are the defaults, but for the clock and intervals that keep pace with a year in seconds.
func settings(kafka, redis, listen string) config.Config {
	c := config.Default()
	c.Kafka.Brokers, c.Redis.Addresses = []string{kafka}, []string{redis}
	c.Clock, c.Money.Currency, c.Ledger.Partitions = "event", "EUR", 4
	c.Intake.TickInterval, c.Intake.CommitInterval = 50*time.Millisecond, 100*time.Millisecond
	c.Fold.PublishInterval, c.Fold.CommitInterval, c.Fold.MaxTransactionsPerSecond = 50*time.Millisecond, 200*time.Millisecond, 200
	c.HTTP.Listen = listen
	return c
}

func (d *demo) open(ctx context.Context, servers *embedded.Embedded) error {
	var err error
	c := settings(servers.KafkaAddress(), servers.RedisAddress(), d.Listen)
	if d.app, err = app.New(c, d.Log, app.Seams{Random: d.Random, Embedded: true}); err != nil {
		return err
	}
	if _, d.genesis, err = d.app.Apply(ctx); err != nil {
		d.app.Close()
		return fmt.Errorf("make the topics: %w", err)
	}
	if d.process, err = process.New(ctx, d.app, d.genesis, d.Log, d.Now()); err != nil {
		d.app.Close()
		return err
	}
	return nil
}

// show runs the process, the watcher and the shop beside each other, and ends them in turn.
func (d *demo) show(ctx context.Context, began time.Time, stopping <-chan struct{}) (*Summary, error) {
	drain := make(chan struct{})
	ran := make(chan error, 1)
	go func() { ran <- d.process.Run(ctx, drain) }()

	d.Screen.open(d)
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-stopping:
			cancel(ErrStopped)
		case err := <-ran:
			ran <- err
			cancel(fmt.Errorf("the process ended: %w", err))
		case <-work.Done():
		}
	}()
	watching, stopWatching := context.WithCancel(work)
	defer stopWatching()
	w := newWatch(d)
	watched := make(chan error, 1)
	go func() { watched <- w.run(watching) }()

	summary, err := d.play(work, began, w)
	stopWatching()
	if late := <-watched; err == nil && late != nil {
		err = late
	}
	d.Screen.close()
	if err == nil {
		err = d.Screen.summary(summary)
	}
	if err == nil && !d.Exit {
		d.Screen.stay(d)
		select {
		case <-work.Done():
		case <-stopping:
		}
		if cause := context.Cause(work); cause != nil && !errors.Is(cause, ErrStopped) {
			err = cause
		}
	}
	close(drain)
	return summary, errors.Join(err, <-ran)
}

// ErrStopped is the end of a demonstration by a signal, before its simulated time was over.
var ErrStopped = errors.New("stopped before the end of the simulated time")

// play is the simulated time: the shop's events, then the silence behind them, then what is learnt of it, then what it all
// comes to.
func (d *demo) play(ctx context.Context, began time.Time, w *watch) (*Summary, error) {
	events, err := d.feed(ctx, w)
	if err != nil {
		return nil, err
	}
	inputs := []string{}
	for topic := range app.Inputs(d.app.Config) {
		inputs = append(inputs, topic)
	}
	const patience = time.Minute
	step := advance.Request{Namespace: d.app.Config.Namespace, Genesis: d.genesis, Inputs: inputs, To: d.end, Timeout: patience, Now: d.Now, Random: d.Random}
	if err := step.Run(ctx, d.app.Kafka); err != nil {
		return nil, fmt.Errorf("let the simulated time end: %w", err)
	}
	if err := d.settle(ctx); err != nil {
		return nil, err
	}
	learnt, err := d.learn(ctx)
	if err != nil {
		return nil, err
	}
	return d.summarise(ctx, events, learnt, d.Now().Sub(began))
}

// settle waits until all partitions have folded up to the end of time, and published and stored what came of it. Folds
// write to each other, so two looks in a row must see the same.
func (d *demo) settle(ctx context.Context) error {
	const pause = 100 * time.Millisecond
	before, same := int64(-1), 0
	for same < 2 {
		folded, settled := int64(0), true
		partitions := d.process.Status(d.Now()).Partitions
		for _, p := range partitions {
			folded += p.Folded
			settled = settled && p.Lag == 0 && p.Folded == p.Published && p.Folded == p.Committed && p.Time != nil && !p.Time.Before(d.end)
			if p.Halted != "" {
				return fmt.Errorf("partition %d is halted: %s", p.Partition, p.Cause)
			}
		}
		if settled && len(partitions) == int(d.genesis.GetPartitions()) && folded == before {
			same++
		} else {
			same = 0
		}
		before = folded
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
	return nil
}
