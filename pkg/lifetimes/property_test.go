package lifetimes

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// parameter draws one from 1e-6 to 1e6, mostly ordinary.
func parameter(t *rapid.T, name string) float64 {
	width := rapid.SampledFrom([]float64{1, 1, 3, 6}).Draw(t, name+" width")
	return math.Pow(10, rapid.Float64Range(-width, width).Draw(t, name))
}

func anyModel(t *rapid.T) PurchaseModel {
	a, b, c, d := parameter(t, "p1"), parameter(t, "p2"), parameter(t, "p3"), parameter(t, "p4")
	return rapid.SampledFrom([]PurchaseModel{
		MBGNBD{a, b, c, d},
		BGNBD{a, b, c, d},
		ParetoNBD{a, b, c, d},
		MBGCNBD{1, a, b, c, d},
		MBGCNBD{2, a, b, c, d},
		MBGCNBD{3, a, b, c, d},
		MBGCNBD{4, a, b, c, d},
	}).Draw(t, "model")
}

func anySummary(t *rapid.T) Summary {
	s := Summary{T: rapid.OneOf(rapid.Float64Range(0, 200), rapid.Float64Range(0, 18262), rapid.Just(0.0)).Draw(t, "T")}
	s.X = rapid.OneOf(rapid.IntRange(0, 10), rapid.IntRange(0, 100000)).Draw(t, "x")
	if s.X > 0 {
		s.Tx = s.T * rapid.Float64Range(0, 1).Draw(t, "share")
	}
	return s
}

// slack is the rounding error allowed in inequalities.
const slack = 1e-9

func TestScoresStayInRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, s := anyModel(t), anySummary(t)
		if err := checkScores(m, s, rapid.Float64Range(1e-9, 2000).Draw(t, "t"), rapid.Float64Range(1e-4, 1).Draw(t, "delta")); err != nil {
			t.Fatal(err)
		}
	})
}

// checkScores holds for every valid model and summary.
func checkScores(m PurchaseModel, s Summary, span, delta float64) error {
	alive, some, expected := m.PAlive(s), m.PAtLeastOne(s, span), m.Expected(s, span)
	whole, part := m.DERT(s, delta), m.Discounted(s, span, delta)
	ll := m.LogLikelihood(s)
	bad := func(what string) error {
		return fmt.Errorf("%s: %#v %+v t %v delta %v: alive %v some %v expected %v discounted %v of %v ll %v",
			what, m, s, span, delta, alive, some, expected, part, whole, ll)
	}
	for _, v := range []float64{alive, some, expected, whole, part, ll} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return bad("not a number")
		}
	}
	switch {
	case alive < 0 || alive > 1 || some < 0 || some > alive*(1+slack):
		return bad("a probability out of range")
	case expected < 0 || part < 0 || whole < 0:
		return bad("a count out of range")
	case expected < some*(1-slack):
		return bad("fewer purchases than the chance of one")
	case part > expected*(1+slack) || part > whole*(1+slack) || part < expected*math.Exp(-delta*span)*(1-slack):
		return bad("a discounted count out of range")
	}
	later := s
	later.T += span
	if m.PAlive(later) > alive*(1+slack) {
		return bad("alive again by silence")
	}
	if more := m.Expected(s, 1.01*span); more < expected*(1-slack) {
		return bad("fewer purchases in more time")
	}
	if more := m.PAtLeastOne(s, 1.01*span); more < some*(1-slack) {
		return bad("less likely in more time")
	}
	return nil
}

func TestScoresOfAnInstant(t *testing.T) {
	s := Summary{X: 2, Tx: 20, T: 4000}
	for _, m := range []PurchaseModel{
		MBGNBD{1, 5, 1, 3}, BGNBD{1, 5, 1, 3}, ParetoNBD{1, 5, 1, 3}, MBGCNBD{2, 1, 5, 1, 3}, MBGCNBD{4, 1, 5, 1, 3},
	} {
		for _, span := range []float64{5e-324, 1e-300, 1e-120, 1e-79, 1e-60, 1e-20} {
			require.NoError(t, checkScores(m, s, span, 1e-3), "%v", span)
		}
	}
}

