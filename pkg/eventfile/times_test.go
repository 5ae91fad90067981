package eventfile_test

import (
	"fmt"
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
		{"", tehran, "2026-03-01 12:00:00 UTC", "2026-03-01T12:00:00Z"},
		{"", tehran, "2026-03-02 12:00:00.123456 UTC", "2026-03-02T12:00:00.123456Z"},
		{"", tehran, "02/13/2023 4:05 PM GMT", "2023-02-13T16:05:00Z"},
		{"", nil, "2026-03-01T12:00:00Z[UTC]", "2026-03-01T12:00:00Z"},
		{"", nil, "2026-03-01T12:00:00+01:00[Europe/Berlin]", "2026-03-01T11:00:00Z"},
		{"", nil, "2026-03-01T12:00:00+0100", "2026-03-01T11:00:00Z"},
		{"", nil, "2026-03-01 12:00:00+0100", "2026-03-01T11:00:00Z"},
		{"", nil, "Sun Mar 01 2026 12:00:00 GMT+0100 (CET)", "2026-03-01T11:00:00Z"},
		{"", nil, "2026-03-01, 12:00:00", "2026-03-01T12:00:00Z"},
		{"", nil, "12/13/2025, 8:26:05\u202fAM", "2025-12-13T08:26:05Z"},
		{"", nil, "1704067200123456", "2024-01-01T00:00:00.123456Z"},
		{"", nil, "1704067200123456789", "2024-01-01T00:00:00.123456789Z"},
		{"unix_ns", nil, "1704067200123456789", "2024-01-01T00:00:00.123456789Z"},
		{"", nil, "46082.520833333336", "2026-03-01T12:30:00Z"},
		{"excel", tehran, "46082", "2026-02-28T20:30:00Z"},
		{"", nil, "1404/05/12", "2025-08-03T00:00:00Z"},
		{"", tehran, "1404-5-12 14:30", "2025-08-03T11:00:00Z"},
		{"", nil, "۱۴۰۴/۰۵/۱۲", "2025-08-03T00:00:00Z"},
		{"", nil, "١٤٠٤/٠٥/١٢، ١٤:٣٠", "2025-08-03T14:30:00Z"},
		{"jalali", nil, "04/05/12", "2025-08-03T00:00:00Z"},
		{"jalali", nil, "99/12/30", "2021-03-20T00:00:00Z"},
		{"hijri", nil, "1447/02/09", "2025-08-03T00:00:00Z"},
		{"hijri", nil, "1446-09-01 20:00", "2025-03-01T20:00:00Z"},
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
	require.Equal(t, []string{"2/1/06", "1/2/06", "06/1/2", "jalali"}, ambiguous.Layouts)
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

// Lunar and solar Hijri years of today are both plausible, so the column's calendar is asked for.
func TestHijriCalendarsAreAskedFor(t *testing.T) {
	var ambiguous *eventfile.AmbiguousTimeError
	_, _, err := reading(t, "auto", nil, "1447/02/09")
	require.ErrorAs(t, err, &ambiguous)
	require.Equal(t, []string{"jalali", "hijri"}, ambiguous.Layouts)
	for _, format := range []string{"jalali", "hijri"} {
		_, refused, err := reading(t, format, nil, "1447/13/01", "1447/02/32", "1447/2", "1447/02/01x")
		require.NoError(t, err)
		require.Len(t, refused, 4)
	}
	_, refused, err := reading(t, "jalali", nil, "1404/12/30", "1404/07/31")
	require.NoError(t, err)
	require.Len(t, refused, 2, "1404 is no leap year, and the seventh month has 30 days")
}

// TestJalaliCalendar walks from day to day with the lengths of the months and the leap years of the 33-year cycle, which holds for
// the years 1343 to 1472.
func TestJalaliCalendar(t *testing.T) {
	day := time.Date(1991, 3, 21, 0, 0, 0, 0, time.UTC) // 1370/01/01
	var texts, want []string
	for year := 1370; year < 1460; year++ {
		for month := 1; month <= 12; month++ {
			length := 31
			if month > 6 {
				length = 30
			}
			if month == 12 && (year*8+29)%33 >= 8 {
				length = 29
			}
			for d := 1; d <= length; d++ {
				if d == 1 || d == length {
					texts, want = append(texts, fmt.Sprintf("%d/%02d/%02d", year, month, d)), append(want, day.Format(time.RFC3339))
				}
				day = day.AddDate(0, 0, 1)
			}
		}
	}
	times, refused, err := reading(t, "jalali", nil, texts...)
	require.NoError(t, err)
	require.Empty(t, refused)
	require.Equal(t, want, times)
}

// Clocks that are set forward or back: a time shown twice is the first, a skipped one is read with the offset before the change.
func TestCivilTimesAtClockChanges(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	times, refused, err := reading(t, "auto", berlin, "2025-10-26 01:59", "2025-10-26 02:30", "2025-10-26 03:00", "2025-03-30 01:59", "2025-03-30 02:30", "2025-03-30 03:00")
	require.NoError(t, err)
	require.Empty(t, refused)
	require.Equal(t, []string{
		"2025-10-25T23:59:00Z", "2025-10-26T00:30:00Z", "2025-10-26T02:00:00Z", "2025-03-30T00:59:00Z", "2025-03-30T01:30:00Z", "2025-03-30T01:00:00Z",
	}, times)
}

// A Persian file gives the events of its Gregorian twin, byte for byte.
func TestPersianFileIsItsGregorianTwin(t *testing.T) {
	tehran, err := time.LoadLocation("Asia/Tehran")
	require.NoError(t, err)
	m := eventfile.Mapping{Type: "purchase", Timezone: tehran}
	m.Columns, err = eventfile.ParseMap("customer_id=مشتری,order_id=سفارش,occurred_at=تاریخ,total=مبلغ,currency=واحد")
	require.NoError(t, err)
	persian, refused := all(t, open(t, write(t, "p.csv", "\ufeffمشتری,سفارش,تاریخ,مبلغ,واحد\n"+
		"سارا,الف-۱,۱۴۰۴/۰۵/۱۲ ۱۴:۳۰,۱۲۰٬۰۰۰,تومان\nc-2,o-2,۱۴۰۳/۱۲/۳۰ ۰۰:۰۰,۱٬۲۵۰٬۰۰۰ ریال,\nc-3,o-3,١٤٠٤/٠١/٠١ ٠٠:٠٠,٧٫٥,تومان\n"), m))
	require.Empty(t, refused)
	twin, refused := all(t, open(t, write(t, "g.csv", "customer_id,order_id,occurred_at,total,currency\n"+
		"سارا,الف-۱,2025-08-03 14:30,120000,IRT\nc-2,o-2,2025-03-20 00:00,1250000,IRR\nc-3,o-3,2025-03-21 00:00,7.5,IRT\n"),
		eventfile.Mapping{Type: "purchase", Timezone: tehran}))
	require.Empty(t, refused)
	require.Equal(t, values(twin), values(persian))

	m.Columns["currency"] = "=IRR"
	_, refused = all(t, open(t, write(t, "q.csv", "مشتری,سفارش,تاریخ,مبلغ\na,1,۱۴۰۴/۰۵/۱۲,۱۰ تومان\na,2,۱۴۰۴/۰۵/۱۲,۱٫۰۰۰٬۰\n"), m))
	require.Equal(t, []string{`line 2: total: is in IRT, and the row's currency is "IRR"`, "line 3: total: \"۱٫۰۰۰٬۰\" is not a number: give digits with a decimal point, without currency signs or separators"},
		[]string{refused[0].Error(), refused[1].Error()})
}
