package clv

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRootOf2Minus1(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := math.Exp(rapid.Float64Range(-4, 20).Draw(t, "ln n"))
		require.InEpsilon(t, math.Expm1(math.Ln2/n), rootOf2Minus1(n), 1e-12)
	})
	require.True(t, math.IsInf(rootOf2Minus1(1e-9), 1))
}

func TestPercentile(t *testing.T) {
	values := []int64{0, 10, 10, 10, 20} // a quarter of the base between each
	for v, want := range map[int64]float64{-1: 0, 0: 0, 5: 12.5, 10: 50, 15: 87.5, 20: 100, 99: 100} {
		require.InDelta(t, want, percentile(values, v), 1e-12, v)
	}
}
