package lifetimes

import "math"

// betaAlive is P(alive) of the beta-dropout models: the odds of having stopped are
// a/b ((alpha+T)/(alpha+t_x))^shape, with since = alpha+t_x and silence = T-t_x.
func betaAlive(shape, since, silence, a, b float64) float64 {
	// The power is multiplied last, so that for silence 0 the odds are exactly a/b.
	return 1 / (1 + float64(a/b*exp(shape*ln1p(silence/since))))
}

// betaAliveUntil solves betaAlive = h for the age T.
func betaAliveUntil(shape, alpha, tx, a, b, h float64) (float64, bool) {
	if h >= 1 {
		return 0, true
	}
	if !(h > 0) {
		return 0, false
	}
	age := tx + float64((alpha+tx)*expm1((ln((1-h)/h)+ln(b/a))/shape))
	if age > math.MaxFloat64 {
		return 0, false // not representable
	}
	return age, true
}

// betaPurchaseUntil solves betaAlive times P(a purchase in the horizon, given alive) = h
// for the age T.
func betaPurchaseUntil(shape, alpha, tx, a, b, horizon, h float64) (float64, bool) {
	if h >= 1 || horizon == 0 {
		return 0, true
	}
	if !(h > 0) || !validSpan(horizon) {
		return 0, false
	}
	// Upper bounds are the ages at which either factor alone falls to h. A lower bound is
	// the age at which the first of them falls to sqrt(h): before it the product exceeds h.
	root := math.Sqrt(h)
	high := ageOfPurchase(shape, alpha, horizon, h)
	if age, ok := betaAliveUntil(shape, alpha, tx, a, b, h); ok {
		high = math.Min(high, age)
	}
	low := ageOfPurchase(shape, alpha, horizon, root)
	if age, ok := betaAliveUntil(shape, alpha, tx, a, b, root); ok {
		low = math.Min(low, age)
	}
	since := alpha + tx
	return solveAge(alpha, low, high, func(age float64) float64 {
		alive := betaAlive(shape, since, age-tx, a, b)
		return float64(-alive*expm1(-shape*ln1p(horizon/(alpha+age)))) - h
	}), true
}

// ageOfPurchase is the age at which a customer who cannot stop has probability h of a
// purchase in the horizon.
func ageOfPurchase(shape, alpha, horizon, h float64) float64 {
	return horizon/expm1(-ln1p(-h)/shape) - alpha
}

// solveAge finds the zero of a decreasing f between two ages above -alpha. It searches in
// ln(alpha+age), in which f is nearly linear, by secant steps, and bisects where a secant
// step leaves the interval.
func solveAge(alpha, low, high float64, f func(age float64) float64) float64 {
	// Ages near -alpha all mean that f was below 0 from the start.
	low = math.Max(low, -alpha*(1-1e-12))
	if !(high > low) {
		return low
	}
	u0, u1 := ln(alpha+low), ln(math.Min(alpha+high, math.MaxFloat64))
	f0, f1 := f(low), f(high)
	if !(f0 > 0) {
		return low
	}
	if !(f1 < 0) {
		return high
	}
	side := 0
	for range 200 {
		u := u0 + float64((u1-u0)*(f0/(f0-f1)))
		if !(u > u0 && u < u1) {
			u = u0 + float64(0.5*(u1-u0))
		}
		if !(u > u0 && u < u1) || u1-u0 < 1e-15*(1+math.Abs(u)) {
			break
		}
		v := f(exp(u) - alpha)
		switch {
		case v > 0:
			u0, f0 = u, v
			if side == 1 {
				f1 *= 0.5 // Illinois rule: the other end did not move
			}
			side = 1
		case v < 0:
			u1, f1 = u, v
			if side == -1 {
				f0 *= 0.5
			}
			side = -1
		default:
			return exp(u) - alpha
		}
	}
	return exp(u0+float64(0.5*(u1-u0))) - alpha
}

func validateBeta(model string, r, alpha, a, b float64) error {
	for _, p := range []struct {
		name string
		v    float64
	}{{"r", r}, {"alpha", alpha}, {"a", a}, {"b", b}} {
		if err := checkParameter(model, p.name, p.v); err != nil {
			return err
		}
	}
	return nil
}

func validBeta(r, alpha, a, b float64) bool {
	return validParameter(r) && validParameter(alpha) && validParameter(a) && validParameter(b)
}

// validSpan reports whether t is a valid time span for a prediction.
func validSpan(t float64) bool { return t >= 0 && t <= math.MaxFloat64 }

func validRate(delta float64) bool { return delta > 0 && delta <= math.MaxFloat64 }

// softplus is ln(1 + e^x).
func softplus(x float64) float64 {
	if x > 0 {
		return x + ln1p(exp(-x))
	}
	return ln1p(exp(x))
}

// lnRising is ln Gamma(a+n) - ln Gamma(a) for a > 0, n >= 0, without the cancellation of
// two large values.
func lnRising(a, n float64) float64 {
	if n == 0 {
		return 0
	}
	sum := 0.0
	if n <= 12 && n == math.Floor(n) {
		for prod, j := 1.0, 0.0; ; j++ {
			if j == n || prod > 1e250 {
				sum += ln(prod)
				prod = 1
				if j == n {
					return sum
				}
			}
			prod *= a + j
		}
	}
	// Shift the argument to where the remainder of Stirling's series is below one rounding.
	top := a + n
	for prod := 1.0; a < 12; a++ {
		prod *= a
		if a+1 >= 12 {
			sum += ln(prod)
		}
	}
	for prod := 1.0; top < 12; top++ {
		prod *= top
		if top+1 >= 12 {
			sum -= ln(prod)
		}
	}
	d := top - a
	return sum + float64((a-0.5)*ln1p(d/a)) + float64(d*(ln(top)-1)) + (stirling(top) - stirling(a))
}

// stirling is the remainder of Stirling's formula for ln Gamma, for y >= 12.
func stirling(y float64) float64 {
	q := 1 / float64(y*y)
	return (1.0/12 - float64(q*(1.0/360-float64(q*(1.0/1260-float64(q*(1.0/1680-float64(q*(1.0/1188))))))))) / y
}

// lnGamma is ln Gamma(y) for y > 0.
func lnGamma(y float64) float64 {
	sum := 0.0
	if y < 12 {
		prod := 1.0
		for ; y < 12; y++ {
			prod *= y
		}
		sum = -ln(prod)
	}
	const halfLn2Pi = 0.91893853320467274178
	return sum + float64((y-0.5)*(ln(y)-1)) + (halfLn2Pi - 0.5) + stirling(y)
}
