package timestamp

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-01T12:00:00Z":               "2026-03-01T12:00:00Z",
		"2026-03-01t12:00:00z":               "2026-03-01T12:00:00Z",
		"2026-03-01T12:00:00.5+01:00":        "2026-03-01T11:00:00.5Z",
		"2026-03-01T00:30:00-03:30":          "2026-03-01T04:00:00Z",
		"2024-02-29T23:59:59.999999999Z":     "2024-02-29T23:59:59.999Z",
		"2016-12-31T23:59:60Z":               "2017-01-01T00:00:00Z",
		"2017-01-01T00:59:60+01:00":          "2017-01-01T00:00:00Z",
		"0000-01-01T00:00:00Z":               "0000-01-01T00:00:00Z",
		"1969-12-31T23:59:59.001Z":           "1969-12-31T23:59:59.001Z",
		"9999-12-31T23:59:59Z":               "9999-12-31T23:59:59Z",
		"2026-03-01T12:00:00.123456+00:00":   "2026-03-01T12:00:00.123Z",
		"2026-03-01T12:00:00.000000001Z":     "2026-03-01T12:00:00Z",
		"2000-02-29T12:00:00-00:00":          "2000-02-29T12:00:00Z",
		"2026-03-01T12:00:00.1234567890123Z": "2026-03-01T12:00:00.123Z",
	} {
		ms, ok := Parse([]byte(text))
		require.True(t, ok, text)
		wanted, err := time.Parse(time.RFC3339Nano, want)
		require.NoError(t, err)
		require.Equal(t, wanted.UnixMilli(), ms, text)
	}
	for _, text := range []string{
		"", "2026-03-01", "2026-03-01T12:00:00", "2026-03-01 12:00:00Z", "2026-02-29T12:00:00Z", "2026-00-01T12:00:00Z",
		"2026-13-01T12:00:00Z", "2026-03-00T12:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z", "2026-03-01T12:00:61Z",
		"2026-03-01T12:00:60Z", "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00+0100", "2026-03-01T12:00:00+24:00",
		"2026-03-01T12:00:00+01:60", "2026-03-01T12:00:00Zz", "2026-03-01T12:00:00.5", "+026-03-01T12:00:00Z", "1900-02-29T00:00:00Z",
		"2026-03-01T12:00:00*01:00", "2026-03-01T12:00:0:Z",
	} {
		_, ok := Parse([]byte(text))
		require.False(t, ok, text)
	}
}

func TestAppend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(earliest, latest).Draw(t, "ms")
		text := Append(nil, ms)
		layout := "2006-01-02T15:04:05.000Z07:00"
		if ms%1000 == 0 {
			layout = time.RFC3339
		}
		require.Equal(t, time.UnixMilli(ms).UTC().Format(layout), string(text))
		again, ok := Parse(text)
		require.True(t, ok)
		require.Equal(t, ms, again)
	})
	require.Equal(t, "9999-12-31T23:59:59.999Z", string(Append(nil, 1<<62)))
	require.Equal(t, "0000-01-01T00:00:00Z", string(Append(nil, -1<<62)))
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-03-01T12:00:00.5+01:00", "2016-12-31T23:59:60Z", "2026-02-30T00:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ms, ok := Parse([]byte(text))
		want, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
		switch {
		case ok && strings.Contains(text, ":60"): // a leap second, which package time does not know
		case ok:
			require.NoError(t, err)
			require.Equal(t, want.UnixMilli(), ms)
		case err == nil: // package time also takes a comma before the fraction, and single-digit hours
			require.True(t, strings.Contains(text, ",") || len(text) < 20 || text[13] != ':', text)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := []byte("2026-03-01T12:34:56.789+01:00")
	b.ReportAllocs()
	for b.Loop() {
		Parse(text)
	}
}

func BenchmarkAppend(b *testing.B) {
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		text = Append(text[:0], 1772368496789)
	}
}
