package lifetimes

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// anyScorer draws a scorer of a beta-dropout model and Pareto/NBD.
func anyScorer(t *rapid.T) *Scorer {
	between := func(name string, a, b float64) float64 { return rapid.Float64Range(a, b).Draw(t, name) }
	positive := func(name string) float64 { return math.Exp(between(name, -2, 3)) }
	regular := rapid.SampledFrom([]PurchaseModel{
		MBGNBD{positive("r"), positive("alpha"), positive("a"), positive("b")},
		BGNBD{positive("r"), positive("alpha"), positive("a"), positive("b")},
		MBGCNBD{2, positive("r"), positive("alpha"), positive("a"), positive("b")},
	}).Draw(t, "regular")
	share := rapid.SampledFrom([]float64{0, .3, .5, .9, 1})
	c := &Scorer{
		Regular: regular, Pareto: ParetoNBD{positive("r'"), positive("alpha'"), positive("s"), positive("beta")},
		AliveByPareto: rapid.Bool().Draw(t, "alive by Pareto"), ParetoInOdds: share.Draw(t, "odds"), ParetoInCounts: share.Draw(t, "counts"),
		Lift: between("lift", 0, 2), Centre: between("centre", -2, 2), Shift: between("shift", -.5, .5), Slope: between("slope", .5, 1.5),
		Level: between("level", .7, 1.3), Power: between("power", .8, 1.2), Typical: positive("typical"), Horizon: 13,
		Silence: newPercentiles([]float64{1, 5, 20, 60}), Repeats: newPercentiles([]float64{0, 0, 1, 4}), Value: newPercentiles([]float64{10, 20, 200}),
	}
	require.NoError(t, c.Validate())
	return c
}

func usualSummary(t *rapid.T) Summary {
	s := Summary{X: rapid.IntRange(0, 40).Draw(t, "x"), T: rapid.Float64Range(0, 300).Draw(t, "T")}
	if s.X > 0 {
		s.Tx = s.T * rapid.Float64Range(0, 1).Draw(t, "share")
	}
	return s
}

// TestPredictorIsTheScorer verifies that a Predictor returns the scores of its scorer, regardless of which customers it scored before.
func TestPredictorIsTheScorer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyScorer(t)
		p := NewScorerPredictor(c)
		for range rapid.IntRange(1, 5).Draw(t, "customers") {
			s := Customer{Summary: usualSummary(t), Net: rapid.Float64Range(-10, 300).Draw(t, "net")}
			span := rapid.SampledFrom([]float64{0, 4, 13, 52}).Draw(t, "span")
			want := c.Score(s, span)
			require.Equal(t, want.PAlive, p.PAlive(s.Summary))
			require.InDelta(t, want.Expected, p.Expected(s, span), tableError*want.Expected)
			require.Equal(t, want.PAtLeastOne, p.PAtLeastOne(s, span))
			discounted := p.Discounted(s, span, .002)
			require.LessOrEqual(t, discounted, want.Expected*(1+slack))
			require.GreaterOrEqual(t, discounted, want.Expected*math.Exp(-.002*span)*(1-slack))
			require.InDelta(t, want.Expected, p.Discounted(s, span, 0), 1e-9*(1+want.Expected))
			h := rapid.Float64Range(.02, .98).Draw(t, "h")
			age, ok := c.AliveUntil(s.Summary, h)
			for range 2 {
				again, still := p.AliveUntil(s.Summary, h)
				require.Equal(t, age, again)
				require.Equal(t, ok, still)
			}
		}
	})
}

// TestPredictorIsTheModel verifies that a Predictor of a model returns the scores of the model.
func TestPredictorIsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, s := anyModel(t), Customer{Summary: anySummary(t)}
		p := NewPredictor(m)
		require.Equal(t, m.PAlive(s.Summary), p.PAlive(s.Summary))
		require.InDelta(t, m.Expected(s.Summary, 52), p.Expected(s, 52), tableError*m.Expected(s.Summary, 52))
		require.Equal(t, m.PAtLeastOne(s.Summary, 13), p.PAtLeastOne(s, 13))
		require.Equal(t, m.Discounted(s.Summary, 52, .002), p.Discounted(s, 52, .002))
		require.Equal(t, m.MedianWait(s.Summary), p.MedianWait(s.Summary))
		age, ok := m.AliveUntil(s.Summary, .4)
		again, still := p.AliveUntil(s.Summary, .4)
		require.Equal(t, age, again)
		require.Equal(t, ok, still)
	})
}

