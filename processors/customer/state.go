package customer

import (
	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// State is the state of one customer. Events change it through the methods of this package alone; the scores read it. Encode
// leaves out the sums, counters and filters that Decode computes from the rest.
type State struct {
	// Sequence is the number of outputs of this customer so far.
	Sequence uint64
	// Next is the customer's deadline: the time (ms) at which silence next changes an answer; 0: none.
	Next int64
	// LastPublished holds the scores as they were last published.
	LastPublished LastPublished
	// Credited is the credit that was last sent to the customer's referrer.
	Credited Credited
	// Promise is the forecast for this customer whose outcome is not recorded yet; the zero value is none.
	Promise Promise
	// AccountClosedAt is the time (ms) at which the account was closed; 0: it was not.
	AccountClosedAt int64
	// SubscriptionEndedAt is the time (ms) at which the latest subscription that was cancelled ends or ended; 0: none was.
	SubscriptionEndedAt int64
	// AccountCloseReason and SubscriptionEndReason are the codes that were stated with them; empty: none.
	AccountCloseReason, SubscriptionEndReason string
	// Losses are the days on which the customer was lost, each after the purchase day before it; at most one until the next.
	Losses []Loss
	// Alerts is the state of the customer's alerts.
	Alerts Alerts
	// ClosedDay is the civil day of a close under way for which the customer needs no valuing when the cursor comes to them: they
	// were valued before an entry changed them, or have come since the close began. 0: there is none.
	ClosedDay int32

	// pending is the number of orders in orderLog whose purchase has not arrived. Here it takes no room: eight bytes more, and each customer in
	// memory takes 64 (TestStateFitsItsSizeClass).
	pending int32

	// days are the days with a standing order, in order of time. They are never dropped.
	days lifetimes.History
	// net is the sum of the net amounts of days, minor units.
	net int64
	// orders is the number of standing orders of days.
	orders int64

	// orderLog holds the orders in memory, and the refunds and cancellations that wait for their order.
	orderLog orderLog
	// unmatched is the sum of the refunds of those orders, minor units.
	unmatched int64
	// forgottenRefunds is the sum of the refunds whose order had not arrived when they left memory, minor units.
	forgottenRefunds int64
	// cancellations counts those of orderLog by reason, forgottenCancellations those of the orders that have left memory.
	cancellations, forgottenCancellations CancellationCounts
	// forgottenAt is the time (ms) of the latest standing order that left memory; 0: none did.
	forgottenAt int64

	// traits are what purchases state of the customer, and attributes what these and engagement do, by trait.
	traits []register
	// engagement is what the customer does besides buying; nil: no event of it is known.
	engagement *engagement

	// milestones decide which milestones are still ahead.
	milestones milestones

	// recent are the ids of recent events, in the order in which they were folded.
	recent []recent
	// recentFilter holds the ids in recent, without the bits of the facts; nil while there are few.
	recentFilter countingFilter
	// responses are the survey responses, by type, creation and id.
	responses []Response
	// referrals are the approvals and voidings in which this customer is the one referred, by time, id, kind and referrer.
	referrals []referral
	// rare is what is kept because of erased and merged customers; nil for most.
	rare *rare
	// credits holds a credit for each customer whom this customer referred, by the hash of their id.
	credits []credit
	// credit is the sum of credits and unnamed credits, minor units.
	credit int64
}

// LastPublished holds the scores of a customer as they were last published, rounded as published. Amounts are minor units.
type LastPublished struct {
	// CLV is true if a CLV was ever published. Otherwise all fields up to Tier are zero.
	CLV bool
	// PredictedKnown is true if the predicted CLV was known.
	PredictedKnown bool
	// Historic is the historic CLV.
	Historic int64
	// Orders is the number of standing orders.
	Orders int64
	// ReferralValue is the sum of the credits.
	ReferralValue int64
	// Predicted is the predicted CLV.
	Predicted int64
	// ExpectedOrders is the expected number of orders within the prediction horizon, and OrdersVariance its variance, thousandths.
	// PredictedDeviation is the standard deviation of the predicted CLV, minor units. They enter the sums over customers only.
	ExpectedOrders, OrdersVariance, PredictedDeviation int64
	// Tier is the value tier.
	Tier Tier

	// Churn is the class of churn risk; ClassNotPublished: no churn risk was ever published.
	Churn Class
	// Probability is the churn probability in ten thousandths; -1: unknown.
	Probability int32

	// Category is the Net Promoter category; CategoryNotPublished: no promoter status was ever published.
	Category Category
	// Score is the score of the latest survey response that counted; -1: none.
	Score int32
	// Responses is the number of survey responses that counted.
	Responses int32
	// Action is true if the customer had referred somebody.
	Action bool

	// BeforeCLV is what the newest CLV that was published has moved. It enters no answer; Explain says it.
	BeforeCLV CLVBefore
	// BeforeStatus is what the newest promoter status that was published has moved.
	BeforeStatus StatusBefore
}

// CLVBefore holds the figures of a CLV before an output moved them.
type CLVBefore struct {
	Day                                        int32 // civil day of the output, counted from 1970-01-01; 0: there is none
	Historic, Predicted, ReferralValue, Orders int64
	Tier                                       Tier
}

// StatusBefore holds the figures of a promoter status before an output moved them.
type StatusBefore struct {
	Day              int32 // civil day of the output, counted from 1970-01-01; 0: there is none
	Score, Responses int32 // a score of -1: none
	Action           bool
}

// Credited is the credit that was last sent to a referrer.
type Credited struct {
	// To is the referrer's customer id; empty: no referrer holds a credit for this customer.
	To string
	// Net is the amount of the credit, minor units.
	Net int64
}

// Promise is a forecast of which calibration records the outcome.
type Promise struct {
	// Day is the civil day on which the promise was made, counted from 1970-01-01.
	Day uint32
	// Days is the number of days after Day for which the promise holds; 0: no promise.
	Days uint32
	// Probability is the probability of a purchase day within these days, in ten thousandths.
	Probability uint32
	// Orders is the expected number of purchase days within these days, in thousandths.
	Orders uint32
}

// Loss is a day on which a customer was lost: until the next purchase day.
type Loss struct {
	// Day is the civil day, counted from 1970-01-01.
	Day int32
	// Stated is true if the shop stated it: the account was closed, or a subscription ended. Otherwise the customer fell silent.
	Stated bool
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

// String returns the tier as it is written in outputs; empty for none.
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
	Churned // the account is closed, or a subscription has ended
)

// String returns the class as it is written in outputs.
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

// String returns the category as it is written in outputs.
func (c Category) String() string {
	return [...]string{"", "promoter", "passive", "detractor", "unknown"}[c]
}

// New returns the state of a customer without events.
func New() *State { return &State{LastPublished: LastPublished{Probability: -1, Score: -1}} }

// Deadline returns the time (ms) at which silence next changes an answer; false if there is none.
func (s *State) Deadline() (int64, bool) { return s.Next, s.Next != 0 }

// Size estimates how many bytes of memory the state takes.
func (s *State) Size() int {
	n := 768 + 4*cap(s.milestones.categories) + 56*cap(s.Alerts.Episodes) + 16*cap(s.days) + 8*cap(s.Losses) + 32*cap(s.traits) + s.orderLog.size() + 16*cap(s.recent) + len(s.recentFilter) + 120*cap(s.responses) + 64*cap(s.referrals) + 24*cap(s.credits) + 48*(cap(s.cancellations)+cap(s.forgottenCancellations))
	for i := range s.responses {
		r := &s.responses[i]
		n += len(r.ID) + len(r.SurveyID) + len(r.Comment) + len(r.Dimension)
	}
	for i := range s.referrals {
		n += len(s.referrals[i].referrer)
	}
	if r := s.rare; r != nil {
		n += 80 + len(r.mergedInto) + 8*cap(r.merged) + r.callMark.size()
	}
	return n + s.engagement.size() + len(s.Credited.To) + len(s.AccountCloseReason) + len(s.SubscriptionEndReason)
}

// Historic returns the realised net revenue: standing orders less their refunds, less refunds whose order is unknown.
func (s *State) Historic() int64 { return s.net - s.unmatched - s.forgottenRefunds }

// Net returns the value of the standing orders alone, without refunds whose order is unknown.
func (s *State) Net() int64 { return s.net }

// Orders returns the number of standing orders.
func (s *State) Orders() int64 { return s.orders }

// ReferralValue returns the sum of the credits for the customers whom this customer referred.
func (s *State) ReferralValue() int64 { return s.credit }

// Referred returns the number of customers whom this customer referred, those who were erased included.
func (s *State) Referred() int {
	if s.rare == nil {
		return len(s.credits)
	}
	return len(s.credits) + int(s.rare.credits-s.rare.withdrawn)
}

// Days returns the purchase days. They must not be changed.
func (s *State) Days() lifetimes.History { return s.days }

// DaysSinceOrder returns the civil days from the last order to a day; with fromBefore, from the order before the latest one of that day.
// False: there is none.
func (s *State) DaysSinceOrder(day int32, fromBefore bool) (int64, bool) {
	for i := len(s.days) - 1; i >= 0; i-- {
		d := &s.days[i]
		if d.Day > day || fromBefore && d.Day == day && d.Orders < 2 {
			continue
		}
		return int64(day) - int64(d.Day), true
	}
	return 0, false
}

// LastOrderAt returns the time of the latest standing order; false if there is none.
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

// Summary returns the models' input for the customer at a moment, in weeks and whole units of the base currency; false without
// a standing order. It equals History.Summary, and takes constant time because State keeps the sums.
func (s *State) Summary(t *Terms, m Moment) (lifetimes.Summary, bool) {
	n := len(s.days)
	if n == 0 {
		return lifetimes.Summary{X: -1}, false
	}
	first, last := s.days[0], s.days[n-1]
	out := t.Silence(n-1, first.Day, last.Day, float64(m.Local)/DayMS)
	if n > 1 {
		out.M = t.Unit.Major(s.net-first.Net) / float64(n-1)
	}
	return out, true
}

// Silence returns the models' input, without money, after x repeat purchases, by the first and the last purchase day and a time in civil
// days on the clock of the ledger's time zone.
func (t *Terms) Silence(x int, first, last int32, until float64) lifetimes.Summary {
	age, span := until-float64(first), float64(last)-float64(first)
	if t.Season != nil {
		from := t.Season.Bought(first)
		age += t.Season.Ahead(until) - from
		span += t.Season.Bought(last) - from
	}
	return lifetimes.Summary{X: x, Tx: span / DaysPerWeek, T: max(age, span) / DaysPerWeek}
}

// Customer returns Summary with the net value of all purchases.
func (s *State) Customer(t *Terms, m Moment) (lifetimes.Customer, bool) {
	summary, ok := s.Summary(t, m)
	return lifetimes.Customer{Summary: summary, Net: t.Unit.Major(s.net)}, ok
}

// SubscriptionCancelled reports whether a subscription was cancelled, with no order after its end.
func (s *State) SubscriptionCancelled() bool {
	at, ok := s.LastOrderAt()
	return s.SubscriptionEndedAt != 0 && (!ok || at <= s.SubscriptionEndedAt)
}

// Gone reports whether the customer is churned by an event: the account is closed, or a subscription has ended and counts for that.
func (s *State) Gone(t *Terms, now int64) bool {
	return s.Closed(now) || t.Settings.GetChurnSubscriptionEnd() == ledger.SubscriptionEnd_SUBSCRIPTION_END_CHURNED && s.SubscriptionCancelled() && s.SubscriptionEndedAt <= now
}

// Closed reports whether the account was closed at or before now, with no order after that.
func (s *State) Closed(now int64) bool {
	if s.AccountClosedAt == 0 || s.AccountClosedAt > now {
		return false
	}
	at, ok := s.LastOrderAt()
	return !ok || at <= s.AccountClosedAt
}
