package lifetimes

import (
	"math"
	"slices"
)

// Gauss-Legendre rules on [0, 1].
//
//nolint:gochecknoglobals // tables: Go has no constant arrays
var (
	gauss6 = [6]rulePoint{
		{0.0337652428984239861, 0.0856622461895851725},
		{0.169395306766867743, 0.180380786524069304},
		{0.380690406958401546, 0.233956967286345524},
		{0.619309593041598454, 0.233956967286345524},
		{0.830604693233132257, 0.180380786524069304},
		{0.966234757101576014, 0.0856622461895851725},
	}
	gauss10 = [10]rulePoint{
		{0.01304673574141414, 0.0333356721543440688},
		{0.0674683166555077446, 0.0747256745752902966},
		{0.160295215850487797, 0.109543181257991022},
		{0.283302302935376405, 0.134633359654998178},
		{0.425562830509184395, 0.147762112357376435},
		{0.574437169490815605, 0.147762112357376435},
		{0.716697697064623595, 0.134633359654998178},
		{0.839704784149512203, 0.109543181257991022},
		{0.932531683344492255, 0.0747256745752902966},
		{0.98695326425858586, 0.0333356721543440688},
	}
)

type rulePoint struct{ at, w float64 }

// instants are quadrature nodes in time, latest first. Integration by parts turns the
// discounted expectation into e^(-delta t) E(t) + delta * integral of e^(-delta s) E(s) ds;
// the nodes and weights turn that into a weighted sum of E.
type instants struct {
	n            int
	at, w, grown [instantsMost]float64 // grown: ln((age+at)/age)
}

const (
	instantsMost = 416
	fewInstants  = 12
	mostTogether = 32
)

// fill computes nodes and weights by Gauss-Legendre panels in ln(age+s). The panels are
// narrow enough for the discount factor and for E, whose curvature is concentrated at
// times up to a few times bend and up to age.
func (v *instants) fill(t, delta, age, bend float64) {
	v.n = 0
	v.put(t, exp(-delta*t), ln1p(t/age))
	if delta == 0 {
		return
	}
	// For a short horizon the integral is a small correction, so that fewer nodes suffice.
	reach := 3.0
	if delta*t < 0.3 {
		reach = 8
	}
	from, before := 0.0, 0.0
	for from < t && v.n+10 <= instantsMost && delta*from < 45 {
		to := math.Max(reach*bend, 4*from)
		to = math.Min(to, from+float64(10*(age+from)))
		to = math.Min(to, from+3/delta)
		if to > 0.8*t {
			to = t
		}
		u := ln1p((to - from) / (age + from))
		rule := gauss10[:]
		if from == 0 && to < 2*bend && u < 1.7 && delta*to < 0.3 {
			rule = gauss6[:]
		}
		for _, g := range rule {
			grown := float64((age + from) * expm1(u*g.at))
			s := from + grown
			v.put(s, float64(delta*g.w*u)*(age+s)*exp(-delta*s), before+float64(u*g.at))
		}
		from, before = to, before+u
	}
	slices.Reverse(v.at[1:v.n])
	slices.Reverse(v.w[1:v.n])
	slices.Reverse(v.grown[1:v.n])
}

func (v *instants) put(at, w, grown float64) {
	v.at[v.n], v.w[v.n], v.grown[v.n] = at, w, grown
	v.n++
}

// discounted is expected with each purchase discounted by e^(-delta time).
func (c betaCustomer) discounted(t, delta float64) float64 {
	if !(t > 0) || c.alive == 0 {
		return 0
	}
	if delta == 0 {
		return c.expected(t)
	}
	var v instants
	// E bends on the time scale on which the customers most likely to stop do so.
	ab := c.a + c.b
	mean := c.a / ab
	fast := math.Min(1, mean+float64(3*math.Sqrt(mean*(c.b/ab)/(ab+1))))
	v.fill(t, delta, c.age, 2*c.age/float64((c.shape+1)*fast))
	if sum, ok := c.expectedBy(&v); ok {
		return c.alive * sum
	}
	if sum, ok := c.countSeriesAt(&v); ok {
		return c.alive * sum
	}
	z := t / c.age
	var g grid
	g.fillBeta(c.a, c.b, float64((c.shape+1)*z)+1, c.shape+1)
	return c.alive * g.mean(func(p float64) float64 {
		sum := 0.0
		for i := 0; i < v.n; i++ {
			sum += float64(v.w[i] * repeatsBeforeDropout(p, v.at[i]/c.age, c.shape))
		}
		return sum
	})
}

// countSeriesAt is countSeries at several instants, which share everything but the powers
// of w. The series ends when the first (latest) instant has converged; earlier instants
// are removed as soon as they contribute nothing more.
func (c betaCustomer) countSeriesAt(v *instants) (float64, bool) {
	if v.n > fewInstants {
		return 0, false
	}
	z := v.at[0] / c.age
	mean := float64(c.shape * z)
	if !(mean+float64(8*math.Sqrt(mean))+30/ln1p(1/z) < seriesTerms) {
		return 0, false
	}
	var w, term [fewInstants]float64
	for i := 0; i < v.n; i++ {
		z := v.at[i] / c.age
		w[i] = z / (1 + z)
		term[i] = v.w[i] * exp(-c.shape*ln1p(z))
	}
	ws, terms := w[:v.n], term[:v.n]
	survive, before, sum := 1.0, 0.0, 0.0
	ab := c.a + c.b
	for n := 0.0; n < 4*seriesTerms; n++ {
		grow := (c.shape + n) / (n + 1)
		before += survive
		survive *= (c.b + n) / (ab + n)
		all := 0.0
		for i := range ws {
			terms[i] = float64(terms[i] * (grow * ws[i]))
			all += terms[i]
		}
		if last := len(ws) - 1; terms[last] < 1e-17*all {
			ws, terms = ws[:last], terms[:last]
		}
		add := float64(all * before)
		sum += add
		if r := ws[0] * math.Max(1, grow); r < 0.999 && add*r < 1e-13*sum*(1-r) {
			return sum, true
		}
	}
	return 0, false
}
