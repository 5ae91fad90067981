package eventfile

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// timeFormat reads the times of one column: in one of several layouts that put the date in the same order, in Unix time, or as the
// days of a spreadsheet.
type timeFormat struct {
	layouts  []string
	calendar *calendar     // of the dates; nil: Gregorian
	perUnit  time.Duration // of Unix time; 0: not Unix time
	serial   bool          // a spreadsheet's number of days since 1899-12-30
	zone     *time.Location
	last     int // index of the layout that fitted last
}

var errTime = errors.New("not a time of this format")

// parse reads a time; layout is the one that fitted, as a value of --time-format.
func (f *timeFormat) parse(text string) (t time.Time, layout string, err error) {
	text = plainDigits(text)
	switch {
	case f.perUnit != 0:
		t, err = unixTime(text, f.perUnit)
		return t, "", err
	case f.serial:
		t, err = serialTime(text, f.zone)
		return t, "excel", err
	}
	text, zone := trimZoneName(text, f.zone)
	if f.calendar != nil {
		var ok bool
		if text, ok = f.calendar.toGregorian(text); !ok {
			return time.Time{}, "", errTime
		}
	}
	for i := range f.layouts {
		layout = f.layouts[(f.last+i)%len(f.layouts)]
		t, err = time.ParseInLocation(layout, text, time.UTC)
		if err != nil {
			continue
		}
		f.last = (f.last + i) % len(f.layouts)
		if !strings.Contains(layout, "07") { // the layout has no offset
			t = civil(t, zone)
		}
		if f.calendar != nil {
			layout = f.calendar.name
		}
		return t, layout, nil
	}
	return time.Time{}, "", errTime
}

// trimZoneName drops the names of zones that add nothing to an offset (Z[UTC], +01:00[Europe/Berlin], GMT+0100 (CET)) and those of
// UTC itself. The time is in UTC then, and otherwise in the zone of the column.
func trimZoneName(text string, zone *time.Location) (string, *time.Location) {
	for _, brackets := range []string{"[]", "()"} {
		if open := strings.LastIndexByte(text, brackets[0]); open > 0 && text[len(text)-1] == brackets[1] {
			text = strings.TrimRight(text[:open], " ")
		}
	}
	for _, name := range []string{"UTC", "GMT"} {
		if len(text) > len(name) && strings.EqualFold(text[len(text)-len(name):], name) {
			return strings.TrimRight(text[:len(text)-len(name)], " "), time.UTC
		}
	}
	return text, zone
}

// civil returns the instant at which clocks in a zone show the given time. Of a time that clocks show twice it is the first; a time
// that they skip is read with the offset before the change, as RFC 5545 does.
func civil(wall time.Time, zone *time.Location) time.Time {
	offsetAt := func(t time.Time) time.Duration {
		_, seconds := t.In(zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	before, after := offsetAt(wall.Add(-24*time.Hour)), offsetAt(wall.Add(24*time.Hour))
	first := wall.Add(-before)
	if second := wall.Add(-after); offsetAt(first) != before && offsetAt(second) == after {
		return second
	}
	return first
}

// serialTime reads days since 1899-12-30 in the zone, to the millisecond.
func serialTime(text string, zone *time.Location) (time.Time, error) {
	days, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "0123456789.") != "" || days > 200_000 {
		return time.Time{}, errTime
	}
	const perDay = 24 * 60 * 60 * 1000
	ms := int64(math.Round(days * perDay))
	return civil(time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(ms/perDay)).Add(time.Duration(ms%perDay)*time.Millisecond), zone), nil
}

// unixTime reads units since 1970, with a fraction or none, without a float.
func unixTime(text string, unit time.Duration) (time.Time, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || unit > time.Microsecond && (n < -1<<53 || n > 1<<53) {
		return time.Time{}, errTime
	}
	perSecond := int64(time.Second / unit)
	t := time.Unix(n/perSecond, n%perSecond*int64(unit))
	if fraction == "" {
		return t, nil
	}
	part, err := strconv.ParseUint((fraction + "00000000")[:9], 10, 32)
	if err != nil || strings.HasPrefix(text, "-") {
		return time.Time{}, errTime
	}
	return t.Add(time.Duration(part) * unit / time.Second), nil
}

// TimeFormats returns the values of Mapping.TimeFormat that are names.
func TimeFormats() []string {
	return []string{"auto", "rfc3339", "unix", "unix_ms", "unix_us", "unix_ns", "excel", jalali().name, ummAlQura().name}
}

