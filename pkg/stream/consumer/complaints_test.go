package consumer_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"github.com/mainstay/mainstay/pkg/stream/consumer"
)

func TestComplaintsAreLoggedAtFirstByCauseAndOnceAMinute(t *testing.T) {
	var c consumer.Complaints
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	logged := 0
	for second := range 180 {
		if c.Failed("a", at.Add(time.Duration(second)*time.Second)) == zapcore.WarnLevel {
			logged++
		}
	}
	require.Equal(t, 3, logged, "at 0, 60 and 120 s")
	require.Equal(t, zapcore.WarnLevel, c.Failed("b", at.Add(181*time.Second)), "another cause")
	lasted, failed := c.Over(at.Add(200 * time.Second))
	require.Equal(t, 200*time.Second, lasted)
	require.Equal(t, 181, failed)
	_, failed = c.Over(at)
	require.Zero(t, failed, "it is over once")
	require.Equal(t, zapcore.WarnLevel, c.Failed("b", at.Add(300*time.Second)), "a new row begins")
}
