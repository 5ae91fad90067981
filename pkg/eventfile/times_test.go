package eventfile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/eventfile"
)

// reading is what a file of such times gives, or the error of opening it.
func reading(t *testing.T, format string, zone *time.Location, texts ...string) (times []string, refused []eventfile.RowError, err error) {
	t.Helper()
	content := "customer_id\toccurred_at\ttotal\n"
	for _, text := range texts {
		content += "a\t" + text + "\t1\n"
	}
	r, err := eventfile.Open(write(t, "t.tsv", content), eventfile.Mapping{Type: "purchase", TimeFormat: format, Timezone: zone})
	if err != nil {
		return nil, nil, err
	}
	rows, refused := all(t, r)
	require.NoError(t, r.Close())
	for _, row := range rows {
		times = append(times, row.At.Format(time.RFC3339Nano))
	}
	return times, refused, nil
}

func TestTimeFormats(t *testing.T) {
	tehran, err := time.LoadLocation("Asia/Tehran")
	require.NoError(t, err)
	for _, c := range []struct {
		format string
		zone   *time.Location
		text   string
		want   string
	}{
		{"20060102", nil, "19970131", "1997-01-31T00:00:00Z"},
		{"%Y%m%d", nil, "19970131", "1997-01-31T00:00:00Z"},
		{"%Y%m%d", tehran, "20240131", "2024-01-30T20:30:00Z"},
		{"%d.%m.%y %H:%M", nil, "31.01.24 23:59", "2024-01-31T23:59:00Z"},
		{"%Y-%m-%dT%H:%M:%S.%fZ", nil, "2024-01-31T10:11:12.123456Z", "2024-01-31T10:11:12.123456Z"},
		{"%F %T%z", nil, "2024-01-31 10:00:00+0330", "2024-01-31T06:30:00Z"},
		{"%b %e, %Y %I:%M %p", nil, "Jan  1, 2024 01:05 PM", "2024-01-01T13:05:00Z"},
		{"%Y-%j", nil, "2024-060", "2024-02-29T00:00:00Z"},
		{"%s", nil, "1704067200", "2024-01-01T00:00:00Z"},
		{"rfc3339", tehran, "2024-01-01T03:30:00+03:30", "2024-01-01T00:00:00Z"},
		{"unix", tehran, "1704067200.25", "2024-01-01T00:00:00.25Z"},
		{"unix_ms", nil, "1704067200123", "2024-01-01T00:00:00.123Z"},
		{"auto", nil, "1704067200", "2024-01-01T00:00:00Z"},
		{"auto", nil, "1704067200123", "2024-01-01T00:00:00.123Z"},
		{"", nil, "20240229", "2024-02-29T00:00:00Z"},
		{"", tehran, "2024-01-01 03:30:00", "2024-01-01T00:00:00Z"},
		{"", tehran, "2024-01-01T00:00:00.5Z", "2024-01-01T00:00:00.5Z"},
		{"", nil, "2024-01-01 00:00:00+00", "2024-01-01T00:00:00Z"},
		{"", nil, "13/02/2023", "2023-02-13T00:00:00Z"},
		{"", nil, "02/13/2023 4:05 PM", "2023-02-13T16:05:00Z"},
		{"", nil, "01.02.2023 10:00", "2023-02-01T10:00:00Z"},
		{"", nil, "2-Jan-2024", "2024-01-02T00:00:00Z"},
		{"", nil, "2024/1/2", "2024-01-02T00:00:00Z"},
	} {
		times, refused, err := reading(t, c.format, c.zone, c.text)
		require.NoError(t, err, c.text)
		require.Empty(t, refused, c.text)
		require.Equal(t, []string{c.want}, times, "%s as %q", c.text, c.format)
	}
}

func TestTimeFormatsThatAreNone(t *testing.T) {
	for format, want := range map[string]string{
		"%Y-%m":       "does not name a year, month and day",
		"15:04":       "does not name a year, month and day",
		"%Q":          "%Q is not known",
		"%Y-%m-%d %Z": "--timezone",
		"%Y%m%d%":     "ends with %",
		"%Y%m%d%f":    "%f must stand after %S.",
		"1%Y%m%d":     `"1" cannot stand`,
		"%s x":        "stands alone",
	} {
		_, _, err := reading(t, format, nil, "20240101")
		require.ErrorContains(t, err, want, format)
	}
}

func TestAmbiguousDatesAreRefused(t *testing.T) {
	_, _, err := reading(t, "auto", nil, "01/02/2023", "03/04/2023 ")
	var ambiguous *eventfile.AmbiguousTimeError
	require.ErrorAs(t, err, &ambiguous)
	require.Equal(t, eventfile.AmbiguousTimeError{
		Column: "occurred_at", Line: 2, Sample: "01/02/2023", Layouts: []string{"2/1/2006", "1/2/2006"},
	}, *ambiguous)
	require.EqualError(t, err, `event file: "01/02/2023" in column "occurred_at" (line 2) can be read in 2 ways: `+
		`say which with --time-format "2/1/2006" or --time-format "1/2/2006"`)

	for layout, want := range map[string]string{"2/1/2006": "2023-02-01T00:00:00Z", "1/2/2006": "2023-01-02T00:00:00Z"} {
		times, _, err := reading(t, layout, nil, "01/02/2023")
		require.NoError(t, err, "what the error proposes works")
		require.Equal(t, []string{want}, times)
	}

	times, refused, err := reading(t, "auto", nil, "01/02/2023", "n/a", "28/02/2023")
	require.NoError(t, err, "a later row settles it")
	require.Equal(t, []string{"2023-02-01T00:00:00Z", "2023-02-28T00:00:00Z"}, times)
	require.Len(t, refused, 1)

	_, _, err = reading(t, "auto", nil, "01/02/03")
	require.ErrorAs(t, err, &ambiguous)
	require.Len(t, ambiguous.Layouts, 3, strings.Join(ambiguous.Layouts, " "))
}

func TestUnknownAndMixedDatesAreRefused(t *testing.T) {
	var unknown *eventfile.UnknownTimeError
	_, _, err := reading(t, "auto", nil, "yesterday", "today")
	require.ErrorAs(t, err, &unknown)
	require.False(t, unknown.Mixed)
	require.ErrorContains(t, err, `"yesterday" in column "occurred_at" (line 2) is of no known format: give --time-format`)
	_, _, err = reading(t, "auto", nil, "01/02/2023", "2023-02-03")
	require.ErrorAs(t, err, &unknown)
	require.True(t, unknown.Mixed)
	require.Equal(t, 3, unknown.Line)
	_, _, err = reading(t, "auto", nil, "01/02/2023", "12345")
	require.ErrorContains(t, err, "can be read in 2 ways", "what is no date at all settles nothing")
}