// calendarFormat reads dates of a calendar, alone or with a time of day.
func calendarFormat(c *calendar, zone *time.Location) *timeFormat {
	return &timeFormat{calendar: c, layouts: withClock("2006-01-02"), zone: zone}
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

// parseFormat parses the value of --time-format; nil is auto.
func parseFormat(format string, zone *time.Location) (*timeFormat, error) {
	switch {
	case format == "" || format == "auto":
		return nil, nil
	case format == "unix":
		return &timeFormat{perUnit: time.Second}, nil
	case format == "unix_ms":
		return &timeFormat{perUnit: time.Millisecond}, nil
	case format == "unix_us":
		return &timeFormat{perUnit: time.Microsecond}, nil
	case format == "unix_ns":
		return &timeFormat{perUnit: time.Nanosecond}, nil
	case format == "excel":
		return &timeFormat{serial: true, zone: zone}, nil
	case format == jalali().name:
		return calendarFormat(jalali(), zone), nil
	case format == ummAlQura().name:
		return calendarFormat(ummAlQura(), zone), nil
	case format == "rfc3339":
		return &timeFormat{layouts: []string{time.RFC3339}, zone: zone}, nil
	case strings.Contains(format, "%s"):
		if format != "%s" {
			return nil, fmt.Errorf("event file: --time-format %q: %%s stands alone", format)
		}
		return &timeFormat{perUnit: time.Second}, nil
	}
	layout := format
	if strings.Contains(format, "%") {
		var err error
		if layout, err = fromStrftime(format); err != nil {
			return nil, err
		}
	}
	// A layout is valid if a day that is formatted with it parses as the same day.
	day := time.Date(2031, 11, 28, 0, 0, 0, 0, time.UTC)
	read, err := time.Parse(layout, day.Format(layout))
	if err != nil || read.Year() != 2031 || read.YearDay() != day.YearDay() {
		return nil, fmt.Errorf("event file: --time-format %q does not name a year, month and day: "+
			"give a Go layout (2006-01-02 15:04:05), strftime (%%Y-%%m-%%d), or one of %s", format, strings.Join(TimeFormats(), ", "))
	}
	return &timeFormat{layouts: []string{layout}, zone: zone}, nil
}

// fromStrftime translates strftime into a Go layout.
func fromStrftime(format string) (string, error) {
	var layout, literal strings.Builder
	refuse := func(what string) error { return fmt.Errorf("event file: --time-format %q: %s", format, what) }
	moment := time.Date(2031, 11, 28, 22, 37, 51, 0, time.UTC)
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			literal.WriteByte(format[i])
			layout.WriteByte(format[i])
			continue
		}
		if text := literal.String(); moment.Format(text) != text {
			return "", refuse(fmt.Sprintf("%q cannot stand between the directives", text))
		}
		literal.Reset()
		if i++; i == len(format) {
			return "", refuse("ends with %")
		}
		if format[i] == '-' && i+1 < len(format) { // glibc's: without a leading zero
			i++
		}
		part, ok := directive(format[i])
		switch format[i] {
		case 'f':
			if !strings.HasSuffix(layout.String(), "05.") {
				return "", refuse("%f must stand after %S.")
			}
			part, ok = "999999999", true
		case 'Z':
			return "", refuse("names of time zones have several meanings: use %z, or leave it out and give --timezone")
		}
		if !ok {
			return "", refuse(fmt.Sprintf("%%%c is not known", format[i]))
		}
		layout.WriteString(part)
	}
	if text := literal.String(); moment.Format(text) != text {
		return "", refuse(fmt.Sprintf("%q cannot stand behind the directives", text))
	}
	return layout.String(), nil
}

// directive returns the part of a Go layout for a directive: of several, the one that also reads one digit.
func directive(c byte) (string, bool) {
	switch c {
	case 'Y':
		return "2006", true
	case 'y':
		return "06", true
	case 'm':
		return "01", true
	case 'd':
		return "02", true
	case 'e':
		return "_2", true
	case 'b', 'h':
		return "Jan", true
	case 'B':
		return "January", true
	case 'a':
		return "Mon", true
	case 'A':
		return "Monday", true
	case 'j':
		return "002", true
	case 'H':
		return "15", true
	case 'I':
		return "03", true
	case 'M':
		return "04", true
	case 'S':
		return "05", true
	case 'p':
		return "PM", true
	case 'z':
		return "-0700", true
	case 'T':
		return "15:04:05", true
	case 'R':
		return "15:04", true
	case 'F':
		return "2006-01-02", true
	case 'D':
		return "01/02/06", true
	case '%':
		return "%", true
	default:
		return "", false
	}
}
