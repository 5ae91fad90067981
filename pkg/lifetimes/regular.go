package lifetimes

import "math"

// regularCustomer is the posterior of a customer in MBG/CNBD-k, given that they are alive.
type regularCustomer struct {
	k          int
	shape, age float64             // the tick rate has the distribution Gamma(shape+j, age) in phase j
	silence    float64             // time since the last purchase
	a, b       float64             // the dropout probability at a purchase has the distribution Beta(a, b)
	phase      [mostStages]float64 // probability that the clock has made j ticks since the last purchase
}

// expected is the expected number of purchases in the next t.
func (c regularCustomer) expected(t float64) float64 {
	z := t / c.age
	if z < linear {
		return c.expected(float64(2*linear*c.age)) * (z / (2 * linear))
	}
	if sum, ok := c.tickSeries([]float64{t}, []float64{1}); ok {
		return sum
	}
	var g grid
	g.fillBeta(c.a, c.b, float64((c.shape+float64(c.k))*z)+1, c.shape+float64(c.k))
	return g.mean(func(p float64) float64 { return c.filtered(p, z) })
}

// linear is the value of t/age below which powers of silence/t overflow; there, expected is
// proportional to t.
const linear = 1e-80

// expectedAt is a weighted sum of the expected purchases until several instants, latest
// first.
func (c regularCustomer) expectedAt(at, weight []float64) float64 {
	sum := 0.0
	for len(at) > 0 {
		few := min(len(at), fewInstants)
		part, ok := c.tickSeries(at[:few], weight[:few])
		if !ok {
			few = 1
			part = float64(weight[0] * c.expected(at[0]))
		}
		sum += part
		at, weight = at[few:], weight[few:]
	}
	return sum
}

// tickSeries sums over the number m of ticks since the last purchase, as of t from now. Over
// all phases j that the clock may be in now, the probability of m is
//
//	NB(m; shape, t/age) * sum of C(m, j) (silence/t)^j, divided by the sum of C(shape+j-1, j) (silence/age)^j
//
// and m ticks are floor(m/k) purchases if the customer does not stop. All terms are positive.
func (c regularCustomer) tickSeries(at, weight []float64) (float64, bool) {
	z := at[0] / c.age
	shape := c.shape + float64(c.k)
	mean := float64(shape * z)
	// The series starts from the probability of no tick, which must not underflow.
	if !(mean+float64(8*math.Sqrt(mean))+33/ln1p(1/z) < float64(6*c.k*seriesTerms)) || shape*ln1p(z) > 600 ||
		at[len(at)-1] < linear*c.age {
		return 0, false
	}
	var w, back, term [fewInstants]float64
	for i, t := range at {
		z := t / c.age
		w[i], back[i] = z/(1+z), c.silence/t
		term[i] = float64(weight[i]*c.phase[0]) * exp(-c.shape*ln1p(z))
	}
	ws, backs, terms := w[:len(at)], back[:len(at)], term[:len(at)]
	survive, bought, sum := 1.0, 0.0, 0.0
	ab := c.a + c.b
	due, n := c.k, 0.0 // ticks until the next purchase, and the number of purchases
	for m := 1.0; m < 64*seriesTerms; m++ {
		if due--; due == 0 {
			due = c.k
			bought += survive
			survive *= (c.b + n) / (ab + n)
			n++
		}
		// C(m, j) back^j by Horner's scheme; the factors are 0 for j >= k.
		var more [mostStages]float64
		for j := 1; j < c.k; j++ {
			more[j] = (m - float64(j-1)) / float64(j)
		}
		grow, all, part := (c.shape+m-1)/m, 0.0, 0.0
		for i, chance := range terms {
			chance *= float64(grow * ws[i])
			terms[i] = chance
			r := backs[i]
			part = chance * (1 + float64(more[1]*r*(1+float64(more[2]*r*(1+float64(more[3]*r))))))
			all += float64(part)
		}
		if part < 1e-17*all { // the earliest instant contributes nothing more
			last := len(terms) - 1
			ws, backs, terms = ws[:last], backs[:last], terms[:last]
		}
		add := float64(all * bought)
		sum += add
		if ratio := ws[0] * math.Max(1, grow); bought > 0 && ratio < 0.999 && add*ratio < 1e-13*sum*(1-ratio) {
			return sum, true
		}
	}
	return 0, false
}

// filtered is the expected number of purchases for a given dropout probability p:
// (1 - mean of (1-p)^n)/p, where n = floor(m/k) and m is the number of ticks since the last
// purchase. The floor is expressed as a sum over the k-th roots of unity. The summands of
// the roots other than 1 have a factor p, so that dividing by p loses no accuracy for small
// p.
func (c regularCustomer) filtered(p, z float64) float64 {
	k := float64(c.k)
	lnKeep := ln1p(-p) / k
	keep, q := exp(lnKeep), -expm1(lnKeep) // theta and 1-theta
	sum := 0.0
	for j := 0; j < c.k; j++ {
		if c.phase[j] == 0 {
			continue
		}
		shape := c.shape + float64(j)
		mean := 0.0
		for i := 0; i < c.k; i++ {
			mean += expm1(float64(j-i) * lnKeep)
		}
		v := -expm1(ln1p(mean/k)-float64(shape*ln1p(q*z))) / p
		for l := 1; l < c.k; l++ {
			cos, sin := unityRoots[c.k-1][l].re, unityRoots[c.k-1][l].im
			// 1 + z (1 - theta omega), to the power -shape.
			re, im := 1+float64(z*(1-float64(keep*cos))), -float64(z*keep*sin)
			size := exp(-0.5 * shape * ln(float64(re*re)+float64(im*im)))
			if size < 1e-18 {
				continue
			}
			pc, ps := cosSin(-shape * arctan(im/re))
			// omega^j, and 1/(k (1-p) (1 - 1/(theta omega))).
			o := unityRoots[c.k-1][l*j%c.k]
			dr, di := 1-cos/keep, sin/keep
			norm := k * (1 - p) * (float64(dr*dr) + float64(di*di))
			nr, ni := float64(pc*o.re)-float64(ps*o.im), float64(pc*o.im)+float64(ps*o.re)
			v += exp(float64(j)*lnKeep) * size * (float64(nr*dr) + float64(ni*di)) / norm
		}
		sum += float64(c.phase[j] * v)
	}
	return sum
}

