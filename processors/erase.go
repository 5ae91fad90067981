package processors

import (
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/churn"
	"github.com/mainstay/mainstay/processors/clv"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/promoter"
	"github.com/mainstay/mainstay/processors/referral"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/state"
)

// An erase entry removes a customer's state, tells the subscribers, and makes the credit for them one without a name. What follows it in
// the ledger concerns a new customer, whenever it happened.
//
// Customers whom the erased one referred hold their name, in any partition. So every partition gets an unname entry: from it on, a
// customer drops referrals by that name when anything touches them, and a cursor reaches all others. The partition answers. A credit that
// it sent before its answer is for the erased customer and not for a new one of the same id, so it is ignored.
//
// What was sold stays in the sums over customers and in the calendar, and what has come true of forecasts stays in the calibration. In the
// calendar the customer is lost from that day on. Other counts, forecasts and
// ranks are of those who are left: a score that nobody's silence changes any more would be wrong for ever.

// foldErase erases a customer.
func (s *step) foldErase() (Verdict, error) {
	e, err := s.scratch.events.Read(s.entry.GetPayload())
	switch {
	case err != nil:
	case e.Erasure == nil:
		err = errBody
	case s.entry.GetCustomer() == "":
		err = errCustomer
	}
	if err != nil {
		return Verdict{}, fmt.Errorf("%w erasure: %w", ErrMalformed, err)
	}
	p := s.state
	m := s.p.momentOf(s.timeOfRequest())
	c, err := s.loadCustomer(s.entry.GetCustomer())
	if err != nil {
		return Verdict{}, err
	}
	s.advanceMark()
	p.erasures++
	if at := e.GetOccurredAt(); p.oldestErasure == 0 || at < p.oldestErasure {
		p.oldestErasure = at
	}
	if below := e.Erasure.GetBelow(); below != 0 { // it is this entry that the partitions answer
		p.erased = slices.DeleteFunc(p.erased, func(x *state.Erased) bool {
			return x.GetOffset() == below && x.GetCustomer() == xxhash.Sum64String(c.id)
		})
	}
	s.sendUnname(m, c.id) // also where they are not known: they may be named by others all the same
	switch into := c.state.MergedInto(); {
	case !c.known || e.Erasure.GetBelow() != 0:
		return Verdict{Result: Ignored}, nil
	case into != "":
		if !s.isMergedIntoErased(c.state) {
			s.eraseInto(m, into)
		}
		s.store.Delete(c.id)
		return Verdict{}, nil
	}
	//mutant:close-loses-erased delete
	s.beforeChange(&c)
	v := Verdict{Woken: s.fireTimers(m, &c)}
	s.clearAlerts(m, &c, output.TriggerErasure, e.GetId(), alert.Erased)
	s.writeErased(m, &c, e)
	if k := c.state.Credited; k.To != "" {
		s.sendCredit(m, k.To, &ledger.Credit{Net: k.Net, Approved: true, Erased: true, ReferredHash: xxhash.Sum64String(c.id)})
	}
	//mutant:erased-equity-unsaid delete
	s.noteErased(c.state)
	p.totals.Erase(&c.state.LastPublished, s.scratch.cancellations)
	s.loseErased(m, c.state)
	//mutant:erased-state-kept replace s.store.Put(c.id, c.state)
	s.store.Delete(c.id)
	return v, nil
}

// eraseInto passes on the erasure of somebody who was merged: the request is one to erase the person, so it goes to the customer whom they
// are now.
func (s *step) eraseInto(m customer.Moment, into string) {
	to := murmur2.PartitionFor([]byte(into), s.state.genesis.GetPartitions())
	s.send(to, &ledger.Entry{Kind: ledger.Kind_KIND_ERASE, Customer: into, Time: m.Now}, s.scratch.events.Last())
}

