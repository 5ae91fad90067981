package lifetimes

import "math"

// ParetoNBD is the Pareto/NBD model of Schmittlein, Morrison and Colombo (1987),
// "Counting your customers: who are they and what will they do next?": an active customer
// makes purchases in a Poisson process with a rate from Gamma(R, Alpha), and stops at any
// moment, at a rate from Gamma(S, Beta). Alpha and Beta are times, in the unit of the
// summaries; R and S have no unit.
//
// The textbook form, a difference of two hypergeometric functions, was rejected because it
// cancels. The code uses the integral that the difference is derived from (Fader and Hardie
// 2005, "A note on deriving the Pareto/NBD model"), whose integrand is positive.
type ParetoNBD struct{ R, Alpha, S, Beta float64 }

// Name returns "Pareto/NBD".
func (m ParetoNBD) Name() string { return "Pareto/NBD" }

// Validate returns an error that wraps ErrParameter for a parameter outside 1e-9 to 1e9.
func (m ParetoNBD) Validate() error {
	if err := checkParameter(m.Name(), "r", m.R); err != nil {
		return err
	}
	if err := checkParameter(m.Name(), "alpha", m.Alpha); err != nil {
		return err
	}
	if err := checkParameter(m.Name(), "s", m.S); err != nil {
		return err
	}
	return checkParameter(m.Name(), "beta", m.Beta)
}

// PAlive is the probability that the customer has not stopped; see PurchaseModel.
func (m ParetoNBD) PAlive(s Summary) float64 {
	if !m.answers(s) {
		return 0
	}
	return 1 / (1 + exp(m.lnDead(s)))
}

// Expected is the expected number of purchases in the next t; see PurchaseModel.
func (m ParetoNBD) Expected(s Summary, t float64) float64 {
	if !m.answers(s) || !validSpan(t) {
		return 0
	}
	return m.PAlive(s) * m.rate(s) * m.living(s, t)
}

// PAtLeastOne is the probability of a purchase in the next t; see PurchaseModel.
func (m ParetoNBD) PAtLeastOne(s Summary, t float64) float64 {
	if !m.answers(s) || !validSpan(t) {
		return 0
	}
	return m.PAlive(s) * m.firstPurchase(s, t)
}

// DERT is the discounted expected number of future purchases (Fader, Hardie and Lee
// 2005, "RFM and CLV"); see PurchaseModel.
func (m ParetoNBD) DERT(s Summary, delta float64) float64 {
	if !m.answers(s) || !validRate(delta) {
		return 0
	}
	// The mean of 1/(mu+delta) over mu ~ Gamma(s, beta+T); the grid's rate is 1.
	var g grid
	age := m.Beta + s.T
	discount := float64(delta * age)
	g.fillGamma(m.S, 1/discount, 1)
	return m.PAlive(s) * m.rate(s) * age * g.mean(func(mu float64) float64 { return 1 / (mu + discount) })
}

// Discounted is the discounted expected number of purchases in the next t; see
// PurchaseModel.
func (m ParetoNBD) Discounted(s Summary, t, delta float64) float64 {
	if !m.answers(s) || !validSpan(t) || !(delta >= 0) {
		return 0
	}
	var v instants
	age := m.Beta + s.T
	v.fill(t, delta, age, 2*age/(1+m.S))
	sum := 0.0
	for i := 0; i < v.n; i++ {
		sum += float64(v.w[i] * m.living(s, v.at[i]))
	}
	return m.PAlive(s) * m.rate(s) * sum
}

// AliveUntil is the age at which PAlive falls to h without another purchase, at least s.Tx;
// see PurchaseModel. The age lies between the closed forms for Alpha = Beta = the smaller, and
// Alpha = Beta = the greater of the two. Newton's method finds it in two or three steps: with
// odds D of having stopped and w = r+s+x, ln(1 + w/s D) is linear in ln(Beta+age) if Alpha =
// Beta, and nearly so otherwise.
func (m ParetoNBD) AliveUntil(s Summary, h float64) (float64, bool) {
	s.T = s.Tx
	if !m.answers(s) || !(h > 0) {
		return 0, false
	}
	if h >= 1 {
		return s.Tx, true
	}
	w := m.S + m.R + float64(s.X)
	odds := ln((1 - h) / h)
	lnWS := ln(w / m.S)
	target := softplus(lnWS + odds)
	bound := func(c float64) float64 {
		return s.Tx + float64((c+s.Tx)*expm1(target/w))
	}
	low, high := bound(math.Min(m.Alpha, m.Beta)), bound(math.Max(m.Alpha, m.Beta))
	if low > math.MaxFloat64 {
		return 0, false
	}
	high = math.Min(high, math.MaxFloat64/4)
	shape := m.R + float64(s.X)
	from, to := low, high
	age := math.Min(math.Max(bound(m.Beta), low), high)
	for range mostNewtonSteps {
		s.T = math.Max(age, s.Tx)
		dead := m.lnDead(s) + lnWS
		// The derivative of ln(1 + w/s D) with respect to ln(Beta+age).
		some := logistic(dead)
		slope := float64(some*(float64(shape*((m.Beta+s.T)/(m.Alpha+s.T)))+m.S)) + float64(w*(1-some))
		miss := softplus(dead) - target
		if miss > 0 {
			to = age
		} else {
			from = age
		}
		age = s.T + float64((m.Beta+s.T)*expm1(-miss/slope))
		// The error after a step is of the order of the square of miss.
		if math.Abs(miss) < 1e-5 {
			return math.Max(s.Tx, age), true
		}
		if !(age > from && age < to) {
			age = from + float64(0.5*(to-from))
		}
	}
	if s.T = math.Max(s.Tx, age); high >= math.MaxFloat64/8 && m.lnDead(s) < odds-1e-6 {
		return 0, false // not representable
	}
	return s.T, true
}

