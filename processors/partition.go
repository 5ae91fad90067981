package processors

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/calibration"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// Partition is the state of a ledger partition: all that Step reads and that belongs to no single customer. It is a
// function of the ledger up to the entry folded last. It is not safe for use by several goroutines.
type Partition struct {
	number  int32
	offset  int64 // of the entry folded last; -1: none
	genesis *ledger.Genesis

	settingsRevision, settingsHash uint64
	settings                       *ledger.SettingsValues
	refused                        *state.RefusedSettings // nil: none above the revision in force
	logic                          uint32
	parameters                     *ledger.Parameters
	thresholds                     *ledger.Thresholds
	checkpoint                     int64

	inputRevision uint64
	inputs        []*ledger.Input
	sources       map[sourceKey]*state.Source
	ledgerMarks   map[int32]mark // of entries that came from partitions of this ledger

	based           bool
	base            int64
	advanceTo       int64
	latest          int64 // the latest moment of an event
	continuePending bool
	rescoring       *state.Rescoring // nil: none under way

	totals      portfolio.Totals
	calibration calibration.Totals
	board       portfolio.Board // partition 0's: what all have contributed

	alertTerms uint64 // how often parameters or settings have changed
	alertSince int64  // ms: when they last did
	fuses      alert.Fuses

	rules alert.Rules    // drawn from the settings
	terms customer.Terms // drawn from the above

	// Memory of the step under way; nothing of it outlives the step.
	step  step
	voice voice
	event eventReader
}

type sourceKey struct {
	topic       string
	incarnation uint32
	partition   int32
}

// mark is the part of an origin that rises.
type mark struct {
	offset  int64
	ordinal uint32
}

func (m mark) above(o mark) bool {
	return m.offset > o.offset || m.offset == o.offset && m.ordinal > o.ordinal
}

// NewPartition is a partition before its first entry, which must be genesis.
func NewPartition(number int32) *Partition {
	p := &Partition{
		number: number, offset: -1, settings: settings.Default(), parameters: PriorParameters(),
		sources: map[sourceKey]*state.Source{}, ledgerMarks: map[int32]mark{},
	}
	p.adopt()
	p.voice.init()
	return p
}

// found takes over what may never change.
func (p *Partition) found(g *ledger.Genesis) error {
	if err := settings.ValidateGenesis(g); err != nil {
		return fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	if p.number >= g.GetPartitions() {
		return fmt.Errorf("%w: partition %d of %d", ErrGenesis, p.number, g.GetPartitions())
	}
	unit, _ := settings.BaseCurrency(g.GetCurrency())
	zone, err := time.LoadLocation(g.GetTimezone())
	if err != nil {
		return fmt.Errorf("%w: timezone: %w", ErrGenesis, err)
	}
	p.genesis, p.terms.Unit, p.terms.Zone = g, unit, nil
	if zone.String() != "UTC" {
		p.terms.Zone = zone
	}
	return nil
}

// format of the encoded states. Another one is refused: the fold then rebuilds.
const format = 2

// Encode appends the state in its canonical form.
func (p *Partition) Encode(dst []byte) []byte {
	w := &state.Partition{
		Format: format, Number: p.number, Offset: p.offset, Genesis: p.genesis,
		SettingsRevision: p.settingsRevision, SettingsHash: p.settingsHash, Settings: p.settings, RefusedSettings: p.refused, Logic: p.logic,
		Parameters: p.parameters, Thresholds: p.thresholds, Checkpoint: p.checkpoint,
		InputRevision: p.inputRevision, Inputs: p.inputs,
		BaseKnown: p.based, BaseTime: p.base, AdvanceTo: p.advanceTo, Latest: p.latest, ContinuePending: p.continuePending,
		Totals: p.totals.Encode(), Rescoring: p.rescoring, Calibration: p.calibration.Encode(),
		AlertTerms: p.alertTerms, AlertSince: p.alertSince, Fuses: p.fuses.Encode(),
	}
	p.board.Encode(w)
	w.Sources = p.sortedSources()
	for partition, m := range p.ledgerMarks {
		w.LedgerMarks = append(w.LedgerMarks, &state.LedgerMark{Partition: partition, Offset: m.offset, Ordinal: m.ordinal})
	}
	slices.SortFunc(w.LedgerMarks, func(a, b *state.LedgerMark) int { return cmp.Compare(a.GetPartition(), b.GetPartition()) })
	start, n := len(dst), w.SizeVT()
	dst = append(dst, make([]byte, n)...)
	if _, err := w.MarshalToSizedBufferVT(dst[start:]); err != nil {
		panic(fmt.Sprintf("marshal into %d bytes of its own size: %v", n, err)) // nothing in it can fail
	}
	return dst
}

func (p *Partition) sortedSources() []*state.Source {
	all := make([]*state.Source, 0, len(p.sources))
	for _, s := range p.sources {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *state.Source) int {
		return cmp.Or(strings.Compare(a.GetTopic(), b.GetTopic()), cmp.Compare(a.GetIncarnation(), b.GetIncarnation()), cmp.Compare(a.GetPartition(), b.GetPartition()))
	})
	return all
}

