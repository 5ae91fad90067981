package lifetimes

import "math"

// A living customer of MBG/CNBD-k: a clock whose rate is Gamma(shape, age) as of now, with
// probability phase[j] at j ticks of the k that make a purchase (and then with the shape
// j greater), and a chance to stop from Beta(a, b) at each purchase.
type regularCustomer struct {
	k                   int
	shape, age, silence float64
	a, b                float64
	phase               [mostStages]float64
}

// expected purchases in the next t.
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

// linear is the part of the age below which powers of silence/t leave float64's range, and
// expected is proportional to t.
const linear = 1e-80

// expectedAt is a weighted sum of the purchases expected until several instants, which
// come latest first.
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

// tickSeries sums over the number m of ticks since the last purchase. That it is m after t
// more has, over all phases j that the clock may be in now, the chance
//
//	NB(m; shape, t/age) * sum of C(m, j) (silence/t)^j, divided by the sum of C(shape+j-1, j) (silence/age)^j
//
// and m ticks make floor(m/k) purchases, if nobody stops. All terms are positive.
func (c regularCustomer) tickSeries(at, weight []float64) (float64, bool) {
	z := at[0] / c.age
	shape := c.shape + float64(c.k)
	mean := float64(shape * z)
	// The series starts from the chance of no tick, which must not underflow.
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
	due, n := c.k, 0.0 // ticks until the next purchase, and the purchases so far
	for m := 1.0; m < 64*seriesTerms; m++ {
		if due--; due == 0 {
			due = c.k
			bought += survive
			survive *= (c.b + n) / (ab + n)
			n++
		}
		// C(m, j) back^j, one factor after the other; 0 beyond the k phases.
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
		if part < 1e-17*all { // the earliest instant has nothing more to add
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

// filtered is the expected number of purchases for one chance p to stop: (1 - the mean
// of (1-p)^n)/p, n being the ticks, with those already made, divided by k. The rounding
// down is written as a sum over the k-th roots of unity; those other than 1 carry a
// factor p themselves, so that the division is harmless for small p.
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

// dert is the discounted expected number of all future purchases. A tick is worth
// f = rate/(rate+delta) of the one before it, so that the purchases to come are worth
// f^(k-j)/(1 - (1-p) f^k).
func (c regularCustomer) dert(delta float64) float64 {
	// One grid serves all phases: a gamma of a shape j greater has weights with a power j more.
	var rates, drops grid
	k := float64(c.k)
	rates.fillGamma(c.shape, 1/(delta*c.age), 2*k-1)
	greatest := 1.0
	for i := 0; i < rates.n; i++ {
		lnTick := -ln1p(delta * c.age / rates.at[i])
		tick := exp(lnTick)
		weight := c.phase[c.k-1]
		for j := c.k - 2; j >= 0; j-- {
			// Over the next phase: its chance is to this one's as rate/(shape+j), less one tick to wait.
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
	// So little is left that subtracting would lose digits; here the series is short.
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

// unityRoots holds the k-th roots of unity under k-1.
//
//nolint:gochecknoglobals // a table: Go has no constant arrays
var unityRoots = [mostStages][mostStages]point{
	{{1, 0}},
	{{1, 0}, {-1, 0}},
	{{1, 0}, {-0.5, halfRoot3}, {-0.5, -halfRoot3}},
	{{1, 0}, {0, 1}, {-1, 0}, {0, -1}},
}

// arctan is the arc tangent. As exp and ln, it is written out so that every machine
// computes the same bits.
func arctan(x float64) float64 {
	// Halving the angle three times leaves a short series.
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

// cosSin is the cosine and the sine of a moderate angle.
func cosSin(x float64) (cos, sin float64) {
	// The angle is brought into a turn, quartered, and doubled back.
	turns := math.Floor(x/(2*math.Pi) + 0.5)
	x = (x - float64(turns*6.28318530717958647692)) / 16
	q := float64(x * x)
	// Series of sin x / x and of 2 (1-cos x)/x^2: doubling needs the latter exactly.
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
