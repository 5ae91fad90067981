package customer

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestReasonsAreBounded: at most so many reasons are told apart, which does not depend on the order in which counts are added, nor on how
// they are divided and added up again; no cancellation is lost, and what was added can be taken away again.
func TestReasonsAreBounded(t *testing.T) {
	const most = 4
	rapid.Check(t, func(t *rapid.T) {
		reasons := []string{"", OtherReason}
		for i := range 9 {
			reasons = append(reasons, fmt.Sprint("reason-", i))
		}
		var list []CancellationCount
		for range rapid.IntRange(0, 30).Draw(t, "counts") {
			list = append(list, CancellationCount{Reason: rapid.SampledFrom(reasons).Draw(t, "reason"), Orders: rapid.Int64Range(0, 2).Draw(t, "orders"), Refunds: 1})
		}
		var all, mixed CancellationCounts
		parts := make([]CancellationCounts, 3)
		for _, n := range list {
			all.AddAtMost(most, n)
		}
		total := int64(0)
		for _, n := range rapid.Permutation(list).Draw(t, "mixed") {
			total += n.Total()
			parts[rapid.IntRange(0, 2).Draw(t, "part")].AddAtMost(most, n)
		}
		for _, part := range parts {
			for _, n := range part {
				mixed.AddAtMost(most, n)
			}
		}
		require.Equal(t, all, mixed)
		apart := 0
		for _, n := range all {
			total -= n.Total()
			if n.Reason != "" && n.Reason != OtherReason {
				apart++
			}
		}
		require.LessOrEqual(t, apart, most)
		require.Zero(t, total)
		for _, n := range rapid.Permutation(list).Draw(t, "taken away") {
			all.Subtract(n)
		}
		require.Empty(t, all)
	})
}
