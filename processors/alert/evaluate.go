package alert

import (
	"math"
	"slices"

	"github.com/mainstay/mainstay/processors/churn"
	"github.com/mainstay/mainstay/processors/customer"
)

// Mode states why a customer is evaluated.
type Mode struct {
	// Baseline: neither an event of the customer nor passing time is the cause, but new parameters, thresholds or settings, or the
	// customer's first evaluation in a base without tiers. It raises no alert, and touches no episode that is waiting to fire.
	Baseline bool
	// Late: the event happened long ago. It raises no alert; published alerts are still cleared by it.
	Late bool
	// Timer: only time has passed.
	Timer bool
	// Since is the customer's deadline (ms), before which silence has crossed no threshold.
	Since int64
	// ThresholdsOnly: only the thresholds of the value tiers have changed.
	ThresholdsOnly bool
}

// Change is an episode that opened or closed.
type Change struct {
	Rule    string
	State   State
	Reason  string           // of a closed episode; see the constants
	Episode customer.Episode // as it fired

	rule  *compiled
	value float64 // of the metric now
}

// Why an episode closed.
const (
	Condition     = "condition"      // an event or passing time ended the condition
	TermsChanged  = "terms_changed"  // new parameters, thresholds or settings ended it
	RuleRemoved   = "rule_removed"   // the settings no longer have the rule
	AccountClosed = "account_closed" // the customer has closed their account
	Erased        = "erased"         // the customer is erased
	Merged        = "merged"         // the customer is merged into another
)

// State says how an episode opened or closed.
type State uint8

// The states. Only Raised, Cleared, and OpenedBaseline of an episode of kind customer.Initial are published.
const (
	Raised            State = iota // opened, and an alert is published
	Cleared                        // closed, and the clearing is published
	OpenedBaseline                 // opened by a baseline or late evaluation
	Suppressed                     // opened, and the fuse suppresses the alert
	ClosedUnpublished              // closed, of an episode that was never published
)

// String returns the state as a metric's label.
func (s State) String() string {
	return [...]string{"raised", "cleared", "baseline", "suppressed", "closed"}[s]
}

// Published reports whether the change is published.
func (c *Change) Published() bool {
	return c.State == Raised || c.State == Cleared || c.State == OpenedBaseline && c.Episode.Kind == customer.Initial
}

// tolerance makes a metric that rounding left just below a threshold meet it at the computed time of the crossing. It is far above
// rounding errors and far below the decimals of any output.
const tolerance = 1e-9

// near is the distance from a threshold within which rounding could put a probability on either side of it.
const near = 1e-6

// Evaluator opens and closes customers' episodes by the rules. It reuses memory from one evaluation to the next, and keeps nothing
// else.
type Evaluator struct {
	view

	id        string // of the customer
	rules     *Rules
	mode      Mode
	fuses     *Fuses
	customers int64
	changes   []Change
}

// Evaluate updates a customer's episodes by their scores and returns those that opened or closed; the result is valid until the
// next call. Customers is the number of customers of the partition.
func (e *Evaluator) Evaluate(rules *Rules, t *customer.Terms, m customer.Moment, id string, s *customer.State, scores Scores, mode Mode, fuses *Fuses, customers int64) []Change {
	e.view = view{Scores: scores, terms: t, m: m, customer: s}
	e.id, e.rules, e.mode, e.fuses, e.customers, e.changes = id, rules, mode, fuses, customers, e.changes[:0]
	if high(scores.Value.Tier) {
		s.Alerts.WasHighValue = true
	}
	if mode.Baseline && !mode.ThresholdsOnly {
		e.closeRetired()
	}
	for i := range rules.all {
		r := &rules.all[i]
		if !mode.ThresholdsOnly || r.metric.tiered || r.tiers != 0 {
			e.rule(r)
		}
	}
	return e.changes
}

