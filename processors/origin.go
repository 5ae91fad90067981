package processors

import (
	"strings"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// checkOrigin finds entries that were folded before, and those that follow a missing one. Ticks, and entries that an owner
// appends to its own partition, have no origin. A copied entry is not checked: see ledger.Copied.
func (s *partitionState) checkOrigin(e *ledger.Entry) Result {
	o := e.GetOrigin()
	//mutant:copied-origins-checked if o == nil
	if o == nil || e.GetCopied() != nil { // it was checked in the ledger that it was copied from
		return Applied
	}
	at := mark{o.GetOffset(), o.GetOrdinal()}
	if o.GetTopic() == "" {
		known, ok := s.ledgerMarks[o.GetPartition()]
		//mutant:no-ledger-marks if false && $
		if ok && !at.above(known) {
			return DuplicateOrigin
		}
		return Applied
	}
	known, ok := mark{}, false
	if source := s.sources[keyOf(o)]; source != nil && source.GetMarked() {
		known, ok = mark{source.GetOffset(), source.GetOrdinal()}, true
	}
	//mutant:no-input-marks if false && $
	if ok && !at.above(known) {
		return DuplicateOrigin
	}
	if a := e.GetAfter(); a != nil {
		after := mark{a.GetOffset(), a.GetOrdinal()}
		//mutant:two-in-flight-unordered if false && $
		if !ok || after.above(known) {
			return Gap
		}
	}
	return Applied
}

// advanceMark moves the mark of the source of the ledger's entry, whatever it passes on.
func (s *step) advanceMark() { s.state.advanceMark(s.ledgerEntry) }

// advanceMark moves the mark of the entry's source to the entry.
func (s *partitionState) advanceMark(e *ledger.Entry) {
	o := e.GetOrigin()
	if o == nil {
		return
	}
	if o.GetTopic() == "" {
		s.ledgerMarks[o.GetPartition()] = mark{o.GetOffset(), o.GetOrdinal()}
		return
	}
	source := s.source(keyOf(o))
	//mutant:copied-marks-fall if false && $
	if e.GetCopied() != nil && source.GetMarked() && !(mark{o.GetOffset(), o.GetOrdinal()}).above(mark{source.GetOffset(), source.GetOrdinal()}) {
		return // what intake appends behind the copy is compared with the greatest mark
	}
	source.Marked, source.Offset, source.Ordinal = true, o.GetOffset(), o.GetOrdinal()
}

func keyOf(o *ledger.Origin) sourceKey {
	return sourceKey{o.GetTopic(), o.GetIncarnation(), o.GetPartition()}
}

// source returns what is known of an input partition, and adds it when it is met first.
func (s *partitionState) source(k sourceKey) *state.Source {
	source := s.sources[k]
	if source == nil {
		k.topic = strings.Clone(k.topic) // it aliases the entry's record
		source = &state.Source{Topic: k.topic, Incarnation: k.incarnation, Partition: k.partition}
		s.sources[k] = source
	}
	return source
}