// DecodePartition reads a state that Encode wrote; ErrState otherwise.
func DecodePartition(blob []byte) (*Partition, error) {
	w := new(state.Partition)
	if err := w.UnmarshalVT(blob); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	if w.GetFormat() != format {
		return nil, fmt.Errorf("%w: format %d, want %d", ErrState, w.GetFormat(), format)
	}
	p := NewPartition(w.GetNumber())
	if g := w.GetGenesis(); g != nil {
		if err := p.found(g); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrState, err)
		}
	}
	p.offset, p.settingsRevision, p.settingsHash, p.logic = w.GetOffset(), w.GetSettingsRevision(), w.GetSettingsHash(), w.GetLogic()
	if w.Settings != nil {
		p.settings = w.Settings
	}
	p.refused = w.RefusedSettings
	if w.Parameters != nil {
		p.parameters = w.Parameters
	}
	p.thresholds, p.checkpoint = w.Thresholds, w.GetCheckpoint()
	p.inputRevision, p.inputs = w.GetInputRevision(), w.Inputs
	p.based, p.base, p.advanceTo, p.continuePending = w.GetBaseKnown(), w.GetBaseTime(), w.GetAdvanceTo(), w.GetContinuePending()
	p.latest, p.rescoring = w.GetLatest(), w.Rescoring
	//mutant:cursor-lost-on-reclaim insert p.rescoring = nil
	p.totals.Decode(w.GetTotals())
	p.calibration.Decode(w.GetCalibration())
	p.board.Decode(w)
	p.alertTerms, p.alertSince = w.GetAlertTerms(), w.GetAlertSince()
	p.fuses.Decode(w.GetFuses())
	for _, s := range w.Sources {
		p.sources[sourceKey{s.GetTopic(), s.GetIncarnation(), s.GetPartition()}] = s
	}
	for _, m := range w.LedgerMarks {
		p.ledgerMarks[m.GetPartition()] = mark{m.GetOffset(), m.GetOrdinal()}
	}
	p.adopt()
	return p, nil
}

// Number is the partition's.
func (p *Partition) Number() int32 { return p.number }

// Offset is that of the entry folded last, -1 before the first.
func (p *Partition) Offset() int64 { return p.offset }

// LedgerID names the ledger; empty before genesis.
func (p *Partition) LedgerID() string { return p.genesis.GetLedgerId() }

// Genesis is what may never change, nil before it. It must not be changed.
func (p *Partition) Genesis() *ledger.Genesis { return p.genesis }

// BaseTime is the time (ms) up to which everything is known to be read; false until every input partition was heard of.
func (p *Partition) BaseTime() (ms int64, ok bool) { return p.base, p.based }

// SettingsRevision is that of the settings in force with their hash; 0, 0 for the defaults.
func (p *Partition) SettingsRevision() (revision, hash uint64) {
	return p.settingsRevision, p.settingsHash
}

// Settings are those in force. They must not be changed.
func (p *Partition) Settings() *ledger.SettingsValues { return p.settings }

// RefusedSettings is the settings entry that was skipped last, since a value in it is out of bounds. It stands until an entry
// with at least its revision is applied.
type RefusedSettings struct {
	Offset         int64  // of the entry
	Revision, Hash uint64 // as the entry states them
	Reason         error  // names the settings and their bounds
}

// RefusedSettings returns nil when no settings entry above the revision in force was skipped.
func (p *Partition) RefusedSettings() *RefusedSettings {
	if p.refused == nil {
		return nil
	}
	s := p.refused.GetSettings()
	return &RefusedSettings{
		Offset: p.refused.GetOffset(), Revision: s.GetRevision(), Hash: s.GetHash(),
		Reason: settings.Validate(s.GetValues()),
	}
}

// Parameters are the models' in force. They must not be changed.
func (p *Partition) Parameters() *ledger.Parameters { return p.parameters }

// Thresholds are the bounds of the value tiers in force, nil before the first. They must not be changed.
func (p *Partition) Thresholds() *ledger.Thresholds { return p.thresholds }

// Logic is the highest version that took the ledger over; 0: none yet.
func (p *Partition) Logic() uint32 { return p.logic }

// Checkpoint is up to where (exclusive) the last checkpoint entry says that outputs are published; 0: nowhere.
func (p *Partition) Checkpoint() int64 { return p.checkpoint }

// Totals are the partition's, as last said by each of its customers.
func (p *Partition) Totals() portfolio.Totals { return p.totals.Clone() }

// Calibration is how far promises to the partition's customers were kept.
func (p *Partition) Calibration() calibration.Totals { return p.calibration }

// Input is an input partition as the ledger knows it.
type Input struct {
	Topic       string
	Incarnation uint32
	Partition   int32
	Heard       bool  // a tick has named it
	Position    int64 // everything below it is in the ledger
	Time        int64 // ms: its time is known up to here
	AtEnd       bool
	Mark        int64 // offset of the latest event folded from it, -1: none
}

// Inputs are the members of the input set, those not heard of included.
func (p *Partition) Inputs() []Input {
	var all []Input
	p.members(func(k sourceKey, s *state.Source) {
		in := Input{Topic: k.topic, Incarnation: k.incarnation, Partition: k.partition, Mark: -1}
		if s != nil {
			in.Heard, in.Position, in.Time, in.AtEnd = s.GetHeard(), s.GetPosition(), s.GetTime(), s.GetAtEnd()
			if s.GetMarked() {
				in.Mark = s.GetOffset()
			}
		}
		all = append(all, in)
	})
	return all
}
