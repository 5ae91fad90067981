package customer

import (
	"slices"
	"strings"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// CancellationCount counts what was cancelled for one reason.
type CancellationCount struct {
	// Reason is a code; empty: none was stated.
	Reason string
	// Orders counts cancelled orders, Refunds each refund, Subscriptions and Accounts those that ended.
	Orders, Refunds, Subscriptions, Accounts int64
}

// CancellationCounts are counts by reason, rising, each reason once and none of zeros alone.
type CancellationCounts []CancellationCount

// OtherReason is the reason of cancellations whose reasons are too many to be told apart. Shops state it as well.
const OtherReason = "other"

// mostForgottenReasons bounds the reasons that are told apart of a customer's orders that have left memory.
const mostForgottenReasons = 16

// Total returns the number of cancellations of all kinds.
func (n *CancellationCount) Total() int64 { return n.Orders + n.Refunds + n.Subscriptions + n.Accounts }

// Add adds counts for a reason.
func (all *CancellationCounts) Add(n CancellationCount) {
	if n.Total() == 0 {
		return
	}
	i, found := all.search(n.Reason)
	if !found {
		*all = slices.Insert(*all, i, n)
		return
	}
	k := &(*all)[i]
	k.Orders, k.Refunds, k.Subscriptions, k.Accounts = k.Orders+n.Orders, k.Refunds+n.Refunds, k.Subscriptions+n.Subscriptions, k.Accounts+n.Accounts
}

// AddAtMost adds counts for a reason, and tells at most so many reasons apart besides none and other: the first in the order of bytes,
// so that which they are does not depend on the order in which counts are added.
func (all *CancellationCounts) AddAtMost(most int, n CancellationCount) {
	all.Add(n)
	apart := len(*all)
	for _, reason := range [...]string{"", OtherReason} {
		if _, found := all.search(reason); found {
			apart--
		}
	}
	//mutant:reasons-without-bound if false && $
	if apart <= most {
		return
	}
	last := len(*all) - 1
	if (*all)[last].Reason == OtherReason {
		last--
	}
	n = (*all)[last]
	*all = slices.Delete(*all, last, last+1)
	n.Reason = OtherReason
	all.Add(n)
}

// Subtract takes counts for a reason away. What is not there under the reason was added as other, when there were too many reasons.
func (all *CancellationCounts) Subtract(n CancellationCount) {
	if i, found := all.search(n.Reason); found {
		k := &(*all)[i]
		subtract := func(have, n *int64) {
			least := min(*have, *n)
			*have, *n = *have-least, *n-least
		}
		subtract(&k.Orders, &n.Orders)
		subtract(&k.Refunds, &n.Refunds)
		subtract(&k.Subscriptions, &n.Subscriptions)
		subtract(&k.Accounts, &n.Accounts)
		if k.Total() == 0 {
			*all = slices.Delete(*all, i, i+1)
		}
	}
	if n.Total() > 0 && n.Reason != OtherReason {
		n.Reason = OtherReason
		all.Subtract(n)
	}
}

func (all *CancellationCounts) search(reason string) (int, bool) {
	return slices.BinarySearchFunc(*all, reason, func(n CancellationCount, reason string) int { return strings.Compare(n.Reason, reason) })
}

// AppendCancellations appends the customer's cancellations by reason to dst, which must be empty: orders that are cancelled, refunds,
// and the end of the subscription and of the account, from the notice until an order after the end. A cancellation whose order has not arrived
// counts for nothing yet, as in the value of the customer; a refund counts at once, as there.
func (s *State) AppendCancellations(dst CancellationCounts) CancellationCounts {
	dst = append(dst, s.cancellations...)
	for _, n := range s.forgottenCancellations {
		dst.Add(n)
	}
	if s.AccountClosedAt != 0 && s.Closed(s.AccountClosedAt) {
		dst.Add(CancellationCount{Reason: s.AccountCloseReason, Accounts: 1})
	}
	if s.SubscriptionCancelled() {
		dst.Add(CancellationCount{Reason: s.SubscriptionEndReason, Subscriptions: 1})
	}
	return dst
}

// eachCancellation calls each with the counts of an order: its cancellation, and each refund once, with the reason of the event if both
// an event of its own and a snapshot state it.
func (o *order) eachCancellation(each func(n CancellationCount)) {
	d := o.details
	if d == nil {
		return
	}
	if o.flags&(pending|cancelled) == cancelled {
		each(CancellationCount{Reason: d.reason, Orders: 1})
	}
	for i := range d.refunds {
		if r := &d.refunds[i]; !d.stated(i) {
			each(CancellationCount{Reason: r.reason, Refunds: 1})
		}
	}
}

// forgetCancellations keeps the counts of an order that leaves memory.
func (s *State) forgetCancellations(o *order) {
	o.eachCancellation(func(n CancellationCount) {
		s.cancellations.Subtract(n)
		s.forgottenCancellations.AddAtMost(mostForgottenReasons, n)
	})
}

// applyReason keeps the newest reason that was stated for cancelling the order; of two at the same time the greater.
func (o *order) applyReason(reason string, at int64) {
	d := o.details
	if reason == "" || d.reason != "" && (at < d.reasonAt || at == d.reasonAt && reason <= d.reason) {
		return
	}
	d.reason, d.reasonAt = strings.Clone(reason), at
}

// Encode returns the counts as entries and states hold them.
func (all CancellationCounts) Encode() []*ledger.CancellationCount {
	var w []*ledger.CancellationCount
	for _, n := range all {
		w = append(w, &ledger.CancellationCount{Reason: n.Reason, Orders: n.Orders, Refunds: n.Refunds, Subscriptions: n.Subscriptions, Accounts: n.Accounts})
	}
	return w
}

// DecodeCancellations reads what Encode returned.
func DecodeCancellations(w []*ledger.CancellationCount) CancellationCounts {
	var all CancellationCounts
	for _, n := range w {
		all.Add(CancellationCount{Reason: n.GetReason(), Orders: n.GetOrders(), Refunds: n.GetRefunds(), Subscriptions: n.GetSubscriptions(), Accounts: n.GetAccounts()})
	}
	return all
}
