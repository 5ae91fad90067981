package timeform

import (
	"strings"
	"time"
)

// Families returns the forms that are known without being named; each is one way of reading a date. zone is that of times that do not
// state theirs.
func Families(zone *time.Location) []*Form {
	clock := func(reading string, dates ...string) *Form {
		return &Form{reading: reading, layouts: withClock(dates...), zone: zone, short: strings.Contains(" "+reading+" ", "two digits")}
	}
	iso := &Form{reading: "year-month-day", zone: zone, layouts: append(withClock("2006-01-02", "2006-1-2"), time.RFC3339)}
	for _, clock := range []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"} {
		for _, offset := range []string{"Z07:00", " Z07:00", "Z0700", " Z0700", "Z07", " Z07"} {
			iso.layouts = append(iso.layouts, clock+offset)
		}
	}
	const twoDigits = ", a year of two digits"
	all := []*Form{
		iso,
		{reading: "yearmonthday", zone: zone, layouts: []string{"20060102", "20060102150405", "20060102 15:04:05", "20060102 15:04", "20060102T150405", "20060102T150405Z07:00"}},
		clock("year/month/day", "2006/1/2"),
		clock("day.month.year", "2.1.2006"), clock("day/month/year", "2/1/2006"), clock("month/day/year", "1/2/2006"),
		clock("day-month-year", "2-1-2006"), clock("month-day-year", "1-2-2006"),
		clock("day.month.year"+twoDigits, "2.1.06"), clock("day/month/year"+twoDigits, "2/1/06"), clock("month/day/year"+twoDigits, "1/2/06"),
		clock("year/month/day"+twoDigits, "06/1/2"), clock("day-month-year"+twoDigits, "2-1-06"), clock("month-day-year"+twoDigits, "1-2-06"),
		clock("year-month-day"+twoDigits, "06-1-2"),
		clock("a month by name", "2 Jan 2006", "2-Jan-2006", "2 January 2006", "Jan 2, 2006", "Jan 2 2006", "January 2, 2006", "2-Jan-06"),
		{reading: "a weekday and a month by name", zone: zone, layouts: []string{
			time.RFC1123Z, "Mon, 2 Jan 2006 15:04:05 -0700", "Mon, 2 Jan 2006 15:04:05", "Mon Jan 2 15:04:05 2006", "Mon Jan 2 2006 15:04:05 GMT-0700",
		}},
		inCalendar(jalali(), zone), inCalendar(ummAlQura(), zone),
		{reading: "Unix seconds", perUnit: time.Second},
		{reading: "Unix milliseconds", perUnit: time.Millisecond},
		{reading: "Unix microseconds", perUnit: time.Microsecond},
		{reading: "Unix nanoseconds", perUnit: time.Nanosecond},
		{reading: "days of a spreadsheet", serial: true, zone: zone},
	}
	for _, f := range all {
		for _, layout := range f.layouts {
			f.shapes = append(f.shapes, shapeOf(layout))
		}
	}
	return all
}

// inCalendar reads dates of a calendar, alone or with a time of day.
func inCalendar(c *calendar, zone *time.Location) *Form {
	return &Form{reading: c.reading, calendar: c, layouts: withClock("2006-01-02"), zone: zone}
}

// withClock returns the layouts of a date alone and with a time of day.
func withClock(dates ...string) (layouts []string) {
	for _, date := range dates {
		layouts = append(layouts, date)
		for _, between := range []string{" ", ", ", "T"} {
			for _, hours := range []string{"15:04:05", "15:04", "3:04:05 PM", "3:04 PM", "3:04:05 pm", "3:04 pm"} {
				layouts = append(layouts, date+between+hours)
			}
		}
	}
	return layouts
}

// Plausible reports whether a year is likely: it rejects numbers that are not Unix time, and dates whose year is in another position.
func Plausible(t time.Time) bool {
	y := t.UTC().Year()
	return y >= FirstYear && y < 2200
}

// FirstYear is the first whose events are accepted.
const FirstYear = 1990
