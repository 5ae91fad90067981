package demo

import (
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