func (e *Evaluator) rule(r *compiled) {
	a := &e.customer.Alerts
	i, open := a.Find(r.id)
	applies := r.appliesTo(&e.view)
	if !applies && !open {
		return
	}
	value := r.metric.value(&e.view)
	met := applies && r.met(&e.view, value)
	if !open {
		if !met {
			return
		}
		a.Episodes = slices.Insert(a.Episodes, i, customer.Episode{Rule: r.id})
	}
	switch x := &a.Episodes[i]; {
	case x.Phase == customer.Firing:
		// The rescoring cursor evaluates as of base time, and an entry's time may be later: an episode that began later stays.
		ahead := e.mode.Baseline && x.FiringAt > e.m.Now
		if !ahead && (!applies || !r.stays(value)) {
			e.clear(r, x, value)
		}
	case !met:
		*x = customer.Episode{Rule: r.id, Phase: customer.Cooling, CoolDownEnd: x.CoolDownEnd}
	//mutant:baseline-ends-waiting replace case false:
	case x.Phase == customer.Pending && (e.mode.Baseline || e.mode.Late): // it began by the customer's own life
	case e.mode.Baseline || e.mode.Late:
		e.fire(r, x, value, e.m.Now)
	default:
		if x.Phase != customer.Pending {
			//mutant:no-for replace x.Phase, x.FiringAt = customer.Pending, max(e.since(r), x.CoolDownEnd)
			x.Phase, x.FiringAt = customer.Pending, max(e.since(r)+r.forMS, x.CoolDownEnd)
		}
		if x.FiringAt <= e.m.Now {
			e.fire(r, x, value, x.FiringAt)
		}
	}
	if x := &a.Episodes[i]; x.Phase == customer.Cooling && x.CoolDownEnd <= e.m.Now {
		a.Episodes = slices.Delete(a.Episodes, i, i+1)
	}
}

// appliesTo reports whether the rule applies to a customer of this tier and category. To one who has closed the account only that
// they are lost does.
func (r *compiled) appliesTo(v *view) bool {
	if v.customer.Closed(v.m.Now) && r.metric.name != "high_value_lost" {
		return false
	}
	if r.tiers != 0 && r.tiers&(1<<v.Value.Tier) == 0 {
		return false
	}
	return r.categories == 0 || r.categories&(1<<v.Promoter.Category) != 0
}

// met reports whether the metric meets the threshold. With a rule on values below it, a metric that silence raises must be strictly
// below, so that its crossing has a definite time.
func (r *compiled) met(v *view, value float64) bool {
	switch {
	case !r.Below && r.metric.unit == probability:
		if math.Abs(value-r.at) < near { // the computed time of the crossing decides, to the ms
			at, ok := r.metric.crosses(v, r.at)
			return ok && v.m.Now >= at
		}
		return value >= r.at && !churn.Graced(v.terms, v.m, v.Risk)
	case !r.Below:
		return value >= r.at-tolerance
	case r.metric.crosses != nil:
		return value < r.at-tolerance
	}
	return value <= r.at+tolerance
}

// stays reports whether a firing episode continues: the metric has not crossed the clear threshold. A clear threshold at a bound
// that the metric cannot cross is crossed at the bound.
func (r *compiled) stays(value float64) bool {
	switch {
	case !r.Below && r.clear == 0 && !r.metric.negative:
		return value > tolerance
	case r.Below && r.Clear == r.metric.most && r.metric.bounded:
		return value < r.clear-tolerance
	case !r.Below:
		return value >= r.clear-tolerance
	case r.metric.crosses != nil:
		return value < r.clear-tolerance
	}
	return value <= r.clear+tolerance
}

// fallsTo returns the level at which a metric of whole numbers that silence lowers ends a firing episode of the rule, or begins one.
func (r *compiled) fallsTo(firing bool) float64 {
	if firing {
		return max(0, math.Ceil(r.clear-tolerance)-1)
	}
	return r.at
}

// since returns the time at which the metric met the threshold: now if an event caused it, the computed time if silence did.
func (e *Evaluator) since(r *compiled) int64 {
	meets := r.metric.crosses
	if r.Below {
		meets = r.metric.falls
	}
	if !e.mode.Timer || meets == nil {
		return e.m.Now
	}
	at, ok := meets(&e.view, r.at)
	if !ok {
		return e.m.Now
	}
	return min(max(at, e.mode.Since), e.m.Now)
}

func (e *Evaluator) fire(r *compiled, x *customer.Episode, value float64, at int64) {
	a := &e.customer.Alerts
	a.Opened++
	*x = customer.Episode{Rule: r.id, Phase: customer.Firing, FiringAt: at, Number: a.Opened, Value: r.keep(value), Group: e.rules.groups.of(r.Name, e.id)}
	c := Change{Rule: r.Name, rule: r, value: value}
	switch {
	case (e.mode.Baseline || e.mode.Late) && e.rules.PublishBase:
		x.Kind, c.State = customer.Initial, OpenedBaseline
	case e.mode.Baseline || e.mode.Late:
		x.Kind, c.State = customer.Baseline, OpenedBaseline
	case !e.fuses.allow(r.id, e.hour(at), e.rules.limit(e.customers)):
		x.Kind, c.State = customer.Suppressed, Suppressed
	default:
		x.Kind, c.State = customer.Published, Raised
	}
	c.Episode = *x
	e.changes = append(e.changes, c)
}

