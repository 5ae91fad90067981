package eventfile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// timeFormat reads the times of one column: in one of several layouts that put the date in the same order, or in Unix time.
type timeFormat struct {
	layouts []string
	perUnit time.Duration // of Unix time; 0: layouts
	zone    *time.Location
	last    int // index of the layout that fitted last
}

var errTime = errors.New("not a time of this format")

// parse reads a time; layout is the one that fitted.
func (f *timeFormat) parse(text string) (t time.Time, layout string, err error) {
	if f.perUnit != 0 {
		t, err = unixTime(text, f.perUnit)
		return t, "", err
	}
	for i := range f.layouts {
		layout = f.layouts[(f.last+i)%len(f.layouts)]
		if t, err = time.ParseInLocation(layout, text, f.zone); err == nil {
			f.last = (f.last + i) % len(f.layouts)
			return t, layout, nil
		}
	}
	return time.Time{}, "", errTime
}

// unixTime reads seconds or milliseconds since 1970, with a fraction or none, without a float.
func unixTime(text string, unit time.Duration) (time.Time, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < -1<<53 || n > 1<<53 {
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

// parseFormat parses the value of --time-format; nil is auto.
func parseFormat(format string, zone *time.Location) (*timeFormat, error) {
	switch {
	case format == "" || format == "auto":
		return nil, nil
	case format == "unix":
		return &timeFormat{perUnit: time.Second}, nil
	case format == "unix_ms":
		return &timeFormat{perUnit: time.Millisecond}, nil
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
			"give a Go layout (2006-01-02 15:04:05), strftime (%%Y-%%m-%%d), rfc3339, unix, unix_ms or auto", format)
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