func TestDeadlinesAreWhereScoresFall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c, d := parameter(t, "p1"), parameter(t, "p2"), parameter(t, "p3"), parameter(t, "p4")
		m := rapid.SampledFrom([]PurchaseModel{
			MBGNBD{a, b, c, d}, BGNBD{a, b, c, d}, ParetoNBD{a, b, c, d}, MBGCNBD{2, a, b, c, d}, MBGCNBD{3, a, b, c, d},
		}).Draw(t, "model")
		s := anySummary(t)
		h, horizon := rapid.Float64Range(0.01, 0.99).Draw(t, "h"), rapid.Float64Range(0.1, 100).Draw(t, "horizon")
		check := func(what string, age float64, ok bool, score func(Summary) float64) {
			at := s
			if !ok {
				at.T = math.Max(s.Tx, 1e6)
				if v := score(at); v < h*(1-slack) {
					t.Fatalf("%s: never below %v, yet %v at %v", what, h, v, at.T)
				}
				return
			}
			if math.IsNaN(age) || math.IsInf(age, 0) {
				t.Fatalf("%s: %v", what, age)
			}
			// A little before and after, as rounding allows where the score is steep.
			before, after := age-1e-7*(1+math.Abs(age)), age+1e-7*(1+math.Abs(age))
			if before > s.Tx {
				at.T = before
				if v := score(at); v < h*(1-1e-6) {
					t.Fatalf("%s: %v already before %v", what, v, age)
				}
			}
			at.T = math.Max(after, s.Tx)
			if v := score(at); v > h*(1+1e-6) {
				t.Fatalf("%s: still %v after %v, want %v", what, v, age, h)
			}
		}
		age, ok := m.AliveUntil(s, h)
		check("alive", age, ok, m.PAlive)
		age, ok = m.PurchaseUntil(s, horizon, h)
		check("purchase", age, ok, func(s Summary) float64 { return m.PAtLeastOne(s, horizon) })
	})
}

func TestScoresOfTheImpossible(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	models := []PurchaseModel{MBGNBD{1, 1, 1, 1}, BGNBD{1, 1, 1, 1}, ParetoNBD{1, 1, 1, 1}, MBGCNBD{2, 1, 1, 1, 1}}
	wrong := []PurchaseModel{MBGNBD{}, BGNBD{nan, 1, 1, 1}, ParetoNBD{1, -1, 1, 1}, MBGCNBD{0, 1, 1, 1, 1}, MBGCNBD{5, 1, 1, 1, 1}, MBGNBD{1, inf, 1, 1}}
	zero := func(m PurchaseModel, s Summary, span, delta float64) {
		require.Zero(t, m.Expected(s, span))
		require.Zero(t, m.PAtLeastOne(s, span))
		require.Zero(t, m.DERT(s, delta))
		require.Zero(t, m.Discounted(s, span, delta))
	}
	for _, m := range models {
		require.NoError(t, m.Validate())
		for _, s := range []Summary{{X: -1}, {X: 1, Tx: 2, T: 1}, {T: nan}, {T: inf}, {T: -1}, {Tx: 1, T: 2}} {
			require.Zero(t, m.PAlive(s))
			zero(m, s, 1, .1)
			require.True(t, math.IsInf(m.LogLikelihood(s), -1))
		}
		for _, span := range []float64{-1, nan, inf} {
			require.Zero(t, m.Expected(Summary{T: 1}, span))
			require.Zero(t, m.PAtLeastOne(Summary{T: 1}, span))
			require.Zero(t, m.Discounted(Summary{T: 1}, span, .1))
			require.Zero(t, m.DERT(Summary{T: 1}, -math.Abs(span)))
		}
		for _, h := range []float64{nan, 0, -1} {
			_, ok := m.AliveUntil(Summary{X: 1, Tx: 1}, h)
			require.False(t, ok)
			_, ok = m.PurchaseUntil(Summary{X: 1, Tx: 1}, 1, h)
			require.False(t, ok)
		}
	}
	for _, m := range wrong {
		require.ErrorIs(t, m.Validate(), ErrParameter)
		require.NotEmpty(t, m.Name())
		require.Zero(t, m.PAlive(Summary{T: 1}))
		zero(m, Summary{T: 1}, 1, .1)
		_, ok := m.AliveUntil(Summary{X: 1, Tx: 1}, .5)
		require.False(t, ok)
	}
}

// FuzzScores scores arbitrary summaries with arbitrary parameters.
func FuzzScores(f *testing.F) {
	f.Add(0, 1.0, 10.0, 1.0, 2.0, 3, 20.0, 30.0, 52.0, 0.01)
	f.Add(1, 1e-6, 1e6, 1e-6, 1e6, 100000, 18262.0, 18262.0, 1e-6, 1e-5)
	f.Add(2, 1e4, 1e5, 1e4, 1e6, 0, 0.0, 0.0, 1e5, 1.0)
	f.Add(5, 0.5, 1e-3, 1.0, 1e-6, 50000, 10.0, 2600.0, 520.0, 0.002)
	f.Fuzz(func(t *testing.T, kind int, a, b, c, d float64, x int, tx, T, span, delta float64) {
		for _, p := range []float64{a, b, c, d} {
			if !(p >= 1e-6 && p <= 1e6) {
				return
			}
		}
		s := Summary{X: x, Tx: tx, T: T}
		if s.Validate() != nil || x > 100000 || T > 18262 || !(span >= 1e-9 && span <= 1e5) || !(delta >= 1e-6 && delta <= 10) {
			return
		}
		models := []PurchaseModel{
			MBGNBD{a, b, c, d},
			BGNBD{a, b, c, d},
			ParetoNBD{a, b, c, d},
			MBGCNBD{2, a, b, c, d},
			MBGCNBD{3, a, b, c, d},
			MBGCNBD{4, a, b, c, d},
		}
		if err := checkScores(models[uint(kind)%uint(len(models))], s, span, delta); err != nil {
			t.Fatal(err)
		}
	})
}
