package customer

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/processors/trait"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/state"
)

// A trait is a register: it holds the text of one of the statements of it, which the total order of statements decides. So traits come to
// the same whatever the order of arrival, and statements need not be kept. The price is that a statement is never taken back: a first
// order that is cancelled is still how the customer came, and an order that a newer snapshot moves to a later time still counts at the
// time stated first. To keep traits with each order in memory was rejected: it costs ten bytes an order, and what leaves memory could
// no more be taken back either.

// register holds a trait.
type register struct {
	from  statement
	trait trait.Trait
	text  trait.Number
}

// statement is the place of a purchase event in the order of statements.
type statement struct {
	at      int64  // time of the purchase, ms
	updated int64  // its updated_at; 0: not stated
	order   uint16 // the first bits of the hash of its order's id, as the order log orders what happened at once
}

// NoteTraits notes the traits that a purchase states, if RecordPurchase has weighed it.
func (s *State) NoteTraits(texts *trait.Texts, e *ledger.Event, d *ledger.Details, recorded Change) {
	p := e.GetPurchase()
	switch recorded.Reason {
	case "", output.OverRefund:
	case output.OrderConflict: // of two snapshots as of the same time it is the amount that is refused
		if p.GetUpdatedAt() == 0 {
			return
		}
	default:
		return
	}
	from := statement{at: e.GetOccurredAt(), updated: p.GetUpdatedAt(), order: uint16(xxhash.Sum64String(p.GetOrderId()) >> 48)}
	i := 0
	for t := range trait.Traits {
		for i < len(s.traits) && s.traits[i].trait < t {
			i++
		}
		known := i < len(s.traits) && s.traits[i].trait == t
		//mutant:trait-of-last-arrival if false && $
		if known && !s.traits[i].yields(from) {
			continue
		}
		text := t.Of(d)
		if text == "" || known && s.traits[i].compare(from) == 0 && texts.Text(t, s.traits[i].text) >= text {
			continue
		}
		next := register{from, t, texts.Number(t, text)}
		if t.Which() == trait.Any {
			next.from = statement{}
		}
		if known {
			s.traits[i] = next
		} else {
			s.traits = slices.Insert(s.traits, i, next)
		}
	}
}

// yields reports whether a statement may take the register: it comes before in the order of statements, or is at the same place, where
// the greater text holds.
func (r *register) yields(to statement) bool {
	return r.trait.Which() != trait.Any && r.compare(to) <= 0
}

// compare orders the register's statement and another; what holds is greater. Of statements of one order at one time the one updated last
// holds, whether the trait is that of the earliest purchase or of the latest.
func (r *register) compare(to statement) int {
	place := cmp.Or(cmp.Compare(r.from.at, to.at), cmp.Compare(r.from.order, to.order))
	if r.trait.Which() == trait.Earliest {
		place = -place
	}
	return cmp.Or(place, cmp.Compare(r.from.updated, to.updated))
}

// Trait returns the text of a trait; empty if no purchase has stated it.
func (s *State) Trait(texts *trait.Texts, t trait.Trait) string {
	for i := range s.traits {
		if r := &s.traits[i]; r.trait == t {
			return texts.Text(t, r.text)
		}
	}
	return ""
}

// traitUnit is what the index of a statement counts in Customer.trait; the number of the trait is less.
const traitUnit = 32

// writeTraits writes each statement once: mostly it is one, since the first order states most traits.
func (s *State) writeTraits(w *state.Customer) {
	var room [trait.Traits]statement
	all, updated := room[:0], false
	for i := range s.traits {
		r := &s.traits[i]
		at := slices.Index(all, r.from)
		if at < 0 {
			at, all = len(all), append(all, r.from)
		}
		w.Trait, w.TraitText = append(w.Trait, uint32(at)*traitUnit+uint32(r.trait)), append(w.TraitText, uint32(r.text)) //nolint:gosec // few
	}
	for _, from := range all {
		age := int64(0)
		if from.updated != 0 {
			if age = from.updated - from.at; age >= 0 {
				age++
			}
			updated = true
		}
		w.TraitAt, w.TraitOrder, w.TraitUpdated = append(w.TraitAt, from.at), append(w.TraitOrder, uint32(from.order)), append(w.TraitUpdated, age)
	}
	if !updated {
		w.TraitUpdated = w.TraitUpdated[:0]
	}
}

func (s *State) readTraits(w *state.Customer) error {
	n := len(w.TraitAt)
	if len(w.Trait) != len(w.TraitText) || len(w.TraitOrder) != n || len(w.TraitUpdated) != 0 && len(w.TraitUpdated) != n {
		return fmt.Errorf("%w: columns of traits of different length", ErrMalformed)
	}
	if len(w.Trait) > 0 {
		s.traits = make([]register, len(w.Trait))
	}
	for i, number := range w.Trait {
		at := int(number / traitUnit)
		if at >= n || !trait.Known(number%traitUnit) {
			return fmt.Errorf("%w: trait", ErrMalformed)
		}
		from := statement{at: w.TraitAt[at], order: uint16(w.TraitOrder[at])} //nolint:gosec // as written
		if len(w.TraitUpdated) > 0 && w.TraitUpdated[at] != 0 {
			age := w.TraitUpdated[at]
			if age > 0 {
				age--
			}
			from.updated = from.at + age
		}
		//mutant:traits-lost-on-reclaim replace s.traits[i].trait = trait.Trait(number % traitUnit)
		s.traits[i] = register{from, trait.Trait(number % traitUnit), trait.Number(w.TraitText[i])}
	}
	return nil
}
