package processors

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// tick takes over what an intake member has read, moves base time where all together allow it, and wakes those for whom
// that changes something.
func (s *step) tick() (Verdict, error) {
	var t ledger.Tick
	if err := t.UnmarshalVT(s.entry.GetPayload()); err != nil {
		return Verdict{}, fmt.Errorf("%w tick: %w", ErrMalformed, err)
	}
	p := s.Partition
	if t.GetRevision() < p.inputRevision {
		return Verdict{Result: Ignored}, nil
	}
	if t.GetRevision() > p.inputRevision || p.inputs == nil {
		p.inputRevision, p.inputs = t.GetRevision(), t.Inputs
		slices.SortFunc(p.inputs, func(a, b *ledger.Input) int {
			return cmp.Or(strings.Compare(a.GetTopic(), b.GetTopic()), cmp.Compare(a.GetIncarnation(), b.GetIncarnation()))
		})
	}
	for _, r := range t.Readings {
		p.hear(r)
	}
	p.advanceTo = max(p.advanceTo, t.GetAdvanceTo())
	p.pass(s.entry)
	before, was := p.base, p.based
	p.moveBase()
	v, err := s.wake()
	if err != nil {
		return v, err
	}
	s.contribute(before, was)
	return v, nil
}

// hear takes over a line of a tick: only where the events that it presupposes are folded, for a member of the set, and only
// upwards. A line of a former owner, which has read less, says nothing about the end.
func (p *Partition) hear(r *ledger.Reading) {
	k := sourceKey{r.GetTopic(), r.GetIncarnation(), r.GetPartition()}
	if !p.isMember(k) {
		return
	}
	if l := r.GetLast(); l != nil {
		s := p.sources[k]
		//mutant:tick-by-another-producer if false && $
		if s == nil || !s.GetMarked() || (mark{l.GetOffset(), l.GetOrdinal()}).above(mark{s.GetOffset(), s.GetOrdinal()}) {
			return
		}
	}
	s := p.source(k)
	if !s.GetHeard() || r.GetOffset() >= s.GetPosition() {
		s.Position, s.AtEnd = r.GetOffset(), r.GetAtEnd()
	}
	if !s.GetHeard() || r.GetTime() > s.GetTime() {
		s.Time = r.GetTime()
	}
	s.Heard = true
}

func (p *Partition) isMember(k sourceKey) bool {
	for _, in := range p.inputs {
		if in.GetTopic() == k.topic && in.GetIncarnation() == k.incarnation {
			return k.partition >= 0 && k.partition < in.GetPartitions()
		}
	}
	return false
}

// members calls f for each input partition of the set, with nil for one never met.
func (p *Partition) members(f func(k sourceKey, s *state.Source)) {
	for _, in := range p.inputs {
		for i := range in.GetPartitions() {
			k := sourceKey{in.GetTopic(), in.GetIncarnation(), i}
			f(k, p.sources[k])
		}
	}
}

// moveBase is the one place where base time moves, upwards only. Live: the least of the members' times. Event clock: the
// least over those that have records left; when none has, the latest time seen, or what was advanced to.
func (p *Partition) moveBase() {
	some, all, ended := false, true, true
	var least, latest int64
	held := false
	event := p.genesis.GetClock() == ledger.Clock_CLOCK_EVENT
	p.members(func(_ sourceKey, s *state.Source) {
		some = true
		if s == nil || !s.GetHeard() {
			all = false
			return
		}
		latest = max(latest, s.GetTime())
		if event && s.GetAtEnd() {
			return
		}
		ended = false
		if !held || s.GetTime() < least {
			held, least = true, s.GetTime()
		}
	})
	//mutant:base-time-of-some if !some || !all && !held
	if !some || !all {
		return
	}
	to := least
	if event && ended {
		to = max(latest, p.advanceTo)
	}
	if !p.based || to > p.base {
		p.based, p.base = true, to
	}
}
