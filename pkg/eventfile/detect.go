package eventfile

import (
	"fmt"
	"strings"
	"time"
)

// AmbiguousTimeError says that the dates of a column can be read in more than one way, in all rows that were examined.
type AmbiguousTimeError struct {
	Column  string
	Line    int
	Sample  string
	Layouts []string // Go layouts, each of which fits
}

// Error names the flag that resolves it.
func (e *AmbiguousTimeError) Error() string {
	return fmt.Sprintf("event file: %q in column %q (line %d) can be read in %d ways: say which with --time-format \"%s\"",
		e.Sample, e.Column, e.Line, len(e.Layouts), strings.Join(e.Layouts, `" or --time-format "`))
}

// UnknownTimeError says that the times of a column are of no known format, or not all of one.
type UnknownTimeError struct {
	Column string
	Line   int
	Sample string
	Mixed  bool // other rows are of a known format, which this one is not
}

// Error names the flag that resolves it.
func (e *UnknownTimeError) Error() string {
	what := "is of no known format"
	if e.Mixed {
		what = "is of another format than the rows before it"
	}
	return fmt.Sprintf("event file: %q in column %q (line %d) %s: give --time-format, as a Go layout (2006-01-02 15:04:05), "+
		"strftime (%%Y-%%m-%%d), or one of %s", e.Sample, e.Column, e.Line, what, strings.Join(TimeFormats(), ", "))
}

// families are the formats that auto knows; each is one way of reading a date.
func families(zone *time.Location) []*timeFormat {
	clock := func(dates ...string) *timeFormat { return &timeFormat{layouts: withClock(dates...), zone: zone} }
	iso := &timeFormat{zone: zone, layouts: append(withClock("2006-01-02", "2006-1-2"), time.RFC3339)}
	for _, clock := range []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"} {
		for _, offset := range []string{"Z07:00", " Z07:00", "Z0700", " Z0700", "Z07", " Z07"} {
			iso.layouts = append(iso.layouts, clock+offset)
		}
	}
	return []*timeFormat{
		iso,
		{zone: zone, layouts: []string{"20060102", "20060102150405", "20060102 15:04:05", "20060102 15:04", "20060102T150405", "20060102T150405Z07:00"}},
		clock("2006/1/2"),
		clock("2.1.2006"), clock("2/1/2006"), clock("1/2/2006"), clock("2-1-2006"), clock("1-2-2006"),
		clock("2.1.06"), clock("2/1/06"), clock("1/2/06"), clock("06/1/2"), clock("2-1-06"), clock("1-2-06"), clock("06-1-2"),
		clock("2 Jan 2006", "2-Jan-2006", "2 January 2006", "Jan 2, 2006", "Jan 2 2006", "January 2, 2006", "2-Jan-06"),
		{zone: zone, layouts: []string{
			time.RFC1123Z, "Mon, 2 Jan 2006 15:04:05 -0700", "Mon, 2 Jan 2006 15:04:05", "Mon Jan 2 15:04:05 2006", "Mon Jan 2 2006 15:04:05 GMT-0700",
		}},
		calendarFormat(jalali(), zone), calendarFormat(ummAlQura(), zone),
		{perUnit: time.Second},
		{perUnit: time.Millisecond},
		{perUnit: time.Microsecond},
		{perUnit: time.Nanosecond},
		{serial: true, zone: zone},
	}
}

// detection finds the time format of one column, value by value.
type detection struct {
	column     string
	candidates []*timeFormat     // the formats that fit all values so far
	parsed     bool              // some value has a known format
	sample     string            // the first of them
	line       int               // of the sample
	unknown    *UnknownTimeError // the first value of no known format
}

// narrow drops the candidates that do not fit one more value. It returns whether one candidate remains.
func (d *detection) narrow(text string, line int) (decided bool, err error) {
	known, fit := false, d.candidates[:0:0]
	for _, f := range d.candidates {
		if t, _, err := f.parse(text); err == nil && plausible(t) {
			known, fit = true, append(fit, f)
		}
	}
	if !known {
		failure := &UnknownTimeError{Column: d.column, Line: line, Sample: shortened(text, 40), Mixed: d.parsed}
		if d.parsed && d.knownToOthers(text) {
			return false, failure
		}
		if d.unknown == nil {
			d.unknown = failure // perhaps a placeholder for no time: Next refuses its row
		}
		return false, nil
	}
	if !d.parsed {
		d.parsed, d.sample, d.line = true, text, line
	}
	d.candidates = fit
	return len(fit) == 1, nil
}

// knownToOthers reports whether a value fits a format that earlier values have ruled out.
func (d *detection) knownToOthers(text string) bool {
	for _, f := range families(time.UTC) {
		if t, _, err := f.parse(text); err == nil && plausible(t) {
			return true
		}
	}
	return false
}

// format returns the format of the column, nil if no row has a value.
func (d *detection) format() (*timeFormat, error) {
	switch {
	case !d.parsed && d.unknown != nil:
		return nil, d.unknown
	case !d.parsed:
		return nil, nil
	case len(d.candidates) == 1:
		return d.candidates[0], nil
	}
	ambiguous := &AmbiguousTimeError{Column: d.column, Line: d.line, Sample: shortened(d.sample, 40)}
	for _, f := range d.candidates {
		_, layout, _ := f.parse(d.sample)
		ambiguous.Layouts = append(ambiguous.Layouts, layout)
	}
	return nil, ambiguous
}

// plausible reports whether a year is likely: it rejects numbers that are not Unix time, and dates whose year is in another
// position.
func plausible(t time.Time) bool {
	y := t.UTC().Year()
	return y >= earliestYear && y < 2200
}

// earliestYear is the first whose events intake accepts.
const earliestYear = 1990
