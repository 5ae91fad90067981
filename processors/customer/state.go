package customer

import (
	"github.com/mainstay/mainstay/pkg/lifetimes"
)

// State is what is remembered of one customer. Only this package changes it; the scores read it.
type State struct {
	// Sequence counts the outputs of this customer so far.
	Sequence uint64
	// Next is the time (ms) at which silence next changes an answer; 0: never.
	Next int64
	// Said is what was last published.
	LastPublished LastPublished
	// Credited is what the referrer was last credited with.
	Credited Credited
	// Promise is what was promised of him and is not settled yet; the zero value is nothing.
	Promise Promise
	// AccountClosedAt and SubscriptionEndedAt are ms, 0 while neither happened.
	AccountClosedAt, SubscriptionEndedAt int64
	// Alerts is what is remembered of his alerts.
	Alerts Alerts

	days   lifetimes.History // every day with a standing order, for ever
	net    int64             // sum over days
	orders int64             // standing ones

	orderLog         orderLog
	pending          int   // orders in the orderLog whose purchase has not come
	unmatched        int64 // refunds of those
	forgottenRefunds int64
	forgottenAt      int64

	recent       []recent
	recentFilter countingFilter // of the id's part of the marks; nil while there are few
	responses    []Response
	referrals    []referral
	credits      []credit
	credit       int64 // sum over credits
}

// Said is what was last published of a customer, as rounded there.
type LastPublished struct {
	CLV            bool // anything
	Historic       int64
	Orders         int64
	ReferralValue  int64
	PredictedKnown bool
	Predicted      int64
	Tier           Tier

	Churn       Class
	Probability int32 // in ten thousandths; -1: unknown

	Category  Category
	Score     int32 // -1: none
	Responses int32
	Action    bool // that he has referred somebody
}

// Credited is what stands with the referrer: the amount that was last sent to whom. To is empty when nobody was.
type Credited struct {
	To  string
	Net int64
}

// Promise is a forecast that time will settle.
type Promise struct {
	Day         uint32 // civil day on which it was made, after 1970
	Days        uint32 // ahead of it, for which it holds; 0: no promise
	Probability uint32 // of a purchase day within them, ten thousandths
	Orders      uint32 // expected purchase days within them, thousandths
}

// Tier is a value tier.
type Tier uint8

// The tiers.
const (
	NoTier Tier = iota
	Top10
	Top20
	Rest
)

// String is the tier as it stands in outputs; empty for none.
func (t Tier) String() string { return [...]string{"", "top_10", "top_20", "rest"}[t] }

// Class is a class of churn risk.
type Class uint8

// The classes.
const (
	ClassNotPublished Class = iota
	Low
	Medium
	High
	None    // no standing order
	Churned // the account is closed
)

// String is the class as it stands in outputs.
func (c Class) String() string {
	return [...]string{"", "low", "medium", "high", "none", "churned"}[c]
}

// Category is a Net Promoter category.
type Category uint8

// The categories.
const (
	CategoryNotPublished Category = iota
	Promoter
	Passive
	Detractor
	Unknown
)

// String is the category as it stands in outputs.
func (c Category) String() string {
	return [...]string{"", "promoter", "passive", "detractor", "unknown"}[c]
}

// New is a customer of whom nothing is known.
func New() *State { return &State{LastPublished: LastPublished{Probability: -1, Score: -1}} }

// Deadline is when silence next changes an answer, ms; false: never.
func (s *State) Deadline() (int64, bool) { return s.Next, s.Next != 0 }

// Size is about how many bytes of memory the state takes.
func (s *State) Size() int {
	n := 480 + 56*cap(s.Alerts.Episodes) + 16*cap(s.days) + s.orderLog.size() + 16*cap(s.recent) + len(s.recentFilter) + 120*cap(s.responses) + 64*cap(s.referrals) + 16*cap(s.credits)
	for i := range s.responses {
		r := &s.responses[i]
		n += len(r.ID) + len(r.SurveyID) + len(r.Comment) + len(r.Dimension)
	}
	for i := range s.referrals {
		n += len(s.referrals[i].referrer)
	}
	return n + len(s.Credited.To)
}

// Historic is the realised net revenue: standing orders less their refunds, less refunds whose order is unknown.
func (s *State) Historic() int64 { return s.net - s.unmatched - s.forgottenRefunds }

// Net is the value of the standing orders alone.
func (s *State) Net() int64 { return s.net }

// Orders counts the standing orders.
func (s *State) Orders() int64 { return s.orders }

// ReferralValue is what stands to this customer's credit from those whom he referred.
func (s *State) ReferralValue() int64 { return s.credit }

// Referred counts those whom he referred.
func (s *State) Referred() int { return len(s.credits) }

// Days are the purchase days. They must not be changed.
func (s *State) Days() lifetimes.History { return s.days }

// LastOrderAt is the time of the latest standing order.
func (s *State) LastOrderAt() (int64, bool) {
	if s.orders == 0 {
		return 0, false
	}
	at := s.forgottenAt
	if latest, ok := s.orderLog.latestStanding(); ok && (latest > at || s.forgottenAt == 0) {
		at = latest
	}
	return at, true
}

// Summary is what the models know of him at a moment, in weeks and whole units of the base currency; false without a
// standing order. It is History.Summary in constant time: the sums are kept.
func (s *State) Summary(t *Terms, m Moment) (lifetimes.Summary, bool) {
	n := len(s.days)
	if n == 0 {
		return lifetimes.Summary{X: -1}, false
	}
	first, last := s.days[0], s.days[n-1]
	age := float64(m.Local)/DayMS - float64(first.Day)
	span := float64(last.Day) - float64(first.Day)
	out := lifetimes.Summary{X: n - 1, Tx: span / DaysPerWeek, T: max(age, span) / DaysPerWeek}
	if n > 1 {
		out.M = t.Unit.Major(s.net-first.Net) / float64(n-1)
	}
	return out, true
}

// Closed says that the account was closed by now, and that nothing was ordered since.
func (s *State) Closed(now int64) bool {
	if s.AccountClosedAt == 0 || s.AccountClosedAt > now {
		return false
	}
	at, ok := s.LastOrderAt()
	return !ok || at <= s.AccountClosedAt
}
