package shop

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Only the living are held in memory: over ten years the plans never outnumber the customers by much, whatever has
// been told meanwhile.
func TestMemoryIsThatOfTheLiving(t *testing.T) {
	s, err := New(Config{Seed: 1, Customers: 2000, Days: 3650})
	require.NoError(t, err)
	most, told := 0, 0
	var r *run
	r = newRun(s, func(Event) bool {
		told++
		most = max(most, r.Len())
		return true
	}, nil)
	r.play()
	require.Less(t, most, 1000)
	require.Greater(t, told, 20*most)
}
