package processors

import (
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// A merge entry states that a customer is the same person as another. It makes them somebody who was merged: their state is whom they were
// merged into, and nothing else. Their facts go to that customer in entries of this ledger, and so does every entry that comes for them
// later. What two partitions send each other keeps its order, so what was reported first arrives first.
//
// A customer gives all away at once, and asks nobody before. So two merges in two partitions may close a ring: each has given everything to
// the other. Whatever is passed on names the customers by whom it came. What comes to one of them a second time has been round a ring, and
// all who met it agree who is in the ring; the one with the least hash becomes a customer again, and takes over all that is still going
// round. A merge that would close a ring is mostly seen before, and rejected: a customer knows who was merged into them.
//
// To ask the other customer first, and to give the facts away on their consent, was rejected: consents of several partitions may close a ring
// as well, and a merge would wait for what a partition that is down does not answer.

// foldMerge merges the entry's customer into another.
func (s *step) foldMerge() (Verdict, error) {
	e, err := s.scratch.events.Read(s.entry.GetPayload())
	switch {
	case err != nil:
	case e.Merge == nil:
		err = errBody
	case s.entry.GetCustomer() == "" || e.Merge.GetInto() == "":
		err = errCustomer
	}
	if err != nil {
		return Verdict{}, fmt.Errorf("%w merge: %w", ErrMalformed, err)
	}
	m := s.p.momentOf(s.timeOfRequest())
	c, sent, err := s.loadOrForward(m)
	if err != nil || sent {
		return Verdict{Result: Forwarded}, err
	}
	into := e.GetMerge().GetInto()
	//mutant:cycle-accepted if false && $
	if into == c.id || c.state.HasMerged(into) {
		return s.refuseMerge(m, &c, e), nil
	}
	s.beforeChange(&c)
	v := Verdict{Woken: s.fireTimers(m, &c)}
	if c.known {
		s.clearAlerts(m, &c, output.TriggerMerge, e.GetId(), alert.Merged)
		s.writeMerged(m, &c, e)
		s.state.totals.Leave(&c.state.LastPublished, s.scratch.cancellations)
		s.moveInCalendar(nil, nil)
	}
	if to := c.state.Credited.To; to != "" { // the credit is given by the other customer from now on
		//mutant:credit-of-merged-stays delete
		s.sendCredit(m, to, &ledger.Credit{Referred: c.id, CauseEventId: e.GetId()})
	}
	left := c.state.WhenMerged(into, s.offset)
	left.NoteNames(s.state.unnamings)
	s.sendFacts(m, &c, into, e.GetId())
	s.store.Put(c.id, left)
	return v, nil
}

// timeOfRequest returns the time of an entry that may come from a command, which knows no time of the ledger.
func (s *step) timeOfRequest() int64 {
	if !s.state.baseKnown {
		return max(s.entry.GetTime(), s.state.latest)
	}
	return s.entry.GetTime()
}

// refuseMerge rejects a merge that would close a ring. One that came by way of somebody who was merged states what is done already.
func (s *step) refuseMerge(m customer.Moment, c *subject, e *ledger.Event) Verdict {
	if len(s.path) > 0 {
		return Verdict{Result: Ignored}
	}
	s.reject(m, c, e, customer.Change{Reason: output.MergeCycle})
	return Verdict{Result: Rejected, Reason: output.MergeCycle}
}

// sendFacts sends what is known of a customer to the one into whom they are merged.
func (s *step) sendFacts(m customer.Moment, c *subject, into, cause string) {
	parts := c.state.Facts(c.id)
	for i, part := range parts {
		f := &ledger.Facts{Customer: part.Encode(nil), TraitText: part.TraitTexts(&s.state.texts), More: i < len(parts)-1, CauseEventId: cause}
		payload, err := f.MarshalVT()
		if err != nil {
			panic("marshal facts: " + err.Error()) // of a state, which cannot fail
		}
		s.sendOn(into, &ledger.Merged{Customer: xxhash.Sum64String(c.id), Offset: s.offset}, &ledger.Entry{
			Version: EntryVersion, Kind: ledger.Kind_KIND_FACTS, Customer: into, Time: m.Now, Payload: payload,
		})
	}
}

// sendOn sends an entry to the customer into whom the one at the end of the path was merged.
func (s *step) sendOn(into string, here *ledger.Merged, e *ledger.Entry) {
	to := murmur2.PartitionFor([]byte(into), s.state.genesis.GetPartitions())
	f := &ledger.Forward{Path: append(slices.Clone(s.path), here), Entry: e}
	s.send(to, &ledger.Entry{Kind: ledger.Kind_KIND_FORWARD, Customer: into, Time: e.GetTime()}, f)
}

// foldForward folds an entry that came to somebody who was merged.
func (s *step) foldForward() (Verdict, error) {
	var f ledger.Forward
	err := f.UnmarshalVT(s.entry.GetPayload())
	switch {
	case err != nil:
	case f.Entry == nil || len(f.Path) == 0:
		err = errBody
	case s.entry.GetCustomer() == "":
		err = errCustomer
	case s.entry.GetOrigin() == nil && s.entry.GetCopied() == nil:
		err = errOrigin
	}
	if err != nil {
		return Verdict{}, fmt.Errorf("%w forward: %w", ErrMalformed, err)
	}
	if s.state.isBeforeErasure(s.entry) {
		s.advanceMark()
		return Verdict{Result: Ignored}, nil
	}
	s.path, s.entry = f.Path, f.Entry
	switch f.Entry.GetKind() {
	case ledger.Kind_KIND_EVENT:
		return s.foldEvent()
	case ledger.Kind_KIND_CREDIT:
		return s.foldCredit()
	case ledger.Kind_KIND_MERGE:
		return s.foldMerge()
	case ledger.Kind_KIND_FACTS:
		return s.foldFacts()
	case ledger.Kind_KIND_CALL_MARK:
		return s.foldCallMark()
	default:
		return Verdict{}, fmt.Errorf("%w %d in a forward", ErrUnknownKind, f.Entry.GetKind())
	}
}

// foldFacts takes over a part of what is known of a customer who was merged into the entry's.
func (s *step) foldFacts() (Verdict, error) {
	var f ledger.Facts
	var part *customer.State
	err := f.UnmarshalVT(s.entry.GetPayload())
	if err == nil {
		part, err = customer.Decode(f.GetCustomer())
	}
	if err == nil && !part.HasTraitTexts(len(f.GetTraitText())) {
		err = errBody
	}
	if err != nil {
		return Verdict{}, fmt.Errorf("%w facts: %w", ErrMalformed, err)
	}
	m := s.p.momentOf(s.entry.GetTime())
	c, sent, err := s.loadOrForward(m)
	if err != nil || sent {
		return Verdict{Result: Forwarded}, err
	}
	s.beforeChange(&c)
	v := Verdict{Woken: s.fireTimers(m, &c)}
	c.state.TakeOver(&s.p.terms, m, c.id, part, &s.state.texts, f.GetTraitText())
	c.state.NoteNames(s.state.unnamings)
	if !f.GetMore() {
		s.historyChanged = true
		s.scoreAndPublish(m, &c, output.TriggerMerge, f.GetCauseEventId())
	}
	s.put(&c)
	return v, nil
}

// loadOrForward loads the entry's customer, and moves the mark of its source. If they were merged into another, it sends the entry there,
// and returns true.
func (s *step) loadOrForward(m customer.Moment) (c subject, sent bool, err error) {
	if c, err = s.loadCustomer(s.ledgerEntry.GetCustomer()); err != nil {
		return c, false, err
	}
	s.advanceMark()
	into := c.state.MergedInto()
	switch {
	case into == "":
		return c, false, nil
	case s.isMergedIntoErased(c.state):
		s.eraseMerged(m, c.id)
		c, err = s.loadCustomer(c.id)
		return c, false, err
	}
	here := &ledger.Merged{Customer: xxhash.Sum64String(c.id), Offset: c.state.MergedAt()}
	if s.isLeastOfRing(here) {
		s.separate(&c)
		return c, false, nil
	}
	e := s.entry
	//mutant:forward-lost insert return c, true, nil
	s.sendOn(into, here, &ledger.Entry{
		Version: e.GetVersion(), Kind: e.GetKind(), Customer: e.GetCustomer(), Origin: e.GetOrigin(), Time: e.GetTime(), Payload: e.GetPayload(), Copied: e.GetCopied(),
	})
	return c, true, nil
}

// isLeastOfRing reports whether the entry has been at a customer before, and no hash of those it has met since is less than theirs.
func (s *step) isLeastOfRing(here *ledger.Merged) bool {
	first := slices.IndexFunc(s.path, func(x *ledger.Merged) bool {
		return x.GetCustomer() == here.GetCustomer() && x.GetOffset() == here.GetOffset()
	})
	//mutant:ring-goes-round insert return false
	return first >= 0 && !slices.ContainsFunc(s.path[first:], func(x *ledger.Merged) bool { return x.GetCustomer() < here.GetCustomer() })
}

// separate makes somebody who was merged a customer again.
func (s *step) separate(c *subject) {
	c.state.Separate()
	c.known = false
	s.beforeChange(c)
	s.put(c)
	c.known = true
}

// isMergedIntoErased reports whether the customer into whom somebody was merged has been erased since.
func (s *step) isMergedIntoErased(c *customer.State) bool {
	//mutant:merged-outlives-erasure insert return false
	return c.MergedInto() != "" && c.MayNameErased(s.state.unnamings) && s.state.isErasedSince(xxhash.Sum64String(c.MergedInto()), c.Compared())
}

// eraseMerged erases somebody who was merged into a customer who was erased: they are the same person. The erase entry that the partition
// sends itself has all partitions drop the name, and a copy of the ledger leave out what is theirs from before this entry. What comes for them
// from other partitions is ignored from now on, as after any erasure.
func (s *step) eraseMerged(m customer.Moment, id string) {
	s.store.Delete(id)
	s.state.awaitAnswers(s.offset, id)
	s.send(s.state.number, &ledger.Entry{Kind: ledger.Kind_KIND_ERASE, Customer: id, Time: m.Now},
		&ledger.Event{Id: "merged", Source: "erasure", OccurredAt: m.Now, Erasure: &ledger.Erasure{Below: s.offset}})
}

// writeMerged publishes that the customer is merged, and then a tombstone, in every topic of answers.
func (s *step) writeMerged(m customer.Moment, c *subject, e *ledger.Event) {
	w := &s.scratch.writer
	for _, topic := range output.AnswerTopics() {
		w.merged = output.CustomerMerged{About: w.aboutCustomer(m, c, output.TriggerMerge, e.GetId()), Into: e.GetMerge().GetInto()}
		w.write(topic, output.TypeMerged, &w.merged.About, w.appendMerged)
	}
	w.writeTombstones(output.TypeMerged, output.TriggerMerge, c.id, m.Now)
}