// clearAlerts publishes that the customer's published alerts are cleared.
func (s *step) clearAlerts(m customer.Moment, c *subject, trigger output.Trigger, cause, reason string) {
	if len(c.state.Alerts.Episodes) == 0 {
		return
	}
	p, x, last := s.p, &s.scratch.scores, &c.state.LastPublished
	x.value, x.risk, x.status = clv.Score(&p.terms, m, c.state, last), churn.Score(&p.terms, m, c.state), promoter.Score(&p.terms, m, c.state)
	s.publishAlerts(m, c, trigger, cause, last, s.scratch.evaluator.CloseAll(&p.rules, &p.terms, m, c.state, x.forAlerts(), reason))
}

// writeErased publishes that the customer is erased, and then a tombstone, in every topic of answers.
func (s *step) writeErased(m customer.Moment, c *subject, e *ledger.Event) {
	w := &s.scratch.writer
	for _, topic := range output.AnswerTopics() {
		w.erased = output.CustomerErased{About: w.aboutCustomer(m, c, output.TriggerErasure, e.GetId()), RequestedAt: e.GetOccurredAt()}
		w.write(topic, output.TypeErased, &w.erased.About, w.appendErased)
	}
	//mutant:no-tombstone delete
	w.writeTombstones(output.TypeErased, output.TriggerErasure, c.id, m.Now)
}

// sendUnname tells every partition that its customers drop the name, and notes that the answers are awaited.
func (s *step) sendUnname(m customer.Moment, id string) {
	s.state.awaitAnswers(s.offset, id)
	for partition := range s.state.genesis.GetPartitions() {
		s.send(partition, &ledger.Entry{Kind: ledger.Kind_KIND_UNNAME, Time: m.Now}, &ledger.Unname{Customer: xxhash.Sum64String(id)})
	}
}

func (s *partitionState) awaitAnswers(offset int64, id string) {
	waiting := &state.Erased{Customer: xxhash.Sum64String(id), Offset: offset}
	for partition := range s.genesis.GetPartitions() {
		waiting.Awaited = append(waiting.Awaited, partition)
	}
	s.erased = append(s.erased, waiting)
}

// isBeforeErasure reports whether a credit is for a customer who was erased: its sender has not answered the unname entry yet.
func (s *partitionState) isBeforeErasure(e *ledger.Entry) bool {
	if len(s.erased) == 0 || e.GetOrigin() == nil {
		return false
	}
	//mutant:credit-revives-erased insert return false
	name := xxhash.Sum64String(e.GetCustomer())
	return slices.ContainsFunc(s.erased, func(x *state.Erased) bool {
		return x.GetCustomer() == name && slices.Contains(x.Awaited, e.GetOrigin().GetPartition())
	})
}

// foldUnname notes a name that customers drop, and answers.
func (s *step) foldUnname() (Verdict, error) {
	var u ledger.Unname
	err := u.UnmarshalVT(s.entry.GetPayload())
	origin := s.entry.GetOrigin()
	if err == nil && origin == nil {
		err = errOrigin
	}
	if err != nil {
		return Verdict{}, fmt.Errorf("%w unname: %w", ErrMalformed, err)
	}
	p := s.state
	s.advanceMark()
	p.unnamings++
	p.erasedNames = append(p.erasedNames, &state.ErasedName{Customer: u.GetCustomer(), Number: p.unnamings})
	if p.unnaming == nil {
		p.startUnnaming()
	}
	s.send(origin.GetPartition(), &ledger.Entry{Kind: ledger.Kind_KIND_UNNAMED, Time: s.entry.GetTime()}, &ledger.Unnamed{ErasedAt: origin.GetOffset()})
	return s.wake()
}

// foldUnnamed notes that a partition has answered.
func (s *step) foldUnnamed() (Verdict, error) {
	if err := s.state.noteAnswer(s.entry); err != nil {
		return Verdict{}, err
	}
	s.advanceMark()
	return Verdict{}, nil
}

