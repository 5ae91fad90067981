package processors

import (
	"github.com/mainstay/mainstay/processors/calibration"
	"github.com/mainstay/mainstay/processors/churn"
	"github.com/mainstay/mainstay/processors/clv"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/promoter"
	"github.com/mainstay/mainstay/schemas/output"
)

// scoreAndPublish scores a customer as of now, publishes what has changed enough, and sets the next deadline. All outputs of a
// customer but rejections are made here, always in this order.
func (s *step) scoreAndPublish(m customer.Moment, c *subject, trigger output.Trigger, cause string) {
	t, w, state := &s.p.terms, &s.scratch.writer, c.state
	s.rejectUnmatched(m, c, state.Evict(t, m))
	last, x := &state.LastPublished, &s.scratch.scores
	x.previous = *last
	s.state.totals.Remove(last)

	x.value = clv.Score(t, m, state, s.rankedFrom(last))
	isMaterial := clv.Material(t, &x.value, last)
	if trigger == output.TriggerThresholds || trigger == output.TriggerClose { // nothing else has moved for that reason
		//mutant:thresholds-publish-values replace isMaterial = true
		isMaterial = last.CLV && x.value.Tier != last.Tier
	}
	if isMaterial {
		w.clv.About = w.aboutCustomer(m, c, trigger, cause)
		w.clv.Previous = previousCLV(last)
		clv.Describe(t, m, &x.value, state, last, &w.clv)
		clv.SetPublished(&x.value, t.Day(m.Now), last)
		w.write(output.CLV, output.TypeCLV, &w.clv.About, w.appendCLV)
	}
	x.risk = churn.Score(t, m, state)
	if churn.Material(t, &x.risk, last) {
		w.churnRisk.About = w.aboutCustomer(m, c, trigger, cause)
		w.churnRisk.Previous = previousChurn(last)
		churn.SetPublished(&x.risk, last)
		churn.Describe(t, m, &x.risk, state, last, &w.churnRisk)
		w.write(output.ChurnRisk, output.TypeChurnRisk, &w.churnRisk.About, w.appendChurnRisk)
	}
	x.status = promoter.Score(t, m, state)
	if promoter.Material(&x.status, last) {
		w.promoter.About = w.aboutCustomer(m, c, trigger, cause)
		w.promoter.Previous = previousPromoter(last)
		promoter.Describe(&x.status, last, &w.promoter)
		promoter.SetPublished(&x.status, t.Day(m.Now), last)
		w.write(output.PromoterStatus, output.TypePromoterStatus, &w.promoter.About, w.appendPromoter)
	}
	s.state.totals.Add(last)
	s.updateLosses(m, state)
	s.updateCredits(m, c, cause)
	s.state.calibration.Observe(t, m, c.id, state)
	alerts := s.evaluateAlerts(m, c, trigger, cause)
	s.publishMilestones(m, c, trigger, cause)
	state.Next = earliest(alerts, state.NextAnniversary(t), churn.Next(t, m, &x.risk, state, last), churn.NextLoss(t, m, &x.risk, state), x.status.Expires, max(state.PendingExpiry(t), 0), calibration.Next(t, state))
	//mutant:value-silence-untold if false
	if falls := clv.Deadline(t, m, &x.value, state, last, state.Next); falls != 0 {
		state.Next = falls
	}
	if state.Next != 0 && state.Next <= m.Now {
		state.Next = m.Now + 1 // a deadline is always ahead, whatever rounding gives
	}
}

// earliest returns the least of the times that are not 0; 0 if there is none.
func earliest(times ...int64) int64 {
	first := int64(0)
	for _, at := range times {
		if at != 0 && (first == 0 || at < first) {
			first = at
		}
	}
	return first
}

func previousCLV(last *customer.LastPublished) output.Opt[output.PreviousCLV] {
	if !last.CLV {
		return output.Opt[output.PreviousCLV]{}
	}
	p := output.PreviousCLV{
		Historic: last.Historic, Total: output.Some(last.Historic + last.Predicted), Orders: last.Orders,
		ValueTier: output.Text(last.Tier.String()), ReferralValue: last.ReferralValue,
	}
	if last.PredictedKnown {
		p.Predicted = output.Some(last.Predicted)
	}
	return output.Some(p)
}

func previousChurn(last *customer.LastPublished) output.Opt[output.PreviousChurnRisk] {
	if last.Churn == customer.ClassNotPublished {
		return output.Opt[output.PreviousChurnRisk]{}
	}
	p := output.PreviousChurnRisk{Risk: last.Churn.String()}
	if last.Probability >= 0 {
		p.Probability = output.Some(float64(last.Probability) / 10_000)
	}
	return output.Some(p)
}

func previousPromoter(last *customer.LastPublished) output.Opt[output.PreviousPromoterStatus] {
	if last.Category == customer.CategoryNotPublished {
		return output.Opt[output.PreviousPromoterStatus]{}
	}
	p := output.PreviousPromoterStatus{Category: last.Category.String(), Responses: int64(last.Responses)}
	if last.Score >= 0 {
		p.Score = output.Some(int64(last.Score))
	}
	return output.Some(p)
}
