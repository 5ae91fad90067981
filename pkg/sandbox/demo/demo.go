// Package demo owns the demonstration: Kafka and Redis embedded in the process, the real intake and fold, a simulated shop with
// known ground truth, a picture of the progress, and a summary that compares the answers with the ground truth.
//
// It refuses to be a special case: the same code runs in production, and other programs can connect to its Kafka and Redis. Start
// at Run; feed.go sends the shop's events, watch.go consumes the answers, screen.go prints, fit.go fits the models, summary.go
// compares.
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

// Config configures a demonstration.
type Config struct {
	Customers int
	Days      int
	Seed      uint64
	Pace      time.Duration // wall time for the simulated time; 0: as fast as possible
	Exit      bool          // stop at the end of the simulated time
	Listen    string        // HTTP address; port 0 takes a free port

	Log    *zap.Logger
	Now    func() time.Time
	Random func() uint64
	Screen *Screen
}

// day is the unit of the simulated time.
const day = 24 * time.Hour

// Run runs the demonstration. The simulated time ends at the present, so an event that is sent by hand is the next one. Without
// Exit everything keeps running after the summary until stopping is closed.
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
	d := &demo{Config: c, shop: s, groundTruth: s.GroundTruth(), end: end}
	if err := d.open(ctx, servers); err != nil {
		return nil, err
	}
	defer d.app.Close()
	return d.run(ctx, began, stopping)
}

type demo struct {
	Config
	shop        *shop.Shop
	groundTruth *shop.GroundTruth
	app         *app.App
	genesis     *ledger.Genesis
	process     *process.Process
	end         time.Time
}

// settings are the defaults with the event clock and intervals short enough for a year within seconds.
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
	if d.app, err = app.New(c, d.Log, app.Hooks{Random: d.Random, Embedded: true}); err != nil {
		return err
	}
	if _, d.genesis, err = d.app.Apply(ctx); err != nil {
		d.app.Close()
		return fmt.Errorf("create the topics: %w", err)
	}
	if d.process, err = process.New(ctx, d.app, d.genesis, d.Log, d.Now()); err != nil {
		d.app.Close()
		return err
	}
	return nil
}

// run runs the process, the watch and the shop concurrently and ends them in order.
func (d *demo) run(ctx context.Context, began time.Time, stopping <-chan struct{}) (*Summary, error) {
	drain := make(chan struct{})
	ran := make(chan error, 1)
	go func() { ran <- d.process.Run(ctx, drain) }()

	d.Screen.printHeader(d)
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

	summary, err := d.simulate(work, began, w)
	stopWatching()
	if late := <-watched; err == nil && late != nil {
		err = late
	}
	d.Screen.keepPicture()
	if err == nil {
		err = d.Screen.printSummary(summary)
	}
	if err == nil && !d.Exit {
		d.Screen.printRunning(d)
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

// ErrStopped is a demonstration that was stopped before the end of its simulated time.
var ErrStopped = errors.New("stopped before the end of the simulated time")

// simulate sends the shop's events, advances the time to the end, fits the models and makes the summary.
func (d *demo) simulate(ctx context.Context, began time.Time, w *watch) (*Summary, error) {
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
		return nil, fmt.Errorf("advance to the end of the simulated time: %w", err)
	}
	if err := d.waitCaughtUp(ctx); err != nil {
		return nil, err
	}
	model, err := d.fit(ctx)
	if err != nil {
		return nil, err
	}
	return d.summarise(ctx, events, model, d.Now().Sub(began))
}

// waitCaughtUp waits until all partitions have folded up to the end of the simulated time, and published and committed the
// results. Partitions append to each other's ledgers, so two observations in a row must be the same.
func (d *demo) waitCaughtUp(ctx context.Context) error {
	const pause = 100 * time.Millisecond
	before, same := int64(-1), 0
	for same < 2 {
		folded, caughtUp := int64(0), true
		partitions := d.process.Status(d.Now()).Partitions
		for _, p := range partitions {
			folded += p.Folded
			caughtUp = caughtUp && p.Lag == 0 && p.Folded == p.Published && p.Folded == p.Committed && p.Time != nil && !p.Time.Before(d.end)
			if p.Halted != "" {
				return fmt.Errorf("partition %d is halted: %s", p.Partition, p.Cause)
			}
		}
		if caughtUp && len(partitions) == int(d.genesis.GetPartitions()) && folded == before {
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
