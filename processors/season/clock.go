package season

import (
	"fmt"
	"math"
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
// nil Clock has no season: both times are the same. A Clock is not changed once it is made.
type Clock struct {
	first, end int32
	// ahead is how far the season's time is ahead of civil time at the beginning of each day, 0 at the beginning of a year. The
	// difference is kept and not the time, so that without a season every conversion leaves a time as it is, bit for bit.
	ahead  []float64
	begins []int32 // of each year, and of the one after the last
}

// NewClock returns the clock of a season; nil for a flat one. The errors are those of Season.Validate.
func NewClock(s *Season) (*Clock, error) {
	if s.Flat() {
		return nil, nil //nolint:nilnil // the nil Clock is the one without a season
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	c := &Clock{first: firstDay(), end: endDay()}
	pace := make([]float64, 0, c.end-c.first)
	for year := firstYear; year <= lastYear; year++ {
		begin, end := yearBegins(year), yearBegins(year+1)
		for day := begin; day < end; day++ {
			v := 1.0
			if len(s.Weekly) > 0 {
				v = s.Weekly[Weekday(day)]
			}
			if len(s.Yearly) > 0 {
				v = float64(v * s.yearly(day-begin, end-begin))
			}
			pace = append(pace, v)
		}
	}
	multiply := func(first, last int32, by float64) {
		for day := max(first, c.first); day <= min(last, c.end-1); day++ {
			pace[day-c.first] = float64(pace[day-c.first] * by)
		}
	}
	for _, e := range s.Events {
		for _, days := range Occurrences(e.Name, c.first, c.end-1) {
			multiply(days[0], days[1], e.Multiplier)
		}
	}
	for _, campaign := range s.Campaigns {
		multiply(campaign.First, campaign.Last, campaign.Multiplier)
	}
	return c, c.accumulate(pace)
}

// accumulate fills the table from the pace of each day, which it scales such that the mean over each year is 1.
func (c *Clock) accumulate(pace []float64) error {
	c.ahead = make([]float64, 0, len(pace)+1)
	for year := firstYear; year <= lastYear; year++ {
		from, to := yearBegins(year)-c.first, yearBegins(year+1)-c.first
		c.begins = append(c.begins, from+c.first)
		sum := 0.0
		for _, v := range pace[from:to] {
			sum += v
		}
		mean := sum / float64(to-from)
		ahead := 0.0
		for i, v := range pace[from:to] {
			v /= mean
			if !(v >= Least && v <= Most) {
				return fmt.Errorf("%w: the pace of %s is %v times the mean of its year, want %v to %v", ErrPace, civil(c.first+from+int32(i)), v, Least, Most) //nolint:gosec // a day
			}
			c.ahead = append(c.ahead, ahead)
			//mutant:season-clock-stands insert v = 1
			ahead += v - 1
		}
	}
	c.ahead, c.begins = append(c.ahead, 0), append(c.begins, c.end)
	return nil
}

// Ahead is how many days the season's time is ahead of civil time at a civil time.
func (c *Clock) Ahead(civil float64) float64 {
	if c == nil || !(civil >= float64(c.first) && civil < float64(c.end)) {
		return 0
	}
	day := math.Floor(civil)
	i := int(day) - int(c.first)
	return c.ahead[i] + float64((civil-day)*(c.ahead[i+1]-c.ahead[i]))
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

// Bought is how far the season's time is ahead at a purchase. It is that of the day's end: purchases are counted by days, so
// on a purchase day no other can follow, and the silence after it begins with the next day.
func (c *Clock) Bought(day int32) float64 { return c.Ahead(float64(day) + 1) }

// Civil is the civil time at a season's time: the inverse of At.
func (c *Clock) Civil(at float64) float64 {
	if c == nil || !(at >= float64(c.first) && at < float64(c.end)) {
		return at
	}
	// At the beginning of a year both times are the same, so the day lies in the year of at.
	const meanYear = 365.2425
	year := min(max(int((at-float64(c.first))/meanYear), 0), len(c.begins)-2)
	for float64(c.begins[year]) > at {
		year--
	}
	for float64(c.begins[year+1]) <= at {
		year++
	}
	low, high := int(c.begins[year]-c.first), int(c.begins[year+1]-c.first)
	for low+1 < high { // the clock shows at or less when low begins, and more when high does
		if middle := (low + high) / 2; c.begin(middle) <= at {
			low = middle
		} else {
			high = middle
		}
	}
	pace := 1 + (c.ahead[low+1] - c.ahead[low])
	return float64(int(c.first)+low) + (at-c.begin(low))/pace
}

// begin is the season's time at the beginning of a day of the table.
func (c *Clock) begin(i int) float64 { return float64(int(c.first)+i) + c.ahead[i] }

// Pace is the pace of a civil day: 1 on average over a year.
func (c *Clock) Pace(day int32) float64 {
	if c == nil || day < c.first || day >= c.end {
		return 1
	}
	i := day - c.first
	return 1 + (c.ahead[i+1] - c.ahead[i])
}
