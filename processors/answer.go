package processors

import (
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/processors/calibration"
	"github.com/mainstay/mainstay/processors/churn"
	"github.com/mainstay/mainstay/processors/clv"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/promoter"
	"github.com/mainstay/mainstay/processors/referral"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// answer scores a customer as of now, says what has changed enough, and sets the next deadline. It is the one place where
// outputs of a customer are made, always in this order.
func (s *step) answer(m customer.Moment, c *subject, trigger output.Trigger, cause string) {
	t, v, state := &s.Partition.terms, &s.voice, c.state
	s.left(m, c, state.Trim(t, m))
	said := &state.Said
	value, risk, voice := &v.scored.value, &v.scored.risk, &v.scored.voice
	v.scored.before = *said
	s.totals.Remove(said)

	*value = clv.Score(t, m, state, said)
	if clv.Material(t, value, said) {
		v.value.About = v.about(m, c, trigger, cause)
		v.value.Previous = previousCLV(said)
		clv.Describe(t, m, value, state, &v.value)
		clv.Remember(value, said)
		v.say(output.CLV, output.TypeCLV, &v.value.About, v.appendCLV)
	}
	*risk = churn.Score(t, m, state)
	if churn.Material(t, risk, said) {
		v.risk.About = v.about(m, c, trigger, cause)
		v.risk.Previous = previousChurn(said)
		churn.Remember(risk, said)
		churn.Describe(t, m, risk, state, said, &v.risk)
		v.say(output.ChurnRisk, output.TypeChurnRisk, &v.risk.About, v.appendRisk)
	}
	*voice = promoter.Score(t, m, state)
	if promoter.Material(voice, said) {
		v.promoter.About = v.about(m, c, trigger, cause)
		v.promoter.Previous = previousPromoter(said)
		promoter.Describe(voice, &v.promoter)
		promoter.Remember(voice, said)
		v.say(output.PromoterStatus, output.TypePromoterStatus, &v.promoter.About, v.appendPromoter)
	}
	s.totals.Add(said)
	referral.Settle(c.id, state, func(referrer string, k *ledger.Credit) {
		to := murmur2.PartitionFor([]byte(referrer), s.genesis.GetPartitions())
		s.send(to, &ledger.Entry{Kind: ledger.Kind_KIND_CREDIT, Customer: referrer, Time: m.Now}, k)
	})
	s.calibration.Look(t, m, c.id, state)
	alerts := s.alerts(m, c, trigger, cause)
	state.Next = soonest(alerts, churn.Next(t, m, risk, state, said), voice.Expires, max(state.LeavesAt(t), 0), calibration.Next(t, state))
	if state.Next != 0 && state.Next <= m.Now {
		state.Next = m.Now + 1 // a deadline moves on, whatever rounding says
	}
}

func soonest(times ...int64) int64 {
	first := int64(0)
	for _, at := range times {
		if at != 0 && (first == 0 || at < first) {
			first = at
		}
	}
	return first
}

func previousCLV(said *customer.Said) output.Opt[output.PreviousCLV] {
	if !said.CLV {
		return output.Opt[output.PreviousCLV]{}
	}
	p := output.PreviousCLV{
		Historic: said.Historic, Total: output.Some(said.Historic + said.Predicted), Orders: said.Orders,
		ValueTier: output.Text(said.Tier.String()), ReferralValue: said.ReferralValue,
	}
	if said.PredictedKnown {
		p.Predicted = output.Some(said.Predicted)
	}
	return output.Some(p)
}

func previousChurn(said *customer.Said) output.Opt[output.PreviousChurnRisk] {
	if said.Churn == customer.Unsaid {
		return output.Opt[output.PreviousChurnRisk]{}
	}
	p := output.PreviousChurnRisk{Risk: said.Churn.String()}
	if said.Probability >= 0 {
		p.Probability = output.Some(float64(said.Probability) / 10_000)
	}
	return output.Some(p)
}

func previousPromoter(said *customer.Said) output.Opt[output.PreviousPromoterStatus] {
	if said.Category == customer.NeverAsked {
		return output.Opt[output.PreviousPromoterStatus]{}
	}
	p := output.PreviousPromoterStatus{Category: said.Category.String(), Responses: int64(said.Responses)}
	if said.Score >= 0 {
		p.Score = output.Some(int64(said.Score))
	}
	return output.Some(p)
}