// mostNewtonSteps bounds the steps of Newton's method; a step outside of the bracket is
// replaced by a bisection.
const mostNewtonSteps = 200

// PurchaseUntil is the age at which PAtLeastOne(horizon) falls to h without another
// purchase, at least s.Tx; see PurchaseModel.
func (m ParetoNBD) PurchaseUntil(s Summary, horizon, h float64) (float64, bool) {
	s.T = s.Tx
	if !m.answers(s) || !(h > 0) || !validSpan(horizon) {
		return 0, false
	}
	if h >= 1 || horizon == 0 {
		return s.Tx, true
	}
	// Upper bounds: the age for a customer who cannot stop, and the age at which PAlive alone
	// falls to h.
	high := ageOfPurchase(m.R+float64(s.X), m.Alpha, horizon, h)
	if age, ok := m.AliveUntil(s, h); ok {
		high = math.Min(high, age)
	}
	return solveAge(m.Alpha, s.Tx, high, func(age float64) float64 {
		s.T = math.Max(age, s.Tx)
		return float64(m.PAlive(s)*m.firstPurchase(s, horizon)) - h
	}), true
}

// LogLikelihood is the log-likelihood of one customer, or -Inf where the model or the
// Summary is not valid; see PurchaseModel.
func (m ParetoNBD) LogLikelihood(s Summary) float64 {
	if !m.answers(s) {
		return math.Inf(-1)
	}
	x := float64(s.X)
	alive := lnRising(m.R, x) - float64(m.R*ln1p(s.T/m.Alpha)) - float64(x*ln(m.Alpha+s.T)) - float64(m.S*ln1p(s.T/m.Beta))
	return alive + softplus(m.lnDead(s))
}

func (m ParetoNBD) answers(s Summary) bool {
	return s.scorable() && validBeta(m.R, m.Alpha, m.S, m.Beta)
}

// lnDead is the logarithm of the odds that the customer has stopped, which are
// s * integral from t_x to T of ((alpha+T)/(alpha+u))^(r+x) ((beta+T)/(beta+u))^s du/(beta+u).
func (m ParetoNBD) lnDead(s Summary) float64 {
	silence := s.T - s.Tx
	if silence == 0 {
		return math.Inf(-1)
	}
	shape, a, b := m.R+float64(s.X), m.Alpha+s.Tx, m.Beta+s.Tx
	j := powerIntegral{p: shape, q: m.S + 1, a: a, b: b, length: silence}.value()
	return float64(shape*ln1p(silence/a)) + float64(m.S*ln1p(silence/b)) + ln(m.S/b*j)
}

// rate is the expected purchase rate of a customer who is alive.
func (m ParetoNBD) rate(s Summary) float64 {
	return (m.R + float64(s.X)) / (m.Alpha + s.T)
}

// living is the expected time that the customer is alive within the next t, given that they
// are alive now.
func (m ParetoNBD) living(s Summary, t float64) float64 {
	age := m.Beta + s.T
	u := ln1p(t / age)
	if m.S == 1 {
		return age * u
	}
	return -age * expm1(-(m.S-1)*u) / (m.S - 1)
}

// firstPurchase is the probability of a purchase in the next t, given that the customer is
// alive now.
func (m ParetoNBD) firstPurchase(s Summary, t float64) float64 {
	if t == 0 {
		return 0
	}
	shape, a := m.R+float64(s.X), m.Alpha+s.T
	j := powerIntegral{p: shape + 1, q: m.S, a: a, b: m.Beta + s.T, length: t}.value()
	return math.Min(1, shape/a*j)
}
