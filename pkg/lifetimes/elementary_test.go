package lifetimes

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mathext"
)

// bigLn is ln x at 200 bits: x = m 2^k, and ln m by the series of atanh.
func bigLn(x float64) *big.Float {
	const prec = 200
	atanh2 := func(n, d *big.Float) *big.Float { // 2 atanh(n/d)
		s := new(big.Float).SetPrec(prec).Quo(n, d)
		q := new(big.Float).SetPrec(prec).Mul(s, s)
		sum, term := new(big.Float).SetPrec(prec), new(big.Float).SetPrec(prec).Copy(s)
		for i := 1; i < 400; i += 2 {
			sum.Add(sum, new(big.Float).SetPrec(prec).Quo(term, big.NewFloat(float64(i))))
			term.Mul(term, q)
		}
		return sum.Mul(sum, big.NewFloat(2))
	}
	m, k := math.Frexp(x)
	bm := new(big.Float).SetPrec(prec).SetFloat64(m)
	one := new(big.Float).SetPrec(prec).SetInt64(1)
	v := atanh2(new(big.Float).SetPrec(prec).Sub(bm, one), new(big.Float).SetPrec(prec).Add(bm, one))
	ln2 := atanh2(one, new(big.Float).SetPrec(prec).SetInt64(3))
	return v.Add(v, ln2.Mul(ln2, new(big.Float).SetPrec(prec).SetInt64(int64(k))))
}

func TestLogarithmAgainstBigFloats(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		x := math.Exp(40 * r.NormFloat64())
		if r.IntN(2) == 0 {
			x = 1 + r.NormFloat64()*math.Exp(-20*r.Float64())
		}
		if !(x > 0) || math.IsInf(x, 0) || x == 1 {
			continue
		}
		want, _ := bigLn(x).Float64()
		require.InEpsilon(t, want, ln(x), 1e-14, "%v", x)
		again := exp(want)
		require.InEpsilon(t, x, again, 2e-16*(8+math.Abs(want)), "%v", x)
	}
}

func TestElementaryNearZero(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 20000 {
		x := (1 - 2*r.Float64()) * math.Exp(-30*r.Float64())
		require.InEpsilon(t, math.Log1p(x), ln1p(x), 4e-14, "%v", x)
		require.InEpsilon(t, math.Expm1(x), expm1(x), 4e-14, "%v", x)
		y := 1e6 * r.Float64() * x * x
		require.InEpsilon(t, math.Log1p(y), ln1p(y), 4e-14, "%v", y)
		c, s := cosSin(40 * x)
		require.InDelta(t, math.Cos(40*x), c, 1e-14)
		require.InDelta(t, math.Sin(40*x), s, 1e-14)
		require.InDelta(t, math.Atan(1/x), arctan(1/x), 1e-15)
	}
}

func TestElementaryLimits(t *testing.T) {
	inf := math.Inf(1)
	require.Equal(t, 0.0, exp(-inf))
	for _, beyond := range []float64{inf, 710} {
		overflow := exp(beyond)
		require.Equal(t, inf, overflow)
	}
	require.Equal(t, 0.0, exp(-746))
	require.Equal(t, 1.0, exp(0))
	subnormal := exp(-744)
	require.Equal(t, 1e-323, subnormal, "not 0")
	require.True(t, math.IsNaN(exp(math.NaN())))
	require.Equal(t, -inf, ln(0))
	require.Equal(t, inf, ln(inf))
	require.True(t, math.IsNaN(ln(-1)))
	require.InEpsilon(t, -1074*math.Ln2, ln(5e-324), 1e-14)
	require.Equal(t, -inf, ln1p(-1))
	require.Equal(t, 0.0, ln1p(0))
	require.Equal(t, -1.0, expm1(-inf))
}

func TestGammaFunctions(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 5000 {
		a, n := math.Exp(14*(2*r.Float64()-1)), math.Floor(math.Exp(11*r.Float64()))-1
		top, _ := math.Lgamma(a + n)
		bottom, _ := math.Lgamma(a)
		require.InDelta(t, top-bottom, lnRising(a, n), 1e-13*(10+math.Abs(top)+math.Abs(bottom)), "%v %v", a, n)
		require.InDelta(t, bottom, lnGamma(a), 1e-14*(10+math.Abs(bottom)))
	}
	require.InDelta(t, -mathext.Lbeta(2.5, 7), lnRising(2.5, 7)-lnGamma(7), 1e-13)
}

// TestQuadratureAgainstHypergeometric: where gonum's 2F1 is well conditioned, the closed
// form of the expectation is a third opinion.
func TestQuadratureAgainstHypergeometric(t *testing.T) {
	for _, c := range []betaCustomer{{2.5, 45, .79, 4.4, 1}, {.5, 12, 2.3, 3, 1}, {12, 80, 1.6, 9.5, 1}, {3, 40, 30, 50, 1}} {
		for _, span := range []float64{5, 39, 100} {
			z, w := span/c.age, span/(c.age+span)
			want := (c.a + c.b - 1) / (c.a - 1) * (1 - math.Pow(1-w, c.shape)*mathext.Hypergeo(c.shape, c.b, c.a+c.b-1, w))
			series, ok := c.countSeries(z, &counted{})
			require.True(t, ok)
			var g grid
			g.fillBeta(c.a, c.b, (c.shape+1)*z+1, c.shape+1)
			require.InEpsilon(t, want, series, 1e-9)
			require.InEpsilon(t, series, g.mean(func(p float64) float64 { return repeatsBeforeDropout(p, z, c.shape) }), 1e-11)
		}
	}
}
