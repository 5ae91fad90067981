package processors

import (
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/churn"
	"github.com/mainstay/mainstay/processors/clv"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/promoter"
	"github.com/mainstay/mainstay/schemas/output"
)

// AlertCount is an episode that opened or closed. It feeds the metrics.
type AlertCount struct {
	Rule  string
	State string // raised, cleared, baseline, suppressed, closed
}

// evaluateAlerts opens and closes the customer's episodes by the scores in scratch, and publishes what subscribers are to know.
// It returns when silence next opens or closes one, ms; 0: never.
func (s *step) evaluateAlerts(m customer.Moment, c *subject, trigger output.Trigger, cause string) int64 {
	x := &s.scratch.scores
	s.evaluate(m, c, trigger, cause, &x.previous, s.alertMode(m, c.state, trigger))
	s.state.noteEvaluated(&c.state.Alerts)
	moved := 1.0
	if x.risk.Known() && c.state.LastPublished.Probability >= 0 {
		moved = churn.MovedTo(&s.p.terms, &c.state.LastPublished)
	}
	return s.scratch.evaluator.Next(moved)
}

func (s *step) evaluate(m customer.Moment, c *subject, trigger output.Trigger, cause string, previous *customer.LastPublished, mode alert.Mode) {
	p, x := s.p, s.scratch
	s.publishAlerts(m, c, trigger, cause, previous, x.evaluator.Evaluate(&p.rules, &p.terms, m, c.id, c.state, x.scores.forAlerts(), mode, &s.state.fuses, s.state.totals.Known))
}

// publishAlerts publishes what subscribers are to know of the changes that the evaluator has returned.
func (s *step) publishAlerts(m customer.Moment, c *subject, trigger output.Trigger, cause string, previous *customer.LastPublished, changes []alert.Change) {
	x, w := s.scratch, &s.scratch.writer
	for i := range changes {
		change := &changes[i]
		x.alertCounts = append(x.alertCounts, AlertCount{change.Rule, change.State.String()})
		if !change.Published() {
			continue
		}
		w.alert.About = w.aboutCustomer(m, c, trigger, cause)
		w.alert.AlertID = alert.ID(s.state.genesis.GetLedgerId(), c.id, change.Episode.Number)
		x.evaluator.Describe(change, previous, &w.alert)
		w.write(output.Alerts, w.alert.Type(), &w.alert.About, w.appendAlert)
	}
}

// alertMode returns why the customer is evaluated after an entry. By then they have been evaluated under the terms in force, unless
// this entry is their first: a customer who appears counts as having been on the other side of every threshold, except in a base
// so small that it has no tiers, where all customers are new.
func (s *step) alertMode(m customer.Moment, c *customer.State, trigger output.Trigger) alert.Mode {
	switch trigger {
	case output.TriggerThresholds, output.TriggerParameters, output.TriggerSettings:
		// Tiers depend on the published tier too, so they may move only now.
		return alert.Mode{Baseline: true, ThresholdsOnly: true}
	case output.TriggerMerge: // the customer has done nothing
		return alert.Mode{Baseline: true}
	case output.TriggerTimer:
		return alert.Mode{Timer: true, Since: c.Next}
	default:
	}
	return alert.Mode{
		//mutant:first-evaluation-raises replace Baseline: false
		//mutant:first-evaluation-silent replace Baseline: c.Alerts.Terms == 0
		Baseline: c.Alerts.Terms == 0 && !s.p.terms.HasTiers(),
		//mutant:late-history-raises replace Late: false
		Late: s.isHistory(m),
	}
}

// isHistory reports whether what the entry reports happened so long before now that it raises no alerts.
func (s *step) isHistory(m customer.Moment) bool {
	return s.occurredAt != 0 && m.Now-s.occurredAt > s.p.rules.LateMS
}

