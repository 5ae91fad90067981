package lifetimes

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The tests of this file hold published values, to the digits given: point predictions,
// deadlines, spot checks where plain implementations overflow, and residual values.

var (
	publishedBG  = BGNBD{.243, 4.414, .793, 2.426}
	publishedMBG = MBGNBD{.525, 6.183, .891, 1.614}
	publishedPN  = ParetoNBD{.5534, 10.5802, .6061, 11.6562}
)

func TestPublishedPoints(t *testing.T) {
	for _, c := range []struct {
		x                int
		tx, T, t         float64
		bgE, bgA         float64
		mbgE, mbgA       float64
		paretoE, paretoA float64
		paretoDigits     float64
	}{
		{2, 30.43, 38.86, 39, 1.22602817, .72657857, 1.26296062, .70620227, 1.45509284, .86911064, 1e-8},
		{0, 0, 38.86, 39, .19509805, 1, .15401275, .38973508, .10702895, .29496149, 1e-8},
		{26, 30.86, 31, 52, 25.75819594, .96891565, 24.00392282, .96556614, 25.454914, .99791777, 1e-6},
		{10, 35, 39, 2, .39156921, .84260319, .38073962, .83089779, .38861748, .92369267, 1e-8},
	} {
		s := Summary{X: c.x, Tx: c.tx, T: c.T}
		bg, mbg, pareto := publishedBG.Expected(s, c.t), publishedMBG.Expected(s, c.t), publishedPN.Expected(s, c.t)
		require.InDelta(t, c.bgE, bg, .51e-8)
		require.InDelta(t, c.bgA, publishedBG.PAlive(s), .51e-8)
		require.InDelta(t, c.mbgE, mbg, .51e-8)
		require.InDelta(t, c.mbgA, publishedMBG.PAlive(s), .51e-8)
		require.InDelta(t, c.paretoE, pareto, .51*c.paretoDigits)
		require.InDelta(t, c.paretoA, publishedPN.PAlive(s), .51e-8)
	}
}

func TestPublishedDeadlines(t *testing.T) {
	s := Summary{X: 2, Tx: 30.43}
	for _, c := range []struct {
		m    PurchaseModel
		want float64
	}{{publishedBG, 62.491254}, {publishedMBG, 57.565671}, {publishedPN, 63.026397}} {
		age, ok := c.m.AliveUntil(s, .5)
		require.True(t, ok)
		require.InDelta(t, c.want, age, .51e-6, c.m.Name())
	}
	_, ok := publishedBG.AliveUntil(Summary{}, .5)
	require.False(t, ok, "a one-time buyer never stops in BG/NBD")
}

func TestPublishedSpots(t *testing.T) {
	require.InDelta(t, .5645886155, BGNBD{.11, 2.24, .31, .5}.Expected(Summary{T: 1}, 30), .51e-10)
	require.InDelta(t, .9995961, ParetoNBD{.5143, 2.8845, .2856, 14.1087}.PAlive(Summary{X: 221, Tx: 103.42857, T: 103.57143}), .51e-7)
	pn := ParetoNBD{.55, 10.58, .61, 11.67}
	require.InDelta(t, 6.2060518, pn.Expected(Summary{X: 132, Tx: 200, T: 200}, 10), .51e-7)
	// Often quoted as 6.2528725; 40 digits give 6.25287224757.
	require.InDelta(t, 6.2528722, pn.Expected(Summary{X: 133, Tx: 200, T: 200}, 10), .51e-7)
	bg := BGNBD{.25, 4, .8, 2.5}
	require.InDelta(t, -.59947382, bg.LogLikelihood(Summary{T: 40}), .51e-8)
	require.InDelta(t, 100.7957, bg.LogLikelihood(Summary{X: 200, Tx: 38, T: 40}), .51e-4)
}

func TestPublishedResidualTransactions(t *testing.T) {
	const delta = .0027
	require.InDelta(t, 5.15638, publishedBG.DERT(Summary{X: 2, Tx: 30.43, T: 38.86}, delta), .51e-5)
	require.InDelta(t, 1.01570, publishedBG.DERT(Summary{T: 38.86}, delta), .51e-5)
	require.InDelta(t, 70.9065, publishedBG.DERT(Summary{X: 26, Tx: 30.86, T: 31}, delta), .51e-4)
	pn := ParetoNBD{.5629966, 12.559037, .4081095, 10.5148048}
	s := Summary{X: 7, Tx: 35, T: 77.86}
	require.InDelta(t, 1.864183, pn.DERT(s, delta), .51e-6)
	require.InDelta(t, .1007463, pn.PAlive(s), .51e-7)
	require.InDelta(t, .364756, pn.DERT(Summary{T: 77.86}, delta), .51e-6)
	require.InDelta(t, 2.199155, pn.DERT(Summary{X: 1, Tx: 30, T: 77.86}, delta), .51e-6)
	require.InDelta(t, 17.52482, pn.DERT(Summary{X: 7, Tx: 70, T: 77.86}, delta), .51e-5)
}

func TestPublishedSpend(t *testing.T) {
	m := GammaGamma{6.25, 3.74, 15.44}
	rows := summaries(cdnow(t), civilDay(t, "19970930"))
	for i, want := range []float64{24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17} {
		// The parameters are published to two decimals, which moves the mean by 5 cents.
		require.InDelta(t, want, m.ExpectedSpend(rows[i].X, rows[i].M), .06, "customer %d", i+1)
	}
	fit, err := FitGammaGamma(rows, FitOptions{MaximumLikelihood: true})
	require.NoError(t, err)
	for i, want := range []float64{24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17} {
		require.InDelta(t, want, fit.Model.ExpectedSpend(rows[i].X, rows[i].M), .0051, "customer %d", i+1)
	}
}