func (e *Evaluator) clear(r *compiled, x *customer.Episode, value float64) {
	c := Change{Rule: r.Name, rule: r, value: value, State: ClosedUnpublished, Reason: e.reason(), Episode: *x}
	cool := int64(0)
	//mutant:terms-clear-silently if x.Kind.WasPublished() && !e.mode.Baseline
	if x.Kind.WasPublished() {
		c.State = Cleared
		//mutant:no-cool-down replace cool = e.m.Now
		cool = e.m.Now + r.coolMS
	}
	*x = customer.Episode{Rule: r.id, Phase: customer.Cooling, CoolDownEnd: cool}
	e.changes = append(e.changes, c)
}

func (e *Evaluator) reason() string {
	switch {
	case e.customer.Closed(e.m.Now):
		return AccountClosed
	case e.mode.Baseline:
		return TermsChanged
	}
	return Condition
}

// closeRetired drops the episodes of rules that the settings no longer have. Those that were published are cleared.
func (e *Evaluator) closeRetired() {
	e.customer.Alerts.Episodes = slices.DeleteFunc(e.customer.Alerts.Episodes, func(x customer.Episode) bool {
		if e.rules.find(x.Rule) != nil {
			return false
		}
		if r := e.rules.retiredRule(x.Rule); r != nil && x.Phase == customer.Firing {
			c := Change{Rule: r.Name, rule: r, value: r.metric.value(&e.view), State: ClosedUnpublished, Reason: RuleRemoved, Episode: x}
			//mutant:removed-rule-clears-silently if false
			if x.Kind.WasPublished() {
				c.State = Cleared
			}
			e.changes = append(e.changes, c)
		}
		return true
	})
}

// CloseAll closes all of a customer's episodes for a reason and returns those that fired, those of removed rules included. Those that were
// published are cleared. The result is valid until the next call.
func (e *Evaluator) CloseAll(rules *Rules, t *customer.Terms, m customer.Moment, s *customer.State, scores Scores, reason string) []Change {
	e.view = view{Scores: scores, terms: t, m: m, customer: s}
	e.rules, e.changes = rules, e.changes[:0]
	for _, x := range s.Alerts.Episodes {
		r := rules.find(x.Rule)
		if r == nil {
			r = rules.retiredRule(x.Rule)
		}
		if r == nil || x.Phase != customer.Firing {
			continue
		}
		c := Change{Rule: r.Name, rule: r, value: r.metric.value(&e.view), State: ClosedUnpublished, Reason: reason, Episode: x}
		//mutant:erased-alerts-stay-open if false
		if x.Kind.WasPublished() {
			c.State = Cleared
		}
		e.changes = append(e.changes, c)
	}
	s.Alerts.Episodes = nil
	return e.changes
}

// hour returns the hour of the ledger to which an alert counts: at most that of base time, since an event's time may be later.
func (e *Evaluator) hour(at int64) int64 {
	if e.m.Based {
		at = min(at, e.m.Base)
	}
	return at / 3_600_000
}

// Next returns the time (ms) at which silence next opens or closes an episode of the customer evaluated last, as far as that is
// known in closed form; 0: never. Crossings of the churn probability at or above moved are left out: the deadline of churn comes
// before them, and the customer is evaluated then. A moved of 1 leaves none out.
func (e *Evaluator) Next(moved float64) int64 {
	v, m, s := &e.view, e.m, e.customer
	next := int64(0)
	consider := func(at int64) {
		if at > m.Now && (next == 0 || at < next) {
			next = at
		}
	}
	for i := range e.rules.all {
		r := &e.rules.all[i]
		phase := customer.Phase(0)
		if len(s.Alerts.Episodes) > 0 {
			if j, open := s.Alerts.Find(r.id); open {
				if phase = s.Alerts.Episodes[j].Phase; phase == customer.Pending {
					consider(s.Alerts.Episodes[j].FiringAt)
				}
			}
		}
		if r.categories != 0 && r.categories&(1<<v.Promoter.Category) == 0 {
			continue
		}
		firing := phase == customer.Firing
		if r.metric.falls != nil && firing != r.Below && phase != customer.Pending {
			//mutant:active-days-fall-late delete
			if at, ok := r.metric.falls(v, r.fallsTo(firing)); ok {
				consider(at)
			}
		}
		if r.metric.crosses == nil {
			continue
		}
		level := r.at
		switch {
		case firing != r.Below, phase == customer.Pending:
			continue // silence does not change it
		case r.Below:
			level = r.clear
		}
		if r.metric.unit == probability && level >= moved && moved < 1 {
			continue
		}
		if at, ok := r.metric.crosses(v, level); ok {
			consider(at)
		}
	}
	return next
}
