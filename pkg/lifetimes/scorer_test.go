package lifetimes

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// scored trains a scorer at split and measures it until end.
func scored(t *testing.T, all []History, split, end int32) (Training, measures) {
	t.Helper()
	_, known, actual := holdout(all, split, end)
	c, tr, err := TrainScorer(all, split, ScorerOptions{Horizon: float64(end-split) / 7, SingleStage: *singleStage})
	require.NoError(t, err)
	var expected, some []float64
	for _, h := range known {
		s := c.Score(h.Customer(float64(split), 7, 100), c.Horizon)
		expected, some = append(expected, s.Expected), append(some, s.PAtLeastOne)
	}
	return tr, measure(expected, some, actual)
}

// TestScorerOnCDNOW verifies measures that no single model reaches together on CDNOW.
func TestScorerOnCDNOW(t *testing.T) {
	tr, m := scored(t, cdnow(t), civilDay(t, "19970930"), civilDay(t, "19980630"))
	t.Logf("%+.4f", m)
	require.GreaterOrEqual(t, m.AUC, .780)
	require.LessOrEqual(t, m.ECE, .045)
	require.LessOrEqual(t, m.ECEdecile, .045)
	require.LessOrEqual(t, m.RMSE, 1.60)
	require.LessOrEqual(t, math.Abs(m.Bias), .10)
	require.Equal(t, "MBG/NBD", tr.Chosen)
	require.NotEmpty(t, tr.Windows)
	for _, w := range tr.Windows {
		require.LessOrEqual(t, w.End, civilDay(t, "19970930"), "nothing after the split was seen")
	}
}

// TestScorerSeesNoFuture verifies that purchases after now have no effect.
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
	share := logistic(tr.Pareto.LogLikelihood - tr.Regular.LogLikelihood)
	require.InDelta(t, (1-share)*tr.Regular.Model.PAlive(s.Summary)+share*tr.Pareto.Model.PAlive(s.Summary), got.PAlive, 1e-12)
	require.Less(t, got.PAtLeastOne, PriorMBGNBD().PAtLeastOne(s.Summary, 13), "a base without repeat purchases lowers the probability")
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
