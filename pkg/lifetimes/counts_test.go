package lifetimes

import (
	"fmt"
	"math"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mathext"
)

// tailByQuadrature is P(N >= n) from its definition: that the customer is alive, and the n-th purchase comes within t and before
// they stop. It uses none of the recurrences of Counts.
func tailByQuadrature(m PurchaseModel, s Summary, t float64, n int) float64 {
	x, k := float64(s.X), float64(n)
	within := func(r, age, u float64) float64 { return mathext.RegIncBeta(k, r+x, u/(age+u)) }
	switch m := m.(type) {
	case MBGNBD:
		return m.PAlive(s) * within(m.R, m.Alpha+s.T, t) * math.Exp(mathext.Lbeta(m.A, m.B+x+k)-mathext.Lbeta(m.A, m.B+x+1))
	case BGNBD:
		return m.PAlive(s) * within(m.R, m.Alpha+s.T, t) * math.Exp(mathext.Lbeta(m.A, m.B+x+k-1)-mathext.Lbeta(m.A, m.B+x))
	case ParetoNBD:
		// The mean over the time u of stopping, by the midpoint rule in ln u, and the part that stops later than t.
		const steps, range_ = 600, 30.0
		age, fade, sum := m.Alpha+s.T, m.Beta+s.T, 0.0
		for i := range steps {
			u := t * math.Exp(-range_*(float64(i)+.5)/steps)
			sum += range_ / steps * u * m.S / fade * math.Pow(1+u/fade, -m.S-1) * within(m.R, age, u)
		}
		return m.PAlive(s) * (sum + math.Pow(1+t/fade, -m.S)*within(m.R, age, t))
	}
	panic(m)
}

var countCases = []struct {
	m      PurchaseModel
	within float64 // the tolerance of a probability
}{
	{publishedMBG, 1.001 * negligible},
	{publishedBG, 1.001 * negligible},
	{MBGNBD{3, 2, .4, 9}, 1.001 * negligible},
	{publishedPN, .004},
	{ParetoNBD{2, 3, .1, 100}, .004},
	{ParetoNBD{1, 4, 2, 5}, .005},
	{ParetoNBD{2, 3, 30, 100}, .035}, // customers who stop within a few weeks
}

// TestCountsAgainstQuadrature compares the distributions of orders and of their value with their definitions.
func TestCountsAgainstQuadrature(t *testing.T) {
	for _, model := range countCases {
		p, worst, worstSum := NewPredictor(model.m), 0.0, 0.0
		for _, s := range benchSummaries {
			const horizon = 52.0
			c := p.Counts(Customer{Summary: s}, horizon, model.m.Expected(s, horizon), 0)
			exact := []float64{1}
			for n := 1; n <= c.n+1; n++ {
				exact = append(exact, tailByQuadrature(model.m, s, horizon, n))
				worst = math.Max(worst, math.Abs(exact[n]-c.AtLeast(n)))
				require.LessOrEqual(t, c.AtLeast(n), c.AtLeast(n-1))
			}
			for _, g := range []GammaGamma{benchSpend, {1, 1.2, 20}, {100, 5, 1}, {2, 8, 100}} {
				scale, rate := g.V, g.Q
				if s.X > 0 {
					scale, rate = g.V+float64(s.X)*s.M, g.Q+g.P*float64(s.X)
				}
				exceeds := func(v float64) (sum float64) { // the sum of n values is a ratio of gamma variates
					for n := 1; n+1 < len(exact); n++ {
						sum += (exact[n] - exact[n+1]) * mathext.RegIncBeta(rate, g.P*float64(n), scale/(scale+v))
					}
					return sum
				}
				low, high := c.SpendInterval(g, s.X, s.M, 0, .8)
				for v, above := range map[float64]float64{low: .9, high: .1} {
					off := exceeds(v) - above
					if v == 0 {
						off = math.Max(off, 0) // a bound of 0: less than that probability of any purchase
					}
					worstSum = math.Max(worstSum, math.Abs(off))
				}
			}
		}
		t.Logf("%v: orders within %.4f, value within %.4f", model.m, worst, worstSum)
		require.Less(t, worst, model.within, "%v", model.m)
		require.Less(t, worstSum, .015, "%v", model.m)
	}
}

