package lifetimes

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// scored trains a scorer at split and measures it until end.
func scored(t *testing.T, all []History, split, end int32) (*Scorer, Training, measures) {
	t.Helper()
	_, known, actual := holdout(all, split, end)
	c, tr, err := TrainScorer(all, split, ScorerOptions{Horizon: float64(end-split) / 7})
	require.NoError(t, err)
	var expected, some []float64
	for _, h := range known {
		s := c.Score(h.Customer(float64(split), 7, 100), c.Horizon)
		expected, some = append(expected, s.Expected), append(some, s.PAtLeastOne)
	}
	return c, tr, measure(expected, some, actual)
}

// TestScorerOnCDNOW holds what no single model reaches there at once.
func TestScorerOnCDNOW(t *testing.T) {
	_, tr, m := scored(t, cdnow(t), civilDay(t, "19970930"), civilDay(t, "19980630"))
	t.Logf("%+.4f", m)
	require.GreaterOrEqual(t, m.AUC, .780)
	require.LessOrEqual(t, m.ECE, .045)
	require.LessOrEqual(t, m.ECEdecile, .045)
	require.LessOrEqual(t, m.RMSE, 1.60)
	require.LessOrEqual(t, math.Abs(m.Bias), .10)
	require.Equal(t, "MBG/NBD", tr.Chosen)
	require.Len(t, tr.Windows, 1)
	require.Equal(t, civilDay(t, "19970930"), tr.Windows[0].End, "nothing after the split was seen")
}

// TestScorerSeesNoFuture: what comes after now changes nothing.
func TestScorerSeesNoFuture(t *testing.T) {
	all := cdnow(t)
	split := civilDay(t, "19970930")
	cut := make([]History, len(all))
	for i, h := range all {
		cut[i] = h.Until(split)
	}
	a, _, err := TrainScorer(all, split, ScorerOptions{Horizon: 39})
	require.NoError(t, err)
	b, _, err := TrainScorer(cut, split, ScorerOptions{Horizon: 39})
	require.NoError(t, err)
	require.Equal(t, a, b)
}

// TestScorerOnOtherShops compares with the best single model of each measure. What a
// holdout of this size cannot tell apart is allowed for: chance favours one of three.
func TestScorerOnOtherShops(t *testing.T) {
	if testing.Short() {
		t.Skip("several fits of several shops")
	}
	for _, s := range shops {
		for _, span := range [][2]int32{{10480, 10660}, {10365, 10729}} {
			all := s.open(5, 2500, 730)
			rows, _, actual := holdout(all, span[0], span[1])
			horizon := float64(span[1]-span[0]) / 7
			c, _, got := scored(t, all, span[0], span[1])
			best := measures{RMSE: math.Inf(1), ECEdecile: math.Inf(1), Bias: math.Inf(1)}
			mbg, err := FitMBGNBD(rows, FitOptions{})
			require.NoError(t, err)
			pn, err := FitParetoNBD(rows, FitOptions{})
			require.NoError(t, err)
			for _, m := range []PurchaseModel{mbg.Model, pn.Model} {
				expected, some := predict(m, rows, horizon)
				one := measure(expected, some, actual)
				best.RMSE, best.AUC = math.Min(best.RMSE, one.RMSE), math.Max(best.AUC, one.AUC)
				best.ECEdecile, best.Bias = math.Min(best.ECEdecile, one.ECEdecile), math.Min(best.Bias, math.Abs(one.Bias))
			}
			t.Logf("%-11s %d days: AUC %.4f of %.4f, RMSE %.4f of %.4f, ECE %.4f of %.4f, bias %+.3f of %.3f; lift %.2f slope %.2f level %.2f power %.2f",
				s.name, span[1]-span[0], got.AUC, best.AUC, got.RMSE, best.RMSE, got.ECEdecile, best.ECEdecile, got.Bias, best.Bias, c.Lift, c.Slope, c.Level, c.Power)
			require.Greater(t, got.AUC, .99*best.AUC, s.name)
			require.Less(t, got.RMSE, 1.02*best.RMSE, s.name)
			require.Less(t, got.ECEdecile, best.ECEdecile+.05, s.name)
			require.Less(t, math.Abs(got.Bias), best.Bias+.11, s.name)
		}
	}
}

func TestScorerKeepsOrder(t *testing.T) {
	c, _, err := TrainScorer(cdnow(t), civilDay(t, "19970930"), ScorerOptions{Horizon: 39})
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		s := Customer{Summary: anySummary(t), Net: rapid.Float64Range(-100, 5000).Draw(t, "net")}
		span := rapid.Float64Range(0, 500).Draw(t, "t")
		now := c.Score(s, span)
		for _, v := range []float64{now.PAlive, now.PAtLeastOne, now.Recency, now.Frequency, now.Value} {
			if !(v >= 0 && v <= 1) {
				t.Fatalf("%+v", now)
			}
		}
		if !(now.Expected >= now.PAtLeastOne) || math.IsInf(now.Expected, 0) {
			t.Fatalf("%+v", now)
		}
		later := s
		later.T += span
		if v := c.Score(later, span); v.PAtLeastOne > now.PAtLeastOne*(1+slack) || v.PAlive > now.PAlive*(1+slack) {
			t.Fatalf("silence raised %+v to %+v", now, v)
		}
		if v := c.Score(s, span*1.1); v.PAtLeastOne < now.PAtLeastOne*(1-slack) || v.Expected < now.Expected*(1-slack) {
			t.Fatalf("more time lowered %+v to %+v", now, v)
		}
		richer := s
		richer.Net += 10
		if v := c.Score(richer, span); v.PAtLeastOne < now.PAtLeastOne {
			t.Fatalf("value lowered %+v to %+v", now, v)
		}
	})
}

func TestScorerOnLittle(t *testing.T) {
	_, _, err := TrainScorer(nil, 100, ScorerOptions{Horizon: 13})
	require.ErrorIs(t, err, ErrNoData)
	_, _, err = TrainScorer(nil, 100, ScorerOptions{})
	require.ErrorIs(t, err, ErrOption)
	once := make([]History, 50)
	for i := range once {
		once[i] = once[i].Add(int32(i), 1000)
	}
	c, tr, err := TrainScorer(once, 100, ScorerOptions{Horizon: 13})
	require.NoError(t, err)
	require.Equal(t, StatusPrior, tr.Status)
	require.Empty(t, tr.Windows)
	s := once[3].Customer(100, 7, 100)
	got := c.Score(s, 13)
	require.InDelta(t, tr.Regular.Model.PAlive(s.Summary), got.PAlive, 1e-12)
	require.Positive(t, got.Expected)
	require.Zero(t, c.Score(Customer{Summary: Summary{X: -1}}, 13))
	require.Zero(t, new(Scorer).Score(s, 13))
}

func TestPercentiles(t *testing.T) {
	p := newPercentiles([]float64{3, 1, 1, 2})
	require.Equal(t, .25, p.Of(1))
	require.Equal(t, .875, p.Of(3))
	require.Equal(t, 0.0, p.Of(.5))
	require.Equal(t, 1.0, p.Of(4))
	require.Equal(t, .5, p.Of(math.NaN()))
	require.Equal(t, .5, Percentiles{}.Of(1))
	many := make([]float64, 100000)
	for i := range many {
		many[i] = float64(i)
	}
	p = newPercentiles(many)
	require.LessOrEqual(t, len(p.At), percentilePoints+2)
	for _, v := range []float64{0, 17, 5000.5, 99999} {
		require.InDelta(t, v/1e5, p.Of(v), .005)
	}
}
