package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mainstay/mainstay/pkg/ops/inspect"
	"github.com/mainstay/mainstay/schemas/output"
)

// watch consumes the output topics like any other consumer, for the picture.
type watch struct {
	d *demo

	mu      sync.Mutex
	now     time.Time // simulated
	events  int64     // that the shop has sent
	answers [output.Topics]int64
	byTime  int64 // answers that a timer caused, not an event
	alert   string
	watched []*watchedCustomer
	byID    map[string]*watchedCustomer
}

// watchedCustomer is a customer who stops buying during the simulation.
type watchedCustomer struct {
	ID          string
	Orders      int       // standing, as published
	LastOrder   time.Time // as published
	Gone        time.Time // ground truth
	Probability float64   // -1: unknown
	Risk        string
	Steps       []string // churn risks in the order of publication
}

const watchedCustomers = 6 // rows of the picture

// newWatch selects the customers to show from the ground truth: regular customers who churn in the middle of the simulated time.
func newWatch(d *demo) *watch {
	w := &watch{d: d, byID: map[string]*watchedCustomer{}, now: d.end.Add(-time.Duration(d.Days) * day)}
	span := time.Duration(d.Days) * day
	from, to := d.end.Add(-span*7/10), d.end.Add(-span/4)
	type candidate struct {
		s      watchedCustomer
		orders int
	}
	var all []candidate
	for _, c := range d.groundTruth.Customers {
		if !c.LostAt.IsZero() && c.LostAt.After(from) && c.LostAt.Before(to) {
			all = append(all, candidate{watchedCustomer{ID: c.ID, Gone: c.LostAt}, len(c.Orders)})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.orders, a.orders) })
	for _, c := range all[:min(len(all), watchedCustomers)] {
		s := c.s
		w.watched = append(w.watched, &s)
		w.byID[s.ID] = &s
	}
	slices.SortFunc(w.watched, func(a, b *watchedCustomer) int { return a.Gone.Compare(b.Gone) })
	return w
}

// progress redraws the picture with the shop's progress.
func (w *watch) progress(now time.Time, events int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now, w.events = now, events
	w.d.Screen.draw(w)
}

func (w *watch) run(ctx context.Context) error {
	namespace := w.d.app.Config.Namespace
	topics := map[string]output.Topic{}
	t := inspect.Tail{Start: true, Follow: true}
	for o := range output.Topics {
		topics[o.Name(namespace)] = o
		t.Topics = append(t.Topics, o.Name(namespace))
	}
	err := t.Run(ctx, w.d.app.Kafka, func(s inspect.TailRecord) error { return w.record(topics[s.Topic], s.Value) })
	if ctx.Err() != nil && !errors.Is(err, errUnreadable) {
		return nil
	}
	return err
}

var errUnreadable = errors.New("an output cannot be decoded")

func (w *watch) record(topic output.Topic, value []byte) error {
	var answer struct {
		Customer    string   `json:"customer_id"`
		Trigger     string   `json:"trigger"`
		Orders      int      `json:"historic_number_of_orders"`
		Probability *float64 `json:"churn_probability"`
		Risk        string   `json:"churn_risk"`
		LastOrder   string   `json:"last_order_at"`
		Rule        string   `json:"rule"`
		State       string   `json:"state"`
		Severity    string   `json:"severity"`
	}
	if topic.OfBase() { // the churn_risk of a portfolio is an object
		w.mu.Lock()
		defer w.mu.Unlock()
		w.answers[topic]++
		return nil
	}
	if err := json.Unmarshal(value, &answer); err != nil {
		return errors.Join(errUnreadable, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[topic]++
	if answer.Trigger == output.TriggerTimer.String() {
		w.byTime++
	}
	if topic == output.Alerts {
		w.alert = fmt.Sprintf("; the last one: %s %s %s (%s)", answer.Customer, answer.Rule, answer.State, answer.Severity)
	}
	s := w.byID[answer.Customer]
	if s == nil {
		return nil
	}
	switch topic {
	case output.CLV:
		s.Orders = answer.Orders
	case output.ChurnRisk:
		if s.Probability = -1; answer.Probability != nil {
			s.Probability = *answer.Probability
		}
		if at, err := time.Parse(time.RFC3339, answer.LastOrder); err == nil {
			s.LastOrder = at
		}
		if s.Risk = answer.Risk; len(s.Steps) == 0 || s.Steps[len(s.Steps)-1] != answer.Risk {
			s.Steps = append(s.Steps, answer.Risk)
		}
	default: // only counted
	}
	return nil
}

// path is the last churn risks in order.
func (s *watchedCustomer) path() string {
	const shown = 3
	return strings.Join(s.Steps[max(0, len(s.Steps)-shown):], ">")
}
