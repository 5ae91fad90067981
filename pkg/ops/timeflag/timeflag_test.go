package timeflag

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Time{
		"now": noon, "2026-01-02": time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), "-36h": noon.Add(-36 * time.Hour), "+30d": noon.AddDate(0, 0, 30),
		"2026-01-02T03:04:05+01:00": time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC),
	} {
		got, err := Parse(text, noon)
		require.NoError(t, err, text)
		require.True(t, got.Equal(want), text)
	}
	for _, text := range []string{"", "d", "tomorrow", "2026-13-01", "5"} {
		_, err := Parse(text, noon)
		require.ErrorIs(t, err, errFormat, text)
	}
}
