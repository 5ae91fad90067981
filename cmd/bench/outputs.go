package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/mainstay/mainstay/pkg/sandbox/shop"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/output"
)

// outputCounts counts outputs by topic and trigger, and the outputs that silence cannot do without.
type outputCounts struct {
	ledger        *memoryLedger
	counts        map[string]int // by "topic by trigger"
	lastPublished map[string]lastPublished
	least         int // outputs of clv by silence

	material float64 // clv.material
}

// lastPublished is what a subscriber holds of a customer who was published no more often than necessary.
type lastPublished struct {
	total int64 // total CLV
	at    int64 // ms: silence is looked at up to there
}

// outputs counts outputs per input event by topic and trigger, over a year of the demo's simulated shop with a tick for each hour. It
// compares those by which silence tells the fall of the total CLV with the smallest number that clv.material allows: each customer
// is scored at the end of each day, and an output is necessary only when the total has fallen by clv.material since the one before.
func (b *bench) outputs(ctx context.Context) error {
	c := &outputCounts{counts: map[string]int{}, lastPublished: map[string]lastPublished{}, material: settings.Default().GetClvMaterial()}
	var err error
	if c.ledger, err = newMemoryLedger(c.count); err != nil {
		return err
	}
	if err := c.foldShop(ctx, shop.Config{Seed: b.seed, Customers: 1000, Days: 365}); err != nil {
		return err
	}
	perEvent := func(n int) string { return fmt.Sprintf("%.3f", float64(n)/float64(c.ledger.events)) }
	all := 0
	for t := range output.Topics {
		for by := range output.TriggerReplay {
			if n := c.counts[name(t, by)]; n > 0 {
				b.addFigure("outputs per input event: "+name(t, by), perEvent(n), "", true)
				all += n
			}
		}
	}
	b.addFigure("outputs per input event", perEvent(all), "below 2", all < 2*int(c.ledger.events))
	b.addFigure("the fewest of clv by timer with which no published total is too high by clv.material for a day", perEvent(c.least), "", true)
	return nil
}

func name(t output.Topic, by output.Trigger) string { return t.String() + " by " + by.String() }

func (c *outputCounts) count(r *output.Record) {
	c.counts[name(r.Topic, r.Trigger)]++
	if r.Topic == output.CLV && r.Trigger != output.TriggerTimer {
		c.lookAt(r.Key, r.Time)
		after := r.Time - r.Time%1000 + 1000 // as of a time leaves out what is dated at it
		c.lastPublished[r.Key] = lastPublished{c.total(r.Key, after), after}
	}
}

// lookAt counts the outputs that a customer's silence has made necessary before a time.
func (c *outputCounts) lookAt(id string, until int64) {
	const day = int64(24 * time.Hour / time.Millisecond)
	t, known := c.lastPublished[id]
	if !known {
		return
	}
	for ; t.at+day < until; t.at += day {
		if now := c.total(id, t.at+day); float64(t.total-now) >= c.material*math.Abs(float64(t.total)) && t.total != now {
			c.least++
			t.total = now
		}
	}
	c.lastPublished[id] = t
}

func (c *outputCounts) total(id string, at int64) int64 {
	s, _ := c.ledger.store.Customer(id) // never fails
	a, _ := processors.ScoreCustomerAsOf(c.ledger.partition, id, s, at)
	return a.CLV.Total.Value
}

func (c *outputCounts) foldShop(ctx context.Context, config shop.Config) error {
	options := event.DefaultOptions()
	options.Currency, options.EventTime = "EUR", true
	decoder, err := event.NewDecoder(options)
	if err != nil {
		return fmt.Errorf("options of the decoder: %w", err)
	}
	s, err := shop.New(config)
	if err != nil {
		return fmt.Errorf("make a shop: %w", err)
	}
	const hour = int64(time.Hour / time.Millisecond)
	var result event.Result
	now := int64(0)
	for e := range s.Events() {
		at := e.At.UnixMilli()
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := decoder.Decode(e.Kind, message(&e), at, &result); err != nil {
			return fmt.Errorf("decode an event of the shop: %w", err)
		}
		if last := at - at%hour; last > now {
			now = last
			if err := c.ledger.tick(now); err != nil {
				return err
			}
		}
		c.lookAt(result.Customer, result.Time)
		if err := c.ledger.event(result.Customer, result.Time, &result.Event); err != nil {
			return err
		}
	}
	if err := c.ledger.tick(now + hour); err != nil {
		return err
	}
	for id := range c.lastPublished {
		c.lookAt(id, now+hour)
	}
	return nil
}

func message(e *shop.Event) *event.Message {
	return &event.Message{Key: e.Key, Value: e.Value, Timestamp: e.At.UnixMilli(), Header: func(name string) ([]byte, bool) {
		for _, h := range e.Headers {
			if h.Key == name {
				return []byte(h.Value), true
			}
		}
		return nil, false
	}}
}
