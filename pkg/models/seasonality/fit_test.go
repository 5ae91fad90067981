package seasonality

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/season"
)

// begin is 2021-01-01.
const begin = 18628

// shop returns customers of one rate who do not stop, a day's repeat purchases being drawn one by one: the pace is all that the fit can
// find. newcomers is how many come on a day.
func shop(seed uint64, days int, newcomers func(day int) float64, pace func(at time.Time) float64) []lifetimes.History {
	r := rand.New(rand.NewPCG(seed, 3))
	var all []lifetimes.History
	owed := 0.0
	for day := range days {
		buys := .02 * pace(time.Unix((begin+int64(day))*86400, 0).UTC())
		for i := range all {
			if r.Float64() < buys {
				all[i] = all[i].Add(begin+int32(day), 100)
			}
		}
		for owed += newcomers(day); owed >= 1; owed-- {
			all = append(all, lifetimes.History{}.Add(begin+int32(day), 100))
		}
	}
	return all
}

func steady(int) float64 { return 1 }

func TestFitFindsTheSeason(t *testing.T) {
	campaign := func(at time.Time) bool { return at.Month() == time.May && at.Day() <= 7 }
	pace := func(at time.Time) float64 {
		v := 1 + .5*math.Cos(2*math.Pi*float64(at.YearDay()-350)/365)
		if at.Weekday() == time.Sunday {
			v *= .5
		}
		if at.Month() == time.November && at.Day() >= 23 && at.Weekday() == time.Friday && at.Day() <= 29 {
			v *= 4
		}
		if campaign(at) {
			v *= 2
		}
		return v
	}
	days := 1000
	var campaigns []season.Campaign
	for _, year := range []int{2021, 2022, 2023, 2024} {
		first := int32(time.Date(year, 5, 1, 0, 0, 0, 0, time.UTC).Unix() / 86400)
		campaigns = append(campaigns, season.Campaign{Name: "may", First: first, Last: first + 6})
	}
	campaigns = append(campaigns, season.Campaign{Name: "new", First: 20000, Last: 20001}, season.Campaign{Name: "stated", First: 20010, Last: 20011, Multiplier: 1.5})
	e, err := Fit(shop(1, days, steady, pace), begin+int32(days)-1, campaigns)
	require.NoError(t, err)
	require.NotNil(t, e.Season)
	s := e.Season
	require.Len(t, s.Weekly, 7)
	require.InDelta(t, .5, s.Weekly[6]/s.Weekly[1], .12)
	require.Len(t, s.Yearly, 12)
	require.InDelta(t, 3, s.Yearly[11]/s.Yearly[5], .8)
	require.Len(t, s.Campaigns, 5)
	for _, c := range s.Campaigns[:4] {
		require.InDelta(t, 2, c.Multiplier, .4)
	}
	require.InDelta(t, 1.5, s.Campaigns[4].Multiplier, 0)
	require.Contains(t, e.Notes, "campaign new=2024-10-04..2024-10-05 is left out: no campaign of this name in the history shows its multiplier; state it")
}

// TestFitRefuses: what the history does not show is left out, with the reason.
func TestFitRefuses(t *testing.T) {
	strong := func(at time.Time) float64 { return []float64{.2, 1, 1, 1, 1, 1, 3}[at.Weekday()] }
	for name, c := range map[string]struct {
		days      int
		newcomers func(int) float64
		pace      func(time.Time) float64
		weekly    bool
		says      string
	}{
		"too short":       {40, func(int) float64 { return 20 }, strong, false, "the history has 40 days; a season needs at least 56"},
		"too few":         {200, func(int) float64 { return .05 }, strong, false, "repeat purchases; a season needs at least 100"},
		"no two years":    {400, steady, strong, true, "the yearly shape is left out: the history has 400 days; it needs at least 700"},
		"a growing base":  {900, func(day int) float64 { return math.Exp(float64(day)/300) / 4 }, func(time.Time) float64 { return 1 }, false, "chance variation"},
		"a closing base":  {900, func(day int) float64 { return 3 * math.Exp(-float64(day)/100) }, func(time.Time) float64 { return 1 }, false, "chance variation"},
		"a falling trend": {900, steady, func(at time.Time) float64 { return math.Exp(-float64(at.Unix()/86400-begin) / 500) }, false, "chance variation"},
	} {
		e, err := Fit(shop(2, c.days, c.newcomers, c.pace), begin+int32(c.days)-1, nil)
		require.NoError(t, err, name)
		found := false
		for _, note := range e.Notes {
			found = found || strings.Contains(note, c.says)
		}
		require.True(t, found, "%s: %q", name, e.Notes)
		if c.weekly {
			require.NotNil(t, e.Season, name)
			require.Len(t, e.Season.Weekly, 7, name)
			require.Empty(t, e.Season.Yearly, name)
		} else {
			require.Nil(t, e.Season, name)
		}
	}
	_, err := Fit(nil, begin, []season.Campaign{{Name: "a", First: begin, Last: begin}, {Name: "b", First: begin, Last: begin}})
	require.ErrorIs(t, err, season.ErrOverlap)
	e, err := Fit(nil, begin, nil)
	require.NoError(t, err)
	require.Nil(t, e.Season)
}
