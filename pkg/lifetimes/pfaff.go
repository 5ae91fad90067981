package lifetimes

import "math"

// The expected purchases of the beta-dropout models within t, given alive, are in the
// textbooks' form, with c = a+b-1, z = t/age and w = z/(1+z),
//
//	c/(a-1) (1 - (1-w)^shape 2F1(shape, b; c; w))
//
// Pfaff's transformation makes the 2F1 into (1+z)^(1-a) 2F1(a-1, c-shape; c; w), in which
// all that grew with the purchases so far has met below: c-shape is the same for all customers,
// and the more they have bought the sooner the series ends. With its first term taken out,
// nothing is divided by a-1 that does not vanish with it:
//
//	c ( ((1+z)^(1-a) - 1)/(1-a) - (1+z)^(1-a) sum of (a)_(n-1) (c-shape)_n / ((c)_n n!) w^n )
//
// The two parts may cancel where purchases are few for the parameters; what that costs is
// known from their size, and where it is too much ok is false.

const (
	pfaffTerms = 420   // beyond it other ways are faster
	pfaffLoss  = 1e4   // of the last places' worth, at most
	pfaffLeast = 0.05  // of c: at 0 the form has a pole
	pfaffPower = 100.0 // of 1+z, in powers of e
)

// expectedBy is a weighted sum of the purchases expected until several instants, the latest
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

// expectedByPfaff is expectedBy by one series. The instants share all of it but the powers of
// w; earlier ones are left behind when they have nothing more to add.
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
	// The terms fall at last as w does: is that soon enough?
	if !(ws[0] < 0.99) {
		return 0, false
	}
	rising := 1 / c.a // (a)_(n-1) (rest)_n / ((below)_n n!), before the n that is a-1 of (a-1)_n
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

// soonByPfaff is expectedByPfaff of one instant.
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

// folded is e^(less grown), and what it is more than 1, divided by less.
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

// pfaffDone tells whether what follows a term is nothing beside the sum: the terms fall by the
// ratio times w now, and at last by w.
func pfaffDone(ratio, w, term, sum float64) bool {
	fall := w * math.Max(1, math.Abs(ratio))
	return fall < 1 && float64(math.Abs(term)*fall) < float64(1e-14*(1-fall)*math.Abs(sum))
}

// Where w is near 1, for those who have just come and a horizon many times as long as what is
// known of them, the series ends late. There it is carried over to y = 1-w (Abramowitz and
// Stegun 15.3.6), where with the same c
//
//	E/P(alive) = c/(a-1) (1 - A y^(a-1) 2F1(a-1, c-shape; a-shape; y) - B y^shape 2F1(b, shape; shape+2-a; y))
//
// A = G(c) G(shape+1-a) / (G(b) G(shape)), B = G(c) G(a-1-shape) / (G(a-1) G(c-shape)), G being Gamma.
// Near the poles, which are at a = 1 and where shape-a is a whole number, ok is false.

const (
	lateFrom = 0.75 // of w
	lateMost = 30   // of b: those who have bought much are not new
	latePole = 0.05
	lateLoss = 1e5
)

// expectedLate is a weighted sum of the purchases expected until several late instants.
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
	// In units of the last place: each term's, and that of the exponents.
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
	rising, climbing := 1.0, 1.0 // the two series' coefficients
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
