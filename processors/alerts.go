package processors

import (
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/churn"
	"github.com/mainstay/mainstay/processors/clv"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/promoter"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// AlertCount is an episode that opened or closed, for those who count.
type AlertCount struct {
	Rule  string
	State string // raised, cleared, baseline, suppressed, closed
}

// alerts moves the customer's episodes to where his scores have them, and says what opened or closed. It returns when silence
// next moves one, ms; 0: never.
func (s *step) alerts(m customer.Moment, c *subject, trigger output.Trigger, cause string) int64 {
	p, a := s.Partition, &c.state.Alerts
	mode := alert.Mode{
		//mutant:first-evaluation-raises replace Silent: trigger == output.TriggerRefit
		//mutant:terms-raise,thresholds-raise replace Silent: !p.evaluated(c.state)
		Silent: trigger == output.TriggerRefit || !p.evaluated(c.state),
		Timer:  trigger == output.TriggerTimer, Since: c.state.Next,
		//mutant:late-history-raises replace Late: false
		Late: trigger == output.TriggerEvent && s.late(m),
	}
	x := &s.voice.scored
	s.evaluate(m, c, trigger, cause, x.scores(), &x.before, mode)
	p.stamp(a)
	moved := 1.0
	if x.risk.Known() && c.state.Said.Probability >= 0 {
		moved = churn.MovedTo(&p.terms, &c.state.Said)
	}
	return s.voice.evaluator.Next(moved)
}

func (s *step) evaluate(m customer.Moment, c *subject, trigger output.Trigger, cause string, scores alert.Scores, before *customer.Said, mode alert.Mode) {
	p, v := s.Partition, &s.voice
	changes := v.evaluator.Evaluate(&p.rules, &p.terms, m, c.state, scores, mode, &p.fuses, p.totals.Customers)
	for i := range changes {
		change := &changes[i]
		v.counts = append(v.counts, AlertCount{change.Rule, change.State.String()})
		if !change.Said() {
			continue
		}
		v.alert.About = v.about(m, c, trigger, cause)
		v.alert.AlertID = alert.ID(p.genesis.GetLedgerId(), c.id, change.Episode.Number)
		v.evaluator.Describe(change, before, s.reason(trigger), &v.alert)
		v.say(output.Alerts, v.alert.Type(), &v.alert.About, v.appendAlert)
	}
}

// reason is why an episode is over, by what is folded.
func (s *step) reason(trigger output.Trigger) string {
	switch {
	case trigger == output.TriggerTimer:
		return "time"
	case trigger == output.TriggerRefit:
		return "refit"
	case s.entry.GetKind() == ledger.Kind_KIND_CREDIT:
		return "referral_credit"
	}
	return kindOf(&s.Partition.event.event)
}

// late says that the event folded is history by now: its state is right at once, its alerts are old.
func (s *step) late(m customer.Moment) bool {
	return s.entry.GetKind() == ledger.Kind_KIND_EVENT && m.Now-s.Partition.event.event.GetOccurredAt() > s.rules.LateMS
}

// evaluated says that the customer's alerts were last looked at under the terms that hold.
func (p *Partition) evaluated(c *customer.State) bool {
	//mutant:thresholds-raise replace return c.Alerts.Terms == p.alertTerms+1
	return c.Alerts.Terms == p.alertTerms+1 && c.Alerts.Thresholds == p.thresholds.GetVersion()
}

func (p *Partition) stamp(a *customer.Alerts) {
	a.Terms, a.Thresholds = p.alertTerms+1, p.thresholds.GetVersion()
}

// rebase evaluates a customer silently under terms that have changed since he was evaluated last, as he stood when they
// changed. What an event or passing time then crosses is of his own life, and is said. It runs before his timers.
func (s *step) rebase(m customer.Moment, c *subject) {
	p, a := s.Partition, &c.state.Alerts
	if !c.known || a.Terms == 0 || p.evaluated(c.state) {
		return
	}
	c.rebased = true
	said := &c.state.Said
	mode := alert.Mode{Silent: true, Tiered: a.Terms == p.alertTerms+1}
	//mutant:refit-raises insert mode.Silent = false
	if mode.Tiered {
		if tier, _ := clv.Standing(&p.terms, said); tier == said.Tier && !p.rules.Percentiles() {
			p.stamp(a)
			return
		}
	} else { // also where the entry is of before that
		m = p.terms.At(p.alertSince, m.Base, m.Based)
	}
	x := &s.voice.scored
	x.value, x.risk, x.voice = clv.Score(&p.terms, m, c.state, said), churn.Score(&p.terms, m, c.state), promoter.Score(&p.terms, m, c.state)
	s.evaluate(m, c, output.TriggerRefit, "", x.scores(), said, mode)
	p.stamp(a)
	if next := s.voice.evaluator.Next(1); next != 0 {
		c.state.Next = soonest(c.state.Next, next)
	}
}

// scored are the scores of the customer in hand, and what was said of him before.
type scored struct {
	value  clv.Answer
	risk   churn.Answer
	voice  promoter.Answer
	before customer.Said
}

func (x *scored) scores() alert.Scores {
	return alert.Scores{Value: &x.value, Risk: &x.risk, Voice: &x.voice}
}

// changed notes that parameters or settings have changed, by which every customer is evaluated anew.
func (p *Partition) changed(at int64) {
	//mutant:terms-raise delete
	p.alertTerms++
	p.alertSince = max(p.alertSince, at)
}

// Fuses calls each for every rule whose alerts are held back in the hour of base time.
func (p *Partition) Fuses(each func(rule string)) {
	at := p.base
	if !p.based {
		at = p.latest
	}
	p.fuses.Open(at, func(rule uint32) { each(p.rules.Name(rule)) })
}

// OpenAlert is an episode that fires.
type OpenAlert struct {
	Customer string `json:"customer_id"`
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	AlertID  string `json:"alert_id"`
	State    string `json:"state"` // raised, baseline, initial, suppressed
	RaisedAt int64  `json:"-"`
}

// OpenAlerts are a customer's, by rule as they stand in the settings.
func OpenAlerts(p *Partition, id string, s *customer.State) []OpenAlert {
	var all []OpenAlert
	p.rules.Firing(&s.Alerts, func(r *alert.Rule, e *customer.Episode) {
		all = append(all, OpenAlert{
			Customer: id, Rule: r.Name, Severity: r.Severity, AlertID: alert.ID(p.genesis.GetLedgerId(), id, e.Number),
			State: e.Kind.String(), RaisedAt: e.At,
		})
	})
	return all
}
