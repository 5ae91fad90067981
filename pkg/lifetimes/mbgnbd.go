package lifetimes

import "math"

// MBGNBD is the MBG/NBD model of Batislam, Denizel and Filiztekin (2007), "Empirical
// validation and comparison of models for customer base analysis": an active customer
// makes purchases in a Poisson process with a rate from Gamma(R, Alpha), and stops after
// each purchase, including the first, with a probability from Beta(A, B). Alpha is a time,
// in the unit of the summaries; the other parameters have no unit.
type MBGNBD struct{ R, Alpha, A, B float64 }

// Name returns "MBG/NBD".
func (m MBGNBD) Name() string { return "MBG/NBD" }

// Validate returns an error that wraps ErrParameter for a parameter outside 1e-9 to 1e9.
func (m MBGNBD) Validate() error { return validateBeta(m.Name(), m.R, m.Alpha, m.A, m.B) }

// PAlive is the probability that the customer has not stopped; see PurchaseModel.
func (m MBGNBD) PAlive(s Summary) float64 {
	if !m.answers(s) {
		return 0
	}
	return m.alive(s)
}

// Expected is the expected number of purchases in the next t; see PurchaseModel.
func (m MBGNBD) Expected(s Summary, t float64) float64 {
	if !m.answers(s) || !validSpan(t) {
		return 0
	}
	return m.customer(s).expected(t)
}

// PAtLeastOne is the probability of a purchase in the next t; see PurchaseModel.
func (m MBGNBD) PAtLeastOne(s Summary, t float64) float64 {
	if !m.answers(s) || !validSpan(t) {
		return 0
	}
	return m.customer(s).atLeastOne(t)
}

// DERT is the discounted expected number of future purchases; see PurchaseModel.
func (m MBGNBD) DERT(s Summary, delta float64) float64 {
	if !m.answers(s) || !validRate(delta) {
		return 0
	}
	return m.customer(s).dert(delta)
}

// Discounted is the discounted expected number of purchases in the next t; see
// PurchaseModel.
func (m MBGNBD) Discounted(s Summary, t, delta float64) float64 {
	if !m.answers(s) || !validSpan(t) || !(delta >= 0) {
		return 0
	}
	return m.customer(s).discounted(t, delta)
}

// AliveUntil is the age at which PAlive falls to h without another purchase, in closed form;
// see PurchaseModel.
func (m MBGNBD) AliveUntil(s Summary, h float64) (float64, bool) {
	if !m.atLastPurchase(s) {
		return 0, false
	}
	return betaAliveUntil(m.R+float64(s.X), m.Alpha, s.Tx, m.A, m.B+float64(s.X), h)
}

// PurchaseUntil is the age at which PAtLeastOne(horizon) falls to h without another
// purchase; see PurchaseModel.
func (m MBGNBD) PurchaseUntil(s Summary, horizon, h float64) (float64, bool) {
	if !m.atLastPurchase(s) {
		return 0, false
	}
	return betaPurchaseUntil(m.R+float64(s.X), m.Alpha, s.Tx, m.A, m.B+float64(s.X), horizon, h)
}

// LogLikelihood is the log-likelihood of one customer, or -Inf where the model or the
// Summary is not valid; see PurchaseModel.
func (m MBGNBD) LogLikelihood(s Summary) float64 {
	if !m.answers(s) {
		return math.Inf(-1)
	}
	x := float64(s.X)
	shape := m.R + x
	buy := lnRising(m.R, x) - float64(m.R*ln1p(s.T/m.Alpha)) - float64(x*ln(m.Alpha+s.T))
	stay := lnRising(m.B, x+1) - lnRising(m.A+m.B, x+1)
	return buy + stay + softplus(ln(m.A/(m.B+x))+float64(shape*ln1p((s.T-s.Tx)/(m.Alpha+s.Tx))))
}

func (m MBGNBD) answers(s Summary) bool {
	return s.scorable() && validBeta(m.R, m.Alpha, m.A, m.B)
}

func (m MBGNBD) atLastPurchase(s Summary) bool {
	s.T = s.Tx // deadlines do not depend on the present age
	return m.answers(s)
}

func (m MBGNBD) alive(s Summary) float64 {
	x := float64(s.X)
	return betaAlive(m.R+x, m.Alpha+s.Tx, s.T-s.Tx, m.A, m.B+x)
}

func (m MBGNBD) customer(s Summary) betaCustomer {
	c := m.buys(s)
	c.alive = m.alive(s)
	return c
}

// buys is customer without P(alive).
func (m MBGNBD) buys(s Summary) betaCustomer {
	x := float64(s.X)
	return betaCustomer{shape: m.R + x, age: m.Alpha + s.T, a: m.A, b: m.B + x + 1}
}
