package lifetimes

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestDiscountedIsTheSumOfPeriods: with ever shorter periods, purchases discounted where
// their period ends and where it begins close in on Discounted from both sides.
func TestDiscountedIsTheSumOfPeriods(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, s := anyModel(t), anySummary(t)
		span, delta := rapid.Float64Range(1, 300).Draw(t, "t"), rapid.Float64Range(1e-4, .2).Draw(t, "delta")
		const periods = 60
		low, high, before := 0.0, 0.0, 0.0
		for k := 1; k <= periods; k++ {
			from, to := span*float64(k-1)/periods, span*float64(k)/periods
			e := m.Expected(s, to)
			low += (e - before) * math.Exp(-delta*to)
			high += (e - before) * math.Exp(-delta*from)
			before = e
		}
		got := m.Discounted(s, span, delta)
		if !(got >= low*(1-1e-8)-1e-290 && got <= high*(1+1e-8)+1e-290) { // below lie the denormals
			t.Fatalf("%#v %+v: %v not within %v and %v", m, s, got, low, high)
		}
		if long := m.Discounted(s, 60/delta, delta); math.Abs(long-m.DERT(s, delta)) > 1e-6*long+1e-290 { // the bound for wide parameters
			t.Fatalf("%#v %+v: forever %v, in the long run %v", m, s, m.DERT(s, delta), long)
		}
	})
}

func TestCLV(t *testing.T) {
	s := Summary{X: 2, Tx: 30.43, T: 38.86, M: 22.5}
	v := Valuation{Margin: .3, Horizon: 52, Delta: DiscountRate(.1, 52)}
	clv := CLV(publishedMBG, benchSpend, s, v)
	spend := benchSpend.ExpectedSpend(2, 22.5)
	require.InDelta(t, .3*spend*publishedMBG.Discounted(s, 52, v.Delta), clv, 1e-12)
	require.InEpsilon(t, clv, CLVByPeriods(publishedMBG, benchSpend, s, v, .05), 1e-4)
	require.Less(t, CLVByPeriods(publishedMBG, benchSpend, s, v, 4), clv)
	v.Horizon = math.Inf(1)
	require.InDelta(t, .3*spend*publishedMBG.DERT(s, v.Delta), CLV(publishedMBG, benchSpend, s, v), 1e-12)
	require.Zero(t, CLVByPeriods(publishedMBG, benchSpend, s, v, 4))
	v = Valuation{Margin: 1, Horizon: 10}
	require.InDelta(t, spend*publishedMBG.Expected(s, 10), CLV(publishedMBG, benchSpend, s, v), 1e-12)
	for _, wrong := range []Valuation{
		{Margin: math.NaN(), Horizon: 1}, {Horizon: -1}, {Horizon: 1, Delta: -1}, {Horizon: math.Inf(1)}, {Horizon: math.NaN()},
	} {
		require.ErrorIs(t, wrong.Validate(), ErrOption)
		require.Zero(t, CLV(publishedMBG, benchSpend, s, wrong))
	}
	require.InDelta(t, math.Log(1.1)/52, DiscountRate(.1, 52), 1e-15)
	require.Zero(t, DiscountRate(-1, 52))
	require.Zero(t, DiscountRate(.1, 0))
}

func TestSpend(t *testing.T) {
	require.InDelta(t, 6.25*15.44/2.74, benchSpend.ExpectedSpend(0, 0), 1e-12)
	require.InDelta(t, 6.25*15.44/2.74, benchSpend.ExpectedSpend(3, -5), 1e-12, "refunded beyond what was bought")
	require.InDelta(t, 6.25*(15.44+60)/(12.5+2.74), benchSpend.ExpectedSpend(2, 30), 1e-12)
	require.InDelta(t, 30, benchSpend.ExpectedSpend(1e9, 30), 1e-6, "much data speaks for itself")
	require.ErrorIs(t, GammaGamma{1, 1, 1}.Validate(), ErrParameter)
	require.ErrorIs(t, GammaGamma{0, 2, 1}.Validate(), ErrParameter)
	require.Zero(t, GammaGamma{}.ExpectedSpend(1, 1))
	require.True(t, math.IsInf(GammaGamma{}.LogLikelihood(1, 1), -1))
}

func TestSubscriptions(t *testing.T) {
	m := ShiftedBetaGeometric{.668, 3.806}
	require.InDelta(t, .668/4.474, m.Churn(0), 1e-12)
	require.InDelta(t, .668/9.474, m.Churn(5), 1e-12)
	survive, sum, derl := 1.0, 0.0, 0.0
	for n := range 200000 {
		if n < 50 {
			require.InEpsilon(t, survive, m.Survival(n), 1e-12)
		}
		survive *= 1 - m.Churn(n)
		if n < 12 {
			sum += survive
		}
		derl += survive * math.Exp(-.01*float64(n))
	}
	require.InEpsilon(t, sum, m.ExpectedRenewals(0, 12), 1e-12)
	require.InEpsilon(t, derl, m.DERL(0, .01), 1e-9)
	require.InEpsilon(t, m.Given(7).DERL(0, .01), m.DERL(7, .01), 1e-12)
	require.Zero(t, m.Survival(-1))
	require.Zero(t, m.ExpectedRenewals(1, -1))
	require.Zero(t, m.DERL(1, 0))
	require.Zero(t, ShiftedBetaGeometric{}.Churn(1))
	require.True(t, math.IsInf(m.LogLikelihood([]int{-1}, 1), -1))
}
