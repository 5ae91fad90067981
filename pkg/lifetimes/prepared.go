package lifetimes

import "math"

// Prepared is an MBGNBD with a cache, for scoring many customers one after the other. Its
// results equal those of the MBGNBD bit for bit. Create one with NewPrepared. It is not safe
// for concurrent use.
type Prepared struct {
	MBGNBD

	last  Summary         // the latest argument of PAlive
	alive float64         // PAlive(last)
	ages  [256]aliveUntil // results of AliveUntil, by a hash of the arguments
}

// aliveUntil is a result of AliveUntil. It does not depend on T, so it is the same on all days
// between two purchases of a customer, and for all customers with the same x and t_x.
type aliveUntil struct {
	asked      bool // whether the entry is filled
	x          int
	tx, h, age float64
	ok         bool
}

// NewPrepared returns a Prepared for m with an empty cache.
func NewPrepared(m MBGNBD) *Prepared {
	return &Prepared{MBGNBD: m, last: Summary{X: -1}}
}

// PAlive is MBGNBD.PAlive; it caches the latest result.
func (p *Prepared) PAlive(s Summary) float64 {
	if s != p.last {
		p.last, p.alive = s, p.MBGNBD.PAlive(s)
	}
	return p.alive
}

// AliveUntil is MBGNBD.AliveUntil; it caches up to 256 results.
func (p *Prepared) AliveUntil(s Summary, h float64) (float64, bool) {
	hash := (math.Float64bits(h) + 3*math.Float64bits(s.Tx) + uint64(s.X)) * 0x9e3779b97f4a7c15 //nolint:gosec // bits
	a := &p.ages[hash>>56]
	if !a.asked || a.x != s.X || a.tx != s.Tx || a.h != h {
		*a = aliveUntil{asked: true, x: s.X, tx: s.Tx, h: h}
		a.age, a.ok = p.MBGNBD.AliveUntil(s, h)
	}
	return a.age, a.ok
}

// Expected is MBGNBD.Expected; it reuses a cached PAlive.
func (p *Prepared) Expected(s Summary, t float64) float64 {
	if !p.answers(s) || !validSpan(t) {
		return p.MBGNBD.Expected(s, t)
	}
	c := p.buys(s)
	c.alive = p.PAlive(s)
	return c.expected(t)
}
