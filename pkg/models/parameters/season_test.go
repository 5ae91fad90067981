package parameters

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/processors/season"
)

// simulated is a shop whose customers buy at a common pace, by thinning of a Poisson process at the greatest pace.
type simulated struct {
	histories []lifetimes.History
	stopped   []float64 // day of the purchase after which the customer stops; +Inf: none
}

// begin is 2021-01-01.
const begin = 18628

// simulate returns customers who come within the first arrivals days, and buy until the end, at rates and dropout probabilities as MBG/NBD
// has them.
func simulate(seed uint64, customers, arrivals, days int, pace func(at time.Time) float64) simulated {
	r := rand.New(rand.NewPCG(seed, 7))
	gamma := func(shape float64) float64 { // Marsaglia and Tsang 2000
		boost := 1.0
		if shape < 1 {
			boost = math.Pow(r.Float64(), 1/shape)
			shape++
		}
		d := shape - 1.0/3
		for {
			x := r.NormFloat64()
			v := math.Pow(1+x/math.Sqrt(9*d), 3)
			if v > 0 && math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
				return boost * d * v
			}
		}
	}
	paces := make([]float64, days)
	greatest := 0.0
	for i := range paces {
		paces[i] = pace(time.Unix((begin+int64(i))*86400, 0).UTC())
		greatest = max(greatest, paces[i])
	}
	var shop simulated
	for range customers {
		at := r.Float64() * float64(arrivals)
		rate := gamma(1.2) / (8 * 7) // a day
		a, b := gamma(.8), gamma(20)
		drop, stopped := a/(a+b), math.Inf(1)
		h := lifetimes.History{}.Add(begin+int32(at), 3000)
		if r.Float64() < drop {
			stopped = at
		}
		for math.IsInf(stopped, 1) {
			if at += r.ExpFloat64() / (rate * greatest); at >= float64(days) {
				break
			}
			if r.Float64()*greatest > paces[int(at)] {
				continue
			}
			h = h.Add(begin+int32(at), 3000)
			if r.Float64() < drop {
				stopped = at
			}
		}
		shop.histories, shop.stopped = append(shop.histories, h), append(shop.stopped, stopped)
	}
	return shop
}

// gifts is the pace of a shop of gifts: most is sold in November and December.
func gifts(at time.Time) float64 {
	return [12]float64{.3, .3, .3, .3, .3, .2, .2, .2, .3, .6, 3, 6}[at.Month()-1]
}

func even(time.Time) float64 { return 1 }

// TestSeasonHalvesFalseAlerts: on a shop with a season, the model with it alarms at most half as often for customers who have not stopped, and
// it is chosen.
func TestSeasonHalvesFalseAlerts(t *testing.T) {
	for seed := range uint64(2) {
		shop := simulate(seed, 800, 500, 1095, gifts)
		d := Data{Histories: shop.histories, Now: begin + 810, MinorPerUnit: 100, Seasons: true}
		with, err := FittedInSeason(d, model.MBGNBD, 90)
		require.NoError(t, err)
		without, err := Fitted(d, model.MBGNBD, 90)
		require.NoError(t, err)
		require.NotNil(t, with.Parameters.GetSeason())
		require.Nil(t, without.Parameters.GetSeason())
		few, many := shop.falseAlerts(with, 810, 1095), shop.falseAlerts(without, 810, 1095)
		require.Less(t, 2*few, many)
		t.Logf("%d false alerts with the season, %d without", few, many)

		choice, err := Choose(d, model.MBGNBD, Incumbent{Model: model.MBGNBD}, 90)
		require.NoError(t, err)
		require.Len(t, choice.Compared, 2)
		require.True(t, choice.Season)
		require.Less(t, choice.Compared[1].LogLoss, choice.Compared[0].LogLoss)
	}
}

// TestNoSeasonNoLoss: on shops without a season, growing ones among them, no choice makes the log loss of the time to come worse by more
// than half a percent.
func TestNoSeasonNoLoss(t *testing.T) {
	for seed := range uint64(4) {
		shop := simulate(seed, 1200, []int{300, 1095}[seed%2], 1095, even)
		d := Data{Histories: shop.histories, Now: begin + 900, MinorPerUnit: 100, Seasons: true}
		choice, err := Choose(d, model.MBGNBD, Incumbent{Model: model.MBGNBD}, 90)
		require.NoError(t, err)
		later := Split(d.At(begin+1094), 194)
		of := func(inSeason bool) float64 {
			v, err := later.Fit(model.MBGNBD, inSeason)
			require.NoError(t, err)
			return later.compare(v).LogLoss
		}
		require.LessOrEqual(t, of(choice.Season), 1.005*of(false))
		require.False(t, choice.Season)
		require.NotEmpty(t, choice.NoSeason)
	}
}

// TestSeasonIsPartOfTheFit: Fit stores the season where it was chosen, and none where seasons are off.
func TestSeasonIsPartOfTheFit(t *testing.T) {
	shop := simulate(5, 1500, 500, 830, gifts)
	o := FitOptions{Until: begin + 810, MinorPerUnit: 100, Model: model.MBGNBD, HorizonDays: 90, Seasons: true, Now: noon}
	f, err := Fit(shop.histories, o)
	require.NoError(t, err)
	require.NotNil(t, f.Season)
	require.True(t, f.Choice.Season)
	require.Len(t, f.Season.Yearly, 12)
	content, err := f.Encode()
	require.NoError(t, err)
	again, err := Parse(content)
	require.NoError(t, err)
	require.Equal(t, f.Season, again.Season)
	o.Seasons = false
	f, err = Fit(shop.histories, o)
	require.NoError(t, err)
	require.Nil(t, f.Season)
	require.Nil(t, f.Choice)
	o.Seasons, o.Campaigns = true, []season.Campaign{{Name: "a", First: begin, Last: begin + 9}, {Name: "b", First: begin + 9, Last: begin + 10}}
	_, err = Fit(shop.histories, o)
	require.ErrorIs(t, err, season.ErrOverlap)
}

// falseAlerts counts how often silence makes the churn risk of a customer high who has not stopped: at weekly looks, from one civil day to
// another, by the thresholds and the grace that are the defaults.
func (s simulated) falseAlerts(e *Estimate, from, to int) (n int) {
	const high, grace = .66, 30
	p, clock := model.New(e.Parameters), season.Trusted(season.Decode(e.Parameters.GetSeason()))
	for i, h := range s.histories {
		for before, day := false, from; day < to; day += 7 {
			until := h.Until(begin + int32(day))
			if len(until) == 0 || float64(day) > s.stopped[i] {
				before = false
				continue
			}
			first, last := until[0].Day, until[len(until)-1].Day
			now := float64(begin + day)
			one := until.Summary(now, 7, 100)
			one.Tx += (clock.Bought(last) - clock.Bought(first)) / 7
			one.T = max(one.Tx, one.T+(clock.Ahead(now+1)-clock.Bought(first))/7)
			risky := 1-p.PAlive(one) >= high && now-float64(last) > grace
			if risky && !before {
				n++
			}
			before = risky
		}
	}
	return n
}
