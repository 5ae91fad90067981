package season

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// Errors of Validate. Each returned error wraps one of them and names the figure.
var (
	// ErrPace means that a multiplier, or the pace of a day, is not positive or beyond its bounds.
	ErrPace = errors.New("season out of bounds")
	// ErrOverlap means that an event is given twice, or that two campaigns have a day in common.
	ErrOverlap = errors.New("events overlap")
	// ErrEvent means that an event has no rule in this release, or a campaign no name or no day.
	ErrEvent = errors.New("unknown event")
)

// Bounds of multipliers and of the pace of a day. With a slower pace, an age that is reached in silence would lie years ahead.
const (
	Least = 0.02
	Most  = 50
)

// Numbers of the two profiles.
const (
	WeekDays = 7
	Months   = 12
)

// Season is the pace of a shop, by multipliers. Its zero value is a pace of 1 on every day.
type Season struct {
	// Weekly are the multipliers of the days of the week, from Monday. Empty: none.
	Weekly []float64
	// Yearly are the multipliers of the year from January: the control points, in the middle of each month, of a periodic cubic spline,
	// which lies between the least and the greatest of them. Empty: none.
	Yearly []float64
	// Events recur by a rule; see Events.
	Events []Event
	// Campaigns are of the shop, each with its days.
	Campaigns []Campaign
}

// Event is a named event that recurs, and the multiplier of its days.
type Event struct {
	Name       string
	Multiplier float64
}

// Campaign is a campaign of the shop: its first and its last civil day, counted from 1970-01-01, and the multiplier of its days.
type Campaign struct {
	Name        string
	First, Last int32
	Multiplier  float64
}

// Text is the campaign as settings have it: name=2026-05-01..2026-05-07.
func (c Campaign) Text() string {
	return fmt.Sprintf("%s=%s..%s", c.Name, civil(c.First), civil(c.Last))
}

func civil(day int32) string { return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly) }

// mostCampaigns bounds what a parameters entry holds.
const mostCampaigns = 400

// Flat reports whether the season has no multiplier but 1.
func (s *Season) Flat() bool {
	if s == nil {
		return true
	}
	other := func(v float64) bool { return v != 1 }
	return !slices.ContainsFunc(s.Weekly, other) && !slices.ContainsFunc(s.Yearly, other) &&
		!slices.ContainsFunc(s.Events, func(e Event) bool { return other(e.Multiplier) }) &&
		!slices.ContainsFunc(s.Campaigns, func(c Campaign) bool { return other(c.Multiplier) })
}

// Validate returns an error that wraps ErrPace, ErrOverlap or ErrEvent, or nil.
func (s *Season) Validate() error {
	_, err := NewClock(s)
	return err
}

// check validates everything but the pace of the days.
func (s *Season) check() error {
	if n := len(s.Weekly); n != 0 && n != WeekDays {
		return fmt.Errorf("%w: %d weekly multipliers, want %d, from Monday", ErrPace, n, WeekDays)
	}
	if n := len(s.Yearly); n != 0 && n != Months {
		return fmt.Errorf("%w: %d yearly multipliers, want %d, from January", ErrPace, n, Months)
	}
	for i, v := range s.Weekly {
		if err := checkMultiplier(time.Weekday((i+1)%WeekDays).String(), v); err != nil {
			return err
		}
	}
	for i, v := range s.Yearly {
		if err := checkMultiplier(time.Month(i+1).String(), v); err != nil {
			return err
		}
	}
	for i, e := range s.Events {
		if _, ok := ruleOf(e.Name); !ok {
			return fmt.Errorf("%w: %q; this release has %s", ErrEvent, e.Name, strings.Join(Events(), ", "))
		}
		if slices.ContainsFunc(s.Events[:i], func(other Event) bool { return other.Name == e.Name }) {
			return fmt.Errorf("%w: %s is given twice", ErrOverlap, e.Name)
		}
		if err := checkMultiplier(e.Name, e.Multiplier); err != nil {
			return err
		}
	}
	for _, c := range s.Campaigns {
		if err := checkMultiplier("campaign "+c.Name, c.Multiplier); err != nil {
			return err
		}
	}
	return CheckCampaigns(s.Campaigns)
}

