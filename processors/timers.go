package processors

import (
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// subject is the customer whom an entry concerns.
type subject struct {
	id      string
	state   *customer.State
	known   bool // before this entry
	rebased bool // his alerts were evaluated under terms that are new to him
}

func (s *step) load(id string) (subject, error) {
	state, err := s.store.Customer(id)
	if err != nil {
		return subject{}, err
	}
	if state == nil {
		return subject{id: id, state: customer.New()}, nil
	}
	return subject{id: id, state: state, known: true}, nil
}

// moment is now: the entry's time, unless base time is past it. Only ticks move base time.
func (p *Partition) moment(entryTime int64) customer.Moment {
	now := entryTime
	if p.based {
		now = max(now, p.base)
	}
	p.latest = max(p.latest, now)
	return p.terms.At(now, p.base, p.based)
}

// timers fires what is due by now for one customer.
func (s *step) timers(m customer.Moment, c *subject) int {
	s.rebase(m, c)
	at, ok := c.state.Deadline()
	if !ok || at > m.Now {
		return 0
	}
	s.left(m, c, c.state.Expire(&s.Partition.terms, m))
	s.answer(m, c, output.TriggerTimer, "")
	return 1
}

// wake is the work that is nobody's entry: what base time has made due, then customers to be scored anew, at most wake_limit
// of both. When more is left, an entry to go on is appended to this partition, never a second one while one is under way.
func (s *step) wake() (v Verdict, err error) {
	p := s.Partition
	limit := int(p.settings.GetWakeLimit())
	more := false
	if p.based {
		if v.Woken, more, err = s.fire(limit); err != nil {
			return Verdict{}, err
		}
	}
	if v.Anew, err = s.rescore(limit - v.Woken); err != nil {
		return Verdict{}, err
	}
	//mutant:no-continue if false && $
	if (more || p.rescoring != nil) && !p.continuePending {
		p.continuePending = true
		s.send(p.number, &ledger.Entry{Kind: ledger.Kind_KIND_CONTINUE, Time: p.base}, &ledger.Continue{})
	}
	return v, nil
}

// fire wakes those whom base time has made due, at most limit, in the order of deadline and id.
func (s *step) fire(limit int) (woken int, more bool, err error) {
	p := s.Partition
	due, err := s.store.Due(p.base, limit+1)
	if err != nil {
		return 0, false, err
	}
	more = len(due) > limit
	due = due[:min(limit, len(due))]
	//mutant:no-continue insert if p.base%2 == 0 { due = nil }
	m := p.terms.At(p.base, p.base, true)
	for _, id := range due {
		c, err := s.load(id)
		if err != nil {
			return 0, false, err
		}
		if !c.known {
			return 0, false, ErrLostTimer
		}
		s.timers(m, &c)
		s.store.Put(id, c.state)
	}
	return len(due), more, nil
}
