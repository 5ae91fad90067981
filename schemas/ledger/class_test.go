package ledger_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// The values are part of the ledger's format: another release must find the same.
func TestClassIsFixed(t *testing.T) {
	for id, want := range map[string]uint32{"": 59547, "c1": 44473, "customer-17": 53416, "ü": 63514} {
		require.Equal(t, want, ledger.Class(id, 1<<16), id)
	}
	require.Zero(t, ledger.Class("c1", 1))
}

func TestClassesAreEvenAndNested(t *testing.T) {
	const people, classes = 16_000, 1000
	sizes := map[uint32]int{}
	for i := range people {
		id := fmt.Sprint("customer-", i)
		c := ledger.Class(id, 1024)
		require.Equal(t, c&511, ledger.Class(id, 512))
		sizes[c]++
	}
	for c, n := range sizes {
		require.Less(t, n, 40, c)
	}
	require.Greater(t, len(sizes), classes)
}
