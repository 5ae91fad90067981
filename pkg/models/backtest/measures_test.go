package backtest

import (
	"math"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

// TestMeasuresAgainstNaive compares every measure with a direct implementation of its definition.
func TestMeasuresAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(10, 60).Draw(t, "n")
		probability := rapid.OneOf(rapid.Float64Range(0.001, 0.999), rapid.SampledFrom([]float64{.1, .2, .2, .5})) // ties
		var p predictions
		var actual, spent []float64
		for range n {
			p.expected = append(p.expected, rapid.Float64Range(0, 9).Draw(t, "expected"))
			p.probability = append(p.probability, probability.Draw(t, "probability"))
			p.spend = append(p.spend, rapid.Float64Range(-10, 500).Draw(t, "spend"))
			actual = append(actual, float64(rapid.IntRange(0, 3).Draw(t, "actual")))
			spent = append(spent, rapid.Float64Range(-10, 500).Draw(t, "spent"))
		}
		m := measure(p, actual, spent)
		same := func(what string, want float64, got *float64) {
			t.Helper()
			switch {
			case math.IsNaN(want) || math.IsInf(want, 0):
				if got != nil {
					t.Fatalf("%s is %v, want none", what, *got)
				}
			case got == nil || math.Abs(*got-want) > 1e-9*(1+math.Abs(want)):
				t.Fatalf("%s is %v, want %v", what, got, want)
			}
		}
		absolute, squares, spend, score := 0.0, 0.0, 0.0, 0.0
		pairs, won := 0.0, 0.0
		totalPredicted, totalActual := 0.0, 0.0
		for i := range n {
			absolute += math.Abs(p.expected[i]-actual[i]) / float64(n)
			squares += (p.expected[i] - actual[i]) * (p.expected[i] - actual[i]) / float64(n)
			spend += math.Abs(p.spend[i]-spent[i]) / float64(n)
			totalPredicted, totalActual = totalPredicted+p.expected[i], totalActual+actual[i]
			if actual[i] > 0 {
				score += math.Log(p.probability[i]) / float64(n)
			} else {
				score += math.Log(1-p.probability[i]) / float64(n)
			}
			for j := range n {
				if actual[i] > 0 && actual[j] == 0 {
					pairs++
					switch {
					case p.probability[i] > p.probability[j]:
						won++
					case p.probability[i] == p.probability[j]:
						won += .5
					}
				}
			}
		}
		same("MAE", absolute, m.MAE)
		same("RMSE", math.Sqrt(squares), m.RMSE)
		same("spend MAE", spend, m.SpendMAE)
		same("log score", score, m.LogScore)
		same("AUC", won/pairs, m.AUC)
		same("bias", totalPredicted/totalActual-1, m.Bias)
		same("correlation", stat.Correlation(p.expected, actual, nil), m.Correlation)
		same("ECE", naiveECE(p.probability, actual), m.ECE)
	})
}

// naiveECE replaces each outcome by the share of buyers among the customers with the same prediction.
func naiveECE(probability, actual []float64) float64 {
	inOrder := append([]float64(nil), probability...)
	sort.Float64s(inOrder)
	n, sum := len(probability), 0.0
	for b := range 10 {
		off := 0.0
		for place := b * n / 10; place < (b+1)*n/10; place++ {
			alike, bought := 0.0, 0.0
			for i := range probability {
				if probability[i] == inOrder[place] {
					alike++
					if actual[i] > 0 {
						bought++
					}
				}
			}
			off += inOrder[place] - bought/alike
		}
		sum += math.Abs(off)
	}
	return sum / float64(n)
}

// TestStandardErrors compares the standard errors on CDNOW with precomputed ones over many samples of customers.
func TestStandardErrors(t *testing.T) {
	r := resultOfCDNOW(t)
	m := r.model(Live)
	require.InDelta(t, .0117, *m.AUCError, .001)  // 684 buyers, 1673 others
	require.InDelta(t, .0413, *m.BiasError, .001) // sqrt(2357) * 1.60 / 1882
}

// TestOrderDoesNotMatter verifies that the measures do not depend on the order of the customers, including ties.
func TestOrderDoesNotMatter(t *testing.T) {
	probability := []float64{.1, .1, .1, .1, .1, .1, .3, .3, .3, .3, .3, .3, .3}
	actual := []float64{1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0}
	want := *calibrationError(probability, actual)
	for i, j := 0, 5; i < j; i, j = i+1, j-1 {
		actual[i], actual[j] = actual[j], actual[i]
	}
	require.InDelta(t, want, *calibrationError(probability, actual), 1e-12)
}

func TestTicks(t *testing.T) {
	require.Equal(t, []float64{0, 20, 40, 60, 80, 100}, ticks(0, 100, 5))
	require.Equal(t, []float64{0, .2, .4}, ticks(0, .5, 4)[:3])
	require.InDelta(t, 5000, above(4339), 1e-9)
	require.InDelta(t, 1, above(0), 0)
	require.Equal(t, "12,345", number(12345))
	require.Equal(t, "0.3", number(.1+.2))
}
