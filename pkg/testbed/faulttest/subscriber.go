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

// subscriber holds what a subscriber would know that reads the committed outputs all the time, before retention deletes them.
type subscriber struct {
	customers      map[string]*lastPublished
	outputsByCause map[string]int // clv outputs by the event of the customer that caused them
	problems       []string
	ids            map[string]bool // of all outputs
	next           map[topicPartition]int64
	read           map[topicPartition][]outputRecord
	alerts         map[string]string    // by alert id: raised or cleared
	firing         map[[2]string]string // by customer and rule: the alert that was raised and not cleared
	groupOf        func(rule, customer string) string
	causes         map[string][]string // by customer: the events in outputsByCause
	erased         map[topicKey]int    // how often customer.erased was read
	sequences      map[life][]int64    // read so far
	tombstoneDue   map[topicKey]bool   // customer.erased was read, and no tombstone yet
}

type topicPartition struct {
	topic     string
	partition int32
}

// topicKey is a customer in a topic.
type topicKey struct {
	topic output.Topic
	key   string
}

type outputRecord struct{ offset, timestamp int64 }

// lastPublished is what the last output of each kind says of a customer.
type lastPublished struct {
	orders, historic, referral int64
	score, responses           int64
	milestones                 map[string]bool // by id
	class, tier                string
	total                      int64
}

// published has the fields of all kinds of output.
type published struct {
	EventID   string       `json:"event_id"`
	EventType string       `json:"event_type"`
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
	Group     string       `json:"group"`
	State     string       `json:"state"`
	Trigger   string       `json:"trigger"`
	Milestone string       `json:"milestone_id"`
}

// answerTopics are the topics that the subscriber reads.
func answerTopics() []output.Topic {
	return []output.Topic{output.CLV, output.ChurnRisk, output.PromoterStatus, output.Alerts, output.Milestones}
}

func newSubscriber() *subscriber {
	return &subscriber{
		customers: map[string]*lastPublished{}, outputsByCause: map[string]int{}, ids: map[string]bool{},
		next: map[topicPartition]int64{}, read: map[topicPartition][]outputRecord{},
		alerts: map[string]string{}, firing: map[[2]string]string{},
		causes: map[string][]string{}, erased: map[topicKey]int{}, tombstoneDue: map[topicKey]bool{}, sequences: map[life][]int64{},
	}
}

// followOutputs reads the outputs once a second until the world shuts down.
func (w *world) followOutputs() {
	for {
		time.Sleep(time.Second)
		w.mu.Lock()
		shuttingDown := w.shuttingDown
		w.mu.Unlock()
		if shuttingDown {
			return
		}
		if err := w.readOutputs(); err != nil {
			w.mu.Lock()
			w.subscriber.problems = append(w.subscriber.problems, err.Error())
			w.mu.Unlock()
			return
		}
	}
}

// readOutputs reads what was published since the last call.
func (w *world) readOutputs() error {
	for _, t := range answerTopics() {
		for n := range w.genesis.GetPartitions() {
			p := topicPartition{t.Name(w.cfg.Namespace), n}
			bounds, err := w.client.Kafka.ListOffsets(w.ctx, p.topic, []int32{n})
			if err != nil {
				return err
			}
			next, err := w.client.Kafka.ReadCommitted(w.ctx, p.topic, n, max(w.subscriber.next[p], bounds[n].Start), bounds[n].LastStable, func(r kafka.Record) error {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.subscriber.read[p] = append(w.subscriber.read[p], outputRecord{r.Offset, r.Timestamp})
				var err error
				if r.Value, err = w.openOutput(r.Value); err != nil {
					return err
				}
				return w.subscriber.apply(t, r)
			})
			if err != nil {
				return err
			}
			w.subscriber.next[p] = next
		}
	}
	return nil
}

// life is a customer's time up to an erasure: the first is 0. With each the sequence begins again.
type life struct {
	customer string
	number   int
}

// olderThan returns for each partition the offset below which everything was read and is older than a time (ms).
func (s *subscriber) olderThan(ms int64) map[topicPartition]int64 {
	old := map[topicPartition]int64{}
	for p, records := range s.read {
		for _, r := range records {
			if r.timestamp < ms {
				old[p] = r.offset + 1
			}
		}
	}
	return old
}

