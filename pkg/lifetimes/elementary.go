package lifetimes

import "math"

// The standard library's Exp uses processor-specific instructions, and on several
// architectures the compiler fuses a product and a sum into one operation with one
// rounding. Both change the last bits, so scores would differ between machines. The four
// functions here use only operations that IEEE 754 defines exactly, and round every
// product before adding it, by an explicit conversion. Relative errors are below 1e-15
// for exp and ln, and below 3e-14 where expm1 and ln1p begin to use their tables.

const (
	ln2Hi = 0.693147180559208209160715341568 // 40 bits: k*ln2Hi is exact
	ln2Lo = 7.3710025651677989018e-13

	stepsPerLn2 = 46.166241308446829036             // 32/ln 2
	ln2StepHi   = 0.0216608493865351192653179168701 // 32 bits
	ln2StepLo   = 5.9631716539705869255e-12

	expOverflow  = 709.78
	expUnderflow = -745.13
)

// logCentres holds a centre and its logarithm for each of 32 intervals of
// [0.6875, 1.375). The two intervals that meet at 1 share the centre 1, so that
// logarithms near 0 keep their relative accuracy.
//
//nolint:gochecknoglobals // a table: Go has no constant arrays
var logCentres = [32]struct{ c, ln float64 }{
	{0.6953125, -0.3633938941874773276},
	{0.7109375, -0.34117075740276712476},
	{0.7265625, -0.3194307707663612286},
	{0.7421875, -0.29815337231907633131},
	{0.7578125, -0.2773192854162343438},
	{0.7734375, -0.25691041378502723907},
	{0.7890625, -0.23690974707835771504},
	{0.8046875, -0.21730127568998139515},
	{0.8203125, -0.19806991376209379482},
	{0.8359375, -0.17920142945771099262},
	{0.8515625, -0.16068238169047346554},
	{0.8671875, -0.14250006260728303016},
	{0.8828125, -0.12464244520727659734},
	{0.8984375, -0.10709813555636710051},
	{0.9140625, -0.089856329121861047077},
	{0.9296875, -0.072906770808087780566},
	{0.9453125, -0.056239718322876077797},
	{0.9609375, -0.039845908547199670659},
	{0.9765625, -0.023716526617316042118},
	{1, 0},
	{1, 0},
	{1.046875, 0.045809536031294203167},
	{1.078125, 0.075223421237587525699},
	{1.109375, 0.10379679368164356483},
	{1.140625, 0.13157635778871927259},
	{1.171875, 0.15860503017663858409},
	{1.203125, 0.18492233849401199266},
	{1.234375, 0.21056476910734963767},
	{1.265625, 0.23556607131276690908},
	{1.296875, 0.25995752443692606697},
	{1.328125, 0.28376817313064459835},
	{1.359375, 0.30702503529491186208},
}

// expSteps holds 2^(j/32).
//
//nolint:gochecknoglobals // a table: Go has no constant arrays
var expSteps = [32]float64{
	1.0,
	1.0218971486541166782,
	1.0442737824274138403,
	1.0671404006768236182,
	1.0905077326652576592,
	1.1143867425958925363,
	1.1387886347566916537,
	1.1637248587775775138,
	1.1892071150027210667,
	1.2152473599804688781,
	1.2418578120734840486,
	1.2690509571917332226,
	1.2968395546510096659,
	1.3252366431597412946,
	1.3542555469368927283,
	1.3839098819638319549,
	1.4142135623730950488,
	1.44518080697704662,
	1.4768261459394993114,
	1.5091644275934227398,
	1.5422108254079408236,
	1.5759808451078864865,
	1.6104903319492543082,
	1.6457554781539648445,
	1.6817928305074290861,
	1.7186192981224779156,
	1.7562521603732994831,
	1.7947090750031071864,
	1.8340080864093424635,
	1.8741676341102999013,
	1.9152065613971472939,
	1.957144124175400269,
}

// ln is the natural logarithm; -Inf at 0, NaN for negative x.
func ln(x float64) float64 {
	if !(x > 0) || x > math.MaxFloat64 {
		return math.Log(x) // special values only
	}
	shift := 0.0
	if x < 0x1p-1022 {
		x *= 0x1p54
		shift = -54
	}
	const base = 0x3fe6000000000000 // bits of 0.6875
	bits := math.Float64bits(x)
	off := bits - base
	k := float64(int64(off)>>52) + shift //nolint:gosec // bits: the sign is the exponent's
	z := math.Float64frombits(bits - off&(0xfff<<52))
	e := &logCentres[off>>47&31]
	return float64(k*ln2Hi) + (e.ln + (float64(k*ln2Lo) + twiceAtanh((z-e.c)/(z+e.c))))
}

// twiceAtanh is 2 atanh(s) for |s| <= 1/60.
func twiceAtanh(s float64) float64 {
	q := s * s
	tail := float64(q*(1.0/3)) + float64(float64(q*q)*((1.0/5)+float64(q*((1.0/7)+float64(q*(1.0/9))))))
	t := s + s
	return t + float64(t*tail)
}

// ln1p is ln(1+x), without loss of relative accuracy for small x.
func ln1p(x float64) float64 {
	if x > -0.03 && x < 0.03 {
		return twiceAtanh(x / (2 + x))
	}
	u := 1 + x
	if !(u > 0) || u > math.MaxFloat64 {
		return math.Log1p(x) // special values only
	}
	// Correct the rounding error of 1+x to first order.
	lost := x - (u - 1)
	if x > 1 {
		lost = 1 - (u - x)
	}
	return ln(u) + lost/u
}

// exp is e^x; 0 on underflow, +Inf on overflow.
func exp(x float64) float64 {
	if !(x < expOverflow && x > expUnderflow) {
		switch {
		case x >= expOverflow:
			return math.Inf(1)
		case x <= expUnderflow:
			return 0
		}
		return math.NaN()
	}
	k, p := reduceExp(x)
	t := expSteps[k&31]
	v := t + float64(t*p)
	e := int(k >> 5)
	if e > -1000 && e < 1000 {
		return v * math.Float64frombits(uint64(1023+e)<<52)
	}
	return math.Ldexp(v, e)
}

// expm1 is e^x - 1 without cancellation near 0.
func expm1(x float64) float64 {
	if x > 0.5 || x < -0.5 || x != x {
		return exp(x) - 1
	}
	k, p := reduceExp(x)
	t := expSteps[k&31]
	if k < 0 {
		t *= 0.5
	}
	return float64(t*p) + (t - 1)
}

// reduceExp splits x = k ln2/32 + r and returns k and e^r - 1.
func reduceExp(x float64) (int64, float64) {
	n := math.Floor(float64(x*stepsPerLn2) + 0.5)
	r := (x - float64(n*ln2StepHi)) - float64(n*ln2StepLo)
	q := r * r
	p := 1.0/6 + float64(r*(1.0/24)) + float64(q*(1.0/120+float64(r*(1.0/720))))
	return int64(n), r + float64(q*(0.5+float64(r*p)))
}
