package customer

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// The bounds of the texts of a call mark, in bytes. They are typed by people, and of the customers of a shop only few are marked.
const (
	MostMarkBy   = 40
	MostMarkNote = 200
)

// CallMark is what somebody did about a customer on the list of calls. The latest one holds. It enters no score.
type CallMark struct {
	Kind     ledger.CallMarkKind // done or snoozed
	At       int64               // ms; the ledger's time when it was folded
	Until    int64               // ms; snoozed: from then on the customer is to be called again
	By, Note string              // empty: not stated
	alerts   uint64              // number of the episode that had fired last
}

// IsSnoozed reports whether nobody is to act before Until. Otherwise somebody has acted.
func (k *CallMark) IsSnoozed() bool { return k.Kind == ledger.CallMarkKind_CALL_MARK_KIND_SNOOZED }

// Word returns the kind as it is shown.
func (k *CallMark) Word() string {
	if k.IsSnoozed() {
		return "snoozed"
	}
	return "done"
}

// IsValidCallMark reports whether a call mark can be kept.
func IsValidCallMark(k *ledger.CallMark) bool {
	switch k.GetKind() {
	case ledger.CallMarkKind_CALL_MARK_KIND_CLEARED, ledger.CallMarkKind_CALL_MARK_KIND_DONE:
	case ledger.CallMarkKind_CALL_MARK_KIND_SNOOZED:
		if k.GetUntil() <= 0 {
			return false
		}
	default:
		return false
	}
	return len(k.GetBy()) <= MostMarkBy && len(k.GetNote()) <= MostMarkNote && utf8.ValidString(k.GetBy()) && utf8.ValidString(k.GetNote())
}

// RecordCallMark keeps a valid call mark in the place of the one before, or takes that back.
func (s *State) RecordCallMark(m Moment, k *ledger.CallMark) {
	if k.GetKind() == ledger.CallMarkKind_CALL_MARK_KIND_CLEARED {
		if s.rare != nil {
			s.rare.callMark = nil
		}
		return
	}
	s.ensureRare().callMark = &CallMark{
		Kind: k.GetKind(), At: m.Now, Until: k.GetUntil(), By: strings.Clone(k.GetBy()), Note: strings.Clone(k.GetNote()), alerts: s.Alerts.Opened,
	}
}

// CallMark returns the customer's call mark, which must not be changed; nil if there is none.
func (s *State) CallMark() *CallMark {
	if s.rare == nil {
		return nil
	}
	return s.rare.callMark
}

// AlertedSinceCallMark reports whether an alert is open that was published after the customer was marked. Episodes are compared by their
// number: an alert may bear a time before that of a mark which the ledger has before it.
func (s *State) AlertedSinceCallMark() bool {
	mark := s.CallMark()
	return mark != nil && slices.ContainsFunc(s.Alerts.Episodes, func(e Episode) bool {
		return e.Phase == Firing && e.Kind.WasPublished() && e.Number > mark.alerts
	})
}

// takeCallMark keeps the later of the two call marks when a customer is merged into this one. Alerts of this customer that are open already
// were known as little or as much as those of the other, so none of them counts as one that came after the other's mark.
func (s *State) takeCallMark(from *CallMark) {
	//mutant:mark-lost-in-merge insert return
	if from == nil || s.CallMark() != nil && s.CallMark().compare(from) >= 0 {
		return
	}
	taken := *from
	taken.alerts = s.Alerts.Opened
	s.ensureRare().callMark = &taken
}

func (k *CallMark) compare(other *CallMark) int {
	return cmp.Or(cmp.Compare(k.At, other.At), cmp.Compare(k.Kind, other.Kind), cmp.Compare(k.Until, other.Until), strings.Compare(k.By, other.By), strings.Compare(k.Note, other.Note))
}

func (k *CallMark) write() *state.CallMark {
	if k == nil {
		return nil
	}
	w := &state.CallMark{Kind: uint32(k.Kind), At: k.At, By: k.By, Note: k.Note, Alerts: k.alerts} //nolint:gosec // bits, not a number
	if k.IsSnoozed() {
		w.Until = k.Until - k.At
	}
	return w
}

func readCallMark(w *state.CallMark) *CallMark {
	if w == nil {
		return nil
	}
	k := &CallMark{Kind: ledger.CallMarkKind(w.GetKind()), At: w.GetAt(), By: w.GetBy(), Note: w.GetNote(), alerts: w.GetAlerts()} //nolint:gosec // as written
	if k.IsSnoozed() {
		k.Until = k.At + w.GetUntil()
	}
	return k
}

func (k *CallMark) size() int {
	if k == nil {
		return 0
	}
	return 80 + len(k.By) + len(k.Note)
}