// CheckCampaigns validates the names and the days of campaigns. The error wraps ErrEvent or ErrOverlap.
func CheckCampaigns(all []Campaign) error {
	if len(all) > mostCampaigns {
		return fmt.Errorf("%w: %d campaigns, want at most %d", ErrEvent, len(all), mostCampaigns)
	}
	byDay := slices.Clone(all)
	slices.SortStableFunc(byDay, func(a, b Campaign) int { return int(a.First) - int(b.First) })
	for i, c := range byDay {
		switch _, isEvent := ruleOf(c.Name); {
		case c.Name == "" || len(c.Name) > mostName:
			return fmt.Errorf("%w: a campaign needs a name of at most %d bytes", ErrEvent, mostName)
		case isEvent:
			return fmt.Errorf("%w: campaign %s has the name of an event that recurs by a rule; give it another", ErrOverlap, c.Name)
		case c.Last < c.First:
			return fmt.Errorf("%w: campaign %s ends before it begins", ErrEvent, c.Text())
		case c.First < firstDay() || c.Last >= endDay():
			return fmt.Errorf("%w: campaign %s lies outside of %d to %d", ErrEvent, c.Text(), firstYear, lastYear)
		case i > 0 && c.First <= byDay[i-1].Last:
			return fmt.Errorf("%w: campaigns %s and %s; give each day to one of them", ErrOverlap, byDay[i-1].Text(), c.Text())
		}
	}
	return nil
}

const mostName = 64

func checkMultiplier(name string, v float64) error {
	if v >= Least && v <= Most {
		return nil
	}
	return fmt.Errorf("%w: the multiplier of %s is %v, want %v to %v", ErrPace, name, v, Least, Most)
}

// Decode returns the season that an entry holds; nil for none.
func Decode(v *ledger.Season) *Season {
	if v == nil {
		return nil
	}
	s := &Season{Weekly: v.GetWeekly(), Yearly: v.GetYearly()}
	for _, e := range v.GetEvents() {
		s.Events = append(s.Events, Event{e.GetName(), e.GetMultiplier()})
	}
	for _, c := range v.GetCampaigns() {
		s.Campaigns = append(s.Campaigns, Campaign{c.GetName(), c.GetFirst(), c.GetLast(), c.GetMultiplier()})
	}
	return s
}

// Encode returns the season as an entry holds it; nil for a flat one.
func (s *Season) Encode() *ledger.Season {
	if s.Flat() {
		return nil
	}
	v := &ledger.Season{Weekly: s.Weekly, Yearly: s.Yearly}
	for _, e := range s.Events {
		v.Events = append(v.Events, &ledger.SeasonEvent{Name: e.Name, Multiplier: e.Multiplier})
	}
	for _, c := range s.Campaigns {
		v.Campaigns = append(v.Campaigns, &ledger.SeasonCampaign{Name: c.Name, First: c.First, Last: c.Last, Multiplier: c.Multiplier})
	}
	return v
}

// Spline returns the control points of the yearly shape between which a day lies, and their weights, which sum to 1.
func Spline(day int32) (months [4]int, weights [4]float64) {
	year := time.Unix(int64(day)*86400, 0).UTC().Year()
	begin, end := yearBegins(year), yearBegins(year+1)
	return spline(day-begin, end-begin)
}

// spline is Spline for a day of a year of so many days, counted from 0.
func spline(day, days int32) (months [4]int, weights [4]float64) {
	at := float64(Months*(float64(day)+0.5)/float64(days)) - 0.5 + Months
	month := math.Floor(at)
	u := at - month
	v := 1 - u
	for i := range months {
		months[i] = (int(month) + i - 1) % Months
	}
	weights[0] = float64(v*v*v) / 6
	weights[2] = (float64((float64((3-float64(3*u))*u)+3)*u) + 1) / 6
	weights[3] = float64(u*u*u) / 6
	weights[1] = 1 - weights[0] - weights[2] - weights[3]
	return months, weights
}

// yearly is the value of the yearly shape on a day. Equal control points give exactly their value.
func (s *Season) yearly(day, days int32) float64 {
	months, weights := spline(day, days)
	centre := s.Yearly[months[1]]
	sum := centre
	for i, m := range months {
		sum += float64(weights[i] * (s.Yearly[m] - centre))
	}
	return sum
}

// Weekday returns the index of a day in Season.Weekly.
func Weekday(day int32) int { return int(((day+3)%WeekDays + WeekDays) % WeekDays) }
