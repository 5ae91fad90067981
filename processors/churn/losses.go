package churn

import (
	"math"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// A customer is lost on the day on which they say so, or on which silence makes their risk high, whichever comes first, and until their
// next purchase day. Between two purchases the days alone decide it, and after the last one the exact times, as in the class: so the same
// history gives the same losses, whatever arrived when. They are as the model and the settings in force see the whole history, so new ones
// change them for months that are over as well.

// UpdateLosses makes the customer's losses agree with their history as of a moment. before is the history that the losses agree with, and
// afresh says that something else has changed than the purchase days after it: the model, the settings, or what the customer has stated.
// a is the customer's risk at the moment.
func UpdateLosses(t *customer.Terms, m customer.Moment, a *Risk, s *customer.State, before lifetimes.History, afresh bool) {
	days := s.Days()
	from := 0
	if !afresh {
		for from < len(days) && from < len(before) && days[from].Day == before[from].Day {
			from++
		}
		from = max(0, from-1) // what follows the last purchase day that was there before
	}
	keep := 0
	for from > 0 && keep < len(s.Losses) && s.Losses[keep].Day < days[from].Day {
		keep++
	}
	s.Losses = s.Losses[:keep]
	for i := from; i < len(days); i++ {
		if loss, lost := lossAfter(t, m, a, s, i); lost {
			s.Losses = append(s.Losses, loss)
		}
	}
}

// lossAfter returns the loss between a purchase day and the next one, or until now.
func lossAfter(t *customer.Terms, m customer.Moment, a *Risk, s *customer.State, i int) (customer.Loss, bool) {
	silentOn, fellSilent := silentLossAfter(t, m, a, s, i)
	statedOn, stated := statedLossAfter(t, m, s, i)
	switch {
	case stated && (!fellSilent || statedOn <= silentOn):
		return customer.Loss{Day: statedOn, Stated: true}, true
	case fellSilent:
		return customer.Loss{Day: silentOn}, true
	}
	return customer.Loss{}, false
}

// silentLossAfter returns the day on which silence after a purchase day made the risk high.
func silentLossAfter(t *customer.Terms, m customer.Moment, now *Risk, s *customer.State, i int) (int32, bool) {
	days, high := s.Days(), t.Settings.GetChurnHigh()
	open := i == len(days)-1
	if open && now.Known() && now.Probability < high-tolerance {
		return 0, false
	}
	first, last := days[0].Day, days[i].Day
	graced := last + int32(t.Settings.GetChurnGraceDays()) //nolint:gosec // within its bounds
	until := float64(m.Local) / customer.DayMS
	if !open {
		if until = float64(days[i+1].Day); graced >= days[i+1].Day {
			return 0, false
		}
	}
	a := Risk{input: lifetimes.Customer{Summary: t.Silence(i, first, last, until)}}
	if a.Probability = 1 - t.Purchases.PAlive(a.input.Summary); a.Probability < high-tolerance {
		return 0, false
	}
	local, ok := localOf(t, &a, s, high)
	if !ok {
		return 0, false
	}
	if a.LastAt, _ = s.LastOrderAt(); open && afterGrace(t, &a, local) > m.Now {
		return 0, false
	}
	day := max(int32(math.Floor(local/customer.DayMS)), graced)
	return day, open || day < days[i+1].Day
}

// statedLossAfter returns the day after a purchase day on which the account was closed or a subscription ended. What was ordered later on
// that day is only told apart while it is the last order.
func statedLossAfter(t *customer.Terms, m customer.Moment, s *customer.State, i int) (day int32, is bool) {
	ends := [2]int64{s.AccountClosedAt}
	if t.Settings.GetChurnSubscriptionEnd() == ledger.SubscriptionEnd_SUBSCRIPTION_END_CHURNED {
		ends[1] = s.SubscriptionEndedAt
	}
	days := s.Days()
	lastAt, _ := s.LastOrderAt()
	for _, at := range ends {
		if at == 0 {
			continue
		}
		end := t.Day(at)
		if end < days[i].Day {
			continue
		}
		if i == len(days)-1 {
			if at > m.Now || lastAt > at {
				continue
			}
		} else if end >= days[i+1].Day {
			continue
		}
		if !is || end < day {
			day, is = end, true
		}
	}
	return day, is
}

// NextLoss returns the time (ms) after now at which silence makes the risk high where no change of the class says so: its class is high
// already, since the subscription was cancelled. 0: there is none.
func NextLoss(t *customer.Terms, m customer.Moment, a *Risk, s *customer.State) int64 {
	days := s.Days()
	if n := len(s.Losses); a.Class != customer.High || len(days) == 0 || n > 0 && s.Losses[n-1].Day >= days[len(days)-1].Day {
		return 0
	}
	if at, ok := Crosses(t, a, s, t.Settings.GetChurnHigh()); ok && at > m.Now {
		return at
	}
	return 0
}
