package processors

import (
	"strings"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// origin tells what was folded before, and what comes with something missing before it. Entries that an owner appends to
// its own partition, and ticks, have no origin.
func (p *Partition) origin(e *ledger.Entry) Result {
	o := e.GetOrigin()
	if o == nil {
		return Applied
	}
	at := mark{o.GetOffset(), o.GetOrdinal()}
	if o.GetTopic() == "" {
		//mutant:no-ledger-marks if false && $
		if known, ok := p.ledgerMarks[o.GetPartition()]; ok && !at.above(known) {
			return DuplicateOrigin
		}
		return Applied
	}
	known, ok := mark{}, false
	if s := p.sources[keyOf(o)]; s != nil && s.GetMarked() {
		known, ok = mark{s.GetOffset(), s.GetOrdinal()}, true
	}
	//mutant:no-input-marks if false && $
	if ok && !at.above(known) {
		return DuplicateOrigin
	}
	if a := e.GetAfter(); a != nil {
		//mutant:two-in-flight-unordered if false && $
		if after := (mark{a.GetOffset(), a.GetOrdinal()}); !ok || after.above(known) {
			return Gap
		}
	}
	return Applied
}

// pass moves the mark to an entry that is folded.
func (p *Partition) pass(e *ledger.Entry) {
	o := e.GetOrigin()
	if o == nil {
		return
	}
	if o.GetTopic() == "" {
		p.ledgerMarks[o.GetPartition()] = mark{o.GetOffset(), o.GetOrdinal()}
		return
	}
	s := p.source(keyOf(o))
	s.Marked, s.Offset, s.Ordinal = true, o.GetOffset(), o.GetOrdinal()
}

func keyOf(o *ledger.Origin) sourceKey {
	return sourceKey{o.GetTopic(), o.GetIncarnation(), o.GetPartition()}
}

// source is what is known of an input partition, made when it is met first.
func (p *Partition) source(k sourceKey) *state.Source {
	s := p.sources[k]
	if s == nil {
		k.topic = strings.Clone(k.topic) // the entry's memory is used again
		s = &state.Source{Topic: k.topic, Incarnation: k.incarnation, Partition: k.partition}
		p.sources[k] = s
	}
	return s
}