// TestIntervalsAreNested verifies that greater levels and more uncertain parameters give wider intervals, for every kind of model.
func TestIntervalsAreNested(t *testing.T) {
	all := cdnow(t)
	scorer, _, err := TrainScorer(all, civilDay(t, "19970930"), ScorerOptions{Horizon: 39, SingleStage: true})
	require.NoError(t, err)
	scorer.ParetoInCounts, scorer.ParetoInOdds, scorer.Level = .4, .6, 1.2
	paretoAlone := *scorer
	paretoAlone.ParetoInCounts = 1
	for name, p := range map[string]*Predictor{
		"mbg": NewPredictor(publishedMBG), "bg": NewPredictor(publishedBG), "pareto": NewPredictor(publishedPN),
		"blend": NewScorerPredictor(scorer), "pareto in counts": NewScorerPredictor(&paretoAlone),
	} {
		for _, s := range benchSummaries {
			customer := Customer{Summary: s, Net: 50}
			for _, e := range []float64{0, .3, 2} {
				c := p.Counts(customer, 52, p.Expected(customer, 52), e)
				lastLow, lastHigh, lastLeast, lastMost := math.MaxInt, 0, math.Inf(1), 0.0
				for _, level := range []float64{.01, .3, .5, .8, .9, .95, .99} {
					low, high := c.Interval(level)
					least, most := c.SpendInterval(benchSpend, s.X, s.M, e, level)
					require.LessOrEqual(t, low, min(lastLow, high), "%s %v %v", name, s, level)
					require.GreaterOrEqual(t, high, lastHigh, "%s %v %v", name, s, level)
					require.LessOrEqual(t, least, math.Min(lastLeast, most)*(1+1e-6), "%s %v %v", name, s, level)
					require.GreaterOrEqual(t, most*(1+1e-6), lastMost, "%s %v %v", name, s, level)
					require.Equal(t, high == 0, most == 0, "%s %v %v", name, s, level)
					lastLow, lastHigh, lastLeast, lastMost = low, high, least, most
				}
			}
			if scorerOf := p.Scorer(); scorerOf != nil { // the corrections reach the distribution
				c := p.Counts(customer, 39, p.Expected(customer, 39), 0)
				require.InDelta(t, p.PAtLeastOne(customer, 39), c.AtLeast(1), 1e-12)
			}
		}
	}
	sure := NewPredictor(publishedMBG)
	variance := func(e float64) float64 {
		return sure.Counts(Customer{}, 52, 1, e).Variance()
	}
	require.Greater(t, variance(.5), variance(0))
	exact := 0.0
	for n := 1; n < 400; n++ {
		exact += float64(2*n-1) * tailByQuadrature(publishedMBG, Summary{}, 52, n)
	}
	mean := publishedMBG.Expected(Summary{}, 52)
	require.InEpsilon(t, exact-mean*mean, variance(0), .03)
}

// TestCountsOfNothing: no interval for arguments that the models refuse.
func TestCountsOfNothing(t *testing.T) {
	p := NewPredictor(publishedMBG)
	for _, s := range []Summary{{X: -1}, {Tx: 1}, {T: math.NaN()}} {
		require.Zero(t, p.Counts(Customer{Summary: s}, 52, 0, 0).AtLeast(1), "%v", s)
	}
	for _, horizon := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		require.Zero(t, p.Counts(Customer{}, horizon, 0, 0).AtLeast(1), "%v", horizon)
	}
	low, high := p.Counts(Customer{}, 52, 1, 0).SpendInterval(GammaGamma{}, 0, 0, 0, .8)
	require.Zero(t, low+high)
	_, most := NewPredictor(MBGNBD{2000, 1, 1e-6, 1}).Counts(Customer{}, 5, 1, 0).Interval(.8)
	require.Equal(t, mostCounted, most) // a rate of 2,000 a week: bounded
	_, most = NewPredictor(MBGNBD{2000, 1, 1e-6, 1}).Counts(Customer{}, 0.5, 1, 0).Interval(.8)
	require.InDelta(t, 1000, most, 60) // P(K = 0) is not representable
}

