package processors

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// foldTick applies the readings of an intake member, moves base time as far as all inputs allow, and wakes the customers that
// have become due.
func (s *step) foldTick() (Verdict, error) {
	var t ledger.Tick
	if err := t.UnmarshalVT(s.entry.GetPayload()); err != nil {
		return Verdict{}, fmt.Errorf("%w tick: %w", ErrMalformed, err)
	}
	p := s.state
	before, wasKnown := p.base, p.baseKnown
	if r := p.applyTick(s.entry, &t); r != Applied {
		return Verdict{Result: r}, nil
	}
	s.startClose(before, wasKnown)
	v, err := s.wake()
	if err != nil {
		return v, err
	}
	s.contribute(before, wasKnown)
	return v, nil
}

// applyTick applies the readings of a tick and moves base time. It ignores a tick of a former input set.
func (s *partitionState) applyTick(e *ledger.Entry, t *ledger.Tick) Result {
	if t.GetRevision() < s.inputRevision {
		return Ignored
	}
	if t.GetRevision() > s.inputRevision || s.inputs == nil {
		s.inputRevision, s.inputs = t.GetRevision(), t.Inputs
		slices.SortFunc(s.inputs, func(a, b *ledger.Input) int {
			return cmp.Or(strings.Compare(a.GetTopic(), b.GetTopic()), cmp.Compare(a.GetIncarnation(), b.GetIncarnation()))
		})
	}
	for _, r := range t.Readings {
		s.applyReading(r)
	}
	s.advanceTo = max(s.advanceTo, t.GetAdvanceTo())
	s.advanceMark(e)
	s.moveBase()
	return Applied
}

// applyReading applies one reading of a tick. It ignores a reading of an input partition outside of the input set, and a reading
// that presupposes events that are not folded. Positions and times only rise; a reading of a former owner, which has read
// less, does not change whether the input is at its end.
func (s *partitionState) applyReading(r *ledger.Reading) {
	k := sourceKey{r.GetTopic(), r.GetIncarnation(), r.GetPartition()}
	if !s.isMember(k) {
		return
	}
	if l := r.GetLast(); l != nil {
		source := s.sources[k]
		//mutant:tick-by-another-producer if false && $
		if source == nil || !source.GetMarked() || (mark{l.GetOffset(), l.GetOrdinal()}).above(mark{source.GetOffset(), source.GetOrdinal()}) {
			return
		}
	}
	source := s.source(k)
	if !source.GetReported() || r.GetOffset() >= source.GetPosition() {
		source.Position, source.AtEnd = r.GetOffset(), r.GetAtEnd()
	}
	if !source.GetReported() || r.GetTime() > source.GetTime() {
		source.Time = r.GetTime()
	}
	source.Reported = true
}

func (s *partitionState) isMember(k sourceKey) bool {
	for _, in := range s.inputs {
		if in.GetTopic() == k.topic && in.GetIncarnation() == k.incarnation {
			return k.partition >= 0 && k.partition < in.GetPartitions()
		}
	}
	return false
}

// eachInput calls f for each input partition of the input set, with nil for one of which nothing is known.
func (s *partitionState) eachInput(f func(k sourceKey, source *state.Source)) {
	for _, in := range s.inputs {
		for i := range in.GetPartitions() {
			k := sourceKey{in.GetTopic(), in.GetIncarnation(), i}
			f(k, s.sources[k])
		}
	}
}

// moveBase moves base time, which never falls. Nothing else moves it. Live clock: the least time of all input partitions. Event
// clock: the least time of those that have records left; when none has, the latest time, or the time advanced to if later.
func (s *partitionState) moveBase() {
	some, all, ended := false, true, true
	var least, latest int64
	found := false
	event := s.genesis.GetClock() == ledger.Clock_CLOCK_EVENT
	s.eachInput(func(_ sourceKey, source *state.Source) {
		some = true
		if source == nil || !source.GetReported() {
			all = false
			return
		}
		latest = max(latest, source.GetTime())
		if event && source.GetAtEnd() {
			return
		}
		ended = false
		if !found || source.GetTime() < least {
			found, least = true, source.GetTime()
		}
	})
	//mutant:base-time-of-some if !some || !all && !found
	if !some || !all {
		return
	}
	to := least
	if event && ended {
		to = max(latest, s.advanceTo)
	}
	if !s.baseKnown || to > s.base {
		s.baseKnown, s.base = true, to
	}
}
