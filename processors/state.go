package processors

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/calibration"
	"github.com/mainstay/mainstay/processors/cost"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/processors/trait"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// partitionState is what a partition keeps from one entry to the next, and what Encode and Decode carry. It is a function of
// the ledger up to offset. TestStateSurvivesEncoding fails for a field that encode or decode leaves out.
type partitionState struct {
	number  int32
	offset  int64           // of the entry folded last; -1: none
	genesis *ledger.Genesis // nil before entry 0

	settingsRevision uint64 // 0: the defaults are in force
	settingsHash     uint64
	settings         *ledger.SettingsValues
	refused          *state.RefusedSettings // the entry skipped last; nil: none above the revision in force
	logic            uint32                 // the highest logic version that took the ledger over; 0: none yet
	parameters       *ledger.Parameters     // of the models in force
	thresholds       *ledger.Thresholds     // of the value tiers in force; nil before the first
	checkpoint       int64                  // outputs below this offset are published, by the last checkpoint entry; 0: none

	inputRevision uint64                      // of the input set
	inputs        []*ledger.Input             // the input set, by topic and incarnation
	sources       map[sourceKey]*state.Source // what is folded and reported of each input partition, former inputs included
	ledgerMarks   map[int32]mark              // of entries that came from partitions of this ledger

	baseKnown       bool             // every input partition was reported by a tick, so base time is defined
	base            int64            // base time, ms
	advanceTo       int64            // event clock: base time once all inputs are read to their end
	latest          int64            // the latest time of an entry of a customer, ms
	continuePending bool             // a continue entry is appended and not folded yet
	rescoring       *state.Rescoring // cursor over the hash classes; nil: no rescoring is under way
	closing         *closing         // likewise; nil: no close is under way
	closed          *closed          // the last close; nil: there was none, or one was given up since

	totals        portfolio.Totals
	calendar      calendar.Table
	calibration   calibration.Totals
	texts         trait.Texts             // of the customers' traits and attributes
	contributions portfolio.Contributions // partition 0: what all partitions have contributed
	costs         cost.Table              // partition 0

	sentThresholds uint64 // partition 0: version of the thresholds sent last

	retiredRules []*ledger.AlertRule // removed rules of which customers may have open episodes, in the order of their removal

	alertTerms uint64 // how often parameters or settings have changed
	alertSince int64  // when they last changed, ms
	fuses      alert.Fuses

	erasures      int64               // number of erase entries
	oldestErasure int64               // time of the oldest request among them, ms; 0: none
	unnamings     uint64              // number of unname entries
	erasedNames   []*state.ErasedName // that customers may still hold as their referrer, by number
	unnaming      *state.Unnaming     // cursor over the hash classes; nil: erasedNames is empty
	erased        []*state.Erased     // customers of this partition of whom not all partitions have dropped the name, by offset
}

type sourceKey struct {
	topic       string
	incarnation uint32
	partition   int32
}

// mark is the part of an origin that rises within a source.
type mark struct {
	offset  int64
	ordinal uint32
}

func (m mark) above(o mark) bool {
	return m.offset > o.offset || m.offset == o.offset && m.ordinal > o.ordinal
}

func newPartitionState(number int32) partitionState {
	return partitionState{
		number: number, offset: -1, settings: settings.Default(), parameters: PriorParameters(),
		sources: map[sourceKey]*state.Source{}, ledgerMarks: map[int32]mark{},
	}
}

// stateFormat is the format of encoded partitions and customers. Decode refuses any other, and the fold then rebuilds both from
// the ledger.
const stateFormat = 9

func (s *partitionState) encode() *state.Partition {
	w := &state.Partition{
		Format: stateFormat, Number: s.number, Offset: s.offset, Genesis: s.genesis,
		SettingsRevision: s.settingsRevision, SettingsHash: s.settingsHash, Settings: s.settings, RefusedSettings: s.refused, Logic: s.logic,
		Parameters: s.parameters, Thresholds: s.thresholds, Checkpoint: s.checkpoint,
		InputRevision: s.inputRevision, Inputs: s.inputs, Sources: s.sortedSources(), LedgerMarks: s.sortedLedgerMarks(),
		BaseKnown: s.baseKnown, BaseTime: s.base, AdvanceTo: s.advanceTo, Latest: s.latest, ContinuePending: s.continuePending,
		Totals: s.totals.Encode(), Rescoring: s.rescoring, Closing: s.closing.encode(), Closed: s.closed.encode(), Calibration: s.calibration.Encode(),
		AlertTerms: s.alertTerms, AlertSince: s.alertSince, Fuses: s.fuses.Encode(), RetiredRules: s.retiredRules,
		Erasures: s.erasures, OldestErasure: s.oldestErasure, Unnamings: s.unnamings, ErasedNames: s.erasedNames, Unnaming: s.unnaming, Erased: s.erased,
	}
	w.Calendar = s.calendar.Encode()
	w.TraitTexts, w.Attributes = s.texts.Encode(), s.texts.EncodeAttributes()
	s.contributions.Encode(w)
	w.Costs = s.costs.Encode()
	w.SentThresholds = s.sentThresholds
	return w
}

