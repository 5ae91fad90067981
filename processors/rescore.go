package processors

import (
	"github.com/mainstay/mainstay/processors/clv"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/state"
)

// New parameters, thresholds or settings concern every customer. They are in force from their entry on, for every customer that an
// entry or a timer touches. A cursor rescores all others: hash class by hash class (schemas/ledger.Class), within a class by id,
// a bounded number with each entry. Which customer is rescored with which entry is a function of the ledger alone. Newer terms
// put the cursor back before the first class.
//
// The customer has done nothing and no time has passed for them, so the outputs name the new terms as their trigger, and only
// material changes are published; with new thresholds alone, only changes of the tier.

// customersPerClass is about how many customers a hash class has.
const customersPerClass = 16

// maxClasses keeps the number of classes in 32 bits with room to double.
const maxClasses = 1 << 28

// startRescoring puts the cursor before the first class. What a rescoring under way was for remains to be done.
func (s *partitionState) startRescoring(kind ledger.Kind) {
	terms := map[ledger.Kind]uint32{ledger.Kind_KIND_THRESHOLDS: 1, ledger.Kind_KIND_PARAMETERS: 2, ledger.Kind_KIND_SETTINGS: 3}[kind]
	s.rescoring = &state.Rescoring{
		Classes: s.hashClasses(), Terms: max(terms, s.rescoring.GetTerms()),
		Close: kind == ledger.Kind_KIND_THRESHOLDS && s.thresholds.GetClose() != 0 || kind != ledger.Kind_KIND_THRESHOLDS && s.rescoring.GetClose(),
	}
}

// hashClasses returns the number of hash classes for a cursor that begins now.
func (s *partitionState) hashClasses() uint32 {
	classes := uint32(1)
	for n := s.totals.Known / customersPerClass; int64(classes) < n && classes < maxClasses; {
		classes *= 2
	}
	return classes
}

// rescoringTrigger returns the trigger of what the rescoring under way publishes.
func (s *partitionState) rescoringTrigger() output.Trigger {
	switch s.rescoring.GetTerms() {
	case 1:
		if s.rescoring.GetClose() {
			return output.TriggerClose
		}
		return output.TriggerThresholds
	case 2:
		return output.TriggerParameters
	}
	return output.TriggerSettings
}

// rescore rescores the next customers of the cursor, at most limit. It drops the cursor at the end of the last class.
func (s *step) rescore(limit int) (done int, err error) {
	r := s.state.rescoring
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
			if err := s.rescoreCustomer(id); err != nil {
				return done, err
			}
			r.After = id
			done++
		}
		r.Class, r.After = r.GetClass()+1, ""
		if r.GetClass() == r.GetClasses() {
			s.state.rescoring, r = nil, nil
			s.state.retiredRules = nil // every customer's episodes of them are closed
			s.p.deriveTerms()
		}
	}
	return done, nil
}

// rescoreCustomer scores one customer as of base time, or of their last order where that is later.
func (s *step) rescoreCustomer(id string) error {
	c, err := s.loadCustomer(id)
	if err != nil {
		return err
	}
	if !c.known {
		return ErrLostCustomer
	}
	if c.state.MergedInto() != "" {
		return nil
	}
	s.beforeChange(&c)
	if s.state.rescoring.GetClose() {
		s.setCloseTier(c.state)
		defer func() { s.tierAtClose = nil }()
	}
	//mutant:losses-under-old-terms delete
	s.termsChanged = s.state.rescoring.GetTerms() > 1
	defer func() { s.termsChanged = false }()
	m := s.p.currentMoment(c.state)
	if s.fireTimers(m, &c) == 0 {
		s.scoreAndPublish(m, &c, s.state.rescoringTrigger(), "")
	}
	s.put(&c) // changed in any case: the state remembers under which terms the alerts were evaluated
	return nil
}

// setCloseTier finds the tier that a close gives a customer: by their value at the end of the day, and by its bounds alone. So every
// tier equals a recount's, and from it on a customer keeps the tier until the value falls 2% below its bound.
func (s *step) setCloseTier(c *customer.State) {
	t, at := &s.p.terms, s.state.thresholds.GetClose()
	tier := customer.NoTier
	if then := c.AsOf(t, at); then != nil {
		value := clv.Score(t, t.At(at, at, true), then, &customer.LastPublished{})
		tier = value.Tier
	}
	s.tierAtClose = &tier
}

// rankedFrom returns the scores published last, with the tier from which a customer is ranked: the one published last, or at a close
// the one that the close gives.
func (s *step) rankedFrom(last *customer.LastPublished) *customer.LastPublished {
	//mutant:close-keeps-tiers if true || $
	if s.tierAtClose == nil {
		return last
	}
	from := *last
	from.Tier = *s.tierAtClose
	return &from
}
