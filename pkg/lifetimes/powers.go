package lifetimes

import "math"

// powerIntegral is the integral of (1+u/a)^-p (1+u/b)^-q over u from 0 to length, for
// a, b > 0 and p, q >= 0. Pareto/NBD uses it in place of the textbook's difference of two
// hypergeometric functions. The integrand is positive, so nothing cancels.
type powerIntegral struct{ p, q, a, b, length float64 }

// powerSums are the integral (value) and the integrals of the same function times
// ln(1+u/a), ln(1+u/b), u/(a+u) and u/(b+u), from which fits compute the derivatives with
// respect to p, q, a and b.
type powerSums struct{ value, lnA, lnB, shareA, shareB float64 }

// value integrates by Gauss-Legendre panels in ln(1+u/a), where a is the smaller of the two
// times. Each panel is narrow enough that the integrand decreases by a few powers of e at
// most.
func (w powerIntegral) value() float64 {
	if w.a > w.b {
		w.a, w.b, w.p, w.q = w.b, w.a, w.q, w.p
	}
	if sum, ok := w.series(); ok {
		return sum
	}
	sum := 0.0
	for at := w.begin(); at.from < at.end; at.advance() {
		rule := w.panel(&at)
		part := 0.0
		for i := range rule {
			v := float64(at.width * rule[i].at)
			u := at.start + float64(at.grown*expm1(v))
			part += float64(rule[i].w * exp(-float64((w.p-1)*(at.from+v))-float64(w.q*ln1p(u/w.b))))
		}
		part = float64(part * at.width)
		sum += part
		if at.fall > 1 && part < 1e-17*sum {
			break
		}
	}
	return sum * w.a
}

// sums is value with the integrals that the gradient of a fit needs.
func (w powerIntegral) sums() powerSums {
	if w.a > w.b {
		w.a, w.b, w.p, w.q = w.b, w.a, w.q, w.p
		s := w.sums()
		return powerSums{s.value, s.lnB, s.lnA, s.shareB, s.shareA}
	}
	var s powerSums
	for at := w.begin(); at.from < at.end; at.advance() {
		rule := w.panel(&at)
		before := s.value
		for i := range rule {
			v := float64(at.width * rule[i].at)
			u := at.start + float64(at.grown*expm1(v))
			lnA, lnB := at.from+v, ln1p(u/w.b)
			y := rule[i].w * at.width * w.a * exp(-float64((w.p-1)*lnA)-float64(w.q*lnB))
			s.value += y
			s.lnA += y * lnA
			s.lnB += y * lnB
			s.shareA += y * (u / (w.a + u))
			s.shareB += y * (u / (w.b + u))
		}
		if at.fall > 1 && s.value-before < 1e-17*s.value {
			break
		}
	}
	return s
}

// panelPlace is the position of the integration: from, end and width in v = ln(1+u/a), start
// in u. fall is the decrease of the integrand's logarithm over the panel, grown is a+start.
type panelPlace struct{ from, end, width, fall, start, grown, a float64 }

func (w powerIntegral) begin() panelPlace {
	return panelPlace{end: ln1p(w.length / w.a), a: w.a, grown: w.a}
}

// panel chooses the width of the next panel and the rule for it.
func (w powerIntegral) panel(at *panelPlace) []rulePoint {
	// The rate of decrease of the integrand here; it grows a little within the panel.
	rate := math.Abs(w.p-1) + float64(w.q*(at.grown/(w.b+at.start)))
	at.width = 2.2 / (1 + float64(rate*0.37))
	at.fall = rate * at.width
	if left := at.end - at.from; left <= at.width {
		at.width = left
		if left*(rate+0.5) < 1.2 {
			return gauss6[:]
		}
	}
	return gauss10[:]
}

func (at *panelPlace) advance() {
	if at.from+at.width == at.from {
		at.from = at.end // the width is below one rounding: the rest is negligible
	}
	at.start += float64(at.grown * expm1(at.width))
	at.from += at.width
	at.grown = at.a + at.start
}

// seriesPowers bounds the terms of series; at z < 1/2 and p z < 12 it needs fewer.
const seriesPowers = 200

// inverses holds 1/n.
//
//nolint:gochecknoglobals // a table: Go has no constant arrays
var inverses = func() (t [seriesPowers + 1]float64) {
	for n := 1; n <= seriesPowers; n++ {
		t[n] = 1 / float64(n)
	}
	return t
}()

// series expands the power with the smaller time a in powers with the greater time b: with
// d = b-a, z = d/b and k = p+q-1, the integral is b (1-z)^p times the sum of (p)_n/n! z^n
// (1 - (1+length/b)^-(k+n))/(k+n). All terms are positive; few are needed if a and b are of
// the same order.
func (w powerIntegral) series() (float64, bool) {
	z := (w.b - w.a) / w.b
	if !(z < 0.5) || !(float64(w.p*z) < 12) {
		return 0, false
	}
	k, u := (w.p+w.q)-1, ln1p(w.length/w.b)
	if !(k*u > 1e-4) {
		if k == 0 {
			return 0, false
		}
		// For small x, 1 - e^-x would cancel.
		sum, term := 0.0, 1.0
		for n := 0.0; n < seriesPowers; n++ {
			add := -term * expm1(-(k+n)*u) / (k + n)
			sum += add
			if add < 1e-16*sum {
				break
			}
			term *= (w.p + n) / (n + 1) * z
		}
		return w.b * exp(w.p*ln1p(-z)) * sum, true
	}
	sum, term, left, fall := 0.0, 1.0, exp(-k*u), w.b/(w.b+w.length)
	for n := 0.0; n < seriesPowers; n++ {
		add := term * (1 - left) / (k + n)
		sum += add
		if add < 1e-16*sum {
			break
		}
		term *= float64((w.p+n)*z) * inverses[int(n)+1]
		left = float64(left * fall)
	}
	return w.b * exp(w.p*ln1p(-z)) * sum, true
}
