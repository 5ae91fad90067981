package lifetimes

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGradients compares every analytic gradient with finite differences of the likelihood.
func TestGradients(t *testing.T) {
	rows := summaries(cdnow(t), civilDay(t, "19970930"))
	c, err := compress(rows)
	require.NoError(t, err)
	spend := spendLikelihood{xs: []float64{1, 3}, countX: []float64{2, 1}, mean: 20}
	spend.rows = []spendRow{{0, 12, ln(12)}, {0, 30, ln(30)}, {1, 66, ln(22)}}
	for name, p := range map[string]struct {
		f     func(theta, g []float64) float64
		theta []float64
	}{
		"MBG/NBD":     {newBetaLikelihood(c, betaVariant{stages: 1}).at, []float64{-.4, 1.6, 1.2, -.5}},
		"BG/NBD":      {newBetaLikelihood(c, betaVariant{stages: 1, loyal: true}).at, []float64{-1.4, 1.6, 1.2, -.5}},
		"MBG/CNBD-3":  {newBetaLikelihood(c, betaVariant{stages: 3}).at, []float64{-.4, .6, 1.2, -.5}},
		"Pareto/NBD":  {newParetoLikelihood(c).at, []float64{-.3, 1.1, .2, 2.6}},
		"Pareto/NBD'": {newParetoLikelihood(c).at, []float64{-.3, 2.6, .2, 1.1}},
		"Gamma-Gamma": {spend.at, []float64{1.5, .8, .1}},
		"sBG":         {func(x, g []float64) float64 { return cohortLikelihood([]int{30, 20, 5}, 45, x, g) }, []float64{.7, -.4}},
	} {
		n := len(p.theta)
		g, scratch := make([]float64, n), make([]float64, n)
		p.f(p.theta, g)
		for i := range p.theta {
			const step = 1e-5
			at := append([]float64(nil), p.theta...)
			at[i] += step
			up := p.f(at, scratch)
			at[i] -= 2 * step
			down := p.f(at, scratch)
			require.InDelta(t, (up-down)/(2*step), g[i], 1e-4*(1+math.Abs(g[i])), "%s %d", name, i)
		}
	}
}

func TestLikelihoodsAgreeWithFits(t *testing.T) {
	rows := summaries(cdnow(t), civilDay(t, "19970930"))
	for k := 1; k <= 4; k++ {
		fit, err := FitMBGCNBD(rows, k, FitOptions{})
		require.NoError(t, err)
		sum := 0.0
		for _, s := range rows {
			sum += fit.Model.LogLikelihood(s)
		}
		require.InDelta(t, sum, fit.LogLikelihood, 1e-6)
	}
	pn, err := FitParetoNBD(rows, FitOptions{})
	require.NoError(t, err)
	gg, err := FitGammaGamma(rows, FitOptions{})
	require.NoError(t, err)
	frequency, value := 0.0, 0.0
	for _, s := range rows {
		frequency += pn.Model.LogLikelihood(s)
		value += gg.Model.LogLikelihood(s.X, s.M)
	}
	require.InDelta(t, frequency, pn.LogLikelihood, 1e-6)
	require.InDelta(t, value, gg.LogLikelihood, 1e-6)
}

// TestFitsRepeat verifies that a fit to the same rows gives the same bits.
func TestFitsRepeat(t *testing.T) {
	rows := summaries(shopNamed("MBG/NBD").open(9), 10400)
	one, err := FitMBGNBD(rows, FitOptions{})
	require.NoError(t, err)
	pareto, err := FitParetoNBD(rows, FitOptions{})
	require.NoError(t, err)
	for range 3 {
		again, err := FitMBGNBD(rows, FitOptions{})
		require.NoError(t, err)
		require.Equal(t, one, again)
		paretoAgain, err := FitParetoNBD(rows, FitOptions{})
		require.NoError(t, err)
		require.Equal(t, pareto, paretoAgain)
	}
}

// TestRecovery fits simulated customers and compares the parameters, within the standard
// errors, with those of the simulation.
func TestRecovery(t *testing.T) {
	all := shop{customers: 20000, arrivals: 365, days: 730, live: ticking(1, .8, 50, .9, 2.5)}.open(7)
	fit, err := FitMBGNBD(summaries(all, 10729), FitOptions{})
	require.NoError(t, err)
	require.True(t, fit.Converged)
	near := func(want, got, se float64) {
		require.Positive(t, se)
		require.Less(t, math.Abs(want-got), 4*se+.03*want) // rounding to whole days adds a small bias
	}
	near(.8, fit.Model.R, fit.StandardErrors.R)
	near(50.0/7, fit.Model.Alpha, fit.StandardErrors.Alpha)
	near(.9, fit.Model.A, fit.StandardErrors.A)
	near(2.5, fit.Model.B, fit.StandardErrors.B)
}

func TestRegularityIsFound(t *testing.T) {
	rows := summaries(shopNamed("groceries").open(3), 10400)
	best, at := math.Inf(-1), 0
	for k := 1; k <= 4; k++ {
		fit, err := FitMBGCNBD(rows, k, FitOptions{})
		require.NoError(t, err)
		if fit.LogLikelihood > best {
			best, at = fit.LogLikelihood, k
		}
	}
	require.Equal(t, 3, at)
	for i := range rows {
		rows[i].LogGaps = 0
	}
	_, err := FitMBGCNBD(rows, 2, FitOptions{})
	require.ErrorIs(t, err, ErrGaps)
	_, err = FitMBGCNBD(rows, 5, FitOptions{})
	require.ErrorIs(t, err, ErrOption)
}

