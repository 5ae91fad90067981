package lifetimes

import "math"

// Prepared is a purchase model with a cache, for scoring many customers one after the other.
// Its results equal those of the model bit for bit, except Expected, which is within 1e-11 of it.
// Create one with NewPrepared. It is not safe for concurrent use.
type Prepared struct {
	PurchaseModel

	last  Summary         // the latest argument of PAlive
	alive float64         // PAlive(last)
	ages  [256]aliveUntil // results of AliveUntil, by a hash of the arguments
	table expectedTable   // with beta dropout
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
func NewPrepared(m PurchaseModel) *Prepared {
	return &Prepared{PurchaseModel: m, last: Summary{X: -1}}
}

// PAlive is that of the model; it caches the latest result.
func (p *Prepared) PAlive(s Summary) float64 {
	if s != p.last {
		p.last, p.alive = s, p.PurchaseModel.PAlive(s)
	}
	return p.alive
}

// AliveUntil is that of the model; it caches up to 256 results.
func (p *Prepared) AliveUntil(s Summary, h float64) (float64, bool) {
	a := &p.ages[ageSlot(s, h)]
	if !a.holds(s, h) {
		age, ok := p.PurchaseModel.AliveUntil(s, h)
		a.set(s, h, age, ok)
	}
	return a.age, a.ok
}

// ageSlot returns the index in a cache of 256 results of AliveUntil.
func ageSlot(s Summary, h float64) uint64 {
	return (math.Float64bits(h) + 3*math.Float64bits(s.Tx) + uint64(s.X)) * 0x9e3779b97f4a7c15 >> 56 //nolint:gosec // bits
}

func (a *aliveUntil) holds(s Summary, h float64) bool {
	return a.asked && a.x == s.X && a.tx == s.Tx && a.h == h
}

func (a *aliveUntil) set(s Summary, h, age float64, ok bool) {
	*a = aliveUntil{asked: true, x: s.X, tx: s.Tx, h: h, age: age, ok: ok}
}

// Expected is that of the model, by a table with beta dropout; it reuses a cached PAlive.
func (p *Prepared) Expected(s Summary, t float64) float64 {
	switch m := p.PurchaseModel.(type) {
	case MBGNBD:
		if m.answers(s) && validSpan(t) {
			c := m.buys(s)
			c.alive = p.PAlive(s)
			return p.table.expected(c, s.X, t)
		}
	case BGNBD:
		if m.answers(s) && validSpan(t) {
			c := m.buys(s)
			c.alive = p.PAlive(s)
			return p.table.expected(c, s.X, t)
		}
	case ParetoNBD:
		if m.answers(s) && validSpan(t) {
			return p.PAlive(s) * m.rate(s) * m.living(s, t)
		}
	}
	return p.PurchaseModel.Expected(s, t)
}

// PAtLeastOne is that of the model; it reuses a cached PAlive where the model allows it.
func (p *Prepared) PAtLeastOne(s Summary, t float64) float64 {
	if m, ok := p.PurchaseModel.(ParetoNBD); ok && m.answers(s) && validSpan(t) {
		return p.PAlive(s) * m.firstPurchase(s, t)
	}
	return p.PurchaseModel.PAtLeastOne(s, t)
}
