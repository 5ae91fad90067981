package faulttest

import (
	"math"
	"time"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// liveModel is the name of the purchase model that a world puts in force half-way.
type liveModel string

// liveModelOf gives each model every eighth seed, and MBG/NBD the rest: the live clock's churn thresholds are those of its prior.
func liveModelOf(seed uint64) liveModel {
	if clockOf(seed) == "live" {
		return model.MBGNBD
	}
	return liveModel(model.Names()[seed/2%uint64(len(model.Names()))])
}

// clockOf is the clock of a seed's ledger.
func clockOf(seed uint64) string { return [...]string{"event", "live"}[seed%2] }

// The parameters of Pareto/NBD, and the weights of the blended scorer, in these worlds. Those of MBG/NBD and BG/NBD are the prior's.
const (
	paretoR, paretoAlpha, paretoS, paretoBeta = .5, 7, .6, 9.
	paretoInOdds, paretoInCounts              = .3, .6
)

// hasSeason says whether the parameters of a seed's world have a season. The blended scorer cannot have one, and under the live clock the
// churn thresholds are those of the prior.
func hasSeason(seed uint64) bool {
	return clockOf(seed) == "event" && liveModelOf(seed) != model.Blended && seed/8%2 == 0
}

// The season of these worlds: the multipliers of the week from Sunday on, and of the first days of each month of spring.
func weekly() [7]float64 { return [7]float64{.5, .8, .9, 1, 1.1, 1.3, 1.4} }

const campaignDays, campaignPace = 5, 2.5

func campaigns() (first []time.Time) {
	for _, year := range []int{2025, 2026, 2027} {
		for _, month := range []time.Month{time.March, time.April, time.May} {
			first = append(first, time.Date(year, month, 1, 0, 0, 0, 0, time.UTC))
		}
	}
	return first
}

func seasonParameters() *ledger.Season {
	w := weekly()
	s := &ledger.Season{Weekly: append(w[1:], w[0])}
	for _, first := range campaigns() {
		day := int32(first.Unix() / 86400) //nolint:gosec // a day
		s.Campaigns = append(s.Campaigns, &ledger.SeasonCampaign{Name: "spring", First: day, Last: day + campaignDays - 1, Multiplier: campaignPace})
	}
	return s
}

// seasonTime is a time in days since 1970 on the clock of that season: the days of its year so far, each as long as its multiplier, scaled
// such that the year keeps its length.
func seasonTime(days float64) float64 {
	day := math.Floor(days)
	now := time.Unix(int64(day)*86400, 0).UTC()
	begin := time.Date(now.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	passed, year, length := 0.0, 0.0, 0.0
	for at := begin; at.Year() == now.Year(); at = at.AddDate(0, 0, 1) {
		pace := weekly()[at.Weekday()]
		for _, first := range campaigns() {
			if since := at.Sub(first).Hours() / 24; since >= 0 && since < campaignDays {
				pace *= campaignPace
			}
		}
		switch year, length = year+pace, length+1; {
		case at.Before(now):
			passed += pace
		case at.Equal(now):
			passed += pace * (days - day)
		}
	}
	return float64(begin.Unix()/86400) + passed*length/year
}

func (m liveModel) parameters() *ledger.Parameters {
	v := processors.PriorParameters()
	v.Version, v.Model, v.Status, v.P, v.Q, v.V = 1, string(m), "provisional", 6, 4, 50
	if m == model.ParetoNBD || m == model.Blended {
		v.Pareto = &ledger.ParetoParameters{R: paretoR, Alpha: paretoAlpha, S: paretoS, Beta: paretoBeta}
	}
	if m == model.Blended {
		v.Blend = &ledger.BlendParameters{
			ParetoInOdds: paretoInOdds, ParetoInCounts: paretoInCounts, Lift: .5, Centre: -1, Shift: .2, Slope: .8, Level: 1.1, Power: .9,
			Typical: 1, Horizon: 13,
			Silence: &ledger.Percentiles{At: []float64{1, 10, 50}, Share: []float64{.1, .5, .9}},
			Value:   &ledger.Percentiles{At: []float64{10, 100, 1000}, Share: []float64{.1, .5, .9}},
		}
	}
	return v
}

// churnProbability is 1 - P(alive) by the published formulas; times are in weeks.
func (m liveModel) churnProbability(x, tx, age float64) float64 {
	switch m {
	case model.BGNBD:
		if x == 0 {
			return 0
		}
		return betaChurn(x-1, x, tx, age)
	case model.ParetoNBD:
		return paretoChurn(x, tx, age)
	case model.Blended:
		return (1-paretoInOdds)*betaChurn(x, x, tx, age) + paretoInOdds*paretoChurn(x, tx, age)
	default:
		return betaChurn(x, x, tx, age)
	}
}

// betaChurn is that of MBG/NBD (Batislam, Denizel & Filiztekin 2007) for survived = x, and that of BG/NBD (Fader, Hardie & Lee 2005)
// for survived = x-1.
func betaChurn(survived, x, tx, age float64) float64 {
	m := processors.PriorParameters()
	odds := m.GetA() / (m.GetB() + survived) * math.Exp((m.GetR()+x)*math.Log((m.GetAlpha()+age)/(m.GetAlpha()+tx)))
	return odds / (1 + odds)
}

// paretoChurn is that of Pareto/NBD (Schmittlein, Morrison & Colombo 1987), from the odds as an integral over the time of dropping
// out, by the midpoint rule.
func paretoChurn(x, tx, age float64) float64 {
	const steps = 2000
	odds := 0.0
	for i := range steps {
		u := tx + (age-tx)*(float64(i)+.5)/steps
		odds += math.Pow((paretoAlpha+age)/(paretoAlpha+u), paretoR+x) * math.Pow((paretoBeta+age)/(paretoBeta+u), paretoS) / (paretoBeta + u)
	}
	odds *= paretoS * (age - tx) / steps
	return odds / (1 + odds)
}
