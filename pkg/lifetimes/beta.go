package lifetimes

import "math"

// A customer of the beta-dropout models (MBG/NBD, BG/NBD): how fast they buy, how long
// they have been watched, how likely they still live, and the Beta(a, b) that is left
// of their chance to stop after a purchase.
type betaCustomer struct {
	shape float64 // of the purchase rate's gamma: r+x
	age   float64 // its rate: alpha+T
	a, b  float64 // of the dropout chance, given alive
	alive float64
}

// expected purchases in the next t: alive times the mean over p ~ Beta(a, b) of
// (1 - (1+pz)^-shape)/p with z = t/age.
func (c betaCustomer) expected(t float64) float64 { return c.expectedBy(t, &counted{}) }

// expectedBy is expected with what is known of customers with as many purchases.
func (c betaCustomer) expectedBy(t float64, known *counted) float64 {
	if !(t > 0) || c.alive == 0 {
		return 0
	}
	z := t / c.age
	if sum, ok := c.countSeries(z, known); ok {
		return c.alive * sum
	}
	var g grid
	g.fillBeta(c.a, c.b, float64((c.shape+1)*z)+1, c.shape+1)
	return c.alive * g.mean(func(p float64) float64 { return repeatsBeforeDropout(p, z, c.shape) })
}

// repeatsBeforeDropout is (1 - (1+pz)^-shape)/p.
func repeatsBeforeDropout(p, z, shape float64) float64 {
	return -expm1(-shape*ln1p(p*z)) / p
}

const seriesTerms = 420 // beyond it the quadrature is faster

// countSeries sums over the number n of purchases there would be if nobody dropped
// out, which is negative binomial, the expected number that precede the dropout:
// S(n) = sum of (b)_j/(a+b)_j for j < n. All terms are positive, so nothing cancels.
func (c betaCustomer) countSeries(z float64, known *counted) (float64, bool) {
	mean := float64(c.shape * z)
	if !(mean+float64(8*math.Sqrt(mean))+30/ln1p(1/z) < seriesTerms) {
		return 0, false
	}
	w := z / (1 + z)
	term := exp(-c.shape * ln1p(z))
	sum, steps := 0.0, known.steps
	for n := 0; n <= 4*seriesTerms+1; n++ {
		var s countStep
		if n < len(steps) {
			s = steps[n]
		} else {
			s = known.next(c, float64(n))
		}
		ratio := float64(s.grow * w)
		term *= ratio // from the chance of n purchases to that of n+1
		add := float64(term * s.before)
		sum += add
		if ratio > 1e-3 && add > float64(1e-9*sum) {
			continue // far from the end: most terms need not be asked more than this
		}
		if ratio < 0.999 && float64(add*ratio) < float64(1e-13*sum*(1-ratio)) {
			return sum, true
		}
	}
	return 0, false
}

// counted are the parts of countSeries that depend on the number of purchases and the parameters alone. The zero value
// reckons them as they are asked for, one after the other; with keep they are reckoned once.
type counted struct {
	keep         bool
	steps        []countStep
	before, last float64 // S(n) as of the step reckoned last, and the term to come
}

type countStep struct {
	grow   float64 // (shape+n)/(n+1)
	before float64 // S(n+1)
}

// next is step n, when those before it have been reckoned.
func (k *counted) next(c betaCustomer, n float64) countStep {
	if n == 0 {
		k.before, k.last = 0, 1
	}
	k.before += k.last
	k.last *= (c.b + n) / (c.a + c.b + n)
	s := countStep{(c.shape + n) / (n + 1), k.before}
	if k.keep {
		k.steps = append(k.steps, s)
	}
	return s
}

// atLeastOne is the probability of a purchase in the next t.
func (c betaCustomer) atLeastOne(t float64) float64 {
	if !(t > 0) {
		return 0
	}
	return -c.alive * expm1(-c.shape*ln1p(t/c.age))
}

// dert is the mean over p and the purchase rate of rate/(rate p + delta).
func (c betaCustomer) dert(delta float64) float64 {
	if c.alive == 0 {
		return 0
	}
	if mean, ok := dertByResidues(c.shape, c.a, c.b, float64(delta*c.age)); ok {
		return c.alive * mean
	}
	return c.alive * c.dertByGrids(delta)
}

// dertByGrids is the mean by quadrature over both: slower, and always right.
func (c betaCustomer) dertByGrids(delta float64) float64 {
	var rates, drops grid
	rates.fillGamma(c.shape, 1/(delta*c.age), 1)
	greatest := 0.0
	for i := 0; i < rates.n; i++ {
		rates.at[i] = delta * c.age / rates.at[i] // delta over the rate
		greatest = math.Max(greatest, 1/rates.at[i])
	}
	drops.fillBeta(c.a, c.b, greatest, 1)
	return drops.mean(func(p float64) float64 {
		sum := 0.0
		for i := 0; i < rates.n; i++ {
			sum += rates.w[i] / (p + rates.at[i])
		}
		return sum / rates.total
	})
}
