package processors

import (
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/state"
)

// New parameters, thresholds or settings concern every customer. They hold for whoever is touched from their entry on; all
// others are scored anew by class of their ids' hash, a class by id, some with each entry, until the cursor has passed all
// (schemas/ledger.Class). Who is scored when is a function of the ledger alone. Newer terms start again from the first class.
//
// The customer has done nothing and no time has passed for him, so all that is said on the way has trigger refit, whichever
// terms are new, and is said only where it is material.

// perClass is about how many customers a class has.
const perClass = 16

// mostClasses keeps a class's number in 32 bits with room to double.
const mostClasses = 1 << 28

// startRescoring puts the cursor before the first class.
func (p *Partition) startRescoring() {
	classes := uint32(1)
	for n := p.totals.Customers / perClass; int64(classes) < n && classes < mostClasses; {
		classes *= 2
	}
	p.rescoring = &state.Rescoring{Classes: classes}
}

// Rescoring says how far customers are scored anew under new terms: how many of all classes are done; false when none is
// under way.
func (p *Partition) Rescoring() (done, classes uint32, ok bool) {
	r := p.rescoring
	return r.GetClass(), r.GetClasses(), r != nil
}

// rescore scores the next customers of the cursor, at most limit. It drops the cursor at the end of the last class.
func (s *step) rescore(limit int) (done int, err error) {
	p := s.Partition
	r := p.rescoring
	for r != nil && done < limit {
		ids, err := s.store.Class(r.GetClass(), r.GetClasses())
		if err != nil {
			return done, err
		}
		for _, id := range ids {
			if id <= r.GetAfter() {
				continue
			}
			if done == limit {
				return done, nil
			}
			if err := s.scoreAnew(id); err != nil {
				return done, err
			}
			r.After = id
			done++
		}
		r.Class, r.After = r.GetClass()+1, ""
		if r.GetClass() == r.GetClasses() {
			p.rescoring, r = nil, nil
		}
	}
	return done, nil
}

// scoreAnew answers for one customer as of base time, or of his last order where that is later.
func (s *step) scoreAnew(id string) error {
	p := s.Partition
	c, err := s.load(id)
	if err != nil {
		return err
	}
	if !c.known {
		return ErrLostCustomer
	}
	m := p.presently(c.state)
	if s.timers(m, &c) == 0 {
		s.answer(m, &c, output.TriggerRefit, "")
	}
	s.store.Put(id, c.state) // changed in any case: under which terms his alerts were evaluated is remembered
	return nil
}

// presently is the moment at which a customer is looked at whom no entry concerns: base time (the latest event's, while base
// time is undefined), or his last order where that is later.
func (p *Partition) presently(c *customer.State) customer.Moment {
	now := p.base
	if !p.based {
		now = p.latest
	}
	if at, ok := c.LastOrderAt(); ok {
		now = max(now, at)
	}
	return p.terms.At(now, p.base, p.based)
}
