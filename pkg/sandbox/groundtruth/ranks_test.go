package groundtruth

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestConcordance(t *testing.T) {
	require.InDelta(t, 1, concordance([]float64{.9, .8}, []float64{.1, .2}), 0)
	require.InDelta(t, 0, concordance([]float64{.1}, []float64{.2}), 0)
	require.InDelta(t, 0, concordance(nil, []float64{.2}), 0)
	share := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 5), func(n int) float64 { return float64(n) / 5 }), 1, 20)
	rapid.Check(t, func(t *rapid.T) {
		gone, active := share.Draw(t, "gone"), share.Draw(t, "active")
		pairs := 0.0
		for _, g := range gone {
			for _, a := range active {
				switch {
				case g > a:
					pairs++
				case g == a:
					pairs += .5
				}
			}
		}
		require.InDelta(t, pairs/float64(len(gone)*len(active)), concordance(gone, active), 1e-12)
	})
}

// Whatever the predictions, those that are kept by chance as often as they say are found to be kept, and others are not.
func TestCalibration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		slope, n := rapid.Float64Range(.1, 5).Draw(t, "slope"), rapid.IntRange(tenths, 5000).Draw(t, "customers")
		kept, broken := make([]prediction, n), make([]prediction, n)
		for i := range n {
			p := math.Pow(random.Float64(), slope)
			kept[i] = prediction{p, random.Float64() < p}
			broken[i] = prediction{p, true}
		}
		c := calibrate(kept)
		require.Len(t, c.Deciles, tenths)
		require.LessOrEqual(t, c.LargestGap, 6*c.LargestError+1e-9)
		require.GreaterOrEqual(t, c.WithinTolerance, tenths/2)
		b := calibrate(broken)
		all, mean := 0, 0.0
		for _, d := range b.Deciles {
			all += d.Customers
			mean += (d.Gone - d.Predicted) / tenths
			require.InDelta(t, 1, d.Gone, 1e-9)
		}
		require.Equal(t, n, all)
		require.InDelta(t, points*mean, b.Average, 1e-9)
	})
	require.Empty(t, calibrate(make([]prediction, tenths-1)).Deciles)
}

func TestTopDecile(t *testing.T) {
	var all []value
	for i := range 40 {
		all = append(all, value{int64(i), float64(i)})
	}
	all[39].actual, all[0].actual = 0, 100 // the one thought best is worth nothing, and the last one most
	found := topDecile(all)
	require.Equal(t, TopDecile{Customers: 4, Right: 3, Precision: .75, ShareOfValue: (38. + 37 + 36) / (100 + 38 + 37 + 36)}, found)
	require.Zero(t, topDecile(all[:9]))
}
