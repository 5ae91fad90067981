package intake

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The clock is never ahead of the broker's time, and never goes back, however long answers take.
func TestClockNeverGoesBack(t *testing.T) {
	began := time.Unix(1000, 0)
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	var c clock
	require.Zero(t, c.now(at(0)))
	c.learn(50_000, at(10)) // appended at 50,000, answered 10 ms later
	require.Equal(t, int64(50_000), c.now(at(10)))
	require.Equal(t, int64(50_090), c.now(at(100)))
	c.learn(50_095, at(900)) // this answer took 800 ms: the older one knows better
	require.Equal(t, int64(50_890), c.now(at(900)))
	c.learn(50_950, at(945)) // and this one took none
	require.Equal(t, int64(50_955), c.now(at(950)))
}
