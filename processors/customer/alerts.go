package customer

import "github.com/mainstay/mainstay/schemas/state"

// Alerts is what is remembered of a customer's alerts. Episodes that are over, and not cooling down, are not remembered.
type Alerts struct {
	Terms        uint64 // under which parameters and settings he was evaluated last, and 1; 0: never
	Thresholds   uint64 // version of the thresholds then
	Opened       uint64 // episodes so far
	WasHighValue bool   // he was in top_10 or top_20
	Episodes     []Episode
}

// Episode is a rule's for one customer.
type Episode struct {
	Rule        uint32 // hash of the rule's name
	Phase       Phase
	Kind        Kind   // while it fires
	FiringAt    int64  // ms; pending: when it will fire; firing: since when
	CoolDownEnd int64  // ms: end of the cool-down; 0: none
	Number      uint64 // among the customer's episodes, from 1; while it fires
	Value       int64  // of the metric when it fired: minor units, or ten thousandths
}

// Phase is where an episode stands.
type Phase uint8

// The phases.
const (
	Pending Phase = iota + 1
	Firing
	Cooling
)

// Kind says who was told of a firing episode.
type Kind uint8

// The kinds.
const (
	Published  Kind = iota + 1
	Baseline        // opened silently
	Initial         // opened silently, and published since that was asked for
	Suppressed      // held back by the fuse
)

// String is the kind as it is listed.
func (k Kind) String() string {
	return [...]string{"", "raised", "baseline", "initial", "suppressed"}[k]
}

// Told says that subscribers know of the episode.
func (k Kind) WasPublished() bool { return k == Published || k == Initial }

// Find returns the place of a rule's episode, or where it would stand.
func (a *Alerts) Find(rule uint32) (int, bool) {
	for i := range a.Episodes { // in the order of rules, and rarely more than two
		if at := a.Episodes[i].Rule; at >= rule {
			return i, at == rule
		}
	}
	return len(a.Episodes), false
}

func (s *State) writeAlerts(w *state.Alerts) {
	a := &s.Alerts
	*w = state.Alerts{Terms: a.Terms, Thresholds: a.Thresholds, Opened: a.Opened, HeldHigh: a.WasHighValue, Episodes: w.Episodes[:0]}
	for i := range a.Episodes {
		e := &a.Episodes[i]
		w.Episodes = append(w.Episodes, &state.Episode{
			Rule: e.Rule, Phase: uint32(e.Phase), Kind: uint32(e.Kind), At: e.FiringAt, Cool: e.CoolDownEnd, Number: e.Number, Value: e.Value,
		})
	}
}

func (s *State) readAlerts(w *state.Alerts) {
	s.Alerts = Alerts{Terms: w.GetTerms(), Thresholds: w.GetThresholds(), Opened: w.GetOpened(), WasHighValue: w.GetHeldHigh()}
	for _, e := range w.GetEpisodes() {
		//mutant:episodes-lost-on-reclaim insert continue
		s.Alerts.Episodes = append(s.Alerts.Episodes, Episode{
			//mutant:episodes-reopen-on-reclaim replace Phase: Pending
			Phase: Phase(min(e.GetPhase(), uint32(Cooling))), Kind: Kind(min(e.GetKind(), uint32(Suppressed))),
			Rule: e.GetRule(), FiringAt: e.GetAt(), CoolDownEnd: e.GetCool(), Number: e.GetNumber(), Value: e.GetValue(),
		})
	}
}
