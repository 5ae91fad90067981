package lifetimes

import "math"

// dertByResidues is the mean of rate/(rate p + delta) for p ~ Beta(a, b) and a rate that is
// Gamma(shape, age), with y = delta age. By Mellin's transform it is the integral over s of
//
//	pi/sin(pi s) E[p^-s] E[(delta/rate)^(s-1)] / (2 pi i)
//
// along 0 < Re s < min(1, a), and so the sum of the residues to the right: at 1, 2, ..., at
// a, a+1, ... and at shape+1, shape+2, ... Each of the three is a power series that
// converges for all y. Where poles nearly meet, or y is great, the series cancel: what that
// costs is known from the size of the terms, and where it is too much ok is false.
func dertByResidues(shape, a, b, y float64) (value float64, ok bool) {
	// Elsewhere it would fail below, or terms that have become small could grow once more.
	if !(y < 8) || !(y > 1e-12) || shape > 20000 || a > residuesLeast || math.Abs(a+b-shape) > 20 {
		return 0, false
	}
	sinA, sinShape, sinBoth := sinPi(a), sinPi(shape), sinPi(shape-a)
	if math.Min(math.Abs(sinA), math.Min(math.Abs(sinShape), math.Abs(sinBoth))) < 0.01 {
		return 0, false
	}
	lnY, ab := ln(y), a+b
	lnBeta := lnRising(b, a) - lnGamma(a) // -ln B(a, b)

	value, size := residueSeries((ab-1)/(a-1), -y, func(n float64) (over, under float64) {
		return ab - n - 1, (a - n - 1) * (shape - n)
	})
	// lost is in units of the last place: each term's, and that of the exponents.
	lost := float64(size * 20)

	// With Gamma(shape+1-a)/Gamma(shape).
	left, sign, exact := gammaRatio(shape, 1-a)
	part, size := residueSeries(
		math.Pi/sinA*sign*exp((lnBeta+float64((a-1)*lnY))+left), y,
		func(n float64) (over, under float64) { return b - n, n * (shape + 1 - a - n) })
	value += part
	lost += float64(size * (20 + math.Abs(lnBeta) + math.Abs((a-1)*lnY) + exact))

	// With Gamma(a-shape-1)/Gamma(ab-shape-1).
	under, underSign := lnGammaSigned(ab - shape - 1)
	over, overSign := lnGammaSigned(a - shape - 1)
	lnAB, lnA, lnShape := lnGamma(ab), lnGamma(a), lnGamma(shape)
	part, size = residueSeries(
		-math.Pi/sinShape*overSign*underSign*exp((((lnAB-lnA)+float64(shape*lnY))-lnShape)+(over-under)), y,
		func(n float64) (over, under float64) { return ab - shape - 1 - n, n * (a - shape - 1 - n) })
	value += part
	lost += float64(size * (20 + math.Abs(lnAB) + math.Abs(lnA) + math.Abs(shape*lnY) + lnShape + math.Abs(over) + math.Abs(under)))
	return value, value > 0 && lost < 2e5*value
}

// residuesLeast is how many terms are always taken: those up to a may shrink and grow.
const residuesLeast = 10

// residueSeries sums terms from the first, each being step times over/under of the one
// before; size is the sum of the terms' sizes.
func residueSeries(first, step float64, ratio func(n float64) (over, under float64)) (sum, size float64) {
	sum, size = first, math.Abs(first)
	term := first
	for n := 1.0; n < 400; n++ {
		over, under := ratio(n)
		term = float64(term * step * over / under)
		sum += term
		size += math.Abs(term)
		if n > residuesLeast && math.Abs(term) <= 1e-17*size {
			return sum, size
		}
	}
	return sum, math.Inf(1)
}

// gammaRatio is ln |Gamma(x+d)/Gamma(x)| for x > 0 and the ratio's sign; lost is the size of
// what cancelled in it.
func gammaRatio(x, d float64) (value, sign, lost float64) {
	if d >= 0 {
		value = lnRising(x, d)
		return value, 1, math.Abs(value)
	}
	if x+d > 0 {
		value = -lnRising(x+d, -d)
		return value, 1, math.Abs(value)
	}
	over, sign := lnGammaSigned(x + d)
	under := lnGamma(x)
	return over - under, sign, math.Abs(over) + math.Abs(under)
}

// lnGammaSigned is ln |Gamma(y)| and the sign of Gamma(y), y being no pole.
func lnGammaSigned(y float64) (value, sign float64) {
	if y > 0 {
		return lnGamma(y), 1
	}
	sin := sinPi(y)
	return ln(math.Pi/math.Abs(sin)) - lnGamma(1-y), math.Copysign(1, sin)
}

// sinPi is the sine of pi x, exact near its zeros.
func sinPi(x float64) float64 {
	n := math.Floor(x + 0.5)
	_, sin := cosSin(float64(math.Pi * (x - n)))
	if math.Mod(n, 2) != 0 {
		return -sin
	}
	return sin
}
