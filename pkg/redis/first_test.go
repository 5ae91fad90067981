package redis

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFirstPartitionIsFoundForAnyNumberOfPartitions(t *testing.T) {
	known := map[string]bool{}
	for _, tag := range firstTags() {
		known[tag] = true
	}
	for _, n := range []int32{1, 2, 3, 4, 7, 8, 16, 64, 100, 1000, 2048, 4096} {
		require.True(t, known[hashTag(0, n)], "%d partitions", n)
	}
	require.Less(t, len(known), 20, "each is a request")
	c := &Client{}
	all := c.FirstPartition("ns", 8)
	require.Equal(t, c.Partition("ns", 0, 8), all[0])
	require.Len(t, all, len(known))
}
