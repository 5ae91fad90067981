package processors

import (
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// subject is the customer whose state a step changes.
type subject struct {
	id    string
	state *customer.State
	known bool // the customer existed before this entry
}

func (s *step) loadCustomer(id string) (subject, error) {
	state, err := s.store.Customer(id)
	if err != nil {
		return subject{}, err
	}
	if state == nil {
		c := subject{id: id, state: customer.New()}
		if s.state.erasures > 0 {
			// The id may be that of an erased customer, whose alerts had lower numbers: no alert_id is used again.
			const mostPerEntry = 1 << 10
			c.state.Alerts.Opened = uint64(s.offset) * mostPerEntry //nolint:gosec // an offset
		}
		return c, nil
	}
	return subject{id: id, state: state, known: true}, nil
}

// put stores a customer, and counts one who is new, their cancellations and their months.
func (s *step) put(c *subject) {
	if !c.known {
		s.state.totals.Known++
	}
	s.state.totals.RemoveCancellations(s.scratch.cancellations)
	s.scratch.cancellations = c.state.AppendCancellations(s.scratch.cancellations[:0])
	s.state.totals.AddCancellations(s.scratch.cancellations)
	s.moveInCalendar(c.state.Days(), c.state.Losses)
	s.store.Put(c.id, c.state)
}

// momentOf is the moment at which an entry of a customer is folded: the entry's time, or base time if later. It notes the latest
// such time; only ticks move base time.
func (p *Partition) momentOf(entryTime int64) customer.Moment {
	now := entryTime
	if p.state.baseKnown {
		now = max(now, p.state.base)
	}
	p.state.latest = max(p.state.latest, now)
	return p.terms.At(now, p.state.base, p.state.baseKnown)
}

// fireTimers evaluates alerts under changed terms and scores the customer if their deadline has passed. It returns the number of
// timers that fired.
func (s *step) fireTimers(m customer.Moment, c *subject) int {
	s.dropErasedNames(m, c)
	s.evaluateChangedTerms(m, c)
	at, ok := c.state.Deadline()
	if !ok || at > m.Now {
		return 0
	}
	s.rejectUnmatched(m, c, c.state.ExpirePending(&s.p.terms, m))
	s.scoreAndPublish(m, c, output.TriggerTimer, "")
	return 1
}

// wake does the work that belongs to no entry of a customer: it fires the timers that base time has made due, then values
// customers for the day's close, rescores them under new terms and drops the names of erased customers from them, at most wake_limit
// customers in all. When more is left, it appends a continue entry to this
// partition, unless one is appended and not folded yet.
func (s *step) wake() (v Verdict, err error) {
	p := s.state
	limit := int(p.settings.GetWakeLimit())
	more := false
	if p.baseKnown {
		if v.Woken, more, err = s.fireDue(limit); err != nil {
			return Verdict{}, err
		}
	}
	if v.Valued, err = s.walkClose(limit - v.Woken); err != nil {
		return Verdict{}, err
	}
	if v.Rescored, err = s.rescore(limit - v.Woken - v.Valued); err != nil {
		return Verdict{}, err
	}
	unnamed, err := s.unname(limit - v.Woken - v.Valued - v.Rescored)
	if err != nil {
		return Verdict{}, err
	}
	v.Rescored += unnamed
	//mutant:no-continue if false && $
	if (more || p.closing != nil || p.rescoring != nil || p.unnaming != nil) && !p.continuePending {
		p.continuePending = true
		s.send(p.number, &ledger.Entry{Kind: ledger.Kind_KIND_CONTINUE, Time: p.base}, &ledger.Continue{})
	}
	return v, nil
}

// fireDue fires the timers of the customers that base time has made due, at most limit, in the order of deadline and id.
func (s *step) fireDue(limit int) (woken int, more bool, err error) {
	p := s.state
	due, err := s.store.Due(p.base, limit+1)
	if err != nil {
		return 0, false, err
	}
	more = len(due) > limit
	due = due[:min(limit, len(due))]
	//mutant:no-continue insert if p.base%2 == 0 { due = nil }
	m := s.p.terms.At(p.base, p.base, true)
	for _, id := range due {
		c, err := s.loadCustomer(id)
		if err != nil {
			return 0, false, err
		}
		if !c.known {
			return 0, false, ErrLostTimer
		}
		s.beforeChange(&c)
		s.fireTimers(m, &c)
		s.put(&c)
	}
	return len(due), more, nil
}
