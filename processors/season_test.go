package processors_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// yearRound is a season of a shop that sells before Christmas.
func yearRound() *ledger.Season {
	return &ledger.Season{
		Weekly:    []float64{.8, .9, 1, 1, 1.2, 1.5, .6},
		Yearly:    []float64{.7, .7, .8, .9, 1, 1, .9, .9, 1, 1.1, 1.5, 1.8},
		Events:    []*ledger.SeasonEvent{{Name: "black_friday", Multiplier: 3}, {Name: "ramadan", Multiplier: .7}},
		Campaigns: []*ledger.SeasonCampaign{{Name: "spring", First: 19850, Last: 19860, Multiplier: 2}},
	}
}

// paces are the paces of the days of yearRound's weekly profile and campaign alone, in 2024: the mean of each is 1.
func paces() (season *ledger.Season, pace func(day int32) float64) {
	season = yearRound()
	season.Yearly, season.Events = nil, nil
	raw := func(day int32) float64 {
		v := season.Weekly[(int(time.Unix(int64(day)*86400, 0).UTC().Weekday())+6)%7]
		if day >= 19850 && day <= 19860 {
			v *= 2
		}
		return v
	}
	first, last := int32(ms("2024-01-01")/day), int32(ms("2024-12-31")/day)
	sum := 0.0
	for d := first; d <= last; d++ {
		sum += raw(d)
	}
	return season, func(d int32) float64 { return raw(d) * 366 / sum }
}

// TestSeasonChangesTheClock compares answers with those of the models in a time that is counted here, day by day: from the end of a
// purchase day on, and 1 for that day.
func TestSeasonChangesTheClock(t *testing.T) {
	season, pace := paces()
	sum := func(from, to int32) float64 {
		total := 0.0
		for d := from; d < to; d++ {
			total += pace(d)
		}
		return total
	}
	for _, name := range []string{model.MBGNBD, model.BGNBD, model.ParetoNBD} {
		w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
		w.settings(func(v *ledger.SettingsValues) { v.PredictionHorizonDays, v.PurchaseHorizonDays = 60, 45 })
		v := live(name)
		v.Season = season
		w.append(ledger.Kind_KIND_PARAMETERS, 0, v)
		days := []int32{int32(ms("2024-02-01") / day), int32(ms("2024-02-20") / day), int32(ms("2024-03-30") / day)}
		for i, d := range days {
			w.event("ada", purchase(fmt.Sprint("o", i), 4000, int64(d)*day+int64(i+9)*3_600_000))
		}
		now := int32(ms("2024-05-20") / day)
		w.tick(int64(now)*day + day/2)
		predictor := model.New(v)
		at := func(tx, silence float64) lifetimes.Customer {
			return lifetimes.Customer{Summary: lifetimes.Summary{X: 2, Tx: tx / 7, T: (tx + silence) / 7}}
		}
		half := func(d int32) float64 { return pace(d) / 2 }
		one := at(sum(days[0]+1, days[2]+1), 1+sum(days[2]+1, now)+half(now))
		ahead := func(days int32) float64 { return (half(now) + sum(now+1, now+days) + half(now+days)) / 7 }
		s := w.scores("ada")
		require.InDelta(t, 1-predictor.PAlive(one.Summary), s.Churn.Probability.Value, 1e-9, name)
		require.InDelta(t, predictor.PAtLeastOne(one, ahead(45)), s.Churn.PurchaseInHorizon.Value, 1e-9, name)
		require.InDelta(t, predictor.Expected(one, ahead(60)), s.CLV.PredictedOrders.Value, 1e-9, name)
		low, high := predictor.Counts(one, ahead(60), predictor.Expected(one, ahead(60)), 0).Interval(.8)
		require.Equal(t, output.Some(int64(low)), s.CLV.PredictedOrdersInterval.Low, name)
		require.Equal(t, output.Some(int64(high)), s.CLV.PredictedOrdersInterval.High, name)

		wait := 7*predictor.MedianWait(at(sum(days[0]+1, days[2]+1), 0).Summary) - 1
		d := days[2] + 1
		for ; wait > pace(d); d++ {
			wait -= pace(d)
		}
		next := float64(d-days[2]) + wait/pace(d)
		require.InDelta(t, float64(days[2])+11.0/24+next, float64(s.CLV.ExpectedDateOfNextOrder.Value)/float64(day), 2.0/86400, name)
	}
}

