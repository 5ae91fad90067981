package whatif

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mainstay/mainstay/pkg/ops/refold"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// folds are the two folds of a ledger, entry by entry side by side: as it was, and as it would be under other terms.
//
// The fold as it was reads every entry as it is, so its outputs are those that were published. The other one reads the entries that
// report facts as they are: events, ticks, erasures. The entries that follow from others (credits, contributions, thresholds, continue,
// unname) are the answers of folds, and other under other terms. So it reads its own, each where the ledger has the one in whose place it
// stands: the entry of the same kind for the same customer that the fold as it was has sent on the same occasion. What it alone has sent is
// folded at once, in the order of its sender; what the other fold alone has sent is left out. So where the terms make no difference, both
// folds are the same, byte for byte.
//
// To deliver its own entries at once, wherever the ledger has theirs, was rejected: the thresholds of tiers would then be in force some
// entries sooner in one of the folds, and alerts would differ that no term has changed.
type folds struct {
	terms *Terms
	since int64 // ms; 0: from the beginning
	parts []*twin

	queues  map[route][]own    // what the fold as it would be has sent, in its sender's order; the first one has a place
	alone   map[place]bool     // what the other fold alone has sent and the ledger still has to come to
	ready   []route            // queues whose first one has no place
	made    []own              // sent in the entry under way, and not matched yet
	differs bool               // the terms made a difference to what the ledger says
	folded  func(f *foldEvent) // is called after every fold of an entry
}

// twin is one partition under both terms.
type twin struct {
	number     int32
	was, would *refold.Partition
	replaced   bool  // the terms are in force in would
	offset     int64 // of the ledger, folded last
	extra      int64 // entries that would alone has folded since
}

// foldEvent is an entry that one of the two folds has just folded.
type foldEvent struct {
	twin    *twin
	side    side
	entry   *ledger.Entry
	verdict processors.Verdict
}

// side is one of the two folds.
type side uint8

const (
	was side = iota
	would
)

// route is the way of entries from one partition to another, on which they keep their order.
type route struct{ from, to int32 }

// place is where the ledger has an entry that a fold has sent: its origin.
type place struct {
	partition int32
	offset    int64
	ordinal   uint32
}

// own is an entry that the fold as it would be has sent. Without a place it stands for none of the ledger.
type own struct {
	route route
	entry *ledger.Entry
	at    place
	has   bool
}

func newFolds(partitions int32, terms *Terms, since int64, folded func(*foldEvent)) *folds {
	f := &folds{terms: terms, since: since, queues: map[route][]own{}, alone: map[place]bool{}, folded: folded}
	for p := range partitions {
		f.parts = append(f.parts, &twin{number: p, was: refold.New(p), would: refold.New(p), offset: -1})
	}
	return f
}

// fold folds an entry of the ledger under both terms.
func (f *folds) fold(partition int32, offset int64, e *ledger.Entry) error {
	t := f.parts[partition]
	t.offset, t.extra = offset, 0
	verdict, err := t.was.Fold(offset, e)
	if err != nil {
		return err
	}
	f.folded(&foldEvent{t, was, e, verdict})
	if err := f.foldWould(t, e, verdict); err != nil {
		return fmt.Errorf("under the other terms: %w", err)
	}
	f.match(t)
	return f.deliverAlone()
}

// foldWould folds what the fold as it would be reads in place of an entry.
func (f *folds) foldWould(t *twin, e *ledger.Entry, verdict processors.Verdict) error {
	genesis := e.GetKind() == ledger.Kind_KIND_GENESIS
	//mutant:whatif-terms-from-the-beginning if !genesis && !t.replaced
	if !genesis && !t.replaced && t.timeAt(e) >= f.since {
		if err := f.replaceTerms(t); err != nil {
			return err
		}
	}
	//mutant:whatif-takes-others-answers if false && $
	if o, sent := sentBy(e); sent {
		return f.foldSent(t, e, o, verdict)
	}
	switch {
	case e.GetKind() == ledger.Kind_KIND_SETTINGS && t.replaced:
		if verdict.Result != processors.Applied {
			return nil
		}
		//mutant:whatif-later-settings-win replace return f.step(t, e)
		return f.foldSettings(t, t.was.State.Settings())
	case e.GetKind() == ledger.Kind_KIND_PARAMETERS && t.replaced && f.terms.Parameters != nil:
		f.differs = f.differs || verdict.Result == processors.Applied && !sameParameters(t.was.State.Parameters(), f.terms.Parameters)
		return nil
	}
	if err := f.step(t, e); err != nil || !genesis || f.since > 0 {
		return err
	}
	return f.replaceTerms(t)
}

// timeAt returns the time to which an entry moves the partition: that of the event, or base time. While a history is folded under the
// event clock, events are far ahead of base time.
func (t *twin) timeAt(e *ledger.Entry) int64 {
	at, _ := t.was.State.BaseTime()
	if e.GetKind() == ledger.Kind_KIND_EVENT {
		at = max(at, e.GetTime())
	}
	return at
}

