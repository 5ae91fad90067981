package processors

import (
	"fmt"

	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// terms are the entries that change what all customers are scored by. They hold from here on: for whoever is touched, by an
// event or by time, and for all others as soon as the cursor has come to them.
func (s *step) terms() (Verdict, error) {
	p, payload := s.Partition, s.entry.GetPayload()
	var result Result
	var err error
	switch s.entry.GetKind() {
	case ledger.Kind_KIND_GENESIS:
		err = p.takeGenesis(payload)
	case ledger.Kind_KIND_SETTINGS:
		result, err = p.takeSettings(payload, s.offset)
	case ledger.Kind_KIND_LOGIC:
		err = p.takeLogic(payload)
	case ledger.Kind_KIND_PARAMETERS:
		result, err = p.takeParameters(payload)
	case ledger.Kind_KIND_THRESHOLDS:
		result, err = p.takeThresholds(payload)
	case ledger.Kind_KIND_CHECKPOINT:
		err = p.takeCheckpoint(payload)
	default:
		err = ErrUnknownKind
	}
	if err != nil {
		return Verdict{}, err
	}
	p.pass(s.entry)
	if k := s.entry.GetKind(); result == Applied && (k == ledger.Kind_KIND_SETTINGS || k == ledger.Kind_KIND_PARAMETERS) {
		p.changed(max(s.entry.GetTime(), p.base, p.latest))
	}
	p.adopt()
	if result != Applied || !scoredBy(s.entry.GetKind()) {
		return Verdict{Result: result}, nil
	}
	p.startRescoring()
	return s.wake()
}

// scoredBy says that a score depends on entries of a kind.
func scoredBy(k ledger.Kind) bool {
	return k == ledger.Kind_KIND_SETTINGS || k == ledger.Kind_KIND_PARAMETERS || k == ledger.Kind_KIND_THRESHOLDS
}

func (p *Partition) takeGenesis(payload []byte) error {
	g := new(ledger.Genesis)
	if err := g.UnmarshalVT(payload); err != nil {
		return fmt.Errorf("%w genesis: %w", ErrMalformed, err)
	}
	return p.found(g)
}

// takeSettings ignores a revision that is not above the one in force: two owners may have appended theirs.
//
// An entry with a value out of bounds is skipped, and the settings before it stay in force. No configuration accepts such a
// value, so the entry is somebody's mistake; to halt instead was rejected, since a ledger cannot be trimmed and every
// partition would halt for ever. It is a function of the ledger and of the logic version, which the bounds are a part of, so
// every reader skips the same entries. Bytes that are no settings still halt: a newer release may have written them.
func (p *Partition) takeSettings(payload []byte, offset int64) (Result, error) {
	v := new(ledger.Settings)
	if err := v.UnmarshalVT(payload); err != nil {
		return Applied, fmt.Errorf("%w settings: %w", ErrMalformed, err)
	}
	if v.GetRevision() <= p.settingsRevision {
		return Ignored, nil
	}
	if settings.Validate(v.GetValues()) != nil {
		if v.GetRevision() > p.refused.GetSettings().GetRevision() {
			p.refused = &state.RefusedSettings{Settings: v, Offset: offset}
		}
		return SettingsRefused, nil
	}
	p.settingsRevision, p.settingsHash, p.settings = v.GetRevision(), v.GetHash(), v.GetValues()
	if p.refused.GetSettings().GetRevision() <= v.GetRevision() {
		p.refused = nil
	}
	return Applied, nil
}

func (p *Partition) takeLogic(payload []byte) error {
	var v ledger.Logic
	if err := v.UnmarshalVT(payload); err != nil {
		return fmt.Errorf("%w logic: %w", ErrMalformed, err)
	}
	if v.GetVersion() > LogicVersion {
		return fmt.Errorf("%w: %d, this release has %d", ErrNewerLogic, v.GetVersion(), LogicVersion)
	}
	p.logic = max(p.logic, v.GetVersion())
	return nil
}

func (p *Partition) takeParameters(payload []byte) (Result, error) {
	v := new(ledger.Parameters)
	if err := v.UnmarshalVT(payload); err != nil {
		return Applied, fmt.Errorf("%w parameters: %w", ErrMalformed, err)
	}
	if v.GetVersion() <= p.parameters.GetVersion() {
		return Ignored, nil
	}
	if err := validateParameters(v); err != nil {
		return Applied, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	p.parameters = v
	return Applied, nil
}

func (p *Partition) takeThresholds(payload []byte) (Result, error) {
	v := new(ledger.Thresholds)
	if err := v.UnmarshalVT(payload); err != nil {
		return Applied, fmt.Errorf("%w thresholds: %w", ErrMalformed, err)
	}
	if v.GetVersion() <= p.thresholds.GetVersion() {
		return Ignored, nil
	}
	p.thresholds = v
	return Applied, nil
}

func (p *Partition) takeCheckpoint(payload []byte) error {
	var v ledger.Checkpoint
	if err := v.UnmarshalVT(payload); err != nil {
		return fmt.Errorf("%w checkpoint: %w", ErrMalformed, err)
	}
	p.checkpoint = max(p.checkpoint, v.GetPublished())
	return nil
}
