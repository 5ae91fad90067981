package season

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// The years in which a clock has a season; before and after them the pace is 1. No event is older, and the Hijri calendar is defined
// until 2077.
const (
	firstYear = 1990
	lastYear  = 2076
)

func firstDay() int32 { return yearBegins(firstYear) }
func endDay() int32   { return yearBegins(lastYear + 1) }

func yearBegins(year int) int32 {
	return int32(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix() / 86400) //nolint:gosec // a day of these centuries
}

// Clock converts civil time to the season's time and back, in constant time. Both are in days since 1970-01-01, with fractions. The
// nil Clock has no season: both times are the same. A Clock may be used by several goroutines.
//
// It makes the table of a year when it is first asked for a time in that year: a state is decoded more often than its clock is
// asked for more than a few years.
type Clock struct {
	season Season
	begins [years + 1]int32 // of each year, and of the one after the last
	tables [years]atomic.Pointer[table]
}

const years = lastYear - firstYear + 1

// table holds how far the season's time is ahead of civil time at the beginning of each day of a year, and at its end; 0 at both ends. The
// difference is kept and not the time, so that without a season every conversion leaves a time as it is, bit for bit.
type table []float64

// NewClock returns the clock of a season; nil for a flat one. The errors are those of Season.Validate.
func NewClock(s *Season) (*Clock, error) {
	if s == nil {
		return nil, nil //nolint:nilnil // the nil Clock is the one without a season
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	c := Trusted(s)
	for i := range years {
		if c == nil {
			break
		}
		if err := c.checkPace(i); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Trusted is NewClock for a season that Validate has accepted.
func Trusted(s *Season) *Clock {
	if s.Flat() {
		return nil
	}
	c := &Clock{season: *s}
	for i := range c.begins {
		c.begins[i] = yearBegins(firstYear + i)
	}
	return c
}

func (c *Clock) checkPace(year int) error {
	for i, v := range c.pace(year) {
		if !(v >= Least && v <= Most) {
			day := civil(c.begins[year] + int32(i))
			return fmt.Errorf("%w: the pace of %s is %v times the mean of its year, want %v to %v", ErrPace, day, v, Least, Most)
		}
	}
	return nil
}

// pace returns the pace of each day of a year, counted from firstYear, scaled such that its mean is 1.
func (c *Clock) pace(year int) []float64 {
	s, begin, end := &c.season, c.begins[year], c.begins[year+1]
	pace := make([]float64, end-begin)
	for i := range pace {
		pace[i] = 1
		if len(s.Weekly) > 0 {
			pace[i] = s.Weekly[Weekday(begin+int32(i))]
		}
		if len(s.Yearly) > 0 {
			pace[i] = float64(pace[i] * s.yearly(int32(i), end-begin))
		}
	}
	multiply := func(first, last int32, by float64) {
		for day := max(first, begin); day <= min(last, end-1); day++ {
			pace[day-begin] = float64(pace[day-begin] * by)
		}
	}
	for _, e := range s.Events {
		for _, days := range Occurrences(e.Name, begin, end-1) {
			multiply(days[0], days[1], e.Multiplier)
		}
	}
	for _, campaign := range s.Campaigns {
		multiply(campaign.First, campaign.Last, campaign.Multiplier)
	}
	sum := 0.0
	for _, v := range pace {
		sum += v
	}
	mean := sum / float64(len(pace))
	for i := range pace {
		pace[i] /= mean
	}
	return pace
}

// table returns the table of a year, counted from firstYear.
func (c *Clock) table(year int) table {
	if t := c.tables[year].Load(); t != nil {
		return *t
	}
	pace := c.pace(year)
	t := make(table, 1, len(pace)+1)
	ahead := 0.0
	for _, v := range pace {
		//mutant:season-clock-stands insert v = 1
		ahead += v - 1
		t = append(t, ahead)
	}
	t[len(pace)] = 0
	c.tables[year].Store(&t) // another goroutine may have stored the same
	return t
}

// yearOf returns the year, counted from firstYear, in which a time lies; at the beginning of a year both times are the same. It returns
// false outside of the years of the clock.
func (c *Clock) yearOf(at float64) (int, bool) {
	if c == nil || !(at >= float64(c.begins[0]) && at < float64(c.begins[years])) {
		return 0, false
	}
	const mean = 365.2425
	year := min(int((at-float64(c.begins[0]))/mean), years-1)
	for float64(c.begins[year]) > at {
		year--
	}
	for float64(c.begins[year+1]) <= at {
		year++
	}
	return year, true
}

// Ahead is how many days the season's time is ahead of civil time at a civil time.
func (c *Clock) Ahead(civil float64) float64 {
	year, ok := c.yearOf(civil)
	if !ok {
		return 0
	}
	t, day := c.table(year), math.Floor(civil)
	i := int(day) - int(c.begins[year])
	return t[i] + float64((civil-day)*(t[i+1]-t[i]))
}

// At is the season's time at a civil time.
func (c *Clock) At(civil float64) float64 { return civil + c.Ahead(civil) }

// Since is the season's time from one civil time to another.
func (c *Clock) Since(from, to float64) float64 {
	return (to - from) + (c.Ahead(to) - c.Ahead(from))
}

// Span is the season's time of the next so many days of civil time.
func (c *Clock) Span(from, days float64) float64 {
	return days + (c.Ahead(from+days) - c.Ahead(from))
}

// Spans returns the least and the greatest Span of a time that begins within so many days from a civil time on, at steps of a day.
func (c *Clock) Spans(from, within, days float64) (least, most float64) {
	least = c.Span(from, days)
	most = least
	for k := 1.0; c != nil && k <= within; k++ {
		v := c.Span(from+k, days)
		least, most = min(least, v), max(most, v)
	}
	return least, most
}

// SpanReaches returns the first civil time, at steps of a day within so many days from a civil time on, from which Span is a length or
// more; false if there is none.
func (c *Clock) SpanReaches(from, within, days, length float64) (float64, bool) {
	for k := 1.0; c != nil && k <= within; k++ {
		if c.Span(from+k, days) >= length {
			return from + k, true
		}
	}
	return 0, false
}

// Bought is how far the season's time is ahead at a purchase. It is that of the day's end: purchases are counted by days, so
// on a purchase day no other can follow, and the silence after it begins with the next day.
func (c *Clock) Bought(day int32) float64 { return c.Ahead(float64(day) + 1) }

// Civil is the civil time at a season's time: the inverse of At.
func (c *Clock) Civil(at float64) float64 {
	year, ok := c.yearOf(at)
	if !ok {
		return at
	}
	t, begin := c.table(year), int(c.begins[year])
	low, high := 0, len(t)-1
	for low+1 < high { // the clock shows at or less when low begins, and more when high does
		if middle := (low + high) / 2; float64(begin+middle)+t[middle] <= at {
			low = middle
		} else {
			high = middle
		}
	}
	return float64(begin+low) + (at-(float64(begin+low)+t[low]))/(1+(t[low+1]-t[low]))
}

// Pace is the pace of a civil day: 1 on average over a year.
func (c *Clock) Pace(day int32) float64 {
	year, ok := c.yearOf(float64(day))
	if !ok {
		return 1
	}
	t, i := c.table(year), day-c.begins[year]
	return 1 + (t[i+1] - t[i])
}
