package clv

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPercentile(t *testing.T) {
	values := []int64{0, 10, 10, 10, 20} // a quarter of the base between each
	for v, want := range map[int64]float64{-1: 0, 0: 0, 5: 12.5, 10: 50, 15: 87.5, 20: 100, 99: 100} {
		require.InDelta(t, want, percentile(values, v), 1e-12, v)
	}
}
