package timeform

import (
	"strconv"
	"strings"
	"time"

	"github.com/hablullah/go-hijri"
	"github.com/jalaali/go-jalaali"
)

// calendar is a calendar other than the Gregorian one, whose dates are written year, month, day.
type calendar struct {
	name      string // for Named
	reading   string
	century   int // of a year of two digits below pivot; from pivot on, the century before
	pivot     int
	gregorian func(year, month, day int) (time.Time, bool)
}

// jalali is the Solar Hijri calendar of Iran and Afghanistan.
func jalali() *calendar {
	return &calendar{name: "jalali", reading: "year/month/day of the Solar Hijri calendar (jalali)", century: 1400, pivot: 30, gregorian: func(year, month, day int) (time.Time, bool) {
		if !jalaali.IsValidDate(year, month, day) {
			return time.Time{}, false
		}
		y, m, d, err := jalaali.ToGregorian(year, jalaali.Month(month), day)
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC), err == nil
	}}
}

// ummAlQura is the lunar Hijri calendar of Saudi Arabia, which defines the years 1356 to 1500.
func ummAlQura() *calendar {
	return &calendar{name: "hijri", reading: "year/month/day of the Hijri calendar (hijri)", century: 1400, pivot: 60, gregorian: func(year, month, day int) (time.Time, bool) {
		if year < 1356 || year > 1500 {
			return time.Time{}, false
		}
		t := hijri.UmmAlQuraDate{Year: int64(year), Month: int64(month), Day: int64(day)}.ToGregorian()
		back, err := hijri.CreateUmmAlQuraDate(t)
		return t, err == nil && back.Month == int64(month) && back.Day == int64(day) // a month has 29 or 30 days
	}}
}

// toGregorian replaces the date with which a text begins by the same day as 2006-01-02; the time of day follows it unchanged.
func (c *calendar) toGregorian(text string) (string, bool) {
	rest := text
	var parts [3]int
	for i := range parts {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.Atoi(rest[:digits])
		if err != nil || i == 0 && digits != 2 && digits != 4 || i > 0 && digits > 2 {
			return "", false
		}
		if i == 0 && digits == 2 {
			if n += c.century; n >= c.century+c.pivot {
				n -= 100
			}
		}
		parts[i], rest = n, rest[digits:]
		if i < 2 {
			if rest == "" || rest[0] != '/' && rest[0] != '-' {
				return "", false
			}
			rest = rest[1:]
		}
	}
	if parts[1] < 1 || parts[1] > 12 || parts[2] < 1 || parts[2] > 31 {
		return "", false
	}
	day, ok := c.gregorian(parts[0], parts[1], parts[2])
	return day.Format(time.DateOnly) + rest, ok
}

// SolarHijri returns the Gregorian day of a date of the Solar Hijri calendar, at midnight UTC; false if there is no such date.
func SolarHijri(year, month, day int) (time.Time, bool) { return jalali().gregorian(year, month, day) }

// ToSolarHijri returns the date of a moment, in its zone, in the Solar Hijri calendar; false outside the years for which the calendar is
// computed, up to 3177.
func ToSolarHijri(at time.Time) (year, month, day int, ok bool) {
	y, m, d, err := jalaali.ToJalaali(at.Year(), at.Month(), at.Day())
	return y, int(m), d, err == nil
}

// Hijri returns the Gregorian day of a date of the Hijri calendar (Umm al-Qura, 1356 to 1500), at midnight UTC; false if there is no
// such date.
func Hijri(year, month, day int) (time.Time, bool) { return ummAlQura().gregorian(year, month, day) }
