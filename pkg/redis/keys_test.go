package redis

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The values are those of the cluster specification and of a Redis asked by CLUSTER KEYSLOT.
func TestSlots(t *testing.T) {
	require.EqualValues(t, 0x31C3, hashSlot("123456789"))
	require.EqualValues(t, 12182, hashSlot("foo"))
	require.EqualValues(t, 0, hashSlot(""))
}

// Keys are found by their tags: these never change.
func TestTagsStand(t *testing.T) {
	for _, c := range []struct {
		partition, partitions int32
		tag                   string
	}{{0, 1, "0.1"}, {0, 8, "0.6r"}, {3, 8, "3.6k"}, {7, 8, "7.k"}, {63, 64, "63.n"}, {5, 12, "5.37"}} {
		require.Equal(t, c.tag, hashTag(c.partition, c.partitions))
	}
}

func TestTagsSpread(t *testing.T) {
	for _, partitions := range []int32{1, 3, 12, 64, 1024} {
		const masters = 6
		load := make([]int, masters)
		for p := range partitions {
			slot := int(hashSlot(hashTag(p, partitions)))
			first := int(p) * clusterSlots / int(partitions)
			require.GreaterOrEqual(t, slot, first)
			require.Less(t, slot, first+max(1, clusterSlots/8/int(partitions)))
			load[slot*masters/clusterSlots]++
		}
		for _, n := range load {
			require.LessOrEqual(t, n, int(partitions)/masters+1)
		}
	}
}

// When a group is split, its customers stay or move into the new group, and nobody else moves.
func TestSplitMovesOnlyFromItsSource(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Draw(t, "id")
		n := rapid.Uint32Range(1, 1<<20).Draw(t, "groups")
		before, after := groupOf(id, n), groupOf(id, n+1)
		require.Less(t, before, n)
		if after != before {
			require.Equal(t, n, after)
			require.Equal(t, splitSource(n), before)
		}
	})
}