func TestOddBases(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	giant := []Summary{{X: 100000, Tx: 2600, T: 2609, M: 12}}
	once := make([]Summary, 500)
	same := make([]Summary, 500)
	steady := make([]Summary, 500)
	for i := range once {
		once[i] = Summary{T: 50 * r.Float64()}
		same[i] = Summary{X: 3, Tx: 20, T: 30, M: 10}
		steady[i] = Summary{X: 26 + i%3, Tx: 51, T: 52, M: 1}
	}
	for name, c := range map[string]struct {
		rows   []Summary
		status Status
	}{
		"nobody": {nil, StatusPrior}, "one": {[]Summary{{T: 4}}, StatusPrior}, "all today": {make([]Summary, 9), StatusPrior},
		"all once": {once, StatusPrior}, "giant": {giant, StatusProvisional},
		"giant among others": {append(append([]Summary(nil), giant...), once...), StatusProvisional},
		"all the same":       {same, StatusFitted}, "never stop": {steady, StatusFitted},
	} {
		t.Run(name, func(t *testing.T) {
			mbg, err := FitMBGNBD(c.rows, FitOptions{})
			require.NoError(t, err)
			bg, err := FitBGNBD(c.rows, FitOptions{})
			require.NoError(t, err)
			pn, err := FitParetoNBD(c.rows, FitOptions{})
			require.NoError(t, err)
			gg, err := FitGammaGamma(c.rows, FitOptions{})
			require.NoError(t, err)
			for _, m := range []PurchaseModel{mbg.Model, bg.Model, pn.Model} {
				require.NoError(t, m.Validate())
				for _, s := range append(append([]Summary(nil), c.rows...), Summary{T: 3}) {
					require.NoError(t, checkScores(m, s, 52, .002))
				}
			}
			require.NoError(t, gg.Model.Validate())
			require.Equal(t, c.status, mbg.Status)
			require.True(t, mbg.Converged, mbg.Problem)
			require.True(t, pn.Converged, pn.Problem)
			for _, fit := range []struct {
				model PurchaseModel
				is    float64
			}{{mbg.Model, mbg.LogLikelihood}, {bg.Model, bg.LogLikelihood}, {pn.Model, pn.LogLikelihood}} {
				sum := 0.0
				for _, s := range c.rows {
					sum += fit.model.LogLikelihood(s)
				}
				require.InDelta(t, sum, fit.is, 1e-6*(1+math.Abs(sum)), "also the prior's")
			}
			// Maximum likelihood may diverge, but reports it and stays in the domain.
			for _, row := range []func() (PurchaseModel, Diagnostics, error){
				func() (PurchaseModel, Diagnostics, error) {
					f, err := FitMBGNBD(c.rows, FitOptions{MaximumLikelihood: true})
					return f.Model, f.Diagnostics, err
				},
				func() (PurchaseModel, Diagnostics, error) {
					f, err := FitParetoNBD(c.rows, FitOptions{MaximumLikelihood: true})
					return f.Model, f.Diagnostics, err
				},
			} {
				m, d, err := row()
				if c.status == StatusPrior {
					require.ErrorIs(t, err, ErrNoData)
					continue
				}
				require.NoError(t, err)
				require.NoError(t, m.Validate())
				require.Equal(t, d.Converged, d.Problem == "")
			}
		})
	}
	_, err := FitMBGNBD([]Summary{{}, {X: 1, Tx: 3, T: 2}}, FitOptions{})
	require.ErrorIs(t, err, ErrSummary)
	require.ErrorContains(t, err, "summary 1")
	_, err = FitShiftedBetaGeometric([]int{3, -1}, 4, FitOptions{})
	require.ErrorIs(t, err, ErrOption)
}

func TestPriors(t *testing.T) {
	fit, err := FitMBGNBD(nil, FitOptions{})
	require.NoError(t, err)
	require.Equal(t, PriorMBGNBD(), fit.Model)
	require.InDelta(t, 7.8, fit.Model.Alpha, 1e-12)
	require.InDelta(t, .8068, fit.Model.A, 5e-5)
	require.InDelta(t, 2.1932, fit.Model.B, 5e-5)
	require.InDelta(t, 25, PriorGammaGamma(25).ExpectedSpend(0, 0), 1e-12)
	require.InDelta(t, 30, PriorGammaGamma(math.NaN()).ExpectedSpend(0, 0), 1e-12)
	few, err := FitMBGNBD(summaries(cdnow(t)[:100], civilDay(t, "19970930")), FitOptions{})
	require.NoError(t, err)
	require.Equal(t, StatusProvisional, few.Status)
}

func TestCompressKeepsEverything(t *testing.T) {
	rows := summaries(cdnow(t), civilDay(t, "19970930"))
	c, err := compress(rows)
	require.NoError(t, err)
	n := 0.0
	for _, r := range c.rows {
		n += r.n
	}
	require.EqualValues(t, len(rows), n)
	require.Less(t, len(c.rows), len(rows)/2)
	// Many distinct rows make the tables grow.
	many := make([]Summary, 5000)
	for i := range many {
		many[i] = Summary{X: 1 + i%7, Tx: float64(i), T: float64(2 * i)}
	}
	c, err = compress(many)
	require.NoError(t, err)
	require.Len(t, c.rows, len(many))
}
