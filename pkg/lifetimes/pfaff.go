package lifetimes

import "math"

// The textbook form of the expected purchases of the beta-dropout models within t, given
// that the customer is alive, is, with c = a+b-1, z = t/age and w = z/(1+z),
//
//	c/(a-1) (1 - (1-w)^shape 2F1(shape, b; c; w))
//
// Pfaff's transformation turns the 2F1 into (1+z)^(1-a) 2F1(a-1, c-shape; c; w). There,
// c-shape is the same for all customers, and only c grows with the number of purchases, so
// that the series converges faster the more a customer has bought. With its first term
// separated, every numerator vanishes with the denominator a-1:
//
//	c ( ((1+z)^(1-a) - 1)/(1-a) - (1+z)^(1-a) sum of (a)_(n-1) (c-shape)_n / ((c)_n n!) w^n )
//
// The two parts may cancel if the customer has few purchases relative to the parameters. The
// loss of accuracy is estimated from their size; where it is too large, ok is false.

const (
	pfaffTerms = 420   // with more terms other methods are faster
	pfaffLoss  = 1e4   // maximum loss of accuracy, as a factor on the rounding error
	pfaffLeast = 0.05  // minimum of c: at 0 the form has a pole
	pfaffPower = 100.0 // maximum of |ln (1+z)^(1-a)|
)

// expectedBy is a weighted sum of the expected purchases until several instants, latest
// first.
func (c betaCustomer) expectedBy(v *instants) (sum float64, ok bool) {
	at, weight, grown := v.at[:v.n], v.w[:v.n], v.grown[:v.n]
	late := 0
	for late < v.n && at[late] > lateFrom*(c.age+at[late]) {
		late++
	}
	if late > 0 {
		if sum, ok = c.expectedLate(at[:late], weight[:late], grown[:late]); !ok {
			sum, late = 0, 0
		}
	}
	if late == v.n {
		return sum, true
	}
	rest, ok := c.expectedByPfaff(at[late:], weight[late:], grown[late:])
	return sum + rest, ok
}

// expectedByPfaff is expectedBy by one series. The instants share everything but the powers
// of w; earlier instants are removed as soon as they contribute nothing more.
func (c betaCustomer) expectedByPfaff(at, weight, growth []float64) (sum float64, ok bool) {
	below := (c.a + c.b) - 1
	rest, less := below-c.shape, 1-c.a
	if len(at) > mostTogether || !(below > pfaffLeast) || !(math.Abs(less)*growth[0] < pfaffPower) {
		return 0, false
	}
	var ws, terms [mostTogether]float64
	whole := 0.0
	for i, t := range at {
		fold, grown := folded(less, growth[i])
		whole += float64(weight[i] * grown)
		ws[i] = t / (c.age + t)
		terms[i] = weight[i] * fold
	}
	// The ratio of successive terms tends to w: near 1 the series converges too slowly.
	if !(ws[0] < 0.99) {
		return 0, false
	}
	rising := 1 / c.a // (a)_(n-1) (rest)_n / ((below)_n n!), where (a)_(n-1) = (a-1)_n / (a-1)
	part, size := 0.0, 0.0
	active := len(at)
	for n := 0.0; n < pfaffTerms; n++ {
		all := 0.0
		for i, w := range ws[:active] {
			terms[i] *= w
			all += terms[i]
		}
		ratio := (c.a + n - 1) * (rest + n) / ((below + n) * (n + 1))
		if n == 0 {
			ratio = c.a * rest / below
		}
		rising *= ratio
		add := float64(rising * all)
		part += add
		size += math.Abs(add)
		if n < -rest {
			continue
		}
		if active > 1 && pfaffDone(ratio, ws[active-1], float64(rising*terms[active-1]), whole-part) {
			active--
		}
		if active == 1 && pfaffDone(ratio, ws[0], add, whole-part) {
			sum = below * (whole - part)
			return sum, math.Abs(whole)+size < pfaffLoss*(whole-part)
		}
	}
	return 0, false
}

// soonByPfaff is expectedByPfaff for one instant.
func (c betaCustomer) soonByPfaff(t float64) (float64, bool) {
	below := (c.a + c.b) - 1
	rest, less := below-c.shape, 1-c.a
	grown := ln1p(t / c.age)
	w := t / (c.age + t)
	if w > lateFrom {
		if sum, ok := c.expectedLate([]float64{t}, []float64{1}, []float64{grown}); ok {
			return sum, true
		}
	}
	if !(below > pfaffLeast) || !(math.Abs(less)*grown < pfaffPower) || !(w < 0.99) {
		return 0, false
	}
	fold, whole := folded(less, grown)
	term := fold * w * (rest / below)
	part, size := term, math.Abs(term)
	for n := 1.0; n < pfaffTerms; n++ {
		ratio := (c.a + n - 1) * (rest + n) / ((below + n) * (n + 1))
		term *= ratio * w
		part += term
		size += math.Abs(term)
		if n > -rest && pfaffDone(ratio, w, term, whole-part) {
			return below * (whole - part), whole+size < pfaffLoss*(whole-part)
		}
	}
	return 0, false
}