// TestScorerDeadlineIsWhereTheBlendFalls verifies that PAlive is h at AliveUntil, above before and below after.
func TestScorerDeadlineIsWhereTheBlendFalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, s := anyScorer(t), usualSummary(t)
		h := rapid.Float64Range(.02, .98).Draw(t, "h")
		age, ok := c.AliveUntil(s, h)
		at := func(age float64) float64 {
			s := s
			s.T = math.Max(age, s.Tx)
			return c.blend().alive(s)
		}
		if !ok {
			require.Greater(t, at(1e7), h*(1-1e-6))
			return
		}
		if age > s.Tx*(1+1e-9) {
			require.InDelta(t, h, at(age), 1e-9)
		}
		require.LessOrEqual(t, at(age+1e-6*(1+age)), h*(1+1e-9))
	})
}

// TestMedianWait compares the median with the distribution by quadrature over the rate: given the rate, the number of ticks is Poisson.
func TestMedianWait(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		between := func(name string, a, b float64) float64 { return rapid.Float64Range(a, b).Draw(t, name) }
		r, alpha := between("r", .3, 5), between("alpha", 1, 30)
		s := usualSummary(t)
		k := rapid.IntRange(1, 4).Draw(t, "k")
		median := MBGCNBD{k, r, alpha, 1, 2}.MedianWait(s)
		if !(median < 1e6) {
			return
		}
		require.InDelta(t, .5, waitsLonger(k, r+float64(k*s.X), alpha+s.Tx, median), 1e-6)
		if k == 1 {
			require.Equal(t, median, MBGNBD{r, alpha, 1, 2}.MedianWait(s))
			require.Equal(t, median, ParetoNBD{r, alpha, 1, 2}.MedianWait(s))
			require.Equal(t, median, BGNBD{r, alpha, 1, 2}.MedianWait(s))
		}
	})
	c := &Scorer{Regular: MBGNBD{1, 5, 1, 2}, Pareto: ParetoNBD{1, 20, 1, 2}, ParetoInCounts: .25}
	m := c.MedianWait(Summary{})
	require.InDelta(t, .5, .75*waitsLonger(1, 1, 5, m)+.25*waitsLonger(1, 1, 20, m), 1e-6)
	require.Zero(t, MBGNBD{}.MedianWait(Summary{}))
	require.Zero(t, MBGNBD{1, 1, 1, 1}.MedianWait(Summary{X: -1}))
}

// waitsLonger integrates the probability of fewer than k ticks in t over the rate ~ Gamma(shape, age), by the midpoint rule in ln rate.
func waitsLonger(k int, shape, age, t float64) float64 {
	lg, _ := math.Lgamma(shape)
	sum := 0.0
	const from, to, n = -60.0, 12.0, 4000
	for i := range n {
		u := from + (float64(i)+.5)*(to-from)/n // ln(rate age)
		rate := math.Exp(u) / age
		fewer, term := 0.0, math.Exp(-rate*t)
		for j := range k {
			fewer += term
			term *= rate * t / float64(j+1)
		}
		sum += math.Exp(shape*u-math.Exp(u)-lg) * fewer * (to - from) / n
	}
	return sum
}

func TestScorerValidates(t *testing.T) {
	good := Scorer{Regular: MBGNBD{1, 1, 1, 1}, Pareto: ParetoNBD{1, 1, 1, 1}, Slope: 1, Level: 1, Power: 1, Horizon: 13}
	require.NoError(t, good.Validate())
	for name, wrong := range map[string]func(*Scorer){
		"no model":           func(c *Scorer) { c.Regular = nil },
		"regular":            func(c *Scorer) { c.Regular = MBGNBD{} },
		"pareto":             func(c *Scorer) { c.Pareto.S = -1 },
		"weight":             func(c *Scorer) { c.ParetoInOdds = 1.1 },
		"slope":              func(c *Scorer) { c.Slope = 0 },
		"not a number":       func(c *Scorer) { c.Shift = math.NaN() },
		"horizon":            func(c *Scorer) { c.Horizon = 0 },
		"points":             func(c *Scorer) { c.Value = Percentiles{At: []float64{1}} },
		"points that repeat": func(c *Scorer) { c.Value = Percentiles{At: []float64{1, 1}, Share: []float64{0, 1}} },
		"shares that fall":   func(c *Scorer) { c.Value = Percentiles{At: []float64{1, 2}, Share: []float64{1, 0}} },
	} {
		c := good
		wrong(&c)
		require.ErrorIs(t, c.Validate(), ErrParameter, name)
	}
}

func TestRootOf2Minus1(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := math.Exp(rapid.Float64Range(-4, 20).Draw(t, "ln n"))
		require.InEpsilon(t, math.Expm1(math.Ln2/n), rootOf2Minus1(n), 1e-12)
	})
	require.True(t, math.IsInf(rootOf2Minus1(1e-9), 1))
}
