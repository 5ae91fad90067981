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

// watch looks at the answers as they go by, as any reader of the topics can.
type watch struct {
	d *demo

	mu      sync.Mutex
	now     time.Time // simulated
	events  int64
	answers [output.Topics]int64
	silence int64 // answers that no event caused
	alert   string
	silent  []*silent
	byID    map[string]*silent
}

// silent is a customer who falls silent while we watch.
type silent struct {
	ID          string
	Orders      int       // that stand, as said
	LastOrder   time.Time // as said
	Gone        time.Time // the truth
	Probability float64   // -1: unknown
	Risk        string
	Steps       []string // risks, as they were said one after the other
}

// rows of customers that are watched.
const watchedCustomers = 6

// newWatch chooses whom to watch by the shop's truth: regular customers who will be lost in the middle of the time.
func newWatch(d *demo) *watch {
	w := &watch{d: d, byID: map[string]*silent{}, now: d.end.Add(-time.Duration(d.Days) * day)}
	span := time.Duration(d.Days) * day
	from, to := d.end.Add(-span*7/10), d.end.Add(-span/4)
	type candidate struct {
		s      silent
		orders int
	}
	var all []candidate
	for _, c := range d.truth.Customers {
		if !c.LostAt.IsZero() && c.LostAt.After(from) && c.LostAt.Before(to) {
			all = append(all, candidate{silent{ID: c.ID, Gone: c.LostAt}, len(c.Orders)})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.orders, a.orders) })
	for _, c := range all[:min(len(all), watchedCustomers)] {
		s := c.s
		w.silent = append(w.silent, &s)
		w.byID[s.ID] = &s
	}
	slices.SortFunc(w.silent, func(a, b *silent) int { return a.Gone.Compare(b.Gone) })
	return w
}

// at says how far the shop is.
func (w *watch) at(now time.Time, events int64) {
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
	err := t.Run(ctx, w.d.app.Kafka, func(s inspect.Seen) error { return w.see(topics[s.Topic], s.Value) })
	if ctx.Err() != nil && !errors.Is(err, errAnswer) {
		return nil
	}
	return err
}

var errAnswer = errors.New("an answer that cannot be read")

func (w *watch) see(topic output.Topic, value []byte) error {
	var said struct {
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
	if topic == output.Portfolio { // has another churn_risk
		w.mu.Lock()
		defer w.mu.Unlock()
		w.answers[topic]++
		return nil
	}
	if err := json.Unmarshal(value, &said); err != nil {
		return errors.Join(errAnswer, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[topic]++
	if said.Trigger == output.TriggerTimer.String() {
		w.silence++
	}
	if topic == output.Alerts {
		w.alert = fmt.Sprintf("; the last one: %s %s %s (%s)", said.Customer, said.Rule, said.State, said.Severity)
	}
	s := w.byID[said.Customer]
	if s == nil {
		return nil
	}
	switch topic {
	case output.CLV:
		s.Orders = said.Orders
	case output.ChurnRisk:
		if s.Probability = -1; said.Probability != nil {
			s.Probability = *said.Probability
		}
		if at, err := time.Parse(time.RFC3339, said.LastOrder); err == nil {
			s.LastOrder = at
		}
		if s.Risk = said.Risk; len(s.Steps) == 0 || s.Steps[len(s.Steps)-1] != said.Risk {
			s.Steps = append(s.Steps, said.Risk)
		}
	default: // are counted only
	}
	return nil
}

// path is the way that the risk has taken.
func (s *silent) path() string {
	const shown = 3
	return strings.Join(s.Steps[max(0, len(s.Steps)-shown):], ">")
}
