package lookup

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A score is 1 and one more for each fifth of all customers whose value is lower.
func TestRFMScoresEqualASort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 60), 1, 50).Draw(t, "values")
		b := boundsOf(slices.Clone(values))
		for _, v := range values {
			lower := 0
			for _, other := range values {
				if other < v {
					lower++
				}
			}
			require.Equal(t, 1+5*lower/len(values), b.score(v), "%d of %d are lower", lower, len(values))
		}
	})
}

// Every group is listed, and nothing else.
func TestRFMGroupsAreListed(t *testing.T) {
	var all []string
	for _, row := range rfmGroups {
		all = append(all, row[:]...)
	}
	slices.Sort(all)
	order := rfmOrder()
	slices.Sort(order)
	require.Equal(t, order, slices.Compact(all))
}
