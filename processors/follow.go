package processors

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// copying: the input set of a copy is the ledger that is copied, with revision 0 (CopyTick), until intake's own takes its place.
func (s *partitionState) copying() bool {
	return s.genesis.GetCopiedFrom() != nil && s.inputRevision == 0
}

// BeforeTime is the base time of a partition in which it is not known yet.
const BeforeTime = math.MinInt64

// Follower follows a partition of a ledger without its customers: which entries are folded, and how far time and the inputs have come.
// It decides with the same code as Step, so that a program that reads a ledger without folding it agrees with every fold.
type Follower struct{ state partitionState }

// NewFollower returns a follower before the partition's first entry.
func NewFollower(number int32) *Follower { return &Follower{newPartitionState(number)} }

// Follow notes an entry and returns what Step decides about it by its origin and time: Applied, DuplicateOrigin, Gap or Ignored. An
// error wraps ErrRefused: Step would refuse the entry.
func (f *Follower) Follow(offset int64, e *ledger.Entry) (Result, error) {
	s := &f.state
	if err := s.admit(offset, e); err != nil {
		return Applied, fmt.Errorf("entry %d: %w", offset, err)
	}
	s.offset = offset
	if r := s.checkOrigin(e); r != Applied {
		return r, nil
	}
	switch e.GetKind() {
	case ledger.Kind_KIND_GENESIS:
		s.genesis = new(ledger.Genesis)
		if err := s.genesis.UnmarshalVT(e.GetPayload()); err != nil {
			return Applied, fmt.Errorf("entry %d: %w genesis: %w", offset, ErrMalformed, err)
		}
	case ledger.Kind_KIND_TICK:
		var t ledger.Tick
		if err := t.UnmarshalVT(e.GetPayload()); err != nil {
			return Applied, fmt.Errorf("entry %d: %w tick: %w", offset, ErrMalformed, err)
		}
		return s.applyTick(e, &t), nil
	case ledger.Kind_KIND_ERASE:
		s.awaitAnswers(offset, e.GetCustomer())
	case ledger.Kind_KIND_UNNAMED:
		if err := s.noteAnswer(e); err != nil {
			return Applied, fmt.Errorf("entry %d: %w", offset, err)
		}
	case ledger.Kind_KIND_CREDIT, ledger.Kind_KIND_FORWARD:
		if s.isBeforeErasure(e) {
			s.advanceMark(e)
			return Ignored, nil
		}
	case ledger.Kind_KIND_EVENT, ledger.Kind_KIND_CONTINUE, ledger.Kind_KIND_CONTRIBUTION, ledger.Kind_KIND_SETTINGS,
		ledger.Kind_KIND_LOGIC, ledger.Kind_KIND_PARAMETERS, ledger.Kind_KIND_THRESHOLDS, ledger.Kind_KIND_CHECKPOINT,
		ledger.Kind_KIND_UNNAME, ledger.Kind_KIND_COST, ledger.Kind_KIND_MERGE, ledger.Kind_KIND_CALL_MARK:
	default:
		return Applied, fmt.Errorf("entry %d: %w %d", offset, ErrUnknownKind, e.GetKind())
	}
	s.advanceMark(e)
	return Applied, nil
}

// BaseTime returns base time, ms; BeforeTime until it is known.
func (f *Follower) BaseTime() int64 {
	if !f.state.baseKnown {
		return BeforeTime
	}
	return f.state.base
}

// FirstUnanswered returns the offset of the first erase entry that some partition has not answered; false if there is none.
func (f *Follower) FirstUnanswered() (offset int64, ok bool) {
	if len(f.state.erased) == 0 {
		return 0, false
	}
	return f.state.erased[0].GetOffset(), true
}

// CopyTick returns the tick that moves base time of a copy to a time of the ledger that is copied, whose topic it names. That ledger
// is the only input of the copy, so base time is exactly this.
func CopyTick(topic string, base int64) *ledger.Tick {
	return &ledger.Tick{
		Inputs:   []*ledger.Input{{Topic: topic, Partitions: 1}},
		Readings: []*ledger.Reading{{Topic: topic, Time: base}},
	}
}

// HandOverTick returns the tick that says what these followers, all partitions of a ledger, know of its inputs: where intake goes on,
// and the time. Its revision is 0 if no intake has ever appended to the ledger.
func HandOverTick(all []*Follower) *ledger.Tick {
	t := new(ledger.Tick)
	sources := map[sourceKey]*state.Source{}
	for _, f := range all {
		s := &f.state
		if s.inputRevision >= t.Revision {
			t.Revision, t.Inputs = s.inputRevision, s.inputs
		}
		t.AdvanceTo = max(t.AdvanceTo, s.advanceTo)
	}
	for _, f := range all {
		f.state.eachInput(func(k sourceKey, source *state.Source) {
			if f.state.inputRevision < t.Revision || !source.GetReported() {
				return
			}
			known := sources[k]
			if known == nil {
				known = new(state.Source)
				sources[k] = known
			}
			if source.GetPosition() >= known.GetPosition() {
				known.Position, known.AtEnd = source.GetPosition(), source.GetAtEnd()
			}
			known.Time = max(known.GetTime(), source.GetTime())
		})
	}
	for _, k := range slices.SortedFunc(maps.Keys(sources), compareKeys) {
		source := sources[k]
		t.Readings = append(t.Readings, &ledger.Reading{
			Topic: k.topic, Incarnation: k.incarnation, Partition: k.partition,
			Offset: source.GetPosition(), Time: source.GetTime(), AtEnd: source.GetAtEnd(),
		})
	}
	return t
}

// Marks calls each for the greatest offset of every source of events that the follower has met.
func (f *Follower) Marks(each func(topic string, incarnation uint32, partition int32, offset int64)) {
	for k, source := range f.state.sources {
		if source.GetMarked() {
			each(k.topic, k.incarnation, k.partition, source.GetOffset())
		}
	}
}
