package calendar

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Month is a civil month, counted from January 1970.
type Month int32

// earliest is before every month of a purchase.
const earliest Month = -1 << 20

const monthsPerYear = 12

// daysBefore are the days of a year, that is no leap year, before each month.
var daysBefore = [monthsPerYear]int32{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334} //nolint:gochecknoglobals // constant

// MonthOf returns the month of a civil day, counted from 1970-01-01. It is called several times with each event, and package time takes
// ten times as long.
func MonthOf(day int32) Month {
	const daysIn400Years = 146_097
	year := 1970 + int32(floorDivide(int64(day)*400, daysIn400Years)) //nolint:gosec // a day is an int32
	switch {
	case day < newYear(year):
		year--
	case day >= newYear(year+1):
		year++
	}
	ofYear := day - newYear(year)
	month := Month(year-1970)*monthsPerYear + Month(ofYear/32)
	if day >= (month + 1).FirstDay() {
		month++
	}
	return month
}

// FirstDay returns the first civil day of the month.
func (m Month) FirstDay() int32 {
	year := 1970 + int32(floorDivide(int64(m), monthsPerYear)) //nolint:gosec // a month is an int32
	month := int32(m) - (year-1970)*monthsPerYear
	day := newYear(year) + daysBefore[month]
	if month > 1 && newYear(year+1)-newYear(year) == 366 {
		day++
	}
	return day
}

// newYear returns the first civil day of a year.
func newYear(year int32) int32 {
	before := int64(year) - 1
	leaps := floorDivide(before, 4) - floorDivide(before, 100) + floorDivide(before, 400)
	const leapsBefore1970 = 477
	return int32(365*(int64(year)-1970) + leaps - leapsBefore1970) //nolint:gosec // a day is an int32
}

func floorDivide(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// String returns the month as YYYY-MM.
func (m Month) String() string {
	at := time.Date(1970, time.January+time.Month(m), 1, 0, 0, 0, 0, time.UTC)
	return fmt.Sprintf("%04d-%02d", at.Year(), int(at.Month()))
}

// Quarter returns the quarter of the month as YYYY-QN.
func (m Month) Quarter() string {
	year, month, _ := strings.Cut(m.String(), "-")
	n, _ := strconv.Atoi(month) // as String writes it
	return fmt.Sprintf("%s-Q%d", year, (n+2)/3)
}

// Year returns the year of the month as YYYY.
func (m Month) Year() string {
	year, _, _ := strings.Cut(m.String(), "-")
	return year
}

// ParseMonth reads YYYY-MM.
func ParseMonth(text string) (Month, error) {
	at, err := time.Parse("2006-01", text)
	if err != nil {
		return 0, fmt.Errorf("%q is no month: write YYYY-MM, such as 2026-10", text)
	}
	return Month((at.Year()-1970)*monthsPerYear + int(at.Month()) - 1), nil //nolint:gosec // four digits of a year
}
