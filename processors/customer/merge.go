package customer

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/trait"
)

// A customer who is merged into another gives all facts away, and keeps to whom: what is reported of them later is passed on. What a
// customer takes over counts as if it had been reported of them. All that is kept is a set, a sum or a register, so the result is the same
// whatever is merged first; the exceptions are the figures that depend on the order of arrival without a merge as well, and what is
// counted once by an id that one of the two has forgotten already.

// MergedInto returns the id of the customer into whom this one was merged; empty: nobody.
func (s *State) MergedInto() string {
	if s.rare == nil {
		return ""
	}
	return s.rare.mergedInto
}

// MergedAt returns the offset of the entry that merged the customer.
func (s *State) MergedAt() int64 {
	if s.rare == nil {
		return 0
	}
	return s.rare.mergedAt
}

// HasMerged reports whether a customer was merged into this one, directly or by way of others.
func (s *State) HasMerged(id string) bool {
	if s.rare == nil || len(s.rare.merged) == 0 {
		return false
	}
	_, found := slices.BinarySearch(s.rare.merged, xxhash.Sum64String(id))
	return found
}

// Merged returns how many customers were merged into this one.
func (s *State) Merged() int {
	if s.rare == nil {
		return 0
	}
	return len(s.rare.merged)
}

// WhenMerged returns the state of the customer once they are merged into another by an entry at an offset. It keeps the number of outputs
// and of alerts, so that none is used again if the customer is ever separate again.
func (s *State) WhenMerged(into string, at int64) *State {
	left := New()
	left.Sequence, left.Alerts.Opened = s.Sequence, s.Alerts.Opened
	left.rare = &rare{mergedInto: strings.Clone(into), mergedAt: at}
	return left
}

// Separate makes a customer who was merged one of their own again, without facts.
func (s *State) Separate() { s.rare.mergedInto = "" }

// mostPerPart bounds the orders, refunds and credits of a part of the facts, so that a ledger entry holds it.
const mostPerPart = 4000

// Facts takes the facts out of the state of a customer of this id, for the one into whom they are merged. They come in parts, at least
// one, of which each is small enough for a ledger entry.
func (s *State) Facts(own string) []*State {
	first := New()
	parts, part, room := []*State{first}, first, mostPerPart
	next := func(weight int) *State {
		if room < weight && room < mostPerPart {
			part, room = New(), mostPerPart
			parts = append(parts, part)
		}
		room -= weight
		return part
	}
	for len(s.orderLog.rows) > 0 {
		fingerprint, o := s.removeOrder(0)
		weight := 1
		if o.details != nil {
			weight += len(o.details.refunds)
		}
		next(weight).addOrder(fingerprint, o)
	}
	for _, c := range s.credits {
		p := next(1)
		p.putCredit(len(p.credits), false, c)
	}
	first.days = lifetimes.Merge(first.days, s.days) // of orders that have left memory
	first.net, first.orders = first.net+s.net, first.orders+s.orders
	first.forgottenRefunds, first.forgottenAt, first.forgottenCancellations = s.forgottenRefunds, s.forgottenAt, s.forgottenCancellations
	first.AccountClosedAt, first.AccountCloseReason = s.AccountClosedAt, s.AccountCloseReason
	first.SubscriptionEndedAt, first.SubscriptionEndReason = s.SubscriptionEndedAt, s.SubscriptionEndReason
	first.traits, first.engagement, first.recent, first.responses, first.referrals = s.traits, s.engagement, s.recent, s.responses, s.referrals
	first.Alerts.WasHighValue = s.Alerts.WasHighValue
	first.milestones = s.milestones
	first.milestones.categories = nil // they are numbered by partition
	r := first.ensureRare()
	if from := s.rare; from != nil {
		r.credits, r.credit, r.merged = from.credits, from.credit, slices.Clone(from.merged)
		r.callMark = from.callMark
		first.credit += from.credit
	}
	r.addMerged(xxhash.Sum64String(own))
	return parts
}

func (r *rare) addMerged(id uint64) {
	if i, found := slices.BinarySearch(r.merged, id); !found {
		r.merged = slices.Insert(r.merged, i, id)
	}
}

// TraitTexts returns the texts of the traits and attributes, in their order, then the names of the attributes.
func (s *State) TraitTexts(texts *trait.Texts) []string {
	var all, names []string
	for i := range s.traits {
		r := &s.traits[i]
		all = append(all, texts.Text(r.trait, r.text))
		if r.trait.IsAttribute() {
			names = append(names, texts.Name(r.trait))
		}
	}
	return append(all, names...)
}

