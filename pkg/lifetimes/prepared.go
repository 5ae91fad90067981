package lifetimes

import "math"

// Prepared is an MBGNBD that scores many customers, one after the other, and keeps the answers that are asked for again. Its
// answers are the model's, to the last bit. Make one with NewPrepared; it is not for several goroutines at once.
type Prepared struct {
	MBGNBD

	last  Summary
	alive float64
	ages  [256]aliveUntil // by a hash of what was asked
}

// aliveUntil is an answer of AliveUntil, which does not depend on now: on the days between a customer's purchases it is
// asked for again and again, and for many customers it is the same.
type aliveUntil struct {
	asked      bool
	x          int
	tx, h, age float64
	ok         bool
}

// NewPrepared has nothing to keep yet.
func NewPrepared(m MBGNBD) *Prepared {
	return &Prepared{MBGNBD: m, last: Summary{X: -1}}
}

// PAlive is MBGNBD.PAlive.
func (p *Prepared) PAlive(s Summary) float64 {
	if s != p.last {
		p.last, p.alive = s, p.MBGNBD.PAlive(s)
	}
	return p.alive
}

// AliveUntil is MBGNBD.AliveUntil.
func (p *Prepared) AliveUntil(s Summary, h float64) (float64, bool) {
	hash := (math.Float64bits(h) + 3*math.Float64bits(s.Tx) + uint64(s.X)) * 0x9e3779b97f4a7c15 //nolint:gosec // bits
	a := &p.ages[hash>>56]
	if !a.asked || a.x != s.X || a.tx != s.Tx || a.h != h {
		*a = aliveUntil{asked: true, x: s.X, tx: s.Tx, h: h}
		a.age, a.ok = p.MBGNBD.AliveUntil(s, h)
	}
	return a.age, a.ok
}

// Expected is MBGNBD.Expected.
func (p *Prepared) Expected(s Summary, t float64) float64 {
	if !p.answers(s) || !validSpan(t) {
		return p.MBGNBD.Expected(s, t)
	}
	c := p.buys(s)
	c.alive = p.PAlive(s)
	return c.expected(t)
}