// TestCoverage verifies on CDNOW and on simulated shops that the intervals hold 80% of what came, in each tenth of the customers by
// predicted number. A number at a bound counts by the part of its probability that is inside.
func TestCoverage(t *testing.T) {
	within := func(c *Counts, n int) float64 {
		from, to := 1-c.AtLeast(n), 1-c.AtLeast(n+1)
		if !(to > from) {
			return 0
		}
		return math.Max(0, math.Min(to, .9)-math.Max(from, .1)) / (to - from)
	}
	for _, base := range []struct {
		name       string
		all        []History
		split, end int32
		tolerance  float64 // of a tenth
	}{
		{"CDNOW", cdnow(t), civilDay(t, "19970930"), civilDay(t, "19980630"), .04},
		{"MBG/NBD", shopNamed("MBG/NBD").open(5), opening + 273, opening + 546, .045},
		{"mostly once", shopNamed("mostly once").open(5), opening + 500, opening + 730, .04},
	} {
		var rows []Summary
		var later []int
		for _, h := range base.all {
			if known := h.Until(base.split); len(known) > 0 {
				rows = append(rows, known.Summary(float64(base.split), 7, 100))
				later = append(later, len(h.Until(base.end))-len(known))
			}
		}
		weeks := float64(base.end-base.split) / 7
		fit, err := FitMBGNBD(rows, FitOptions{})
		require.NoError(t, err)
		e := fit.RelativeError(func(m MBGNBD) (sum float64) {
			for _, s := range rows {
				sum += m.Expected(s, weeks)
			}
			return sum
		})
		require.InDelta(t, .05, e, .03)
		p := NewPredictor(fit.Model)
		order, expected, in := make([]int, len(rows)), make([]float64, len(rows)), make([]float64, len(rows))
		for i, s := range rows {
			order[i], expected[i] = i, fit.Model.Expected(s, weeks)
			in[i] = within(p.Counts(Customer{Summary: s}, weeks, expected[i], e), later[i])
		}
		sort.SliceStable(order, func(a, b int) bool { return expected[order[a]] < expected[order[b]] })
		line := ""
		for d := range 10 {
			share, of := 0.0, order[d*len(rows)/10:(d+1)*len(rows)/10]
			for _, i := range of {
				share += in[i] / float64(len(of))
			}
			line += fmt.Sprintf(" %.3f", share)
			require.InDelta(t, .8, share, base.tolerance, "%s, tenth %d", base.name, d)
		}
		t.Log(base.name, line)
	}
}

// TestPriorRelativeError: the constant is what the priors imply.
func TestPriorRelativeError(t *testing.T) {
	fit, err := FitMBGNBD([]Summary{{T: 26}}, FitOptions{})
	require.NoError(t, err)
	require.Len(t, fit.Deviations, 4)
	require.InDelta(t, PriorRelativeError, fit.RelativeError(func(m MBGNBD) float64 { return m.Expected(Summary{}, 52) }), .5)
}

// TestDeviationsGiveStandardErrors: the error of a parameter by its deviations is the standard error.
func TestDeviationsGiveStandardErrors(t *testing.T) {
	var rows []Summary
	for _, h := range cdnow(t) {
		if h = h.Until(civilDay(t, "19970930")); len(h) > 0 {
			rows = append(rows, h.Summary(float64(civilDay(t, "19970930")), 7, 100))
		}
	}
	fit, err := FitMBGNBD(rows, FitOptions{})
	require.NoError(t, err)
	require.InEpsilon(t, fit.StandardErrors.R/fit.Model.R, fit.RelativeError(func(m MBGNBD) float64 { return m.R }), 1e-6)
	require.InEpsilon(t, fit.StandardErrors.A/fit.Model.A, fit.RelativeError(func(m MBGNBD) float64 { return m.A }), .01)
	spend, err := FitGammaGamma(rows, FitOptions{})
	require.NoError(t, err)
	require.InEpsilon(t, spend.StandardErrors.P/spend.Model.P, spend.RelativeError(func(m GammaGamma) float64 { return m.P }), 1e-6)
}

func BenchmarkCounts(b *testing.B) {
	for _, m := range []PurchaseModel{publishedMBG, publishedPN} {
		p := NewPredictor(m)
		b.Run(m.Name()+"/orders", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				sink += p.Counts(Customer{Summary: benchSummaries[i&7]}, 52, 1, .1).AtLeast(1)
			}
		})
		b.Run(m.Name()+"/orders and value", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				s := benchSummaries[i&7]
				_, most := p.Counts(Customer{Summary: s}, 52, 1, .1).SpendInterval(benchSpend, s.X, s.M, .1, .8)
				sink += most
			}
		})
	}
}