// replaceTerms puts the terms in force, as an entry that a process appends would.
func (f *folds) replaceTerms(t *twin) error {
	t.replaced = true
	if err := f.foldSettings(t, t.would.State.Settings()); err != nil {
		return err
	}
	v := f.terms.Parameters
	if v == nil || sameParameters(t.would.State.Parameters(), v) {
		return nil
	}
	f.differs = true
	v = proto.CloneOf(v)
	v.Version = t.would.State.Parameters().GetVersion() + 1
	return f.append(t, ledger.Kind_KIND_PARAMETERS, v)
}

// foldSettings puts settings of the ledger in force, with those of the terms in place of theirs, unless they are in force already.
func (f *folds) foldSettings(t *twin, as *ledger.SettingsValues) error {
	v, err := f.terms.over(as)
	if err != nil {
		return err
	}
	f.differs = f.differs || settings.Hash(v) != settings.Hash(as)
	if settings.Hash(v) == settings.Hash(t.would.State.Settings()) {
		return nil
	}
	revision, _ := t.would.State.SettingsRevision()
	return f.append(t, ledger.Kind_KIND_SETTINGS, &ledger.Settings{Revision: revision + 1, Hash: settings.Hash(v), Values: v})
}

// append folds an entry that the ledger does not have.
func (f *folds) append(t *twin, kind ledger.Kind, body interface{ MarshalVT() ([]byte, error) }) error {
	payload, err := body.MarshalVT()
	if err != nil {
		return fmt.Errorf("encode an entry: %w", err)
	}
	return f.step(t, &ledger.Entry{Version: processors.EntryVersion, Kind: kind, Time: f.since, Payload: payload})
}

// foldSent folds the own entries that stand in the place of one of the ledger.
func (f *folds) foldSent(t *twin, e *ledger.Entry, o *ledger.Origin, verdict processors.Verdict) error {
	at := place{o.GetPartition(), o.GetOffset(), o.GetOrdinal()}
	way := route{at.partition, t.number}
	queue := f.queues[way]
	last := slices.IndexFunc(queue, func(x own) bool { return x.has && x.at == at })
	switch {
	case verdict.Result == processors.DuplicateOrigin: // a fold has published it twice
		return nil
	case f.alone[at]:
		delete(f.alone, at)
		return nil
	case last < 0: // it does not follow from the ledger under the logic of this release
		same := proto.CloneOf(e)
		same.Origin.Offset = spaced(o.GetOffset())
		return f.step(t, same)
	}
	f.queues[way] = queue[last+1:]
	if rest := f.queues[way]; len(rest) > 0 && !rest[0].has {
		f.ready = append(f.ready, way)
	}
	for _, x := range queue[:last+1] {
		if err := f.step(t, x.entry); err != nil {
			return err
		}
	}
	return nil
}

// spacing leaves room between two offsets of the ledger for the entries that the fold as it would be alone folds.
const spacing = 1 << 16

func spaced(offset int64) int64 { return offset * spacing }

var errRoom = errors.New("too many entries between two of the ledger")

// step folds an entry under the terms, and keeps what it sends.
func (f *folds) step(t *twin, e *ledger.Entry) error {
	if t.extra == spacing {
		return errRoom
	}
	offset := spaced(t.offset) + t.extra
	t.extra++
	verdict, err := t.would.Fold(offset, e)
	if err != nil {
		return err
	}
	for i, s := range t.would.Out.Sends {
		s.Entry.Origin = &ledger.Origin{Partition: t.number, Offset: offset, Ordinal: uint32(i)}
		f.made = append(f.made, own{route: route{t.number, s.Partition}, entry: &s.Entry})
	}
	f.folded(&foldEvent{t, would, e, verdict})
	return nil
}

// match gives what was made in this entry the places of what the fold as it was has sent, and queues it.
func (f *folds) match(t *twin) {
	from := 0
	for i, s := range t.was.Out.Sends {
		at := place{t.number, t.offset, uint32(i)}
		n := slices.IndexFunc(f.made[from:], func(x own) bool {
			return x.route.to == s.Partition && x.entry.GetKind() == s.Entry.GetKind() && x.entry.GetCustomer() == s.Entry.GetCustomer()
		})
		if n < 0 {
			f.alone[at] = true
			continue
		}
		f.made[from+n].at, f.made[from+n].has = at, true
		from += n + 1
	}
	f.queue()
}

// queue appends what was made to the queues.
func (f *folds) queue() {
	for _, x := range f.made {
		f.queues[x.route] = append(f.queues[x.route], x)
		if len(f.queues[x.route]) == 1 && !x.has {
			f.ready = append(f.ready, x.route)
		}
	}
	f.made = f.made[:0]
}

// deliverAlone folds what has no place, unless something with one is before it on its way.
func (f *folds) deliverAlone() error {
	for len(f.ready) > 0 {
		way := f.ready[0]
		f.ready = f.ready[1:]
		for len(f.queues[way]) > 0 && !f.queues[way][0].has {
			next := f.queues[way][0].entry
			f.queues[way] = f.queues[way][1:]
			if err := f.step(f.parts[way.to], next); err != nil {
				return fmt.Errorf("under the other terms: %w", err)
			}
			f.queue()
		}
	}
	return nil
}
