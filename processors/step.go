// Package processors owns the answers: one pure function, Step, that folds an entry of the ledger into the state of a
// partition and of its customers, and returns what is to be published. It alone fixes the order in which an entry's effects
// happen.
//
// It refuses all I/O, clocks, logging and randomness: time comes from the entry, customers from the Store it is given.
package processors

import (
	"fmt"

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/trait"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// Store holds the customers of one partition. An error means that the infrastructure failed or that the partition is lost:
// the caller of Step then throws the partition's state away and claims the partition again.
type Store interface {
	// Customer returns the state of a customer, nil when there is none. Step changes it in place and then calls Put.
	Customer(id string) (*customer.State, error)
	// Put stores a customer that has changed, or is new. The store reads the deadline from the state.
	Put(id string, s *customer.State)
	// Due returns at most limit customers whose deadline is at or before now, ordered by deadline, then id.
	Due(now int64, limit int) ([]string, error)
	// Delete removes a customer, as if there had never been one of this id.
	Delete(id string)
	// Class returns the customers of one hash class (ledger.Class), those added since the last commit included, by id.
	Class(class, classes uint32) ([]string, error)
}

// Step folds one entry: it changes p and the store's customers, and appends what is to be published to out. It is a function
// of (p, the customers, offset, e) and of nothing else: the same ledger gives the same bytes, however it is cut into batches.
//
// An error that wraps ErrRefused means that the entry cannot be folded, and nothing has changed. Any other error comes from the
// store, and the caller throws p and the store away. What is appended to out does not alias the entry.
func Step(p *Partition, offset int64, e *ledger.Entry, store Store, out *output.Batch) (Verdict, error) {
	if err := p.state.admit(offset, e); err != nil {
		return Verdict{}, fmt.Errorf("entry %d: %w", offset, err)
	}
	out.Begin(e.GetHeaders())
	p.scratch.begin(output.ID{Partition: p.state.number, Offset: offset}, p.terms.Unit, out)
	s := step{p: p, state: &p.state, scratch: &p.scratch, offset: offset, ledgerEntry: e, entry: e, store: store, out: out}
	v, err := s.fold()
	v.Alerts = p.scratch.alertCounts
	p.scratch.writer.batch = nil
	if err != nil {
		return Verdict{}, fmt.Errorf("entry %d: %w", offset, err)
	}
	p.state.offset = offset
	return v, nil
}

// step is one entry while it is folded. Its parts do not point back to it.
type step struct {
	p       *Partition      // for what is derived: the terms and rules in force
	state   *partitionState // p's
	scratch *scratch        // p's
	offset  int64
	store   Store
	out     *output.Batch

	ledgerEntry *ledger.Entry    // as it is in the ledger
	entry       *ledger.Entry    // the same, or the entry that a forward passes on
	path        []*ledger.Merged // of the forward; nil otherwise

	tierAtClose    *customer.Tier // of the customer who is rescored at a close; nil: no close gives one
	termsChanged   bool           // the customer is rescored since the model or the settings have changed
	historyChanged bool           // the customer has taken over the history of another

	category   trait.Number // of the purchase that the entry reports; 0: none that is told apart
	occurredAt int64        // ms; when what the entry reports happened; 0: it reports nothing that happened
}

// scratch is memory that steps use one after the other, so that a step allocates nothing for it. Nothing in it has a meaning
// after the step, except that alertCounts stays valid until the next one.
type scratch struct {
	events      ledger.EventReader
	details     ledger.Details  // of the purchase read last
	scores      scores          // of the customer scored last
	evaluator   alert.Evaluator // of the customer evaluated last
	writer      outputWriter
	alertCounts []AlertCount

	cancellations customer.CancellationCounts // of the customer who is changed, as the totals count them
	milestones    []customer.Milestone        // that the customer scored last has reached
	former        former                      // what the calendar counts of them
}

func (x *scratch) begin(id output.ID, unit money.Unit, out *output.Batch) {
	x.writer.begin(id, unit, out)
	x.alertCounts = x.alertCounts[:0]
}

// admit refuses entries that cannot be folded at all.
func (s *partitionState) admit(offset int64, e *ledger.Entry) error {
	genesis := e.GetKind() == ledger.Kind_KIND_GENESIS
	switch {
	case e.GetVersion() != EntryVersion:
		return fmt.Errorf("%w %d", ErrUnknownVersion, e.GetVersion())
	case e.GetPayloadKeyId() != 0:
		return fmt.Errorf("%w: payload under key %d", ErrMalformed, e.GetPayloadKeyId())
	case len(e.GetHeaders()) > 0 && !output.Headers(e.GetHeaders()).Valid():
		return fmt.Errorf("%w: headers", ErrMalformed)
	case offset <= s.offset:
		return fmt.Errorf("%w (%d)", ErrOutOfOrder, s.offset)
	case s.genesis == nil && !genesis:
		return ErrNoGenesis
	case s.genesis != nil && genesis:
		return ErrSecondGenesis
	}
	return nil
}

// fold dispatches on the kind of entry. An entry that has an origin is folded once, and in the order of its source.
func (s *step) fold() (Verdict, error) {
	if r := s.state.checkOrigin(s.entry); r != Applied {
		return Verdict{Result: r}, nil
	}
	switch s.entry.GetKind() {
	case ledger.Kind_KIND_EVENT:
		return s.foldEvent()
	case ledger.Kind_KIND_CREDIT:
		return s.foldCredit()
	case ledger.Kind_KIND_TICK:
		return s.foldTick()
	case ledger.Kind_KIND_MERGE:
		return s.foldMerge()
	case ledger.Kind_KIND_FORWARD:
		return s.foldForward()
	case ledger.Kind_KIND_CONTINUE:
		s.advanceMark()
		s.state.continuePending = false
		return s.wake()
	case ledger.Kind_KIND_CONTRIBUTION:
		return s.foldContribution()
	case ledger.Kind_KIND_ERASE:
		return s.foldErase()
	case ledger.Kind_KIND_UNNAME:
		return s.foldUnname()
	case ledger.Kind_KIND_UNNAMED:
		return s.foldUnnamed()
	case ledger.Kind_KIND_COST:
		return s.foldCost()
	case ledger.Kind_KIND_CALL_MARK:
		return s.foldCallMark()
	case ledger.Kind_KIND_GENESIS, ledger.Kind_KIND_SETTINGS, ledger.Kind_KIND_LOGIC, ledger.Kind_KIND_PARAMETERS,
		ledger.Kind_KIND_THRESHOLDS, ledger.Kind_KIND_CHECKPOINT:
		return s.foldTerms()
	default: // rates come with the settings, facts in forwards
		return Verdict{}, fmt.Errorf("%w %d", ErrUnknownKind, s.entry.GetKind())
	}
}

// foldEvent fires the customer's due timers, applies the event, and publishes what has changed enough.
func (s *step) foldEvent() (Verdict, error) {
	e, err := s.scratch.events.Read(s.entry.GetPayload())
	if err == nil {
		err = validateEvent(e)
	}
	if err == nil && s.entry.GetCustomer() == "" {
		err = errCustomer
	}
	if err != nil {
		return Verdict{}, fmt.Errorf("%w event: %w", ErrMalformed, err)
	}
	m := s.p.momentOf(s.entry.GetTime())
	verdict := Verdict{Late: len(s.path) == 0 && s.state.baseKnown && s.entry.GetTime() < s.state.base}
	c, sent, err := s.loadOrForward(m)
	if err != nil || sent {
		verdict.Result = Forwarded
		return verdict, err
	}
	s.beforeChange(&c)
	verdict.Woken = s.fireTimers(m, &c)
	s.occurredAt = e.GetOccurredAt()
	change := s.applyEvent(m, &c, e)
	switch {
	case change.Duplicate:
		// Its id may be remembered now, or timers may have fired, so the customer is put back to be committed.
		verdict.Result = DuplicateEvent
		s.put(&c)
		return verdict, nil
	case change.Reason != "":
		verdict.Result, verdict.Reason = Rejected, change.Reason
		s.reject(m, &c, e, change)
	}
	s.scoreAndPublish(m, &c, output.TriggerEvent, e.GetId())
	s.put(&c)
	return verdict, nil
}

// validateEvent checks that an event has exactly one body, of a known kind.
func validateEvent(e *ledger.Event) error {
	n := 0
	if e.Purchase != nil {
		n++
	}
	if e.Referral != nil {
		n++
		if s := e.Referral.GetStatus(); s < ledger.ReferralStatus_REFERRAL_STATUS_PENDING || s > ledger.ReferralStatus_REFERRAL_STATUS_VOIDED {
			return errBody
		}
	}
	if e.Survey != nil {
		n++
		if e.Survey.GetType() == ledger.SurveyType_SURVEY_TYPE_UNSPECIFIED {
			return errBody
		}
	}
	if e.Engagement != nil {
		n++
		if x := e.Engagement.GetType(); x < ledger.EngagementType_ENGAGEMENT_TYPE_SITE_VISIT || x > ledger.EngagementType_ENGAGEMENT_TYPE_FEATURE_USE {
			return errBody
		}
	}
	if e.Cancellation != nil {
		n++
		if k := e.Cancellation.GetKind(); k < ledger.CancellationKind_CANCELLATION_KIND_ORDER || k > ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT {
			return errBody
		}
	}
	if n != 1 {
		return errBody
	}
	return nil
}

// applyEvent applies an event to its customer, unless its id was folded before.
func (s *step) applyEvent(m customer.Moment, c *subject, e *ledger.Event) customer.Change {
	natural, fingerprint := customer.HasNaturalID(e), customer.EventFingerprint(e)
	switch c.state.MatchEvent(&s.p.terms, m, fingerprint) {
	case customer.SameFacts:
		return customer.Change{Duplicate: true}
	case customer.OtherFacts:
		if !natural {
			c.state.RememberEvent(m, fingerprint)
			return customer.Change{Reason: output.EventConflict}
		}
	case customer.NewEvent:
	}
	change := s.applyBody(m, c, e)
	if natural && change.Reason == output.OrderConflict {
		change.Reason = output.EventConflict // the order's id is the event's id: it is the same event
	}
	// Without a rate nothing was decided: the same event may come again once there is a rate.
	if (!natural || change.Reason != "") && change.Reason != output.CurrencyUnknownRate {
		c.state.RememberEvent(m, fingerprint)
	}
	return change
}

func (s *step) applyBody(m customer.Moment, c *subject, e *ledger.Event) customer.Change {
	t := &s.p.terms
	switch {
	case e.Purchase != nil:
		change := c.state.RecordPurchase(t, m, e, e.Purchase)
		if d := &s.scratch.details; s.scratch.events.Details(d) {
			c.state.NoteTraits(&s.state.texts, e, d, change)
			if category := d.Category(); category != "" && change.Reason == "" {
				s.category = s.state.texts.Number(trait.Category, category)
			}
		}
		c.state.NoteAttributes(&s.state.texts, e, change)
		return change
	case e.Referral != nil:
		change := c.state.RecordReferral(c.id, e, e.Referral)
		c.state.NoteNames(s.state.unnamings)
		return change
	case e.Survey != nil:
		return c.state.RecordResponse(e.Survey)
	case e.Engagement != nil:
		change := c.state.RecordEngagement(t, e.GetOccurredAt(), e.Engagement)
		c.state.NoteAttributes(&s.state.texts, e, change)
		return change
	}
	switch k := e.GetCancellation(); k.GetKind() {
	case ledger.CancellationKind_CANCELLATION_KIND_REFUND:
		return c.state.RecordRefund(t, m, e, k)
	case ledger.CancellationKind_CANCELLATION_KIND_ORDER:
		return c.state.RecordCancellation(t, m, e, k, s.entry.GetOrigin())
	default:
		return c.state.RecordClosing(e, k)
	}
}

// foldCredit sets the amount that a referrer is credited with for one referred customer. The partition of the referred customer
// sent it.
func (s *step) foldCredit() (Verdict, error) {
	var k ledger.Credit
	err := k.UnmarshalVT(s.entry.GetPayload())
	if err == nil && s.entry.GetCustomer() == "" {
		err = errCustomer
	}
	if err != nil {
		return Verdict{}, fmt.Errorf("%w credit: %w", ErrMalformed, err)
	}
	if len(s.path) == 0 && s.state.isBeforeErasure(s.entry) {
		s.advanceMark()
		return Verdict{Result: Ignored}, nil
	}
	m := s.p.momentOf(s.entry.GetTime())
	c, sent, err := s.loadOrForward(m)
	if err != nil || sent {
		return Verdict{Result: Forwarded}, err
	}
	if k.GetErased() && !c.known && s.entry.GetCopied() == nil {
		return Verdict{Result: Ignored}, nil
	}
	s.beforeChange(&c)
	verdict := Verdict{Woken: s.fireTimers(m, &c)}
	s.occurredAt = k.GetOccurredAt()
	c.state.SetCredit(&k, s.entry.GetCustomer(), s.entry.GetOrigin().GetOffset())
	//mutant:credit-without-cause insert k.CauseEventId = ""
	s.scoreAndPublish(m, &c, output.TriggerCredit, k.GetCauseEventId())
	s.put(&c)
	return verdict, nil
}