// evaluatedUnderTerms reports whether the customer's alerts were last evaluated under the terms in force.
func (s *partitionState) evaluatedUnderTerms(c *customer.State) bool {
	//mutant:thresholds-raise replace return c.Alerts.Terms == s.alertTerms+1
	return c.Alerts.Terms == s.alertTerms+1 && c.Alerts.Thresholds == s.thresholds.GetVersion()
}

func (s *partitionState) noteEvaluated(a *customer.Alerts) {
	a.Terms, a.Thresholds = s.alertTerms+1, s.thresholds.GetVersion()
}

// evaluateChangedTerms evaluates a customer whose alerts were last evaluated under other terms, as of the change. It publishes only
// the clearing of alerts that were published. What an event or passing time crosses afterwards is a crossing of the customer's own, and raises an alert. So it runs
// before the customer's timers.
func (s *step) evaluateChangedTerms(m customer.Moment, c *subject) {
	p, a := s.p, &c.state.Alerts
	if !c.known || a.Terms == 0 || s.state.evaluatedUnderTerms(c.state) {
		return
	}
	last := &c.state.LastPublished
	mode := alert.Mode{Baseline: true, ThresholdsOnly: a.Terms == s.state.alertTerms+1}
	//mutant:refit-raises insert mode.Baseline = false
	if mode.ThresholdsOnly {
		if tier, _ := clv.TierOf(&p.terms, s.rankedFrom(last)); tier == last.Tier && !p.rules.Percentiles() {
			s.state.noteEvaluated(a)
			return
		}
	} else { // also where the entry's time is before the change
		m = p.terms.At(s.state.alertSince, m.Base, m.Based)
	}
	x := &s.scratch.scores
	x.value, x.risk, x.status = clv.Score(&p.terms, m, c.state, s.rankedFrom(last)), churn.Score(&p.terms, m, c.state), promoter.Score(&p.terms, m, c.state)
	if !mode.ThresholdsOnly {
		//mutant:refit-makes-dormant delete
		c.state.NoteAway(isAway(x.risk.Class))
	}
	trigger := s.state.rescoringTrigger()
	if mode.ThresholdsOnly {
		trigger = output.TriggerThresholds
	}
	s.evaluate(m, c, trigger, "", last, mode)
	s.state.noteEvaluated(a)
	if next := s.scratch.evaluator.Next(1); next != 0 {
		c.state.Next = earliest(c.state.Next, next)
	}
}

// scores are those of the customer scored last, and what was published of the customer before.
type scores struct {
	value    clv.Value
	risk     churn.Risk
	status   promoter.Status
	previous customer.LastPublished
}

func (x *scores) forAlerts() alert.Scores {
	return alert.Scores{Value: &x.value, Risk: &x.risk, Promoter: &x.status}
}

// OpenAlert is an episode that fires.
type OpenAlert struct {
	Customer string `json:"customer_id"`
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	AlertID  string `json:"alert_id"`
	State    string `json:"state"` // raised, baseline, initial, suppressed
	Group    string `json:"group"` // treated, control; empty: there were no groups
	RaisedAt int64  `json:"-"`
}

// IsControl reports whether nobody is to act on the alert.
func (a *OpenAlert) IsControl() bool { return a.Group == customer.Control.String() }

// Published reports whether an output raised the alert.
func (a *OpenAlert) Published() bool {
	return a.State == customer.Published.String() || a.State == customer.Initial.String()
}

// OpenAlerts returns a customer's firing episodes, in the order of the rules in the settings.
func OpenAlerts(p *Partition, id string, s *customer.State) []OpenAlert {
	var all []OpenAlert
	p.rules.Firing(&s.Alerts, func(r *alert.Rule, e *customer.Episode) {
		all = append(all, OpenAlert{
			Customer: id, Rule: r.Name, Severity: r.Severity, AlertID: alert.ID(p.state.genesis.GetLedgerId(), id, e.Number),
			State: e.Kind.String(), Group: e.Group.String(), RaisedAt: e.FiringAt,
		})
	})
	return all
}
