package shop

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Only live customers are in memory: over ten years the planned steps never outnumber them by much, however many events are
// emitted.
func TestMemoryHoldsLiveCustomersOnly(t *testing.T) {
	s, err := New(Config{Seed: 1, Customers: 2000, Days: 3650})
	require.NoError(t, err)
	most, emitted := 0, 0
	var r *run
	r = newRun(s, func(Event) bool {
		emitted++
		most = max(most, r.Len())
		return true
	}, nil)
	r.play()
	require.Less(t, most, 1000)
	require.Greater(t, emitted, 20*most)
}
