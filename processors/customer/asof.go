package customer

import "slices"

// AsOf returns the customer without what is dated at or after a time (ms, whole seconds): orders, refunds, cancellations of orders,
// referrals, survey responses and engagement. It returns s itself if there is nothing to leave out, otherwise a state that must only be scored,
// and nil if nothing is left. What is dated before counts whenever it arrived. A survey response that was updated later counts with
// its update, and an order with its newest amount: the state holds no former ones. Of a customer who was merged nothing is left. Nor does it hold the single events of engagement: if any is left
// out, the figures of the rest are not known.
func (s *State) AsOf(t *Terms, at int64) *State {
	if s.MergedInto() != "" {
		return nil
	}
	//mutant:close-counts-next-day if true || $
	if !s.hasAnythingFrom(t, at) {
		return s
	}
	c := *s
	c.days, c.cancellations = slices.Clone(s.days), slices.Clone(s.cancellations)
	c.orderLog = orderLog{fingerprints: slices.Clone(s.orderLog.fingerprints), rows: slices.Clone(s.orderLog.rows)}
	for i := len(c.orderLog.rows) - 1; i >= 0; i-- {
		if !c.orderLog.rows[i].changedFrom(at) {
			continue
		}
		fingerprint, o := c.removeOrder(i)
		if o.until(at) {
			c.addOrder(fingerprint, o)
		}
	}
	for n := len(c.days); n > 0 && c.days[n-1].Day > t.Day(at-1); n-- { // of orders that have left memory
		c.orders -= int64(c.days[n-1].Orders)
		c.net -= c.days[n-1].Net
		c.days = c.days[:n-1]
		c.forgottenAt = min(c.forgottenAt, at-1)
	}
	//mutant:visitor-counts-before-first-visit delete
	c.engagement = s.engagement.until(at)
	c.responses = slices.DeleteFunc(slices.Clone(s.responses), func(r Response) bool { return r.CreatedAt >= at })
	c.referrals = slices.DeleteFunc(slices.Clone(s.referrals), func(r referral) bool { return r.at >= at })
	if len(c.days)+len(c.orderLog.rows)+len(c.responses)+len(c.referrals)+len(c.credits) == 0 &&
		c.engagement == nil && c.forgottenRefunds == 0 && !c.hasUnnamedCredits() && c.AccountClosedAt == 0 && c.SubscriptionEndedAt == 0 {
		return nil
	}
	return &c
}

// hasAnythingFrom reports whether the state holds anything that is dated at or after a time.
func (s *State) hasAnythingFrom(t *Terms, at int64) bool {
	if n := len(s.days); n > 0 && s.days[n-1].Day > t.Day(at-1) {
		return true
	}
	for i := range s.orderLog.rows {
		if s.orderLog.rows[i].changedFrom(at) {
			return true
		}
	}
	if s.engagement != nil && s.engagement.last >= at {
		return true
	}
	for i := range s.responses {
		if s.responses[i].CreatedAt >= at {
			return true
		}
	}
	return slices.ContainsFunc(s.referrals, func(r referral) bool { return r.at >= at })
}

// changedFrom reports whether the order, its cancellation or one of its refunds is dated at or after a time.
func (o *order) changedFrom(at int64) bool {
	if o.occurredAt >= at {
		return true
	}
	d := o.details
	return d != nil && (o.flags&cancelled != 0 && d.statusAt >= at || slices.ContainsFunc(d.refunds, func(r refund) bool { return r.at >= at }))
}

// until leaves out of the order what is dated at or after a time. It returns false if nothing is left. Refunds and
// a cancellation from before their order wait for it.
func (o *order) until(at int64) bool {
	d := details{}
	if o.details != nil {
		d = *o.details
	}
	o.details = &d
	if d.statusAt >= at {
		o.flags &^= cancelled
	}
	d.refunds = slices.DeleteFunc(slices.Clone(d.refunds), func(r refund) bool { return r.at >= at })
	if o.occurredAt >= at {
		o.flags |= pending
		o.total, d.foreign = 0, nil
	}
	o.sumRefunds()
	return o.flags&pending == 0 || len(d.refunds) > 0 || o.flags&cancelled != 0
}
