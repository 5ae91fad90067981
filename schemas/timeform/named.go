package timeform

import (
	"fmt"
	"strings"
	"time"
)

// Names returns the names that Named accepts.
func Names() []string {
	return []string{"auto", "rfc3339", "unix", "unix_ms", "unix_us", "unix_ns", "excel", jalali().name, ummAlQura().name}
}

// Named returns the form of a name of Names, a Go layout or a format of strftime; nil for auto and "". zone is that of times that do
// not state theirs.
func Named(format string, zone *time.Location) (*Form, error) {
	switch {
	case format == "" || format == "auto":
		return nil, nil
	case format == "unix":
		return &Form{perUnit: time.Second}, nil
	case format == "unix_ms":
		return &Form{perUnit: time.Millisecond}, nil
	case format == "unix_us":
		return &Form{perUnit: time.Microsecond}, nil
	case format == "unix_ns":
		return &Form{perUnit: time.Nanosecond}, nil
	case format == "excel":
		return &Form{serial: true, zone: zone}, nil
	case format == jalali().name:
		return inCalendar(jalali(), zone), nil
	case format == ummAlQura().name:
		return inCalendar(ummAlQura(), zone), nil
	case format == "rfc3339":
		return &Form{layouts: []string{time.RFC3339}, zone: zone}, nil
	case strings.Contains(format, "%s"):
		if format != "%s" {
			return nil, fmt.Errorf("%q: %%s stands alone", format)
		}
		return &Form{perUnit: time.Second}, nil
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
		return nil, fmt.Errorf("%q does not name a year, month and day: "+
			"give a Go layout (2006-01-02 15:04:05), strftime (%%Y-%%m-%%d), or one of %s", format, strings.Join(Names(), ", "))
	}
	return &Form{layouts: []string{layout}, zone: zone}, nil
}

// fromStrftime translates strftime into a Go layout.
func fromStrftime(format string) (string, error) {
	var layout, literal strings.Builder
	refuse := func(what string) error { return fmt.Errorf("%q: %s", format, what) }
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