func (s *partitionState) sortedSources() []*state.Source {
	all := make([]*state.Source, 0, len(s.sources))
	for _, source := range s.sources {
		all = append(all, source)
	}
	slices.SortFunc(all, func(a, b *state.Source) int {
		return compareKeys(sourceKey{a.GetTopic(), a.GetIncarnation(), a.GetPartition()}, sourceKey{b.GetTopic(), b.GetIncarnation(), b.GetPartition()})
	})
	return all
}

func compareKeys(a, b sourceKey) int {
	return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.incarnation, b.incarnation), cmp.Compare(a.partition, b.partition))
}

func (s *partitionState) sortedLedgerMarks() []*state.LedgerMark {
	var all []*state.LedgerMark
	for partition, m := range s.ledgerMarks {
		all = append(all, &state.LedgerMark{Partition: partition, Offset: m.offset, Ordinal: m.ordinal})
	}
	slices.SortFunc(all, func(a, b *state.LedgerMark) int { return cmp.Compare(a.GetPartition(), b.GetPartition()) })
	return all
}

func decodePartitionState(blob []byte) (partitionState, error) {
	w := new(state.Partition)
	if err := w.UnmarshalVT(blob); err != nil {
		return partitionState{}, fmt.Errorf("%w: %w", ErrState, err)
	}
	if w.GetFormat() != stateFormat {
		return partitionState{}, fmt.Errorf("%w: format %d, want %d", ErrState, w.GetFormat(), stateFormat)
	}
	s := newPartitionState(w.GetNumber())
	s.offset, s.genesis = w.GetOffset(), w.Genesis
	s.settingsRevision, s.settingsHash, s.logic = w.GetSettingsRevision(), w.GetSettingsHash(), w.GetLogic()
	if w.Settings != nil {
		s.settings = w.Settings
	}
	s.refused = w.RefusedSettings
	if w.Parameters != nil {
		s.parameters = w.Parameters
	}
	s.thresholds, s.checkpoint = w.Thresholds, w.GetCheckpoint()
	s.inputRevision, s.inputs = w.GetInputRevision(), w.Inputs
	for _, source := range w.Sources {
		s.sources[sourceKey{source.GetTopic(), source.GetIncarnation(), source.GetPartition()}] = source
	}
	for _, m := range w.LedgerMarks {
		s.ledgerMarks[m.GetPartition()] = mark{m.GetOffset(), m.GetOrdinal()}
	}
	s.baseKnown, s.base, s.advanceTo, s.latest = w.GetBaseKnown(), w.GetBaseTime(), w.GetAdvanceTo(), w.GetLatest()
	s.continuePending, s.rescoring, s.closing = w.GetContinuePending(), w.Rescoring, decodeClosing(w.Closing)
	s.closed = decodeClosed(w.Closed)
	//mutant:cursor-lost-on-reclaim insert s.rescoring = nil
	//mutant:close-lost-on-reclaim insert s.closing = nil
	s.totals.Decode(w.GetTotals())
	s.calendar.Decode(w.GetCalendar())
	s.calibration.Decode(w.GetCalibration())
	s.texts.Decode(w.TraitTexts)
	s.texts.DecodeAttributes(w.Attributes)
	s.contributions.Decode(w)
	s.costs.Decode(w.Costs)
	s.sentThresholds = w.GetSentThresholds()
	s.alertTerms, s.alertSince = w.GetAlertTerms(), w.GetAlertSince()
	s.fuses.Decode(w.GetFuses())
	s.retiredRules = w.RetiredRules
	s.erasures, s.oldestErasure, s.unnamings = w.GetErasures(), w.GetOldestErasure(), w.GetUnnamings()
	s.erasedNames, s.unnaming, s.erased = w.ErasedNames, w.Unnaming, w.Erased
	//mutant:unnaming-lost-on-reclaim insert s.erasedNames, s.unnaming = nil, nil
	return s, nil
}