// dert is the discounted expected number of all future purchases. The discount factor of a
// tick relative to the one before it is f = rate/(rate+delta), so that in phase j it is the
// mean of f^(k-j)/(1 - (1-p) f^k) over the rate and p.
func (c regularCustomer) dert(delta float64) float64 {
	// One grid serves all phases: the weights for the shape shape+j have a factor rate^j.
	var rates, drops grid
	k := float64(c.k)
	rates.fillGamma(c.shape, 1/(delta*c.age), 2*k-1)
	greatest := 1.0
	for i := 0; i < rates.n; i++ {
		lnTick := -ln1p(delta * c.age / rates.at[i])
		tick := exp(lnTick)
		weight := c.phase[c.k-1]
		for j := c.k - 2; j >= 0; j-- {
			// Add phase j. Relative to it, the density for phase j+1 has the factor rate/(shape+j).
			weight = float64(weight*(rates.at[i]/(c.shape+float64(j)))) + float64(c.phase[j]*exp(float64(c.k-1-j)*lnTick))
		}
		rates.w[i] *= weight * tick
		rates.at[i] = -expm1(k * lnTick)
		greatest = math.Max(greatest, 1/rates.at[i])
	}
	drops.fillBeta(c.a, c.b, greatest, 1)
	return drops.mean(func(p float64) float64 {
		inner, keep := 0.0, 1-p
		for i := 0; i < rates.n; i++ {
			inner += rates.w[i] / (p + float64(keep*rates.at[i]))
		}
		return inner
	}) / rates.total
}

// countAtLeast is the probability that a negative binomial count with mean shape*z
// reaches m (1 to 4).
func countAtLeast(m int, shape, z float64) float64 {
	some := -expm1(-shape * ln1p(z))
	if m == 1 {
		return some
	}
	w := z / (1 + z)
	term := exp(-shape * ln1p(z))
	left := some
	for i := 1; i < m; i++ {
		term = float64(term * ((shape + float64(i-1)) / float64(i) * w))
		left -= term
	}
	if left > 0.1*some {
		return left
	}
	// The subtraction would lose digits; here the series of the remainder is short.
	sum := 0.0
	for i := float64(m); i < 1e5; i++ {
		ratio := float64((shape + i - 1) / i * w)
		term = float64(term * ratio)
		sum += term
		if fall := math.Max(ratio, w); fall < 1 && term*fall < 1e-15*sum*(1-fall) {
			break
		}
	}
	return sum
}

type point struct{ re, im float64 }

const halfRoot3 = 0.86602540378443864676

// unityRoots[k-1] holds the k-th roots of unity.
//
//nolint:gochecknoglobals // a table: Go has no constant arrays
var unityRoots = [mostStages][mostStages]point{
	{{1, 0}},
	{{1, 0}, {-1, 0}},
	{{1, 0}, {-0.5, halfRoot3}, {-0.5, -halfRoot3}},
	{{1, 0}, {0, 1}, {-1, 0}, {0, -1}},
}

// arctan is the arc tangent. Like exp and ln, it computes the same bits on every machine.
func arctan(x float64) float64 {
	// After halving the angle three times the series is short.
	if math.IsInf(x, 0) {
		return math.Copysign(math.Pi/2, x)
	}
	for range 3 {
		x /= 1 + math.Sqrt(1+float64(x*x))
	}
	q := float64(x * x)
	sum := 0.0
	for n := 23; n >= 1; n -= 2 {
		sum = 1/float64(n) - float64(q*sum)
	}
	return 8 * x * sum
}

// cosSin is the cosine and the sine of an angle of moderate size.
func cosSin(x float64) (cos, sin float64) {
	// Reduce the angle to one turn, divide it by 16, and double the result four times.
	turns := math.Floor(x/(2*math.Pi) + 0.5)
	x = (x - float64(turns*6.28318530717958647692)) / 16
	q := float64(x * x)
	// Series of sin x / x and of 2 (1-cos x)/x^2; doubling needs 1-cos x without cancellation.
	s, c := 1.0, 1.0
	for n := 16.0; n >= 2; n -= 2 {
		s = 1 - float64(q*s/((n+1)*n))
	}
	for n := 16.0; n >= 4; n -= 2 {
		c = 1 - float64(q*c/(n*(n-1)))
	}
	sin = x * s
	less := float64(0.5 * q * c)
	for range 4 {
		sin, less = float64(2*sin*(1-less)), float64(2*sin*sin)
	}
	return 1 - less, sin
}