// apply takes over an output record.
func (s *subscriber) apply(t output.Topic, r kafka.Record) error {
	at := topicKey{t, string(r.Key)}
	if due := s.tombstoneDue[at]; due != (r.Value == nil) {
		s.problems = append(s.problems, fmt.Sprintf("%s of customer %s: tombstone %t, want %t", t, r.Key, r.Value == nil, due))
	}
	delete(s.tombstoneDue, at)
	if r.Value == nil {
		return nil
	}
	var p published
	if err := json.Unmarshal(r.Value, &p); err != nil {
		return fmt.Errorf("output %s: %w", r.Value, err)
	}
	if s.ids[p.EventID] {
		s.problems = append(s.problems, "published twice: "+p.EventID)
	}
	s.ids[p.EventID] = true
	c := s.customers[p.Customer]
	if c == nil {
		c = &lastPublished{}
		s.customers[p.Customer] = c
	}
	alive := life{p.Customer, s.erased[at]}
	s.sequences[alive] = append(s.sequences[alive], p.Sequence)
	if p.EventType == output.TypeErased || p.EventType == output.TypeMerged {
		s.erased[at]++
		s.tombstoneDue[at] = true
		s.forget(t, p.Customer, c)
		if t == output.CLV && p.EventType == output.TypeErased {
			s.forgetCauses(p.Customer)
		}
		return nil
	}
	switch t {
	case output.CLV:
		c.historic, c.orders, c.referral = minor(p.Historic), deref(p.Orders), minor(p.Referral)
		c.total, c.tier = minor(p.Total), deref(p.Tier)
		if p.Cause != "" && p.Trigger == "event" { // not the credits that it causes
			s.outputsByCause[p.Cause]++
			s.causes[p.Customer] = append(s.causes[p.Customer], p.Cause)
		}
	case output.ChurnRisk:
		c.class = deref(p.Class)
	case output.Alerts:
		s.alert(p)
	case output.Milestones:
		if c.milestones[p.Milestone] {
			s.problems = append(s.problems, fmt.Sprintf("milestone %s of customer %s came again", p.Milestone, p.Customer))
		}
		if c.milestones == nil {
			c.milestones = map[string]bool{}
		}
		c.milestones[p.Milestone] = true
	case output.PromoterStatus:
		c.score, c.responses = deref(p.Score), deref(p.Responses)
	default:
	}
	return nil
}

// forgetCauses drops what the events of a customer have caused.
func (s *subscriber) forgetCauses(id string) {
	for _, cause := range s.causes[id] {
		delete(s.outputsByCause, cause)
	}
	delete(s.causes, id)
}

// forget drops what a topic holds of a customer who was erased or merged.
func (s *subscriber) forget(t output.Topic, id string, c *lastPublished) {
	switch t {
	case output.CLV:
		c.historic, c.orders, c.referral, c.total, c.tier = 0, 0, 0, 0, ""
	case output.ChurnRisk:
		c.class = ""
	case output.PromoterStatus:
		c.score, c.responses = 0, 0
	case output.Milestones:
		c.milestones = nil
	case output.Alerts:
		for rule, alert := range s.firing {
			if rule[0] == id {
				s.problems = append(s.problems, fmt.Sprintf("alert %s is open, and its customer %s is erased or merged", alert, id))
			}
		}
	default:
	}
}

// alert checks the rules of alerts: each is raised once and then cleared once, and only one of a rule is raised at a time.
func (s *subscriber) alert(p published) {
	rule := [2]string{p.Customer, p.Rule}
	report := func(what string) {
		s.problems = append(s.problems, fmt.Sprintf("alert %s of %s (%s) %s", p.AlertID, p.Customer, p.Rule, what))
	}
	if want := s.groupOf(p.Rule, p.Customer); p.Group != want {
		report("is of group " + p.Group + " and not of " + want)
	}
	before := s.alerts[p.AlertID]
	switch {
	case p.State == "raised" && before != "":
		report("raised again")
	case p.State == "raised" && s.firing[rule] != "":
		report("raised while " + s.firing[rule] + " was not cleared")
	case p.State == "cleared" && before != "raised":
		report("cleared without being raised: " + before)
	}
	s.alerts[p.AlertID] = p.State
	delete(s.firing, rule)
	if p.State == "raised" {
		s.firing[rule] = p.AlertID
	}
}

// checkSequences checks, after everything was read, that each customer's sequence numbers run from 1 without a gap, and that every
// topic has a record of every erasure.
func (s *subscriber) checkSequences() {
	for of, numbers := range s.sequences {
		slices.Sort(numbers)
		for i, n := range numbers {
			if n != int64(i+1) {
				s.problems = append(s.problems, fmt.Sprintf("customer %s, life %d: sequence numbers %v", of.customer, of.number, numbers))
				break
			}
		}
	}
	for at, n := range s.erased {
		for _, t := range answerTopics() {
			if other := s.erased[topicKey{t, at.key}]; other != n {
				s.problems = append(s.problems, fmt.Sprintf("customer %s was erased %d times in %s, %d times in %s", at.key, n, at.topic, other, t))
			}
		}
	}
	for at := range s.tombstoneDue {
		s.problems = append(s.problems, fmt.Sprintf("%s of customer %s: no tombstone", at.topic, at.key))
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
