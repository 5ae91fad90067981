package portfolio

import (
	"math"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// Tiers counts the customers of a histogram by tier: top_10, top_20 and rest. The customers of a bucket that a bound divides are
// taken to be spread evenly over it.
func Tiers(sum *ledger.Contribution, t *ledger.Thresholds) (top10, top20, rest int64) {
	var all int64
	for i, n := range sum.GetHistogram() {
		all += n
		top10 += above(i, n, t.GetTop_10())
		top20 += above(i, n, t.GetTop_20())
	}
	return top10, top20 - top10, all - top20
}

// above returns how many of a bucket's n customers are at or above a bound.
func above(bucket int, n, bound int64) int64 {
	from, to := Floor(bucket), Floor(bucket+1)
	share := float64(min(max(0, to-bound), to-from)) / float64(to-from)
	return int64(math.Round(float64(n) * share))
}
