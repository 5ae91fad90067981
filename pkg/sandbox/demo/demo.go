// Package demo owns the demonstrations: Kafka and Redis embedded in the process, and the real intake and fold (instance.go). Run shows a
// simulated shop with known ground truth, a picture of the progress, and a summary that compares the answers with the ground truth;
// RunFile shows a shop's own orders, from a file.
//
// It refuses to be a special case: the same code runs in production, and other programs can connect to its Kafka and Redis. Start
// at Run; feed.go sends the shop's events, watch.go consumes the answers, screen.go prints, summary.go compares. RunFile is in file.go.
package demo

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/sandbox/shop"
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

	Started func(address string) // of the pages; nil: nothing is to happen
}

// day is the unit of the simulated time.
const day = 24 * time.Hour

// Run runs the demonstration. The simulated time ends at the present, so an event that is sent by hand is the next one. Without
// Exit everything keeps running after the summary until stopping is closed.
func Run(ctx context.Context, c Config, stopping <-chan struct{}) (*Summary, error) {
	began := c.Now()
	end := began.UTC().Truncate(time.Hour)
	s, err := shop.New(shop.Config{Seed: c.Seed, Customers: c.Customers, Days: c.Days, Start: end.Add(-time.Duration(c.Days) * day)})
	if err != nil {
		return nil, err
	}
	settings := config.Default()
	settings.Money.Currency = "EUR"
	i, err := start(ctx, settings, c.Listen, c.Log, c.Now, c.Random)
	if err != nil {
		return nil, err
	}
	defer i.close()
	d := &demo{instance: i, Config: c, shop: s, groundTruth: s.GroundTruth(), end: end}
	var summary *Summary
	err = i.run(ctx, stopping, func(ctx context.Context) (err error) {
		summary, err = d.show(ctx, began)
		return err
	})
	return summary, err
}

type demo struct {
	*instance
	Config
	shop        *shop.Shop
	groundTruth *shop.GroundTruth
	end         time.Time
}

// show runs the watch and the shop concurrently, and prints the summary.
func (d *demo) show(ctx context.Context, began time.Time) (*Summary, error) {
	if d.Started != nil {
		d.Started(d.pages())
	}
	d.Screen.printHeader(d)
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	w := newWatch(d)
	watched := make(chan error, 1)
	go func() { watched <- w.run(watching) }()

	summary, err := d.simulate(ctx, began, w)
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
		err = keepRunning(ctx)
	}
	return summary, err
}

// simulate sends the shop's events, advances the time to the end, fits the models and makes the summary.
func (d *demo) simulate(ctx context.Context, began time.Time, w *watch) (*Summary, error) {
	events, err := d.feed(ctx, w)
	if err != nil {
		return nil, err
	}
	if err := d.advance(ctx, d.end); err != nil {
		return nil, err
	}
	if err := d.waitCaughtUp(ctx, d.end, nil); err != nil {
		return nil, err
	}
	model, err := d.fit(ctx, d.end)
	if err != nil {
		return nil, err
	}
	return d.summarise(ctx, events, model, d.now().Sub(began))
}
