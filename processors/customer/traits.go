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

// A trait, or an attribute, is a register: it holds the text of one of the statements of it, which the total order of statements decides. So traits come to
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

// statement is the place of an event in the order of statements.
type statement struct {
	at      int64  // time of the event, ms
	updated int64  // updated_at of a purchase; 0: not stated
	order   uint16 // the first bits of the hash of its order's id, as the order log orders what happened at once; of engagement, of its own id
}

// statementOf returns the place of an event; false if it states nothing, since it was refused.
func statementOf(e *ledger.Event, recorded Change) (from statement, ok bool) {
	p, id := e.GetPurchase(), e.GetId()
	if p != nil {
		id = p.GetOrderId()
	}
	switch recorded.Reason {
	case "", output.OverRefund:
	case output.OrderConflict: // of two snapshots as of the same time it is the amount that is refused
		if p.GetUpdatedAt() == 0 {
			return from, false
		}
	default:
		return from, false
	}
	return statement{at: e.GetOccurredAt(), updated: p.GetUpdatedAt(), order: uint16(xxhash.Sum64String(id) >> 48)}, true
}

// NoteTraits notes the traits that a purchase states, if RecordPurchase has weighed it.
func (s *State) NoteTraits(texts *trait.Texts, e *ledger.Event, d *ledger.Details, recorded Change) {
	from, ok := statementOf(e, recorded)
	if !ok {
		return
	}
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

// NoteAttributes notes the attributes that a purchase or an event of engagement states, if it was recorded. Each has its own time: the latest event
// that states an attribute decides it, whichever names the setting had when others were read.
func (s *State) NoteAttributes(texts *trait.Texts, e *ledger.Event, recorded Change) {
	if len(e.GetAttributes()) == 0 {
		return // most events
	}
	from, ok := statementOf(e, recorded)
	if !ok {
		return
	}
	for _, a := range e.GetAttributes() {
		if a.GetName() == "" || a.GetText() == "" {
			continue
		}
		//mutant:attribute-by-place insert a = &ledger.Attribute{Name: string(rune('a' + slices.Index(e.GetAttributes(), a))), Text: a.GetText()}
		if t, ok := texts.Attribute(a.GetName()); ok {
			s.take(texts, t, from, a.GetText())
		}
	}
}

// take gives a trait's register to a statement, unless the one that it has holds.
func (s *State) take(texts *trait.Texts, t trait.Trait, from statement, text string) {
	i, known := slices.BinarySearchFunc(s.traits, t, func(r register, t trait.Trait) int { return cmp.Compare(r.trait, t) })
	//mutant:attribute-of-last-arrival if false && $
	if known && (!s.traits[i].yields(from) || s.traits[i].compare(from) == 0 && texts.Text(t, s.traits[i].text) >= text) {
		return
	}
	next := register{from, t, texts.Number(t, text)}
	if known {
		s.traits[i] = next
	} else {
		s.traits = slices.Insert(s.traits, i, next)
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

// Trait returns the text of a trait; empty if no event has stated it.
func (s *State) Trait(texts *trait.Texts, t trait.Trait) string {
	for i := range s.traits {
		if r := &s.traits[i]; r.trait == t {
			return texts.Text(t, r.text)
		}
	}
	return ""
}

// Attributes returns the texts of all attributes, by name; nil if no event has stated any.
func (s *State) Attributes(texts *trait.Texts) (all map[string]string) {
	for i := range s.traits {
		r := &s.traits[i]
		if !r.trait.IsAttribute() {
			continue
		}
		if all == nil {
			all = map[string]string{}
		}
		all[texts.Name(r.trait)] = texts.Text(r.trait, r.text)
	}
	return all
}

// traitUnit is what the index of a statement counts in Customer.trait, attributeUnit in Customer.attribute; the number of the trait is less.
const (
	traitUnit     = uint32(trait.FirstAttribute)
	attributeUnit = 256
)

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
		if r.trait.IsAttribute() {
			w.Attribute, w.AttributeText = append(w.Attribute, uint32(at)*attributeUnit+uint32(r.trait-trait.FirstAttribute)), append(w.AttributeText, uint32(r.text)) //nolint:gosec // few
			continue
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
	if len(w.Trait) != len(w.TraitText) || len(w.Attribute) != len(w.AttributeText) || len(w.TraitOrder) != n || len(w.TraitUpdated) != 0 && len(w.TraitUpdated) != n {
		return fmt.Errorf("%w: columns of traits of different length", ErrMalformed)
	}
	if all := len(w.Trait) + len(w.Attribute); all > 0 {
		s.traits = make([]register, 0, all)
	}
	for i, number := range w.Trait {
		at := number / traitUnit
		if int(at) >= n || !trait.Known(number%traitUnit) {
			return fmt.Errorf("%w: trait", ErrMalformed)
		}
		//mutant:traits-lost-on-reclaim replace s.traits = append(s.traits, register{trait: trait.Trait(number % traitUnit), text: trait.Number(0 * w.TraitText[i])})
		s.traits = append(s.traits, register{statementAt(w, at), trait.Trait(number % traitUnit), trait.Number(w.TraitText[i])})
	}
	for i, number := range w.Attribute {
		at, place := number/attributeUnit, number%attributeUnit
		if int(at) >= n || place >= uint32(trait.MaxAttributes) {
			return fmt.Errorf("%w: attribute", ErrMalformed)
		}
		s.traits = append(s.traits, register{statementAt(w, at), trait.FirstAttribute + trait.Trait(place), trait.Number(w.AttributeText[i])})
	}
	return nil
}

// statementAt reads a statement.
func statementAt(w *state.Customer, at uint32) statement {
	from := statement{at: w.TraitAt[at], order: uint16(w.TraitOrder[at])} //nolint:gosec // as written
	if len(w.TraitUpdated) > 0 && w.TraitUpdated[at] != 0 {
		age := w.TraitUpdated[at]
		if age > 0 {
			age--
		}
		from.updated = from.at + age
	}
	return from
}
