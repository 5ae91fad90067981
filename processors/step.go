// Package processors owns the answers: one pure function, Step, that folds an entry of the ledger into the state of a
// partition and of its customers and says what is to be published. The order in which things happen is written here and
// nowhere else.
//
// It refuses all I/O, clocks, logging and randomness: time comes from the entry, customers from the Store it is given.
package processors

import (
	"fmt"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Store is what Step may ask for: the customers of one partition. An error is infrastructure trouble (or the loss of the
// partition): whoever calls Step then throws the partition's state away and claims it again.
type Store interface {
	// Customer returns the state of a customer, nil when there is none. Step changes it in place and then calls Put.
	Customer(id string) (*customer.State, error)
	// Put says that a customer has changed, or is new. The store reads the deadline from it.
	Put(id string, s *customer.State)
	// Due returns at most limit customers whose deadline is at or before now, ordered by deadline, then id.
	Due(now int64, limit int) ([]string, error)
	// Class returns the customers of one of so many classes (ledger.Class), those that are new included, by id.
	Class(class, classes uint32) ([]string, error)
}

// Step folds one entry: p and the store's customers change, and what is to be published is appended to out. It is a function
// of (p, the customers, offset, e) and of nothing else: the same ledger gives the same bytes, however it is cut into batches.
//
// Errors that wrap ErrRefused say that the entry cannot be folded: nothing has changed. Any other comes from the store, and
// leaves p and the store to be thrown away. What is appended does not alias the entry.
func Step(p *Partition, offset int64, e *ledger.Entry, store Store, out *output.Batch) (Verdict, error) {
	if err := p.admit(offset, e); err != nil {
		return Verdict{}, fmt.Errorf("entry %d: %w", offset, err)
	}
	p.step = step{Partition: p, offset: offset, entry: e, store: store, out: out}
	v, err := p.step.fold()
	v.Alerts = p.voice.counts
	p.step = step{}
	if err != nil {
		return Verdict{}, fmt.Errorf("entry %d: %w", offset, err)
	}
	p.offset = offset
	return v, nil
}

// step is one entry on its way.
type step struct {
	*Partition
	offset int64
	entry  *ledger.Entry
	store  Store
	out    *output.Batch
}

// admit refuses what cannot be folded at all.
func (p *Partition) admit(offset int64, e *ledger.Entry) error {
	genesis := e.GetKind() == ledger.Kind_KIND_GENESIS
	switch {
	case e.GetVersion() != EntryVersion:
		return fmt.Errorf("%w %d", ErrUnknownVersion, e.GetVersion())
	case e.GetPayloadKeyId() != 0:
		return fmt.Errorf("%w: payload under key %d", ErrMalformed, e.GetPayloadKeyId())
	case offset <= p.offset:
		return fmt.Errorf("%w (%d)", ErrOutOfOrder, p.offset)
	case p.genesis == nil && !genesis:
		return ErrNoGenesis
	case p.genesis != nil && genesis:
		return ErrSecondGenesis
	}
	return nil
}

// fold is what each kind of entry does. An entry from elsewhere is folded once, and in order; one of an event or a credit
// first wakes its own customer for what the time until now has brought.
func (s *step) fold() (Verdict, error) {
	p := s.Partition
	p.voice.begin(s)
	if r := p.origin(s.entry); r != Applied {
		return Verdict{Result: r}, nil
	}
	switch s.entry.GetKind() {
	case ledger.Kind_KIND_EVENT:
		return s.event()
	case ledger.Kind_KIND_CREDIT:
		return s.credit()
	case ledger.Kind_KIND_TICK:
		return s.tick()
	case ledger.Kind_KIND_CONTINUE:
		p.pass(s.entry)
		p.continuePending = false
		return s.wake()
	case ledger.Kind_KIND_CONTRIBUTION:
		return s.contribution()
	case ledger.Kind_KIND_GENESIS, ledger.Kind_KIND_SETTINGS, ledger.Kind_KIND_LOGIC, ledger.Kind_KIND_PARAMETERS,
		ledger.Kind_KIND_THRESHOLDS, ledger.Kind_KIND_CHECKPOINT:
		return s.terms()
	default: // rates come with the settings; erase and merge are reserved
		return Verdict{}, fmt.Errorf("%w %d", ErrUnknownKind, s.entry.GetKind())
	}
}

// event: timers due by now, then the fact, then what it makes worth saying, then the referrer's credit.
func (s *step) event() (Verdict, error) {
	e, err := s.Partition.event.read(s.entry.GetPayload())
	if err == nil && s.entry.GetCustomer() == "" {
		err = errCustomer
	}
	if err != nil {
		return Verdict{}, fmt.Errorf("%w event: %w", ErrMalformed, err)
	}
	m := s.moment(s.entry.GetTime())
	c, err := s.load(s.entry.GetCustomer())
	if err != nil {
		return Verdict{}, err
	}
	s.pass(s.entry)
	verdict := Verdict{Late: s.based && s.entry.GetTime() < s.base}
	verdict.Woken = s.timers(m, &c)
	change := s.change(m, &c, e)
	switch {
	case change.Duplicate:
		// Its id may be remembered now, or timers have fired: what is not put back is not committed.
		verdict.Result = DuplicateEvent
		s.store.Put(c.id, c.state)
		return verdict, nil
	case change.Reason != "":
		verdict.Result, verdict.Reason = Rejected, change.Reason
		s.reject(m, &c, e, change)
	}
	s.answer(m, &c, output.TriggerEvent, e.GetId())
	s.store.Put(c.id, c.state)
	return verdict, nil
}

// change applies an event to its customer, unless its id was met before.
func (s *step) change(m customer.Moment, c *subject, e *ledger.Event) customer.Change {
	natural, mark := customer.Natural(e), customer.EventMark(e)
	switch c.state.Recall(&s.Partition.terms, m, mark) {
	case customer.Repeated:
		return customer.Change{Duplicate: true}
	case customer.Changed:
		if !natural {
			c.state.Remember(m, mark)
			return customer.Change{Reason: output.EventConflict}
		}
	case customer.Fresh:
	}
	change := s.apply(m, c, e)
	if natural && change.Reason == output.OrderConflict {
		change.Reason = output.EventConflict // no id but the order's own: it is the same event
	}
	// Without a rate nothing was decided: the event may come again when there is one.
	if (!natural || change.Reason != "") && change.Reason != output.CurrencyUnknownRate {
		c.state.Remember(m, mark)
	}
	return change
}

func (s *step) apply(m customer.Moment, c *subject, e *ledger.Event) customer.Change {
	t := &s.Partition.terms
	switch {
	case e.Purchase != nil:
		return c.state.Purchase(t, m, e, e.Purchase)
	case e.Referral != nil:
		return c.state.Refer(c.id, e, e.Referral)
	case e.Survey != nil:
		return c.state.Answer(e.Survey)
	}
	switch k := e.GetCancellation(); k.GetKind() {
	case ledger.CancellationKind_CANCELLATION_KIND_REFUND:
		return c.state.Refund(t, m, e, k)
	case ledger.CancellationKind_CANCELLATION_KIND_ORDER:
		return c.state.Cancel(t, m, e, k, s.entry.GetOrigin())
	default:
		return c.state.Close(e, k)
	}
}

// credit: what stands to a referrer's name for one referred customer, from that one's partition.
func (s *step) credit() (Verdict, error) {
	var k ledger.Credit
	err := k.UnmarshalVT(s.entry.GetPayload())
	if err == nil && s.entry.GetCustomer() == "" {
		err = errCustomer
	}
	if err != nil {
		return Verdict{}, fmt.Errorf("%w credit: %w", ErrMalformed, err)
	}
	m := s.moment(s.entry.GetTime())
	c, err := s.load(s.entry.GetCustomer())
	if err != nil {
		return Verdict{}, err
	}
	s.pass(s.entry)
	verdict := Verdict{Woken: s.timers(m, &c)}
	c.state.Credit(&k)
	s.answer(m, &c, output.TriggerEvent, "")
	s.store.Put(c.id, c.state)
	return verdict, nil
}
