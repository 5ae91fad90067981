package processors

import (
	"fmt"
	"slices"

	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// foldTerms folds the entries that change the terms on which all customers are scored. The terms are in force from the entry on: at
// once for a customer that an entry or a timer touches, and for the others when the cursor reaches them.
func (s *step) foldTerms() (Verdict, error) {
	p, payload := s.state, s.entry.GetPayload()
	var result Result
	var err error
	switch s.entry.GetKind() {
	case ledger.Kind_KIND_GENESIS:
		err = s.p.applyGenesis(payload)
	case ledger.Kind_KIND_SETTINGS:
		result, err = p.applySettings(payload, s.offset)
	case ledger.Kind_KIND_LOGIC:
		err = p.applyLogic(payload)
	case ledger.Kind_KIND_PARAMETERS:
		result, err = p.applyParameters(payload)
	case ledger.Kind_KIND_THRESHOLDS:
		result, err = p.applyThresholds(payload)
	case ledger.Kind_KIND_CHECKPOINT:
		err = p.applyCheckpoint(payload)
	default:
		err = ErrUnknownKind
	}
	if err != nil {
		return Verdict{}, err
	}
	p.advanceMark(s.entry)
	if k := s.entry.GetKind(); result == Applied && (k == ledger.Kind_KIND_SETTINGS || k == ledger.Kind_KIND_PARAMETERS) {
		p.noteTermsChanged(max(s.entry.GetTime(), p.base, p.latest))
	}
	s.p.deriveTerms()
	if result != Applied || !scoresDependOn(s.entry.GetKind()) {
		return Verdict{Result: result}, nil
	}
	p.startRescoring(s.entry.GetKind())
	return s.wake()
}

// scoresDependOn reports whether scores depend on entries of a kind.
func scoresDependOn(k ledger.Kind) bool {
	return k == ledger.Kind_KIND_SETTINGS || k == ledger.Kind_KIND_PARAMETERS || k == ledger.Kind_KIND_THRESHOLDS
}

func (p *Partition) applyGenesis(payload []byte) error {
	g := new(ledger.Genesis)
	if err := g.UnmarshalVT(payload); err != nil {
		return fmt.Errorf("%w genesis: %w", ErrMalformed, err)
	}
	return p.adoptGenesis(g)
}

// applySettings ignores a revision that is not above the one in force: two owners may both have appended theirs.
//
// It skips an entry with a value out of bounds, and the settings before it stay in force. No configuration accepts such a
// value, so the entry was written by mistake. To halt instead was rejected: a ledger cannot be trimmed, so every partition
// would halt for ever. The bounds are part of the logic version, so every reader of the ledger skips the same entries. Bytes
// that cannot be decoded still halt the partition: a newer release may have written them.
func (s *partitionState) applySettings(payload []byte, offset int64) (Result, error) {
	v := new(ledger.Settings)
	if err := v.UnmarshalVT(payload); err != nil {
		return Applied, fmt.Errorf("%w settings: %w", ErrMalformed, err)
	}
	if v.GetRevision() <= s.settingsRevision {
		return Ignored, nil
	}
	if settings.Validate(v.GetValues()) != nil {
		if v.GetRevision() > s.refused.GetSettings().GetRevision() {
			s.refused = &state.RefusedSettings{Settings: v, Offset: offset}
		}
		return SettingsRefused, nil
	}
	s.keepClosingTerms()
	if v.GetValues().GetPortfolioClose() == ledger.PortfolioClose_PORTFOLIO_CLOSE_OFF {
		if s.closing != nil {
			s.closing, s.closed = nil, nil
		}
	}
	s.retireRules(v.GetValues().GetAlertRules())
	s.settingsRevision, s.settingsHash, s.settings = v.GetRevision(), v.GetHash(), v.GetValues()
	if s.refused.GetSettings().GetRevision() <= v.GetRevision() {
		s.refused = nil
	}
	return Applied, nil
}

// retireRules keeps the rules that new ones do not include, until every customer's episodes of them are closed.
func (s *partitionState) retireRules(next []*ledger.AlertRule) {
	named := func(name string) func(*ledger.AlertRule) bool {
		return func(r *ledger.AlertRule) bool { return r.GetName() == name }
	}
	kept := slices.Clone(s.retiredRules)
	for _, r := range s.settings.GetAlertRules() {
		if !slices.ContainsFunc(kept, named(r.GetName())) {
			kept = append(kept, r)
		}
	}
	s.retiredRules = slices.DeleteFunc(kept, func(r *ledger.AlertRule) bool { return slices.ContainsFunc(next, named(r.GetName())) })
}

func (s *partitionState) applyLogic(payload []byte) error {
	var v ledger.Logic
	if err := v.UnmarshalVT(payload); err != nil {
		return fmt.Errorf("%w logic: %w", ErrMalformed, err)
	}
	if v.GetVersion() > LogicVersion {
		return fmt.Errorf("%w: %d, this release has %d", ErrNewerLogic, v.GetVersion(), LogicVersion)
	}
	s.logic = max(s.logic, v.GetVersion())
	return nil
}

func (s *partitionState) applyParameters(payload []byte) (Result, error) {
	v := new(ledger.Parameters)
	if err := v.UnmarshalVT(payload); err != nil {
		return Applied, fmt.Errorf("%w parameters: %w", ErrMalformed, err)
	}
	if v.GetVersion() <= s.parameters.GetVersion() {
		return Ignored, nil
	}
	if err := validateParameters(v); err != nil {
		return Applied, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	s.keepClosingTerms()
	s.parameters = v
	return Applied, nil
}

func (s *partitionState) applyThresholds(payload []byte) (Result, error) {
	v := new(ledger.Thresholds)
	if err := v.UnmarshalVT(payload); err != nil {
		return Applied, fmt.Errorf("%w thresholds: %w", ErrMalformed, err)
	}
	if v.GetVersion() <= s.thresholds.GetVersion() {
		return Ignored, nil
	}
	//mutant:segments-under-new-bounds delete
	s.keepTermsOfClosing()
	s.thresholds = v
	return Applied, nil
}

func (s *partitionState) applyCheckpoint(payload []byte) error {
	var v ledger.Checkpoint
	if err := v.UnmarshalVT(payload); err != nil {
		return fmt.Errorf("%w checkpoint: %w", ErrMalformed, err)
	}
	s.checkpoint = max(s.checkpoint, v.GetPublished())
	return nil
}

// noteTermsChanged notes that parameters or settings have changed, so that every customer's alerts are evaluated again.
func (s *partitionState) noteTermsChanged(at int64) {
	//mutant:terms-raise delete
	s.alertTerms++
	s.alertSince = max(s.alertSince, at)
}