// TestSeasonOf1ChangesNothing folds the same events under a season of 1 and without one: every output is the same, byte for byte.
func TestSeasonOf1ChangesNothing(t *testing.T) {
	ones := &ledger.Season{
		Weekly: []float64{1, 1, 1, 1, 1, 1, 1}, Yearly: []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
		Events: []*ledger.SeasonEvent{{Name: "nowruz", Multiplier: 1}}, Campaigns: []*ledger.SeasonCampaign{{Name: "c", First: 19800, Last: 19900, Multiplier: 1}},
	}
	for _, name := range []string{model.MBGNBD, model.BGNBD, model.ParetoNBD} {
		outputs := func(season *ledger.Season) (all []string) {
			g := genesis(1, ledger.Clock_CLOCK_EVENT)
			g.Timezone = "America/New_York"
			w := newWorld(t, g)
			w.settings(func(v *ledger.SettingsValues) { v.DiscountRateAnnual = .1 })
			v := live(name)
			v.Season = season
			w.append(ledger.Kind_KIND_PARAMETERS, 0, v)
			at := ms("2024-01-01")
			for i := range 12 {
				at += int64(i%5) * 13 * day / 3
				w.event(fmt.Sprint("c", i%3), purchase(fmt.Sprint("o", i), 4000+int64(i), at))
			}
			for range 60 {
				at += 5 * day
				w.tick(at)
			}
			for _, o := range w.takeOutputs() {
				all = append(all, o.json)
			}
			return all
		}
		without := outputs(nil)
		require.Greater(t, len(without), 30)
		require.Equal(t, without, outputs(ones), name)
	}
}

// TestSeasonInSilence: in silence the timer fires at the time that next_check_at states, and what was published last is always within
// clv.material of the truth, whichever way the season moves it.
func TestSeasonInSilence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
		material := rapid.SampledFrom([]float64{.02, .05, .2}).Draw(t, "material")
		horizon := rapid.SampledFrom([]uint32{90, 180, 365}).Draw(t, "horizon")
		w.settings(func(v *ledger.SettingsValues) {
			v.ClvMaterial, v.PredictionHorizonDays, v.ChurnMaterial, v.AlertRules = material, horizon, 1, nil
		})
		v := live(rapid.SampledFrom([]string{model.MBGNBD, model.BGNBD, model.ParetoNBD}).Draw(t, "model"))
		v.Season = yearRound()
		if rapid.Bool().Draw(t, "strong") { // the value rises in silence
			v.Season = &ledger.Season{Yearly: []float64{.5, .4, .4, .5, .6, .6, .6, .6, .8, 1, 2.5, 3}}
		}
		w.append(ledger.Kind_KIND_PARAMETERS, 0, v)
		at := ms("2024-01-01") + rapid.Int64Range(0, 360*day).Draw(t, "first")
		for i := range rapid.IntRange(1, 12).Draw(t, "orders") {
			at += rapid.Int64Range(0, 40*day).Draw(t, "gap")
			w.event("ada", purchase(fmt.Sprint("o", i), rapid.Int64Range(100, 10000).Draw(t, "total"), at))
		}
		step := rapid.SampledFrom([]int64{day / 3, 2 * day, 7 * day}).Draw(t, "step")
		for range 30 {
			at += step
			w.tick(at)
			last := w.state("ada").LastPublished
			before, now := float64(last.Historic+last.Predicted), float64(w.scores("ada").CLV.Total.Value)
			// A day of the busiest pace leaves the horizon, or enters it, before the customer is looked at again.
			slack := 1 + 6*float64(last.Predicted)/float64(horizon)
			require.InDelta(t, before, now, 1.02*material*before+slack, "as of %s: %v was published, it is %v", time.UnixMilli(at).UTC(), before, now)
		}
	})
}

// TestSeasonOfParameters: the fold skips parameters with a season that cannot be, and says why.
func TestSeasonOfParameters(t *testing.T) {
	for says, spoil := range map[string]func(v *ledger.Parameters){
		"the multiplier of Sunday is 0": func(v *ledger.Parameters) { v.Season.Weekly[6] = 0 },
		"black_friday is given twice":   func(v *ledger.Parameters) { v.Season.Events[1].Name = "black_friday" },
		"model blended has no season": func(v *ledger.Parameters) {
			blended := live(model.Blended)
			v.Model, v.Pareto, v.Blend = blended.GetModel(), blended.GetPareto(), blended.GetBlend()
		},
		"campaign spring=2024-05-07..2024-05-": func(v *ledger.Parameters) { v.Season.Campaigns[0].Last = 19849 },
	} {
		v := live(model.MBGNBD)
		v.Season = yearRound()
		require.NoError(t, model.Validate(v))
		spoil(v)
		err := model.Validate(v)
		require.ErrorIs(t, err, model.ErrParameters)
		require.ErrorContains(t, err, says)
	}
}
