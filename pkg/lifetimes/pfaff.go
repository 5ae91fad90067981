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

// expectedByPfaff is a weighted sum of the purchases expected until several instants, the
// latest first. The instants share all of the series but the powers of w; earlier ones are
// left behind when they have nothing more to add.
func (c betaCustomer) expectedByPfaff(v *instants) (sum float64, ok bool) {
	below := (c.a + c.b) - 1
	rest, less := below-c.shape, 1-c.a
	if v.n > mostTogether || !(below > pfaffLeast) || !(math.Abs(less)*v.grown[0] < pfaffPower) {
		return 0, false
	}
	var ws, terms [mostTogether]float64
	whole := 0.0
	for i := 0; i < v.n; i++ {
		fold, grown := folded(less, v.grown[i])
		whole += float64(v.w[i] * grown)
		ws[i] = v.at[i] / (c.age + v.at[i])
		terms[i] = v.w[i] * fold
	}
	// The terms fall at last as w does: is that soon enough?
	if !(ws[0] < 0.99) {
		return 0, false
	}
	rising := 1 / c.a // (a)_(n-1) (rest)_n / ((below)_n n!), before the n that is a-1 of (a-1)_n
	part, size := 0.0, 0.0
	active := v.n
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
