package lifetimes

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

const eighty = 1.2815515655446004 // standard deviations

// TestSumIntervalHoldsWhatItStates simulates small shops, fits to their first part, and verifies that 80% of the intervals hold the purchases
// of all customers in the second part, and what they spend. Without the error of the parameters fewer do.
func TestSumIntervalHoldsWhatItStates(t *testing.T) {
	const n = 160
	covered, narrow, spent := 0.0, 0.0, 0.0
	s := shopNamed("MBG/NBD")
	s.customers, s.arrivals = 350, 200
	for seed := range uint64(n) {
		all := s.open(4000 + seed)
		split, end := opening+s.split, opening+s.days
		rows, known, actual := holdout(all, split, end)
		horizon := float64(end-split) / 7
		fit, err := FitMBGNBD(rows, FitOptions{})
		require.NoError(t, err)
		spend, err := FitGammaGamma(rows, FitOptions{})
		require.NoError(t, err)
		total := func(m MBGNBD) (sum float64) {
			for _, r := range rows {
				sum += m.Expected(r, horizon)
			}
			return sum
		}
		e := fit.RelativeError(total)
		spendError := spend.RelativeError(func(m GammaGamma) float64 { return m.ExpectedSpend(0, 0) })
		p := NewPredictor(fit.Model)
		var sum, variance, value, valueVariance, orders, worth float64
		for i, r := range rows {
			c := Customer{Summary: r}
			expected := p.Expected(c, horizon)
			counts := p.Counts(c, horizon, expected, e)
			sum += expected
			variance += counts.Variance()
			value += expected * spend.Model.ExpectedSpend(r.X, r.M)
			valueVariance += counts.SpendVariance(spend.Model, r.X, r.M)
			orders += actual[i]
		}
		for _, h := range all {
			if len(h.Until(split)) > 0 {
				worth += float64(h.Until(end).Net()-h.Until(split).Net()) / 100
			}
		}
		require.Len(t, known, len(rows))
		within := func(v, sum, variance, e float64) float64 {
			if low, high := SumInterval(sum, variance, e, eighty); low <= v && v <= high {
				return 1.0 / n
			}
			return 0
		}
		covered += within(orders, sum, variance, e)
		narrow += within(orders, sum, variance, 0)
		spent += within(worth, value, valueVariance, math.Hypot(e, spendError))
	}
	t.Logf("covered: orders %.0f%%, without the error of the parameters %.0f%%, value %.0f%%", 100*covered, 100*narrow, 100*spent)
	require.InDelta(t, .8, covered, .08) // two and a half standard errors of the simulation
	require.InDelta(t, .8, spent, .08)
	require.Less(t, narrow, covered-.1)
}

// TestSumInterval: nested by level, wider with either error, never below 0, and nearly normal where the error is small.
func TestSumInterval(t *testing.T) {
	low, high := SumInterval(1000, 100, .001, eighty)
	require.InDelta(t, 1000-eighty*math.Sqrt(101), low, .2)
	require.InDelta(t, 1000+eighty*math.Sqrt(101), high, .2)
	for _, e := range []float64{0, .05, .5, 7.4, 1e6} {
		for _, variance := range []float64{0, 1, 1e4, 1e12} {
			inner, outer := 1000.0, 1000.0
			for _, deviations := range []float64{.1, eighty, 3} {
				low, high := SumInterval(1000, variance, e, deviations)
				require.LessOrEqual(t, low, high)
				require.GreaterOrEqual(t, low, 0.0)
				if deviations > .1 {
					require.LessOrEqual(t, low, inner)
					require.GreaterOrEqual(t, high, outer)
				}
				inner, outer = low, high
			}
		}
	}
	for _, bad := range [][3]float64{{0, 1, .1}, {-1, 1, .1}, {math.NaN(), 1, .1}, {1, -1, .1}, {1, 1, -1}} {
		low, high := SumInterval(bad[0], bad[1], bad[2], eighty)
		require.Zero(t, low)
		require.Zero(t, high)
	}
}

// TestSpendVariance compares with a sum over the number of purchases, and with simulated spending.
func TestSpendVariance(t *testing.T) {
	m := GammaGamma{6.25, 3.74, 15.44}
	p := NewPredictor(MBGNBD{.525, 6.183, .891, 1.614})
	c := Customer{Summary: Summary{X: 4, Tx: 20, T: 30, M: 25}}
	counts := p.Counts(c, 52, p.Expected(c, 52), 0)
	scale, rate := m.V+4*25, m.Q+4*m.P
	mean, square := 0.0, 0.0
	for n := 1; n < 400; n++ {
		one, shape := counts.AtLeast(n)-counts.AtLeast(n+1), m.P*float64(n)
		mean += one * scale * shape / (rate - 1)
		square += one * scale * scale * shape * (shape + 1) / ((rate - 1) * (rate - 2))
	}
	require.InEpsilon(t, square-mean*mean, counts.SpendVariance(m, 4, 25), .03) // the sum leaves out tails below .001
	require.Zero(t, counts.SpendVariance(GammaGamma{}, 4, 25))
	require.Zero(t, new(Counts).SpendVariance(m, 4, 25))
	require.Positive(t, counts.SpendVariance(GammaGamma{6, 1.1, 15}, 0, 0), "also where the model has no variance")
}
