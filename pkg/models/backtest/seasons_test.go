package backtest

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/lifetimes"
)

// shopWithPace is customers who come within the first two of three years, buy at their own rates times the pace of the day, and seldom
// stop.
func shopWithPace(customers int, pace func(time.Time) float64) []lifetimes.History {
	const begin, days, most = 19000, 1096, 6.0 // from 2022-01-08 on
	random := rand.New(rand.NewPCG(3, 5))
	all := make([]lifetimes.History, customers)
	for i := range all {
		at, rate := random.Float64()*730, random.ExpFloat64()/40
		for stops := false; at < days && !stops; {
			if day := int32(at); len(all[i]) == 0 || random.Float64()*most < pace(time.Unix((begin+int64(day))*86400, 0).UTC()) {
				all[i] = all[i].Add(begin+day, 1000+random.Int64N(4000))
				stops = random.Float64() < .04
			}
			at += random.ExpFloat64() / (rate * most)
		}
	}
	return all
}

// manyGifts sells most before Christmas.
func manyGifts(at time.Time) float64 {
	return [12]float64{.4, .4, .4, .4, .4, .4, .4, .4, .5, 1, 3, 4.5}[at.Month()-1]
}

// TestSeasonsBesideTheModels verifies that the backtest of a shop with a season recommends a model that knows it, that its total is then
// nearly right where the other's is far off, that the tracked forecast ends in that total, and that the report draws the season.
func TestSeasonsBesideTheModels(t *testing.T) {
	all := shopWithPace(1500, manyGifts)
	o := Options{Seasons: true, Split: time.Date(2024, 8, 31, 0, 0, 0, 0, time.UTC)} // the months of most sales follow
	r, err := Run(context.Background(), all, o)
	require.NoError(t, err)
	with, without := r.model(Live+inSeason), r.model(Live)
	require.NotNil(t, with)
	require.Less(t, *without.Bias, -.3, "the test needs a shop whose season matters")
	require.InDelta(t, 0, *with.Bias, .12)
	require.Greater(t, *with.LogScore, *without.LogScore)
	require.Contains(t, r.Recommended, inSeason)
	require.Equal(t, "auto", r.SeasonChoice)
	require.Contains(t, []string{"mbg_nbd", "pareto_nbd"}, r.Choice)
	require.InDelta(t, .8, r.Intervals.Covered, .06)

	for _, course := range r.Tracking.Predicted {
		if course.Name != r.Recommended {
			continue
		}
		first, last := course.Forecast[0].Total, course.Forecast[len(course.Forecast)-1].Total
		require.InEpsilon(t, (1+*r.model(r.Recommended).Bias)*float64(r.HoldoutPurchases), last-first, 1e-9)
	}
	first, err := time.Parse(time.DateOnly, r.First)
	require.NoError(t, err)
	december, march := 0.0, 0.0
	for i, at := range r.Pace {
		if month := first.AddDate(0, 0, i).Month(); month == time.December {
			december = max(december, at.Total)
		} else if month == time.March {
			march = max(march, at.Total)
		}
	}
	require.Greater(t, december, 4*march)

	var page bytes.Buffer
	require.NoError(t, r.Report(&page, "gifts"))
	require.Contains(t, page.String(), `aria-label="Season"`)

	o.Seasons = false
	r, err = Run(context.Background(), all, o)
	require.NoError(t, err)
	require.Nil(t, r.model(Live+inSeason))
	require.Nil(t, r.Season)
}

// TestNoSeasonIsNoted verifies that a history that shows no season is said to have none.
func TestNoSeasonIsNoted(t *testing.T) {
	r, err := Run(context.Background(), shopWithPace(300, func(time.Time) float64 { return 1 }), Options{Seasons: true})
	require.NoError(t, err)
	if r.Season != nil {
		require.NotContains(t, r.Recommended, inSeason)
		require.Equal(t, "off", r.SeasonChoice)
		return
	}
	require.Contains(t, r.Notes[0], "No season was compared: ")
}

// TestASeasonMustWin verifies that a season that is better by no more than chance is not recommended.
func TestASeasonMustWin(t *testing.T) {
	made := func(name string, loss, spread float64) Model {
		one, score := 1.0, -loss
		m := Model{Name: name, Measures: Measures{RMSE: &one, Bias: new(float64), LogScore: &score}}
		for i := range 100 {
			m.losses = append(m.losses, loss+spread*float64(i%2*2-1))
		}
		return m
	}
	better, byChance := made(Live+inSeason, .4, .1), made(Live+inSeason, .49, .2)
	require.Equal(t, Live+inSeason, (&Result{Models: []Model{made(Live, .5, 0), better}}).best().Name)
	r := &Result{Models: []Model{made(Live, .5, 0), byChance}}
	require.Equal(t, Live, r.best().Name)
	require.Contains(t, r.notRecommended(&r.Models[1]), "more than chance")
}