// HasTraitTexts reports whether so many texts can be those of TraitTexts.
func (s *State) HasTraitTexts(n int) bool {
	for i := range s.traits {
		if s.traits[i].trait.IsAttribute() {
			n--
		}
	}
	return n == len(s.traits)
}

// TakeOver adds a part of the facts of a customer who is merged into this one, whose id is own. stated are the part's TraitTexts.
// The part must not be used afterwards.
func (s *State) TakeOver(t *Terms, m Moment, own string, part *State, texts *trait.Texts, stated []string) {
	for len(part.orderLog.rows) > 0 {
		fingerprint, o := part.removeOrder(0)
		//mutant:merged-twice if false && $
		if i := s.findOrder(t, m, fingerprint); i >= 0 {
			known, mine := s.removeOrder(i)
			fingerprint, o = mergeOrders(t, known, mine, fingerprint, o)
		}
		s.addOrder(fingerprint, o)
	}
	s.days = lifetimes.Merge(s.days, part.days)
	s.net, s.orders = s.net+part.net, s.orders+part.orders
	s.forgottenRefunds, s.forgottenAt = s.forgottenRefunds+part.forgottenRefunds, max(s.forgottenAt, part.forgottenAt)
	for _, n := range part.forgottenCancellations {
		s.forgottenCancellations.AddAtMost(mostForgottenReasons, n)
	}
	latest(&s.AccountClosedAt, &s.AccountCloseReason, part.AccountClosedAt, part.AccountCloseReason)
	latest(&s.SubscriptionEndedAt, &s.SubscriptionEndReason, part.SubscriptionEndedAt, part.SubscriptionEndReason)
	s.takeTraits(part, texts, stated)
	s.takeEngagement(part.engagement)
	s.takeRecent(part.recent)
	for i := range part.responses {
		s.addResponse(part.responses[i])
	}
	s.takeCredits(part)
	s.takeReferrals(own, part)
	s.takeCallMark(part.CallMark())
	s.Alerts.WasHighValue = s.Alerts.WasHighValue || part.Alerts.WasHighValue
	s.milestones.rise(&part.milestones, s.orders)
	s.Promise = Promise{} // it was made for a part of the history
}

// latest keeps the later of two closings; of two at the same time the greater reason.
func latest(at *int64, reason *string, otherAt int64, other string) {
	switch {
	case otherAt > *at:
		*at, *reason = otherAt, other
	case otherAt == *at:
		*reason = max(*reason, other)
	}
}

// mergeOrders merges what two customers know of an order: each register has the statement that it would have if one customer had got all
// (order.apply). Of two amounts of the same updated_at the greater holds, whichever came first.
func mergeOrders(t *Terms, fingerprint uint64, a order, otherFingerprint uint64, b order) (uint64, order) {
	arrived := func(o *order) bool { return o.flags&pending == 0 }
	if !arrived(&a) && arrived(&b) || arrived(&a) == arrived(&b) && compareAmounts(&a, &b) < 0 {
		fingerprint, a, b = otherFingerprint, b, a
	}
	// The amount of the order is a's.
	d, e := a.ensureDetails(), b.ensureDetails()
	switch {
	case !arrived(&a):
		a.occurredAt = max(a.occurredAt, b.occurredAt)
		if e.cancellation != nil && (d.cancellation == nil || d.cancellation.compare(e.cancellation) > 0) {
			d.cancellation = e.cancellation
		}
	case !arrived(&b):
	case a.flags&timeStoodIn != 0 && (b.flags&timeStoodIn == 0 || b.occurredAt < a.occurredAt),
		a.flags&timeStoodIn == 0 && b.flags&timeStoodIn == 0 && cmp.Or(cmp.Compare(d.timeAt, e.timeAt), cmp.Compare(a.occurredAt, b.occurredAt)) < 0:
		a.occurredAt, d.timeAt = b.occurredAt, e.timeAt
		a.flags = a.flags&^timeStoodIn | b.flags&timeStoodIn
	}
	if b.flags&statusStated != 0 {
		a.applyStatus(b.flags&cancelled != 0, e.statusAt)
	}
	a.applyReason(e.reason, e.reasonAt)
	a.mergeRefunds(&b)
	a.foldedDay, a.day = max(a.foldedDay, b.foldedDay), t.Day(a.occurredAt)
	a.sumRefunds()
	a.dropEmptyDetails()
	return fingerprint, a
}

func compareAmounts(a, b *order) int {
	var x, y *foreign
	if a.details != nil {
		x = a.details.foreign
	}
	if b.details != nil {
		y = b.details.foreign
	}
	if c := cmp.Or(cmp.Compare(a.updatedAt(), b.updatedAt()), cmp.Compare(a.total, b.total)); c != 0 || x.equal(y) {
		return c
	}
	return x.compare(y)
}

