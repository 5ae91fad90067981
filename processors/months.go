package processors

import (
	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/churn"
	"github.com/mainstay/mainstay/processors/customer"
)

// former is what the calendar counts of a customer before an entry changes them, and what decides their losses besides their days.
type former struct {
	days     lifetimes.History
	losses   []customer.Loss
	closedAt int64
	orders   int64
	net      int64
	endedAt  int64
}

func (f *former) keep(c *customer.State) {
	f.days, f.losses = append(f.days[:0], c.Days()...), append(f.losses[:0], c.Losses...)
	f.orders, f.net = c.Orders(), c.Net()
	f.closedAt, f.endedAt = c.AccountClosedAt, c.SubscriptionEndedAt
}

// updateLosses makes the losses of the customer who is scored agree with their history.
func (s *step) updateLosses(m customer.Moment, c *customer.State) {
	f := &s.scratch.former
	churn.UpdateLosses(&s.p.terms, m, &s.scratch.scores.risk, c, f.days, s.termsChanged || s.historyChanged || f.closedAt != c.AccountClosedAt || f.endedAt != c.SubscriptionEndedAt)
}

// moveInCalendar counts a customer in the calendar as they are now.
func (s *step) moveInCalendar(days lifetimes.History, losses []customer.Loss) {
	f := &s.scratch.former
	s.state.calendar.Move(&calendar.View{Days: f.days, Losses: f.losses}, &calendar.View{Days: days, Losses: losses})
}

// loseErased counts a customer who is erased as lost from now on, unless they were lost before.
func (s *step) loseErased(m customer.Moment, c *customer.State) {
	days, losses := c.Days(), c.Losses
	if len(days) == 0 {
		s.moveInCalendar(days, losses)
		return
	}
	last := days[len(days)-1].Day
	//mutant:erased-stay-customers if false && $
	if n := len(losses); n == 0 || losses[n-1].Day < last {
		losses = append(losses, customer.Loss{Day: max(last, s.p.terms.Day(m.Now)), Stated: true})
	}
	s.moveInCalendar(days, losses)
}
