// Package seasonality owns the estimate of a season from the purchase days of a base.
//
// If all customers buy at a common pace, the repeat purchases of a day are Poisson, with a mean that is the pace times what the base would
// buy without a season. MBG/NBD states the latter from the days of the first purchases, so neither a growing base nor its fading cohorts
// look like a season. What the model has wrong over months is left to a slow trend, which is not part of the season. The pace is a
// penalised Poisson regression with few degrees of freedom; the penalties stand for a pace near 1.
//
// It refuses what the history does not show: a weekly profile in less than eight weeks, a yearly shape in less than two years, an event
// that did not recur, and whatever does not exceed the chance variation of daily counts. Whether the season predicts better is not decided
// here, but on a holdout (parameters.Choose).
package seasonality

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/season"
)

// The least history for each part of a season.
const (
	LeastDaysWeekly = 56
	LeastDaysYearly = 700 // about two years
	leastPurchases  = 100 // repeat purchases
	leastRecurs     = 2   // occurrences of an event
)

// Prior standard deviations of the logarithms of the multipliers, and of the changes of the trend.
const (
	spreadWeekly = 0.5
	spreadYearly = 0.5
	spreadEvent  = 1.0
	spreadTrend  = 0.5
)

// Days between two knots of the trend. With a yearly shape it must not bend within a year.
const (
	trendDays       = 56
	trendDaysYearly = 365
)

// Estimate is what a fit has found.
type Estimate struct {
	Season *season.Season // nil: none
	// Notes state what is left out, and why.
	Notes []string
}

// Fit estimates the season of a base from the purchase days up to and including a civil day. campaigns are those of the shop, past and
// planned; a multiplier of 0 is to be estimated, from the past campaigns of the same name. The error is that of season.CheckCampaigns, or
// of a history that no customer can have.
func Fit(all []lifetimes.History, until int32, campaigns []season.Campaign) (*Estimate, error) {
	if err := season.CheckCampaigns(campaigns); err != nil {
		return nil, fmt.Errorf("seasonality: %w", err)
	}
	e := new(Estimate)
	d, err := collect(all, until)
	if err != nil {
		return nil, fmt.Errorf("seasonality: %w", err)
	}
	days := len(d.repeats)
	switch {
	case d.total < leastPurchases:
		e.note("there are %d repeat purchases; a season needs at least %d", d.total, leastPurchases)
		return e, nil
	case days < LeastDaysWeekly:
		e.note("the history has %d days; a season needs at least %d", days, LeastDaysWeekly)
		return e, nil
	}
	parts := []part{{name: "the weekly profile", columns: season.WeekDays, spread: spreadWeekly, enough: chance6}}
	yearly := days >= LeastDaysYearly
	if yearly {
		parts = append(parts, part{name: "the yearly shape", columns: season.Months, spread: spreadYearly, enough: chance11})
	} else {
		e.note("the yearly shape is left out: the history has %d days; it needs at least %d", days, LeastDaysYearly)
	}
	for _, name := range season.Events() {
		n := 0
		for _, o := range season.Occurrences(name, d.first, until) {
			if o[0] > d.first && o[1] <= until {
				n++
			}
		}
		if n >= leastRecurs {
			parts = append(parts, part{name: name, event: true, columns: 1, spread: spreadEvent, enough: chance1})
		}
	}
	for _, c := range campaigns {
		past := c.Multiplier == 0 && c.First > d.first && c.Last <= until
		if past && !slices.ContainsFunc(parts, func(p part) bool { return p.campaign == c.Name }) {
			parts = append(parts, part{name: "campaign " + c.Name, campaign: c.Name, columns: 1, spread: spreadEvent, enough: chance1})
		}
	}
	r := newRegression(d, parts, campaigns, yearly)
	full := r.solve(nil)
	var chance []string
	for i := range parts {
		less := r.solve([]int{i})
		if gain := (less.deviance - full.deviance) / full.dispersion; gain < parts[i].enough {
			parts[i].dropped = true
			chance = append(chance, parts[i].name)
		}
	}
	if len(chance) > 0 {
		e.note("left out, since they do not exceed the chance variation of daily counts: %s", strings.Join(chance, ", "))
	}
	e.Season = r.season(r.solve(r.droppedParts()), campaigns, e)
	if e.Season.Flat() {
		e.Season = nil
	} else if err := e.Season.Validate(); err != nil {
		e.note("the season is left out: %v", err)
		e.Season = nil
	}
	return e, nil
}

// What the deviance of a part must exceed, which chance does once in a thousand: quantiles of chi-squared.
const (
	chance1  = 10.8
	chance6  = 22.5
	chance11 = 31.3
)

func (e *Estimate) note(format string, args ...any) {
	e.Notes = append(e.Notes, fmt.Sprintf(format, args...))
}

// part is a part of the season, with its columns in the regression.
type part struct {
	name     string
	event    bool   // name is one of season.Events
	campaign string // of this name
	columns  int
	spread   float64
	enough   float64
	dropped  bool
}

// daily are the counts of a base by civil day.
type daily struct {
	first    int32
	repeats  []float64
	expected []float64 // repeat purchases without a season, by MBG/NBD
	total    int
}

func collect(all []lifetimes.History, until int32) (*daily, error) {
	d := &daily{first: math.MaxInt32}
	var rows []lifetimes.Summary
	for _, h := range all {
		if h = h.Until(until); len(h) > 0 {
			d.first = min(d.first, h[0].Day)
			rows = append(rows, h.Summary(float64(until), daysPerWeek, 1))
		}
	}
	if len(rows) == 0 || until-d.first > mostDays {
		return d, nil
	}
	n := int(until-d.first) + 1
	d.repeats, d.expected = make([]float64, n), make([]float64, n)
	newcomers := make([]float64, n)
	for _, h := range all {
		h = h.Until(until)
		for i, day := range h {
			if i == 0 {
				newcomers[day.Day-d.first]++
			} else {
				d.repeats[day.Day-d.first]++
				d.total++
			}
		}
	}
	if d.total == 0 {
		return d, nil
	}
	fit, err := lifetimes.FitMBGNBD(rows, lifetimes.FitOptions{})
	if err != nil {
		return nil, fmt.Errorf("fit MBG/NBD: %w", err)
	}
	byAge := make([]float64, n) // of a new customer, on each day after the first purchase
	before := 0.0
	for age := 1; age < n; age++ {
		now := fit.Model.Expected(lifetimes.Summary{}, float64(age)/daysPerWeek)
		byAge[age], before = now-before, now
	}
	for c, count := range newcomers {
		if count == 0 {
			continue
		}
		for age := 1; c+age < n; age++ {
			d.expected[c+age] += count * byAge[age]
		}
	}
	return d, nil
}

const (
	daysPerWeek = 7
	mostDays    = 20 * 366 // longer histories are taken for a typing error
)
