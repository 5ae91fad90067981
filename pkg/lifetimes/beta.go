package lifetimes

import "math"

// betaCustomer is the posterior of a customer in a beta-dropout model (MBG/NBD, BG/NBD),
// given x, t_x and T.
type betaCustomer struct {
	shape float64 // shape of the gamma distribution of the purchase rate: r+x
	age   float64 // rate parameter of that gamma distribution: alpha+T
	a, b  float64 // of the dropout probability's beta distribution, given that the customer is alive
	alive float64 // P(alive)
}

// expected is the expected number of purchases in the next t: alive times the mean over
// p ~ Beta(a, b) of (1 - (1+pz)^-shape)/p with z = t/age.
func (c betaCustomer) expected(t float64) float64 {
	if !(t > 0) || c.alive == 0 {
		return 0
	}
	z := t / c.age
	if sum, ok := c.soonByPfaff(t); ok {
		return c.alive * sum
	}
	if sum, ok := c.countSeries(z); ok {
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

const seriesTerms = 420 // with more terms the quadrature is faster

// countSeries computes the sum over n of NB(n) S(n). NB(n) is the (negative binomial)
// probability of n purchases if the customer could not drop out, and S(n) the expected
// number of those purchases before the dropout: the sum of (b)_j/(a+b)_j for j < n. All
// terms are positive, so nothing cancels.
func (c betaCustomer) countSeries(z float64) (float64, bool) {
	mean := float64(c.shape * z)
	if !(mean+float64(8*math.Sqrt(mean))+30/ln1p(1/z) < seriesTerms) {
		return 0, false
	}
	w := z / (1 + z)
	term := exp(-c.shape * ln1p(z))
	survive, before, sum := 1.0, 0.0, 0.0
	ab := c.a + c.b
	for n := 0.0; ; n++ {
		// Here term is NB(n) and before is S(n).
		ratio := float64((c.shape + n) / (n + 1) * w)
		term *= ratio
		before += survive
		survive *= (c.b + n) / (ab + n)
		add := float64(term * before)
		sum += add
		if fall := math.Max(ratio, w); fall < 0.999 && float64(add*fall) < float64(1e-13*sum*(1-fall)) {
			return sum, true
		}
		if n > 4*seriesTerms {
			return 0, false
		}
	}
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

// dertByGrids computes dert by quadrature over p and the rate. It is slower than
// dertByResidues but accurate for all parameters.
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