func TestPublishedSubscriptions(t *testing.T) {
	ml := FitOptions{MaximumLikelihood: true}
	regular, err := FitShiftedBetaGeometric([]int{369, 163, 86, 56, 37, 27, 21}, 241, ml)
	require.NoError(t, err)
	require.InDelta(t, .704, regular.Model.Alpha, .00051)
	require.InDelta(t, 1.182, regular.Model.Beta, .00051)
	require.InDelta(t, -1680.27, regular.LogLikelihood, .0051)
	highEnd, err := FitShiftedBetaGeometric([]int{131, 126, 90, 60, 42, 34, 26}, 491, ml)
	require.NoError(t, err)
	require.InDelta(t, .668, highEnd.Model.Alpha, .00051)
	require.InDelta(t, 3.806, highEnd.Model.Beta, .00051)
	require.InDelta(t, -1611.16, highEnd.LogLikelihood, .0051)
}

func TestPublishedFits(t *testing.T) {
	rows := summaries(cdnow(t), civilDay(t, "19970930"))
	ml := FitOptions{MaximumLikelihood: true}

	bg, err := FitBGNBD(rows, ml)
	require.NoError(t, err)
	require.True(t, bg.Converged)
	require.InDelta(t, -9582.429, bg.LogLikelihood, .01)
	require.InDelta(t, .24259, bg.Model.R, 1e-4)
	require.InDelta(t, 4.4136, bg.Model.Alpha, 1e-3)
	require.InDelta(t, .79292, bg.Model.A, 1e-3)
	require.InDelta(t, 2.4259, bg.Model.B, 1e-3)

	mbg, err := FitMBGNBD(rows, ml)
	require.NoError(t, err)
	require.InDelta(t, -9582.136, mbg.LogLikelihood, .01)
	require.InDelta(t, .525, mbg.Model.R, .001)
	require.InDelta(t, 6.183, mbg.Model.Alpha, .001)
	require.InDelta(t, .891, mbg.Model.A, .001)
	require.InDelta(t, 1.614, mbg.Model.B, .001)
	require.Equal(t, 2357, mbg.Customers)
	require.Equal(t, 946, mbg.RepeatBuyers)
	require.Equal(t, StatusFitted, mbg.Status)

	pn, err := FitParetoNBD(rows, ml)
	require.NoError(t, err)
	require.InDelta(t, -9594.976, pn.LogLikelihood, .01)
	require.InDelta(t, .55315, pn.Model.R, .001)
	require.InDelta(t, 10.576, pn.Model.Alpha, .01)
	require.InDelta(t, .60625, pn.Model.S, .001)
	require.InDelta(t, 11.6715, pn.Model.Beta, .02)

	two, err := FitMBGCNBD(rows, 2, ml)
	require.NoError(t, err)
	require.InDelta(t, 271, mbg.LogLikelihood-two.LogLikelihood, 1, "regular buyers lose on CDNOW")

	gg, err := FitGammaGamma(rows, ml)
	require.NoError(t, err)
	require.InDelta(t, -4055.918, gg.LogLikelihood, .01)
	require.InDelta(t, 6.25, gg.Model.P, .01)
	require.InDelta(t, 3.74, gg.Model.Q, .01)
	require.InDelta(t, 15.44, gg.Model.V, .01)
	require.Equal(t, 946, gg.RepeatBuyers)
}

func TestPublishedHoldout(t *testing.T) {
	all := cdnow(t)
	split, end := civilDay(t, "19970930"), civilDay(t, "19980630")
	rows, _, actual := holdout(all, split, end)
	ml := FitOptions{MaximumLikelihood: true}
	bg, err := FitBGNBD(rows, ml)
	require.NoError(t, err)
	mbg, err := FitMBGNBD(rows, ml)
	require.NoError(t, err)
	pn, err := FitParetoNBD(rows, ml)
	require.NoError(t, err)
	two, err := FitMBGCNBD(rows, 2, ml)
	require.NoError(t, err)
	for _, c := range []struct {
		m    PurchaseModel
		want measures
	}{
		{bg.Model, measures{.7855, 1.608, .6256, -.122, .757, 0, .054}},
		{mbg.Model, measures{.7648, 1.607, .6273, -.162, .760, 0, .055}},
		{pn.Model, measures{.7545, 1.603, .6302, -.115, .771, 0, .068}},
		{two.Model, measures{.7342, 1.637, .6153, -.283, .710, 0, .081}},
	} {
		expected, some := predict(c.m, rows, 39)
		got := measure(expected, some, actual)
		t.Logf("%-12s %+.4f", c.m.Name(), got)
		require.InDelta(t, c.want.MAE, got.MAE, .000051, c.m.Name())
		require.InDelta(t, c.want.RMSE, got.RMSE, .00051, c.m.Name())
		require.InDelta(t, c.want.Correlation, got.Correlation, .000051, c.m.Name())
		require.InDelta(t, c.want.Bias, got.Bias, .00056, c.m.Name())
		require.InDelta(t, c.want.AUC, got.AUC, .00051, c.m.Name())
		require.InDelta(t, c.want.ECEdecile, got.ECEdecile, .00101, c.m.Name())
	}
	// The weak priors change next to nothing here.
	prior, err := FitMBGNBD(rows, FitOptions{})
	require.NoError(t, err)
	e1, p1 := predict(mbg.Model, rows, 39)
	e2, p2 := predict(prior.Model, rows, 39)
	require.InDelta(t, measure(e1, p1, actual).MAE, measure(e2, p2, actual).MAE, .00035)
}
