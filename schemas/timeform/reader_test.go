package timeform_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/schemas/timeform"
)

// A time that is read from a text that states an offset or is Unix time does not depend on the zone, and whatever is read is read
// again from what is written of it.
func FuzzReader(f *testing.F) {
	for _, text := range []string{"2026-03-01 12:00:00 UTC", "01/02/2026", "۱۴۰۴/۰۵/۱۲", "1772366400.5", "2026-03-01T12:00:00Z[UTC]", "Sun Mar 01 2026 12:00:00 GMT+0100 (CET)"} {
		f.Add(text)
	}
	tehran, err := time.LoadLocation("Asia/Tehran")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		for _, zone := range []*time.Location{time.UTC, tehran} {
			r := timeform.NewReader(zone)
			ms, err := r.Read([]byte(text), math.MaxInt64)
			again, errAgain := r.Read([]byte(text), math.MaxInt64)
			require.Equal(t, ms, again, "a reader remembers nothing that changes an answer")
			require.Equal(t, err, errAgain)
			if ambiguous := (*timeform.AmbiguousError)(nil); errors.As(err, &ambiguous) {
				require.NotEmpty(t, ambiguous.Readings)
				continue
			}
			if err != nil {
				require.ErrorIs(t, err, timeform.ErrUnknown)
				continue
			}
			if at := time.UnixMilli(ms); timeform.Plausible(at) {
				written, err := r.Read([]byte(at.UTC().Format(time.RFC3339Nano)), math.MaxInt64)
				require.NoError(t, err)
				require.Equal(t, ms, written)
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	for name, text := range map[string]string{"civil": "2026-03-01T12:00:00", "jalali": "1404/05/12 10:00", "unix": "1772366400"} {
		b.Run(name, func(b *testing.B) {
			r := timeform.NewReader(time.UTC)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Read([]byte(text), math.MaxInt64); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
