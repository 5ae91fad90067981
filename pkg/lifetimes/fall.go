package lifetimes

import "math"

// greatestAge bounds the search of FallsTo, in the unit of the summaries: 10,000 years of weeks.
const greatestAge = 521_775

// FallsTo returns an age at which the expected purchases of the next t, each discounted by e^(-delta time), have fallen to between
// least and most if nothing more is bought; now is their number at s.T, above most. It returns false if that takes longer than
// until. A delta of 0 discounts nothing.
//
// In silence the count falls: the probability of being alive does, and the purchase rate of those who are alive does too. With a
// Scorer this holds unless its corrections reverse it; the result is then one of several such ages. The search follows PAlive, whose
// root is cheap: the logarithms of the count and of PAlive fall in nearly the same proportion. It needs the count itself once or
// twice, where a search without that needs it seven times.
func (p *Predictor) FallsTo(s Customer, t, delta, now, least, most, until float64) (float64, bool) {
	if !(now > most) || !(most > 0) || !(until > s.T) {
		return 0, false
	}
	from, alive := s.Summary, p.PAlive(s.Summary)
	if now*p.remainsAtLeast(from, alive, until) > most {
		return 0, false
	}
	low, high := s.T, math.Min(until, greatestAge)
	bounded := false // whether the count at high is known to be at most most
	share := ln((least + float64(0.5*(most-least))) / now)
	proportion := 1 + 0.6/float64((1-alive)*(0.5+float64(s.X))) // of the logarithms at s.T, nearly, for usual parameters
	for n := range 100 {
		age, ok := 0.0, false
		if n < 4 && alive < 1 && proportion < 1e6 {
			age, ok = p.aliveUntil(from, float64(alive*exp(share/proportion)))
		}
		switch {
		case ok && age > low && age < high:
		case bounded:
			age = low + float64(0.5*(high-low))
		case ok && age >= high:
			age = high
		default:
			age = math.Min(high, low+float64(math.Max(4, low-from.T)*3))
		}
		s.T = age
		var count float64
		if delta > 0 {
			count = p.Discounted(s, t, delta)
		} else {
			count = p.Expected(s, t)
		}
		switch {
		case count <= most && (count >= least || high-low < 1e-9*(1+high)):
			return age, true
		case count <= most:
			high, bounded = age, true
		case age == high:
			return 0, false
		default:
			low = age
		}
		if fell := ln(p.PAlive(s.Summary) / alive); fell < 0 && count > 0 {
			proportion = math.Max(1e-3, ln(count/now)/fell)
		}
	}
	return high, bounded
}

// remainsAtLeast is a lower bound of the share of an expected count, discounted or not, that remains at a greater age if nothing more
// is bought: the purchase rate of those who are alive falls as 1/(Alpha+T), and their purchases fall no faster. With a Scorer
// there is no such bound, and it is 0.
func (p *Predictor) remainsAtLeast(s Summary, alive, age float64) float64 {
	var alpha float64
	switch m := p.regular.PurchaseModel.(type) {
	case MBGNBD:
		alpha = m.Alpha
	case BGNBD:
		alpha = m.Alpha
	case ParetoNBD:
		alpha = m.Alpha
	default:
		return 0
	}
	if p.scorer != nil || !(age <= greatestAge) {
		return 0
	}
	rate := (alpha + s.T) / (alpha + age)
	s.T = age
	return p.regular.PurchaseModel.PAlive(s) / alive * rate
}

// aliveUntil is AliveUntil without the cache, which is for limits that many customers have in common.
func (p *Predictor) aliveUntil(s Summary, h float64) (float64, bool) {
	if p.scorer != nil {
		return p.scorer.AliveUntil(s, h)
	}
	return p.regular.PurchaseModel.AliveUntil(s, h)
}