// folded returns e^(less grown) and (e^(less grown) - 1)/less.
func folded(less, grown float64) (fold, more float64) {
	x := less * grown
	if x > 0.5 || x < -0.5 {
		fold = exp(x)
		return fold, (fold - 1) / less
	}
	if less == 0 {
		return 1, grown
	}
	more = expm1(x)
	return 1 + more, more / less
}

// pfaffDone reports whether the terms after the given one are negligible relative to the sum.
// The terms decrease by at least the factor w max(1, |ratio|).
func pfaffDone(ratio, w, term, sum float64) bool {
	fall := w * math.Max(1, math.Abs(ratio))
	return fall < 1 && float64(math.Abs(term)*fall) < float64(1e-14*(1-fall)*math.Abs(sum))
}

// Near w = 1, which is a horizon many times as long as the age of a new customer, the series
// converges slowly. There it is transformed into series in y = 1-w (Abramowitz and Stegun
// 15.3.6); with the same c,
//
//	E/P(alive) = c/(a-1) (1 - A y^(a-1) 2F1(a-1, c-shape; a-shape; y) - B y^shape 2F1(b, shape; shape+2-a; y))
//
// A = G(c) G(shape+1-a) / (G(b) G(shape)), B = G(c) G(a-1-shape) / (G(a-1) G(c-shape)), G being Gamma.
// Near the poles, which are at a = 1 and at integers shape-a, ok is false.

const (
	lateFrom = 0.75 // minimum of w
	lateMost = 30   // maximum of b, which grows with the purchases: only new customers need this form
	latePole = 0.05 // minimum distance from the poles
	lateLoss = 1e5  // maximum loss of accuracy, as a factor on the rounding error
)

// expectedLate is expectedBy for instants with w near 1.
func (c betaCustomer) expectedLate(at, weight, grown []float64) (sum float64, ok bool) {
	below, less := (c.a+c.b)-1, 1-c.a
	rest := below - c.shape
	if len(at) > mostTogether || !(math.Abs(less) > latePole) || !(math.Abs(sinPi(c.shape-c.a)) > latePole) ||
		!(rest > latePole) || !(below > pfaffLeast) || !(c.b < lateMost) || !(math.Abs(less)*grown[0] < pfaffPower) {
		return 0, false
	}
	ofB, signB, lostB := gammaRatio(c.b, -less)
	ofShape, signShape, lostShape := gammaRatio(c.shape, less)
	first := signB * signShape * exp(ofB+ofShape)
	up, signUp := lnGammaSigned(-less - c.shape)
	down, signDown := lnGammaSigned(-less)
	lnBelow, lnRest := lnGamma(below), lnGamma(rest)
	second := signUp * signDown * exp(((lnBelow+up)-down)-lnRest)
	// Rounding error in units of the last place: of each term, and of the exponents.
	lost := ((20 + lostB) + (lostShape + math.Abs(less*grown[0]))) +
		((math.Abs(up) + math.Abs(down)) + (math.Abs(lnBelow) + math.Abs(lnRest)))

	var ys, one, other [mostTogether]float64
	whole := 0.0
	for i, t := range at {
		whole += weight[i]
		ys[i] = c.age / (c.age + t)
		one[i] = weight[i] * first * exp(less*grown[i])
		other[i] = weight[i] * second * exp(-c.shape*grown[i])
	}
	part, size := 0.0, whole
	rising, climbing := 1.0, 1.0 // coefficients of the two series
	for n := 0.0; n < pfaffTerms; n++ {
		a, b := 0.0, 0.0
		for i, y := range ys[:len(at)] {
			a += one[i]
			b += other[i]
			one[i] *= y
			other[i] *= y
		}
		a, b = rising*a, climbing*b
		part += a + b
		left := math.Abs(a) + math.Abs(b)
		size += left
		ofOne := (n - less) * (rest + n) / ((c.a - c.shape + n) * (n + 1))
		ofOther := (c.b + n) * (c.shape + n) / ((c.shape + 1 + less + n) * (n + 1))
		if n > c.shape && pfaffDone(math.Max(math.Abs(ofOne), math.Abs(ofOther)), ys[len(at)-1], left, whole-part) {
			sum = below / -less * (whole - part)
			return sum, sum > 0 && float64(size*lost) < lateLoss*math.Abs(whole-part)
		}
		rising *= ofOne
		climbing *= ofOther
	}
	return 0, false
}
