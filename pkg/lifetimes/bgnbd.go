package lifetimes

import "math"

// BGNBD is the BG/NBD model of Fader, Hardie and Lee (2005), "Counting your customers
// the easy way": as MBGNBD, but no customer stops before the first repeat purchase, so
// P(alive) of a one-time buyer is always 1. Alpha is a time, in the unit of the summaries.
type BGNBD struct{ R, Alpha, A, B float64 }

// Name returns "BG/NBD".
func (m BGNBD) Name() string { return "BG/NBD" }

// Validate returns an error that wraps ErrParameter for a parameter outside 1e-9 to 1e9.
func (m BGNBD) Validate() error { return validateBeta(m.Name(), m.R, m.Alpha, m.A, m.B) }

// PAlive is the probability that the customer has not stopped; 1 for X = 0. See
// PurchaseModel.
func (m BGNBD) PAlive(s Summary) float64 {
	if !m.answers(s) {
		return 0
	}
	return m.alive(s)
}

// Expected is the expected number of purchases in the next t; see PurchaseModel.
func (m BGNBD) Expected(s Summary, t float64) float64 {
	if !m.answers(s) || !validSpan(t) {
		return 0
	}
	return m.customer(s).expected(t)
}

// PAtLeastOne is the probability of a purchase in the next t; see PurchaseModel.
func (m BGNBD) PAtLeastOne(s Summary, t float64) float64 {
	if !m.answers(s) || !validSpan(t) {
		return 0
	}
	return m.customer(s).atLeastOne(t)
}

// DERT is the discounted expected number of future purchases; see PurchaseModel.
func (m BGNBD) DERT(s Summary, delta float64) float64 {
	if !m.answers(s) || !validRate(delta) {
		return 0
	}
	return m.customer(s).dert(delta)
}

// Discounted is the discounted expected number of purchases in the next t; see
// PurchaseModel.
func (m BGNBD) Discounted(s Summary, t, delta float64) float64 {
	if !m.answers(s) || !validSpan(t) || !(delta >= 0) {
		return 0
	}
	return m.customer(s).discounted(t, delta)
}

// AliveUntil is the age at which PAlive falls to h without another purchase; for X = 0
// that never happens and ok is false. See PurchaseModel.
func (m BGNBD) AliveUntil(s Summary, h float64) (float64, bool) {
	if !m.atLastPurchase(s) || s.X == 0 {
		return 0, false
	}
	return betaAliveUntil(m.R+float64(s.X), m.Alpha, s.Tx, m.A, m.B+float64(s.X-1), h)
}

// PurchaseUntil is the age at which PAtLeastOne(horizon) falls to h without another
// purchase; see PurchaseModel.
func (m BGNBD) PurchaseUntil(s Summary, horizon, h float64) (float64, bool) {
	if !m.atLastPurchase(s) {
		return 0, false
	}
	if s.X > 0 {
		return betaPurchaseUntil(m.R+float64(s.X), m.Alpha, s.Tx, m.A, m.B+float64(s.X-1), horizon, h)
	}
	switch {
	case h >= 1 || horizon == 0:
		return 0, true
	case !(h > 0) || !validSpan(horizon):
		return 0, false
	}
	age := ageOfPurchase(m.R, m.Alpha, horizon, h)
	if age > math.MaxFloat64 {
		return 0, false
	}
	return age, true
}

// LogLikelihood is the log-likelihood of one customer, or -Inf where the model or the
// Summary is not valid; see PurchaseModel.
func (m BGNBD) LogLikelihood(s Summary) float64 {
	if !m.answers(s) {
		return math.Inf(-1)
	}
	x := float64(s.X)
	shape := m.R + x
	l := lnRising(m.R, x) - float64(m.R*ln1p(s.T/m.Alpha)) - float64(x*ln(m.Alpha+s.T))
	l += lnRising(m.B, x) - lnRising(m.A+m.B, x)
	if s.X > 0 {
		l += softplus(ln(m.A/(m.B+(x-1))) + float64(shape*ln1p((s.T-s.Tx)/(m.Alpha+s.Tx))))
	}
	return l
}

func (m BGNBD) answers(s Summary) bool {
	return s.scorable() && validBeta(m.R, m.Alpha, m.A, m.B)
}

func (m BGNBD) atLastPurchase(s Summary) bool {
	s.T = s.Tx
	return m.answers(s)
}

func (m BGNBD) alive(s Summary) float64 {
	if s.X == 0 {
		return 1
	}
	return betaAlive(m.R+float64(s.X), m.Alpha+s.Tx, s.T-s.Tx, m.A, m.B+float64(s.X-1))
}

func (m BGNBD) customer(s Summary) betaCustomer {
	c := m.buys(s)
	c.alive = m.alive(s)
	return c
}

// buys is customer without P(alive).
func (m BGNBD) buys(s Summary) betaCustomer {
	x := float64(s.X)
	return betaCustomer{shape: m.R + x, age: m.Alpha + s.T, a: m.A, b: m.B + x}
}
