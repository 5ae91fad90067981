package lifetimes

import (
	"fmt"
	"math"
)

// MBGCNBD is the MBG/CNBD-k model of Platzer and Reutterer (2016), "Ticking away the
// moments: timing regularity helps to better predict customer activity": as MBGNBD, but
// gaps between purchases have an Erlang distribution with K stages, so that they are more
// regular for greater K; K = 1 is MBGNBD. A customer's clock ticks at a rate from
// Gamma(R, Alpha), and every K-th tick is a purchase. Alpha is a time, in the unit of the
// summaries. K is from 1 to 4.
type MBGCNBD struct {
	K              int
	R, Alpha, A, B float64
}

const mostStages = 4

// Name returns "MBG/CNBD-" followed by K.
func (m MBGCNBD) Name() string {
	if m.K >= 1 && m.K <= mostStages {
		return [...]string{"MBG/CNBD-1", "MBG/CNBD-2", "MBG/CNBD-3", "MBG/CNBD-4"}[m.K-1]
	}
	return fmt.Sprintf("MBG/CNBD-%d", m.K)
}

// Validate returns an error that wraps ErrParameter for K outside 1 to 4 or another
// parameter outside 1e-9 to 1e9.
func (m MBGCNBD) Validate() error {
	if m.K < 1 || m.K > mostStages {
		return parameterError("MBG/CNBD-k", "k", float64(m.K), "1 to 4")
	}
	return validateBeta(m.Name(), m.R, m.Alpha, m.A, m.B)
}

// PAlive is the probability that the customer has not stopped; see PurchaseModel.
func (m MBGCNBD) PAlive(s Summary) float64 {
	if !m.answers(s) {
		return 0
	}
	quiet := m.quiet(s)
	return quiet / (quiet + m.A/(m.B+float64(s.X)))
}

// Expected is the expected number of purchases in the next t. It is exact: it takes into
// account how many ticks the customer's clock may have made since the last purchase. See
// PurchaseModel.
func (m MBGCNBD) Expected(s Summary, t float64) float64 {
	if !m.answers(s) || !validSpan(t) || t == 0 {
		return 0
	}
	return m.PAlive(s) * m.given(s).expected(t)
}

// PAtLeastOne is the probability of a purchase in the next t; see PurchaseModel. Without
// another purchase, for K > 1 it first rises, as the next purchase becomes due, and then
// falls.
func (m MBGCNBD) PAtLeastOne(s Summary, t float64) float64 {
	if !m.answers(s) || !validSpan(t) || t == 0 {
		return 0
	}
	c := m.given(s)
	z := t / c.age
	sum := 0.0
	for j := 0; j < m.K; j++ {
		sum += float64(c.phase[j] * countAtLeast(m.K-j, c.shape+float64(j), z))
	}
	return m.PAlive(s) * math.Min(1, sum)
}

// DERT is the discounted expected number of future purchases; see PurchaseModel.
func (m MBGCNBD) DERT(s Summary, delta float64) float64 {
	if !m.answers(s) || !validRate(delta) {
		return 0
	}
	return m.PAlive(s) * m.given(s).dert(delta)
}

// Discounted is the discounted expected number of purchases in the next t; see
// PurchaseModel.
func (m MBGCNBD) Discounted(s Summary, t, delta float64) float64 {
	if !m.answers(s) || !validSpan(t) || !(delta >= 0) || t == 0 {
		return 0
	}
	c := m.given(s)
	var v instants
	v.fill(t, delta, c.age, c.age/(c.shape+1))
	return m.PAlive(s) * c.expectedAt(v.at[:v.n], v.w[:v.n])
}

// AliveUntil is the age at which PAlive falls to h without another purchase; see
// PurchaseModel. For K > 1 it is solved numerically between closed-form bounds.
func (m MBGCNBD) AliveUntil(s Summary, h float64) (float64, bool) {
	s.T = s.Tx
	if !m.answers(s) {
		return 0, false
	}
	x := float64(s.X)
	shape := m.R + float64(m.K*s.X)
	// The sum over the stages multiplies the probability of no purchase by a factor between
	// 1 and most.
	most, term := 1.0, 1.0
	for j := 1; j < m.K; j++ {
		term = float64(term * (shape + float64(j-1)) / float64(j))
		most += term
	}
	low, ok := betaAliveUntil(shape, m.Alpha, s.Tx, m.A, m.B+x, h)
	if !ok || m.K == 1 || h >= 1 || low <= s.Tx {
		return low, ok
	}
	high, ok := betaAliveUntil(shape, m.Alpha, s.Tx, m.A/most, m.B+x, h)
	if !ok {
		high = math.MaxFloat64 / 4
	}
	odds := ln(m.A/(m.B+x)) - ln((1-h)/h)
	return solveAge(m.Alpha, low, high, func(age float64) float64 {
		s.T = age
		return ln(m.quiet(s)) - odds
	}), true
}

