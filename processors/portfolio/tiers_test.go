package portfolio

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// Tiers counts by the bounds that DrawThresholds has drawn from the same histogram, so a tenth and a fifth must come out, to within the
// customers of the buckets that the bounds cut.
func TestTiersAreATenthAndAFifth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		totals := rapid.SliceOfN(rapid.Int64Range(0, 1_000_000), 1, 300).Draw(t, "totals")
		sum := new(ledger.Contribution)
		for _, v := range totals {
			b := Bucket(v)
			if more := b + 1 - len(sum.Histogram); more > 0 {
				sum.Histogram = append(sum.Histogram, make([]int64, more)...)
			}
			sum.Histogram[b]++
		}
		bounds := DrawThresholds(sum)
		top10, top20, rest := Tiers(sum, bounds)
		n := int64(len(totals))
		require.Equal(t, n, top10+top20+rest)
		require.GreaterOrEqual(t, top20, int64(0))
		in := func(bound int64) float64 { return float64(sum.Histogram[min(Bucket(bound), len(sum.Histogram)-1)]) }
		require.InDelta(t, float64(n)*.1, float64(top10), in(bounds.GetTop_10())+1)
		require.InDelta(t, float64(n)*.2, float64(top10+top20), in(bounds.GetTop_20())+1)
	})
}

func TestTierCountsInterpolateWithinABucket(t *testing.T) {
	sum := &ledger.Contribution{Histogram: make([]int64, Bucket(1024)+1)}
	sum.Histogram[Bucket(1024)] = 8 // 1024 to 1039
	top10, top20, rest := Tiers(sum, &ledger.Thresholds{Top_10: 1036, Top_20: 1028})
	require.Equal(t, [3]int64{2, 4, 2}, [3]int64{top10, top20, rest})
}
