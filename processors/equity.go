package processors

import (
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/clv"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// A close also divides the difference between the customer equity and that of the close before by what has caused it. It values each customer
// at both ends, from the state as it is now, so that nothing is kept of a customer for it: what has moved between the ends is theirs, and
// what differs at the former end from what was published then has come late. Where the terms have changed in between, the customer is valued at the former
// end under both. Noting the cause whenever a step changes a customer was rejected: between closes customers count as last published, and what
// is not material would have no cause.

// closed is a close that the next one compares with.
type closed struct {
	at     int64 // end of the day, ms
	erased int64 // customer equity at that close of the customers who were erased since

	// The settings and parameters of the close, where they have changed since; nil otherwise.
	settings   *ledger.SettingsValues
	parameters *ledger.Parameters
	terms      *customer.Terms // derived of them
}

func (c *closed) encode() *state.Closed {
	if c == nil {
		return nil
	}
	return &state.Closed{At: c.at, Settings: c.settings, Parameters: c.parameters, Erased: c.erased}
}

func decodeClosed(w *state.Closed) *closed {
	if w == nil {
		return nil
	}
	return &closed{at: w.GetAt(), settings: w.Settings, parameters: w.Parameters, erased: w.GetErased()}
}

// compare adds what has become of a customer since the close before. now is the customer as of the end of the day, last their scores then.
func (s *step) compare(c, now *customer.State, last *customer.LastPublished) {
	k, before, t := s.state.closing, s.state.closed, s.closingTerms()
	if k.change == nil {
		return
	}
	was := c.AsOf(t, before.at)
	if was == nil {
		portfolio.AddChange(k.change, portfolio.Before{}, portfolio.Before{}, portfolio.Before{}, last, true)
		return
	}
	here := beforeOf(t, was, before.at)
	first, second := here, here
	if before.terms != nil {
		first = beforeOf(before.terms, was, before.at)
		between := *t
		between.Settings = before.terms.Settings
		second = beforeOf(&between, was, before.at)
	}
	boughtAt, _ := now.LastOrderAt()
	boughtBefore, _ := was.LastOrderAt()
	portfolio.AddChange(k.change, first, second, here, last, boughtAt != boughtBefore)
}

// beforeOf values a customer at the close before.
func beforeOf(t *customer.Terms, s *customer.State, at int64) portfolio.Before {
	m := t.At(at, at, true)
	v := clv.Score(t, m, s, new(customer.LastPublished))
	return portfolio.Before{Orders: v.Orders, Historic: v.Historic, Predicted: v.Predicted, Gone: v.Gone}
}

// addToCohort adds a customer whose first purchase is in the month before the day.
func (k *closing) addToCohort(s *customer.State, last *customer.LastPublished) {
	month := calendar.MonthOf(k.day) - 1
	first, bought := s.Days().First()
	if !bought || calendar.MonthOf(first) != month {
		return
	}
	if k.cohort == nil {
		k.cohort = &ledger.Cohort{Month: int32(month)}
	}
	k.cohort.Customers++
	k.cohort.Historic += last.Historic
	k.cohort.Predicted += last.Predicted
}

// noteErased keeps the equity of a customer who is erased for the close that compares with the last one that has them. While a close is under
// way, that is it: they are valued by now.
func (s *step) noteErased(c *customer.State) {
	p := s.state
	switch {
	case p.closing != nil:
		p.closing.erased += equityAt(s.closingTerms(), c, p.closing.at)
	case p.closed != nil && p.closed.terms != nil:
		p.closed.erased += equityAt(p.closed.terms, c, p.closed.at)
	case p.closed != nil:
		p.closed.erased += equityAt(&s.p.terms, c, p.closed.at)
	}
}

func equityAt(t *customer.Terms, c *customer.State, at int64) int64 {
	s := c.AsOf(t, at)
	if s == nil {
		return 0
	}
	before := beforeOf(t, s, at)
	return before.Equity()
}