func (p *pendingCancellation) compare(q *pendingCancellation) int {
	return cmp.Or(strings.Compare(p.topic, q.topic), cmp.Compare(p.partition, q.partition), cmp.Compare(p.offset, q.offset), strings.Compare(p.eventID, q.eventID))
}

// mergeRefunds adds the refunds of another statement of the order: those that events of their own state, and the newer list that snapshots
// state.
func (o *order) mergeRefunds(from *order) {
	d, e := o.details, from.details
	if from.flags&refundsStated != 0 {
		list := slices.DeleteFunc(slices.Clone(e.refunds), func(r refund) bool { return r.fingerprint&1 == 0 })
		if o.flags&refundsStated == 0 || e.refundsAt > d.refundsAt || e.refundsAt == d.refundsAt && moreRefunded(list, d.refunds) {
			d.refunds = append(slices.DeleteFunc(d.refunds, func(r refund) bool { return r.fingerprint&1 == 1 }), list...)
			d.refundsAt, o.flags = e.refundsAt, o.flags|refundsStated
			slices.SortFunc(d.refunds, compareRefunds)
		}
	}
	for _, r := range e.refunds {
		switch i, known := d.search(r.fingerprint); {
		case r.fingerprint&1 == 1:
		case known:
			at, reason := min(d.refunds[i].at, r.at), max(d.refunds[i].reason, r.reason)
			if compareRefunds(d.refunds[i], r) < 0 { // the id with two amounts: one holds, in any order of merges
				d.refunds[i] = r
			}
			d.refunds[i].at, d.refunds[i].reason = at, reason
		default:
			d.refunds = slices.Insert(d.refunds, i, r)
		}
	}
}

func (s *State) takeTraits(from *State, texts *trait.Texts, stated []string) {
	names := stated[len(from.traits):]
	for k, r := range from.traits {
		t, known := r.trait, true
		//mutant:attribute-mixed-up if false && $
		if t.IsAttribute() { // it has the number of the other partition
			t, known = texts.Attribute(names[0])
			names = names[1:]
		}
		if known {
			s.take(texts, t, r.from, stated[k])
		}
	}
}

// takeEngagement adds up two sums of engagement. An event that was reported of both customers counts twice in the numbers of events: single
// events are not kept.
func (s *State) takeEngagement(from *engagement) {
	g := s.engagement
	if g == nil || from == nil {
		s.engagement = cmp.Or(g, from)
		return
	}
	if from.day > g.day {
		g, from = from, g
		s.engagement = g
	}
	g.first, g.last = min(g.first, from.first), max(g.last, from.last)
	days := from.days.shift(int64(g.day) - int64(from.day))
	g.days = activeDays{g.days[0] | days[0], g.days[1] | days[1]}
	for i, n := range from.events {
		g.events[i] += n
	}
	g.support = append(g.support, from.support...)
	slices.Sort(g.support)
	g.forgetSupport()
}

// takeRecent adds event ids, in the order of the days on which they were folded.
func (s *State) takeRecent(from []recent) {
	if len(from) == 0 {
		return
	}
	s.recent = append(slices.Clone(s.recent), from...)
	slices.SortStableFunc(s.recent, func(a, b recent) int { return cmp.Compare(a.day, b.day) })
	s.recentFilter = nil // it is built when it is needed
}

func (s *State) takeCredits(from *State) {
	for _, c := range from.credits { // in two customers only if what one of them has is older, since it has been round a ring
		if i, found := s.findCredit(c.from); !found || c.version > s.credits[i].version {
			s.putCredit(i, found, c)
		}
	}
	if r := from.rare; r != nil {
		mine := s.ensureRare()
		mine.credits, mine.credit = mine.credits+r.credits, mine.credit+r.credit
		s.credit += r.credit
	}
}

// takeReferrals adds referrals, and drops those by customers who are the same person now.
func (s *State) takeReferrals(own string, from *State) {
	if r := from.rare; r != nil {
		mine := s.ensureRare()
		for _, id := range r.merged {
			if id != xxhash.Sum64String(own) {
				mine.addMerged(id)
			}
		}
	}
	for _, r := range from.referrals {
		if i, found := slices.BinarySearchFunc(s.referrals, r, compareReferrals); !found {
			s.referrals = slices.Insert(s.referrals, i, r)
		}
	}
	s.referrals = slices.DeleteFunc(s.referrals, func(r referral) bool { return r.referrer == own || s.HasMerged(r.referrer) })
	s.referrals = s.referrals[:min(len(s.referrals), mostReferrals)]
}
