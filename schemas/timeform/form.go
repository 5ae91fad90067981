package timeform

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay/mainstay/schemas/digits"
)

// Form is one way of reading a time: in one of several layouts that put the date in the same order, in Unix time, or as the days of a
// spreadsheet. It is not safe for concurrent use.
type Form struct {
	reading  string // for people: day/month/year
	short    bool   // its years have two digits
	layouts  []string
	shapes   []shape        // of the layouts; nil: every layout is tried
	calendar *calendar      // of the dates; nil: Gregorian
	perUnit  time.Duration  // of Unix time; 0: not Unix time
	serial   bool           // a spreadsheet's number of days since 1899-12-30
	zone     *time.Location // of times that state none
	last     int            // index of the layout that fitted last
}

const secondsPerDay = 24 * 60 * 60

var errTime = errors.New("not a time of this form")

// Parse reads a time; layout is the one that fitted, in the form that Named accepts, and "" for Unix time.
func (f *Form) Parse(text string) (t time.Time, layout string, err error) {
	text = digits.Plain(text)
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
	seen := shapeOf(text)
	for i := range f.layouts {
		layout = f.layouts[(f.last+i)%len(f.layouts)]
		if f.shapes != nil && !f.shapes[(f.last+i)%len(f.layouts)].fits(seen) {
			continue
		}
		t, err = time.ParseInLocation(layout, text, time.UTC)
		if _, offset := t.Zone(); err != nil || offset <= -secondsPerDay || offset >= secondsPerDay { // package time takes +24:00
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
