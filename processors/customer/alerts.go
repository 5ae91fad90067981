package customer

import "github.com/mainstay/mainstay/schemas/state"

// Alerts is the state of a customer's alerts.
type Alerts struct {
	// Terms is 1 plus the number of changes of parameters and settings before the last evaluation; 0: never evaluated.
	Terms uint64
	// Thresholds is the version of the thresholds at the last evaluation.
	Thresholds uint64
	// Opened is the number of the episode that has fired last; the next one has the next number.
	Opened uint64
	// WasHighValue is true if the customer was ever in top_10 or top_20.
	WasHighValue bool
	// Episodes are those that are pending, firing or cooling down, in the order of Rule. Others are dropped.
	Episodes []Episode
}

// Episode is the episode of one rule for one customer.
type Episode struct {
	// Rule is the hash of the rule's name.
	Rule uint32
	// Phase is pending, firing or cooling down.
	Phase Phase
	// Kind says how a firing episode was opened, and so whether subscribers know of it.
	Kind Kind
	// FiringAt is the time (ms) at which a pending episode will fire or a firing one has fired.
	FiringAt int64
	// CoolDownEnd is the time (ms) at which the cool-down ends; 0: there is none.
	CoolDownEnd int64
	// Number numbers the episodes of the customer that have fired, from 1.
	Number uint64
	// Value is the metric when the episode fired: minor units of an amount, ten thousandths of anything else.
	Value int64
	// Group is the customer's group when the episode fired.
	Group Group
}

// Phase is the phase of an episode.
type Phase uint8

// The phases.
const (
	Pending Phase = iota + 1
	Firing
	Cooling
)

// Kind says how a firing episode was opened.
type Kind uint8

// The kinds.
const (
	Published  Kind = iota + 1 // an alert was published
	Baseline                   // opened by a baseline or late evaluation, not published
	Initial                    // like Baseline, but published, since alerts.publish_baseline is set
	Suppressed                 // the fuse suppressed the alert
)

// String returns the kind as it is listed.
func (k Kind) String() string {
	return [...]string{"", "raised", "baseline", "initial", "suppressed"}[k]
}

// WasPublished reports whether an alert was published for the episode, so that subscribers know of it.
func (k Kind) WasPublished() bool { return k == Published || k == Initial }

// Group says whether anybody is to act on an episode. What treated customers do is compared with what those in control do.
type Group uint8

// The groups. Without a control share, episodes have none.
const (
	Treated Group = iota + 1
	Control
)

// String returns the group as outputs name it; empty: there is none.
func (g Group) String() string {
	return [...]string{"", "treated", "control"}[g]
}

// Find returns the index of a rule's episode, or the index at which to insert it and false.
func (a *Alerts) Find(rule uint32) (int, bool) {
	for i := range a.Episodes { // rarely more than two
		if at := a.Episodes[i].Rule; at >= rule {
			return i, at == rule
		}
	}
	return len(a.Episodes), false
}

func (s *State) writeAlerts(w *state.Alerts) {
	a := &s.Alerts
	*w = state.Alerts{Terms: a.Terms, Thresholds: a.Thresholds, Opened: a.Opened, WasHighValue: a.WasHighValue, Episodes: w.Episodes[:0]}
	for i := range a.Episodes {
		e := &a.Episodes[i]
		w.Episodes = append(w.Episodes, &state.Episode{
			Rule: e.Rule, Phase: uint32(e.Phase), Kind: uint32(e.Kind), FiringAt: e.FiringAt, CoolDownEnd: e.CoolDownEnd, Number: e.Number, Value: e.Value,
			Group: uint32(e.Group),
		})
	}
}

func (s *State) readAlerts(w *state.Alerts) {
	s.Alerts = Alerts{Terms: w.GetTerms(), Thresholds: w.GetThresholds(), Opened: w.GetOpened(), WasHighValue: w.GetWasHighValue()}
	for _, e := range w.GetEpisodes() {
		//mutant:episodes-lost-on-reclaim insert continue
		s.Alerts.Episodes = append(s.Alerts.Episodes, Episode{
			//mutant:episodes-reopen-on-reclaim replace Phase: Pending
			Phase: Phase(min(e.GetPhase(), uint32(Cooling))), Kind: Kind(min(e.GetKind(), uint32(Suppressed))),
			Rule: e.GetRule(), FiringAt: e.GetFiringAt(), CoolDownEnd: e.GetCoolDownEnd(), Number: e.GetNumber(), Value: e.GetValue(),
			//mutant:group-lost-on-reclaim delete
			Group: Group(min(e.GetGroup(), uint32(Control))),
		})
	}
}