func (s *partitionState) noteAnswer(e *ledger.Entry) error {
	var u ledger.Unnamed
	err := u.UnmarshalVT(e.GetPayload())
	if err == nil && e.GetOrigin() == nil {
		err = errOrigin
	}
	if err != nil {
		return fmt.Errorf("%w unnamed: %w", ErrMalformed, err)
	}
	for _, x := range s.erased {
		if x.GetOffset() == u.GetErasedAt() {
			x.Awaited = slices.DeleteFunc(x.Awaited, func(p int32) bool { return p == e.GetOrigin().GetPartition() })
		}
	}
	s.erased = slices.DeleteFunc(s.erased, func(x *state.Erased) bool { return len(x.Awaited) == 0 })
	return nil
}

// dropErasedNames drops the customer's referrals by customers who were erased since anything touched the customer last. The next
// referrer in turn gets the credit.
func (s *step) dropErasedNames(m customer.Moment, c *subject) {
	//mutant:erased-name-kept if false && $
	if c.state.ForgetReferrers(s.state.unnamings, s.state.isErasedSince) {
		s.updateCredits(m, c, "")
	}
}

func (s *partitionState) isErasedSince(name, after uint64) bool {
	return slices.ContainsFunc(s.erasedNames, func(x *state.ErasedName) bool { return x.GetCustomer() == name && x.GetNumber() > after })
}

// startUnnaming puts the cursor before the first class. A name that is added while it walks has to wait for its next walk: if every name
// put it back, names that keep coming would keep it from the last class for ever.
func (s *partitionState) startUnnaming() {
	s.unnaming = &state.Unnaming{Classes: s.hashClasses(), Upto: s.unnamings}
}

// unname has the next customers of the cursor drop erased names, at most limit.
func (s *step) unname(limit int) (done int, err error) {
	p := s.state
	for p.unnaming != nil && done < limit {
		u := p.unnaming
		ids, err := s.store.Class(u.GetClass(), u.GetClasses())
		if err != nil {
			return done, err
		}
		for _, id := range ids {
			if id <= u.GetAfter() {
				continue
			}
			if done == limit {
				return done, nil
			}
			if err := s.unnameCustomer(id); err != nil {
				return done, err
			}
			u.After = id
			done++
		}
		u.Class, u.After = u.GetClass()+1, ""
		if u.GetClass() == u.GetClasses() {
			p.erasedNames = slices.DeleteFunc(p.erasedNames, func(x *state.ErasedName) bool { return x.GetNumber() <= u.GetUpto() })
			if p.unnaming = nil; len(p.erasedNames) > 0 {
				p.startUnnaming()
			}
		}
	}
	return done, nil
}

func (s *step) unnameCustomer(id string) error {
	c, err := s.loadCustomer(id)
	if err != nil {
		return err
	}
	if !c.known {
		return ErrLostCustomer
	}
	if c.state.MergedInto() != "" {
		if s.isMergedIntoErased(c.state) {
			s.eraseMerged(s.p.currentMoment(c.state), id)
		}
		return nil
	}
	if !c.state.MayNameErased(s.state.unnamings) {
		return nil
	}
	s.beforeChange(&c)
	s.dropErasedNames(s.p.currentMoment(c.state), &c)
	s.put(&c)
	return nil
}

// updateCredits sends the credits of the customer's referrers that have changed.
func (s *step) updateCredits(m customer.Moment, c *subject, cause string) {
	referral.UpdateCredits(&s.p.terms, c.id, c.state, func(referrer string, k *ledger.Credit) {
		k.CauseEventId, k.OccurredAt = cause, s.occurredAt
		s.sendCredit(m, referrer, k)
	})
}

func (s *step) sendCredit(m customer.Moment, referrer string, k *ledger.Credit) {
	to := murmur2.PartitionFor([]byte(referrer), s.state.genesis.GetPartitions())
	s.send(to, &ledger.Entry{Kind: ledger.Kind_KIND_CREDIT, Customer: referrer, Time: m.Now}, k)
}
