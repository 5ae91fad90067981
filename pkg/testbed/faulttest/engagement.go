package faulttest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/event"
)

// The customers of some seeds' shops do more than buy.

// engages says whether a seed's customers do so.
func engages(seed uint64) bool { return seed%3 > 0 }

// engager writes events of engagement, some of them long after they happened, and some twice. Some are of visitors who never buy.
type engager struct {
	w        *world
	producer *kafka.Producer
	rng      *rand.Rand // of its own
}

func (w *world) newEngager(producer *kafka.Producer) *engager {
	return &engager{w: w, producer: producer, rng: rand.New(rand.NewPCG(w.seed, 13))} //nolint:gosec // a seed can be run again
}

// engage writes no event or one, before the i-th of the shop.
func (x *engager) engage(i int, now time.Time) {
	if !engages(x.w.seed) || x.rng.IntN(3) > 0 {
		return
	}
	who := fmt.Sprintf("c%d", x.rng.IntN(shopCustomers))
	if x.rng.IntN(6) == 0 {
		who = fmt.Sprintf("v%d", x.rng.IntN(3))
	}
	at := now
	if x.rng.IntN(4) == 0 {
		at = now.AddDate(0, 0, -x.rng.IntN(120))
	}
	value, err := json.Marshal(map[string]any{
		"event_id": fmt.Sprintf("g%d", i), "customer_id": who, "occurred_at": at.UTC().Format(time.RFC3339Nano),
		"engagement_type": []string{"site_visit", "app", "review", "support_contact"}[x.rng.IntN(4)],
	})
	if err != nil {
		panic(err)
	}
	for range 1 + x.rng.IntN(2) {
		x.w.produce(x.producer, event.Engagement.Descriptor().Topic, value)
	}
}

// engaged are a customer's events of engagement by id.
type engaged map[string]inputEvent

// figures recounts the figures as of a time, ms.
func (e engaged) figures(at int64) (f customer.Engagement) {
	active := map[int64]bool{}
	var last time.Time
	for _, x := range e {
		ms := x.At.UnixMilli()
		if f.FirstAt == 0 || ms < f.FirstAt {
			f.FirstAt = ms
		}
		if x.At.After(last) {
			last, f.LastAt = x.At, ms
		}
		f.Known = true
		f.Events++
		day := at/86400_000 - ms/86400_000
		if day >= 0 && day < 90 {
			active[day] = true
		}
		switch x.Engagement {
		case "review":
			f.Reviews++
		case "support_contact":
			f.SupportContacts++
			if day >= 0 && day < 90 {
				f.SupportContacts90++
			}
		}
	}
	for day := range active {
		f.ActiveDays90++
		if day < 30 {
			f.ActiveDays30++
		}
	}
	if f.Known {
		f.DaysSinceLast = float64(max(0, at-f.LastAt)) / 86400_000
	}
	return f
}

// checkEngagement compares the figures that a query returns with the recount.
func (w *world) checkEngagement(r *recount) (problems []string) {
	err := w.eachCustomer(func(p *processors.Partition, id string, c *customer.State) {
		got := processors.ScoreCustomer(p, id, c)
		if want := r.customer(id).engaged.figures(got.AsOf); got.Engagement != want {
			problems = append(problems, fmt.Sprintf("customer %s: engagement is %+v, the recount has %+v", id, got.Engagement, want))
		}
	})
	if err != nil {
		problems = append(problems, err.Error())
	}
	return problems
}
