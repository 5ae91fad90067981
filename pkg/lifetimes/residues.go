package lifetimes

import "math"

// dertByResidues is the mean of rate/(rate p + delta) for p ~ Beta(a, b) and a rate that is
// Gamma(shape, age), with y = delta age. By Mellin's transform it is the integral over s of
//
//	pi/sin(pi s) E[p^-s] E[(delta/rate)^(s-1)] / (2 pi i)
//
// along 0 < Re s < min(1, a), hence the sum of the residues to the right: at 1, 2, ..., at
// a, a+1, ... and at shape+1, shape+2, ... Each of the three sums is a power series that
// converges for all y. If two poles nearly coincide, or y is large, the series cancel. The
// loss of accuracy is estimated from the size of the terms; where it is too large, ok is
// false.
func dertByResidues(shape, a, b, y float64) (value float64, ok bool) {
	// Outside these bounds the loss is too large, or small terms could grow again.
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
	// lost is the rounding error in units of the last place, of each term and of the exponents.
	lost := float64(size * 20)

	// The series at a, a+1, ... has the factor Gamma(shape+1-a)/Gamma(shape).
	left, sign, exact := gammaRatio(shape, 1-a)
	part, size := residueSeries(
		math.Pi/sinA*sign*exp((lnBeta+float64((a-1)*lnY))+left), y,
		func(n float64) (over, under float64) { return b - n, n * (shape + 1 - a - n) })
	value += part
	lost += float64(size * (20 + math.Abs(lnBeta) + math.Abs((a-1)*lnY) + exact))

	// The series at shape+1, shape+2, ... has the factor Gamma(a-shape-1)/Gamma(ab-shape-1).
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

// residuesLeast is the minimum number of terms: up to n = a, terms may shrink and grow again.
const residuesLeast = 10

// residueSeries sums terms from first on, each of which is the previous one times step times
// over/under; size is the sum of their absolute values.
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

// gammaRatio is ln |Gamma(x+d)/Gamma(x)| for x > 0, and the sign of the ratio; lost is the
// size of the terms that cancelled.
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

// lnGammaSigned is ln |Gamma(y)| and the sign of Gamma(y), for y that is not a pole.
func lnGammaSigned(y float64) (value, sign float64) {
	if y > 0 {
		return lnGamma(y), 1
	}
	sin := sinPi(y)
	return ln(math.Pi/math.Abs(sin)) - lnGamma(1-y), math.Copysign(1, sin)
}

// sinPi is the sine of pi x, without loss of relative accuracy near its zeros.
func sinPi(x float64) float64 {
	n := math.Floor(x + 0.5)
	_, sin := cosSin(float64(math.Pi * (x - n)))
	if math.Mod(n, 2) != 0 {
		return -sin
	}
	return sin
}
