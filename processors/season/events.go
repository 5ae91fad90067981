package season

import (
	"time"

	"github.com/mainstay/mainstay/schemas/timeform"
)

// rule is when an event recurs.
type rule struct {
	name string
	// first and days are those of its occurrence in a year of its calendar.
	first    func(year int) (time.Time, bool)
	days     int32
	calendar calendar
}

// calendar gives the years of a calendar that begin in, or next before, a Gregorian year.
type calendar func(gregorian int) int

func gregorian(year int) int  { return year }
func solarHijri(year int) int { return year - 621 }
func hijri(year int) int      { return (year-622)*33/32 + 1 } // within a year

// rules are all events. Those of different calendars can meet; their multipliers multiply then.
func rules() []rule {
	return []rule{
		{"black_friday", blackFriday, 4, gregorian}, // to Monday
		{"christmas", on(december, 1), 24, gregorian},
		{"nowruz", beforeNowruz, 14, solarHijri}, // the two weeks before the new year
		{"nowruz_holidays", onSolarHijri(1, 1), 13, solarHijri},
		{"ramadan", onHijri(9, 1), 29, hijri},     // a 30th day stays without
		{"eid_al_fitr", onHijri(10, 1), 3, hijri}, // 1 to 3 Shawwal
		{"eid_al_adha", onHijri(12, 10), 4, hijri},
	}
}

const december = 12

// blackFriday is the day after the fourth Thursday of November.
func blackFriday(year int) (time.Time, bool) {
	first := time.Date(year, time.November, 1, 0, 0, 0, 0, time.UTC)
	thursday := (int(time.Thursday) - int(first.Weekday()) + WeekDays) % WeekDays
	return first.AddDate(0, 0, thursday+3*WeekDays+1), true
}

func on(month, day int) func(int) (time.Time, bool) {
	return func(year int) (time.Time, bool) {
		return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC), true
	}
}

func beforeNowruz(year int) (time.Time, bool) {
	nowruz, ok := timeform.SolarHijri(year, 1, 1)
	return nowruz.AddDate(0, 0, -14), ok
}

func onSolarHijri(month, day int) func(int) (time.Time, bool) {
	return func(year int) (time.Time, bool) { return timeform.SolarHijri(year, month, day) }
}

func onHijri(month, day int) func(int) (time.Time, bool) {
	return func(year int) (time.Time, bool) { return timeform.Hijri(year, month, day) }
}

// Events returns the names of all events that recur by a rule.
func Events() []string {
	var names []string
	for _, r := range rules() {
		names = append(names, r.name)
	}
	return names
}

func ruleOf(name string) (rule, bool) {
	for _, r := range rules() {
		if r.name == name {
			return r, true
		}
	}
	return rule{}, false
}

// Occurrences returns the first and last civil days of a named event between two days, both included; an occurrence that lies in part
// between them is whole.
func Occurrences(name string, from, to int32) [][2]int32 {
	r, ok := ruleOf(name)
	if !ok {
		return nil
	}
	var out [][2]int32
	year := func(day int32) int { return time.Unix(int64(day)*86400, 0).UTC().Year() }
	for y := r.calendar(year(from)) - 2; y <= r.calendar(year(to))+2; y++ {
		at, ok := r.first(y)
		if !ok {
			continue
		}
		first := int32(at.Unix() / 86400) //nolint:gosec // a day of these centuries
		last := first + r.days - 1
		if last >= from && first <= to {
			out = append(out, [2]int32{first, last})
		}
	}
	return out
}
