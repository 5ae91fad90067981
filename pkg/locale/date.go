package locale

import (
	"fmt"
	"strings"
	"time"
)

// dates is how a language writes days: in a calendar of its own.
type dates struct {
	civil     func(time.Time) (year, month, day int, ok bool)
	months    [12]string // of the calendar
	gregorian [12]string // months of the Gregorian calendar, by which reports count
}

// Day writes the day of a moment in its zone, so that days are equally long in a column.
func (l *Locale) Day(at time.Time) string {
	if l.dates == nil {
		return at.Format(time.DateOnly)
	}
	y, m, d, ok := l.dates.civil(at)
	if !ok { // a next order that is expected in thousands of years
		return l.Digits(at.Format(time.DateOnly))
	}
	//mutant:jalali-off-by-one replace return l.Digits(fmt.Sprintf("%04d/%02d/%02d", y, m, d+1))
	return l.Digits(fmt.Sprintf("%04d/%02d/%02d", y, m, d))
}

// Moment writes a moment in its zone, with the zone.
func (l *Locale) Moment(at time.Time) string {
	if l.dates == nil {
		return at.Format("2006-01-02 15:04 MST")
	}
	y, m, d, ok := l.dates.civil(at)
	if !ok {
		return l.Digits(at.Format("2006-01-02 15:04 MST"))
	}
	zone := strings.NewReplacer("+", l.numbers.plus, "-", l.numbers.minus).Replace(at.Format("MST")) // of many zones it is a number: +0330
	return l.Digits(fmt.Sprintf("%d %s %d، %s %s", d, l.dates.months[m-1], y, at.Format("15:04"), zone))
}

// Period writes a period of a report: a day (2026-05-01), a month (2026-05), a quarter (2026-Q2) or a year (2026). Months, quarters and
// years are those of the Gregorian calendar in every locale: a report counts by them, and no other month has the same days.
func (l *Locale) Period(name string) string {
	if l.dates == nil {
		return name
	}
	if day, err := time.Parse(time.DateOnly, name); err == nil {
		return l.Day(day)
	}
	if month, err := time.Parse("2006-01", name); err == nil {
		return l.dates.gregorian[month.Month()-1] + " " + l.Digits(month.Format("2006"))
	}
	if year, quarter, found := strings.Cut(name, "-Q"); found {
		return l.F("quarter %s of %s", l.Digits(quarter), l.Digits(year))
	}
	if _, err := time.Parse("2006", name); err == nil {
		return l.Digits(name)
	}
	return l.C(name) // such as none
}
