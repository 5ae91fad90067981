package eventfile

import (
	"fmt"
	"strings"
	"time"

	"github.com/mainstay/mainstay/schemas/timeform"
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
		"strftime (%%Y-%%m-%%d), or one of %s", e.Sample, e.Column, e.Line, what, strings.Join(timeform.Names(), ", "))
}

// detection finds the time format of one column, value by value.
type detection struct {
	column     string
	candidates []*timeform.Form  // the formats that fit all values so far
	parsed     bool              // some value has a known format
	sample     string            // the first of them
	line       int               // of the sample
	unknown    *UnknownTimeError // the first value of no known format
}

// narrow drops the candidates that do not fit one more value. It returns whether one candidate remains.
func (d *detection) narrow(text string, line int) (decided bool, err error) {
	known, fit := false, d.candidates[:0:0]
	for _, f := range d.candidates {
		if t, _, err := f.Parse(text); err == nil && timeform.Plausible(t) {
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
	for _, f := range timeform.Families(time.UTC) {
		if t, _, err := f.Parse(text); err == nil && timeform.Plausible(t) {
			return true
		}
	}
	return false
}

// format returns the format of the column, nil if no row has a value.
func (d *detection) format() (*timeform.Form, error) {
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
		_, layout, _ := f.Parse(d.sample)
		ambiguous.Layouts = append(ambiguous.Layouts, layout)
	}
	return nil, ambiguous
}
