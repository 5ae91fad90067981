package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/sandbox/shopfeed"
	"github.com/mainstay/mainstay/schemas/event"
)

// slice is the wall time between two sends of the shop's events.
const slice = 40 * time.Millisecond

// backlog is the lag in records and entries at which the shop pauses, so that time advances in steps that can be watched.
const backlog = 20_000

// feed sends the shop's events in the order of simulated time, slice by slice.
func (d *demo) feed(ctx context.Context, w *watch) (int64, error) {
	producer, err := d.app.Kafka.NewProducer(ctx)
	if err != nil {
		return 0, fmt.Errorf("send the shop's events: %w", err)
	}
	start := d.end.Add(-time.Duration(d.Days) * day)
	step := time.Duration(d.Days) * day // of simulated time in a slice
	if d.Pace > 0 {
		step = max(time.Duration(float64(step)*float64(slice)/float64(d.Pace)), time.Minute)
	} else {
		step = max(step/400, time.Minute)
	}
	p := shopfeed.Packer{Inputs: map[event.Kind]shopfeed.Input{}}
	for _, kind := range app.Kinds(d.app.Config) {
		p.Inputs[kind] = shopfeed.Input{Topic: kind.Descriptor().Topic, Partitions: d.genesis.GetPartitions()}
	}
	began, until := d.Now(), start.Add(step)
	send := func(now time.Time) error {
		if _, err := producer.Produce(ctx, p.Batches); err != nil {
			return fmt.Errorf("send the shop's events: %w", err)
		}
		p.Reset()
		w.progress(now, p.Events)
		return d.wait(ctx, began.Add(time.Duration(float64(d.Pace)*float64(now.Sub(start))/float64(time.Duration(d.Days)*day))))
	}
	for e := range d.shop.Events() {
		for !e.At.Before(until) {
			if err := send(until); err != nil {
				return p.Events, err
			}
			until = until.Add(step)
		}
		p.Add(&e, e.At.UnixMilli())
	}
	return p.Events, send(d.end)
}

// wait keeps the pace, and pauses while the backlog is too large.
func (d *demo) wait(ctx context.Context, until time.Time) error {
	for {
		pause := until.Sub(d.Now())
		if pause <= 0 {
			var lag int64
			s := d.process.Status(d.Now())
			for _, in := range s.Inputs {
				lag += in.Lag
			}
			for _, part := range s.Partitions {
				lag += part.Lag
			}
			if lag < backlog {
				return ctx.Err()
			}
			pause = slice
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}
