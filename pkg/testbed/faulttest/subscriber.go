package faulttest

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/output"
)

// subscription is what a CRM holds that reads committed outputs all the time, before retention takes them.
type subscription struct {
	customers map[string]*told
	causes    map[string]int // clv events by the event that caused them
	broken    []string
	ids       map[string]bool
	next      map[place]int64
	read      map[place][]seen
	alerts    map[string]string    // by episode: raised or cleared
	firing    map[[2]string]string // by customer and rule: the episode that was raised and not cleared
}

type place struct {
	topic     string
	partition int32
}

type seen struct{ offset, at int64 }

// told is what was said of a customer: the last of each kind.
type told struct {
	orders, historic, referral int64
	score, responses           int64
	class, tier                string
	total                      int64
	sequences                  []int64
}

type published struct {
	EventID   string       `json:"event_id"`
	Customer  string       `json:"customer_id"`
	Sequence  int64        `json:"sequence"`
	Cause     string       `json:"cause_event_id"`
	Historic  *json.Number `json:"historic_clv"`
	Orders    *int64       `json:"historic_number_of_orders"`
	Referral  *json.Number `json:"referral_value"`
	Total     *json.Number `json:"total_clv"`
	Tier      *string      `json:"value_tier"`
	Score     *int64       `json:"nps_score"`
	Responses *int64       `json:"response_count"`
	Class     *string      `json:"churn_risk"`
	AlertID   string       `json:"alert_id"`
	Rule      string       `json:"rule"`
	State     string       `json:"state"`
	Trigger   string       `json:"trigger"`
}

func newSubscription() *subscription {
	return &subscription{
		customers: map[string]*told{}, causes: map[string]int{}, ids: map[string]bool{}, next: map[place]int64{}, read: map[place][]seen{},
		alerts: map[string]string{}, firing: map[[2]string]string{},
	}
}

// keepListening reads outputs until the world ends.
func (w *world) keepListening() {
	for {
		time.Sleep(time.Second)
		w.mu.Lock()
		ending := w.ending
		w.mu.Unlock()
		if ending {
			return
		}
		if err := w.listen(); err != nil {
			w.mu.Lock()
			w.heard.broken = append(w.heard.broken, err.Error())
			w.mu.Unlock()
			return
		}
	}
}

// listen reads what has come since it was called last.
func (w *world) listen() error {
	for _, t := range []output.Topic{output.CLV, output.ChurnRisk, output.PromoterStatus, output.Alerts} {
		for p := range w.genesis.GetPartitions() {
			at := place{t.Name(w.cfg.Namespace), p}
			bounds, err := w.outside.Kafka.ListOffsets(w.ctx, at.topic, []int32{p})
			if err != nil {
				return err
			}
			next, err := w.outside.Kafka.ReadCommitted(w.ctx, at.topic, p, max(w.heard.next[at], bounds[p].Start), bounds[p].LastStable, func(r kafka.Record) error {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.heard.read[at] = append(w.heard.read[at], seen{r.Offset, r.Timestamp})
				return w.heard.take(t, r)
			})
			if err != nil {
				return err
			}
			w.heard.next[at] = next
		}
	}
	return nil
}

// before returns, by partition, below which offset everything was read and is older than a time.
func (s *subscription) before(at int64) map[place]int64 {
	old := map[place]int64{}
	for p, records := range s.read {
		for _, r := range records {
			if r.at < at {
				old[p] = r.offset + 1
			}
		}
	}
	return old
}

func (s *subscription) take(t output.Topic, r kafka.Record) error {
	var p published
	if err := json.Unmarshal(r.Value, &p); err != nil {
		return fmt.Errorf("output %s: %w", r.Value, err)
	}
	if s.ids[p.EventID] {
		s.broken = append(s.broken, "published twice: "+p.EventID)
	}
	s.ids[p.EventID] = true
	c := s.customers[p.Customer]
	if c == nil {
		c = &told{}
		s.customers[p.Customer] = c
	}
	c.sequences = append(c.sequences, p.Sequence)
	switch t {
	case output.CLV:
		c.historic, c.orders, c.referral = minor(p.Historic), deref(p.Orders), minor(p.Referral)
		c.total, c.tier = minor(p.Total), deref(p.Tier)
		if p.Cause != "" {
			s.causes[p.Cause]++
		}
	case output.ChurnRisk:
		c.class = deref(p.Class)
	case output.Alerts:
		s.alert(p)
	case output.PromoterStatus:
		c.score, c.responses = deref(p.Score), deref(p.Responses)
	default:
	}
	return nil
}

// alert holds what an episode may do: be raised once, then be cleared once, one at a time of a rule, and never on the first
// that is heard of somebody.
func (s *subscription) alert(p published) {
	at := [2]string{p.Customer, p.Rule}
	say := func(what string) {
		s.broken = append(s.broken, fmt.Sprintf("alert %s of %s (%s) %s", p.AlertID, p.Customer, p.Rule, what))
	}
	before := s.alerts[p.AlertID]
	switch {
	case p.State == "raised" && before != "":
		say("raised again")
	case p.State == "raised" && s.firing[at] != "":
		say("raised while " + s.firing[at] + " was not cleared")
	case p.State == "raised" && p.Trigger == "event" && isNewcomer(p.Customer):
		say("raised by a first evaluation")
	case p.State == "cleared" && before != "raised":
		say("cleared, though it was not raised: " + before)
	}
	s.alerts[p.AlertID] = p.State
	delete(s.firing, at)
	if p.State == "raised" {
		s.firing[at] = p.AlertID
	}
}

// close checks what can only be said when all has come: every customer's numbers run from 1 without a gap.
func (s *subscription) close() {
	for id, c := range s.customers {
		slices.Sort(c.sequences)
		for i, n := range c.sequences {
			if n != int64(i+1) {
				s.broken = append(s.broken, fmt.Sprintf("customer %s: sequence numbers %v", id, c.sequences))
				break
			}
		}
	}
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func minor(n *json.Number) int64 {
	if n == nil {
		return 0
	}
	f, err := n.Float64()
	if err != nil {
		return math.MinInt64
	}
	return int64(math.Round(f * 100))
}