// PurchaseUntil is the age from which PAtLeastOne(horizon) remains at or below h without
// another purchase; s.Tx if it never exceeds h. See PurchaseModel.
func (m MBGCNBD) PurchaseUntil(s Summary, horizon, h float64) (float64, bool) {
	s.T = s.Tx
	if !m.answers(s) || !(h > 0) || !validSpan(horizon) {
		return 0, false
	}
	if h >= 1 || horizon == 0 {
		return s.Tx, true
	}
	if m.K == 1 {
		return MBGNBD{m.R, m.Alpha, m.A, m.B}.PurchaseUntil(s, horizon, h)
	}
	above := func(age float64) float64 {
		s.T = math.Max(age, s.Tx)
		return m.PAtLeastOne(s, horizon) - h
	}
	high := ageOfPurchase(m.R+float64(m.K*s.X+m.K-1), m.Alpha, horizon, h)
	if age, ok := m.AliveUntil(s, h); ok {
		high = math.Min(high, age)
	}
	if !(high > s.Tx) {
		return s.Tx, true
	}
	// PAtLeastOne has one maximum: find an age above h by ternary search, then solve on the
	// decreasing side.
	low := s.Tx
	u0, u1 := ln(m.Alpha+low), ln(m.Alpha+high)
	for range 60 {
		if above(low) > 0 {
			break
		}
		third := (u1 - u0) / 3
		a, b := exp(u0+third)-m.Alpha, exp(u1-third)-m.Alpha
		fa, fb := above(a), above(b)
		switch {
		case fb > 0:
			low = b
		case fa > 0:
			low = a
		case fa < fb:
			u0 += third
			low = a
		default:
			u1 -= third
		}
	}
	if !(above(low) > 0) {
		return s.Tx, true
	}
	return solveAge(m.Alpha, low, high, above), true
}

// LogLikelihood is the log-likelihood of one customer, or -Inf where the model or the
// Summary is not valid; for K > 1 it reads LogGaps. See PurchaseModel.
func (m MBGCNBD) LogLikelihood(s Summary) float64 {
	if !m.answers(s) || !isFinite(s.LogGaps) {
		return math.Inf(-1)
	}
	x, k := float64(s.X), float64(m.K)
	buy := lnRising(m.R, k*x) - float64(m.R*ln1p(s.Tx/m.Alpha)) - float64(k*x*ln(m.Alpha+s.Tx))
	gaps := float64((k-1)*s.LogGaps) - float64(x*lnFactorial[m.K-1])
	stay := lnRising(m.B, x+1) - lnRising(m.A+m.B, x+1)
	return buy + gaps + stay + ln(m.quiet(s)+m.A/(m.B+x))
}

// lnFactorial holds ln(n!) for n below mostStages.
//
//nolint:gochecknoglobals // a table: Go has no constant arrays
var lnFactorial = [mostStages]float64{0, 0, 0.69314718055994530942, 1.7917594692280550008}

func (m MBGCNBD) answers(s Summary) bool {
	return m.K >= 1 && m.K <= mostStages && s.scorable() && validBeta(m.R, m.Alpha, m.A, m.B)
}

// quiet is the probability that the clock of a customer who is alive has ticked fewer than
// K times since the last purchase.
func (m MBGCNBD) quiet(s Summary) float64 {
	shape := m.R + float64(m.K*s.X)
	v := (s.T - s.Tx) / (m.Alpha + s.T)
	sum, term := 1.0, 1.0
	for j := 1; j < m.K; j++ {
		term = float64(term * ((shape + float64(j-1)) / float64(j) * v))
		sum += term
	}
	return exp(ln(sum) - float64(shape*ln1p((s.T-s.Tx)/(m.Alpha+s.Tx))))
}

// given is the posterior of a customer, given that they are alive.
func (m MBGCNBD) given(s Summary) regularCustomer {
	x := float64(s.X)
	c := regularCustomer{k: m.K, shape: m.R + float64(m.K*s.X), age: m.Alpha + s.T, silence: s.T - s.Tx, a: m.A, b: m.B + x + 1}
	v := c.silence / c.age
	sum, term := 1.0, 1.0
	c.phase[0] = 1
	for j := 1; j < m.K; j++ {
		term = float64(term * ((c.shape + float64(j-1)) / float64(j) * v))
		c.phase[j] = term
		sum += term
	}
	for j := range c.phase {
		c.phase[j] /= sum
	}
	return c
}
