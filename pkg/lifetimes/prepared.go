package lifetimes

// Prepared is an MBGNBD that scores many customers, one after the other, and keeps what those with the same number of
// purchases have in common, and the probability that it gave last. Its answers are the model's, to the last bit. Make one
// with NewPrepared; it is not for several goroutines at once.
type Prepared struct {
	MBGNBD

	counts [preparedCounts]counted
	last   Summary
	alive  float64
}

// preparedCounts is up to how many repeat purchases something is kept, at most 27 KB for each: most customers have fewer.
const preparedCounts = 32

// NewPrepared has nothing to keep yet.
func NewPrepared(m MBGNBD) *Prepared {
	p := &Prepared{MBGNBD: m, last: Summary{X: -1}}
	for i := range p.counts {
		p.counts[i].keep = true
	}
	return p
}

// PAlive is MBGNBD.PAlive.
func (p *Prepared) PAlive(s Summary) float64 {
	if s != p.last {
		p.last, p.alive = s, p.MBGNBD.PAlive(s)
	}
	return p.alive
}

// Expected is MBGNBD.Expected.
func (p *Prepared) Expected(s Summary, t float64) float64 {
	if s.X < 0 || s.X >= preparedCounts || !p.answers(s) || !validSpan(t) {
		return p.MBGNBD.Expected(s, t)
	}
	c := p.buys(s)
	c.alive = p.PAlive(s)
	return c.expectedBy(t, &p.counts[s.X])
}
