package timeform

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/schemas/timestamp"
)

// ErrUnknown is returned for a text that no form fits.
var ErrUnknown = errors.New("a time is wanted, such as 2026-03-01T12:00:00Z")

// AmbiguousError says that a text can be read in several ways, or in one that leaves the century open. It has nothing of the text.
type AmbiguousError struct{ Readings []string }

// Error names the readings.
func (e *AmbiguousError) Error() string {
	return "can be read as " + strings.Join(e.Readings, " or as ") + ": write it as 2026-03-01T12:00:00Z"
}

// Reader reads times one by one, each in whatever form it has. It is not safe for concurrent use.
type Reader struct {
	zone  *time.Location
	forms []*Form
}

// NewReader returns a reader; times that do not state their zone are of this one.
func NewReader(zone *time.Location) *Reader {
	r := &Reader{zone: zone}
	for _, f := range Families(zone) {
		if !f.serial { // a number of an event is Unix time
			r.forms = append(r.forms, f)
		}
	}
	return r
}

// Read reads a time into Unix ms. A reading more than a year after latest (ms) is dropped if there is another: it is a date of another
// calendar. Readings that differ in the order of day and month lie closer together, so that none is ever chosen by the clock. The error
// is ErrUnknown or an *AmbiguousError.
func (r *Reader) Read(text []byte, latest int64) (ms int64, err error) {
	if ms, ok := r.civil(text); ok {
		return ms, nil
	}
	type reading struct {
		name string
		ms   int64
		open bool
	}
	var likely, early []reading
	for _, f := range r.forms {
		t, _, err := f.Parse(string(text))
		switch {
		case err != nil:
		case Plausible(t):
			likely = append(likely, reading{f.reading, t.UnixMilli(), f.short})
		case f == r.forms[0] && t.Year() > 1500: // the caller refuses what lies before 1990
			early = append(early, reading{f.reading, t.UnixMilli(), false})
		}
	}
	const year = 366 * 24 * 60 * 60 * 1000
	if i := slices.IndexFunc(likely, func(x reading) bool { return x.ms-year <= latest }); i >= 0 {
		likely = slices.DeleteFunc(likely, func(x reading) bool { return x.ms-year > latest })
	}
	if len(likely) == 0 {
		likely = early
	}
	if len(likely) == 0 {
		return 0, ErrUnknown
	}
	ambiguous := &AmbiguousError{}
	differ := false
	for _, x := range likely {
		ambiguous.Readings = append(ambiguous.Readings, x.name)
		differ = differ || x.ms != likely[0].ms || x.open
	}
	if differ {
		return 0, ambiguous
	}
	return likely[0].ms, nil
}

// civil reads the most frequent form after RFC 3339, 2026-03-01T12:00:00 or with a space, faster than the forms do.
func (r *Reader) civil(text []byte) (ms int64, ok bool) {
	const longest = len("2026-03-01T12:00:00.123456789")
	if len(text) < len("2026-03-01T12:00:00") || len(text) > longest || text[10] != 'T' && text[10] != ' ' {
		return 0, false
	}
	var buf [longest + 1]byte
	n := copy(buf[:], text)
	buf[10], buf[n] = 'T', 'Z'
	if ms, ok = timestamp.Parse(buf[:n+1]); !ok {
		return 0, false
	}
	wall := time.UnixMilli(ms).UTC()
	if !Plausible(wall) { // perhaps of another calendar
		return 0, false
	}
	return civil(wall, r.zone).UnixMilli(), true
}
