package lifetimes

import (
	"math"
	"slices"
)

// setPercentiles sets the percentiles from a customer base.
func (c *Scorer) setPercentiles(base []Customer) {
	silence, repeats, value := make([]float64, len(base)), make([]float64, len(base)), make([]float64, len(base))
	for i, s := range base {
		silence[i], repeats[i], value[i] = s.T-s.Tx, float64(s.X), s.Net
	}
	c.Silence, c.Repeats, c.Value = newPercentiles(silence), newPercentiles(repeats), newPercentiles(value)
}

// percentileSum is the sum of a customer's three percentiles minus 1.5, so that it is 0 for a
// median customer.
func (c *Scorer) percentileSum(s Customer) float64 {
	return ((1 - c.Silence.Of(s.T-s.Tx)) + c.Repeats.Of(float64(s.X)) + c.Value.Of(s.Net)) - 1.5
}

// setCentres sets Centre and Typical, the log odds and the count that Slope and Power leave
// unchanged, from the present base.
func (c *Scorer) setCentres(base []Customer) {
	odds := 0.0
	sum, power := 0.0, 0.0
	for _, s := range base {
		z, _ := c.blend().odds(s.Summary, c.Horizon)
		odds += z + c.Lift*c.percentileSum(s)
		n := c.blend().count(s.Summary, c.Horizon)
		sum += n
		if n > 0 {
			power += math.Pow(n, c.Power)
		}
	}
	c.Centre = odds / float64(len(base))
	// Typical is such that Power does not change the total: the sum of
	// E (E/typical)^(power-1) equals the sum of E.
	c.Typical = 0
	if sum > 0 && power > 0 && c.Power != 1 {
		c.Typical = math.Pow(power/sum, 1/(c.Power-1))
	}
}

// Standard deviations of the priors of the corrections, whose means are no correction.
const (
	shiftSD = 0.5
	slopeSD = 0.3
	powerSD = 0.2
)

// A window whose total differs from the predicted one by more than a factor e^trustedTotal is
// taken for a season or a change of the business, which is not a fault of the models. The
// part of its correction that is used decreases from there to 0 at e^untrustedTotal.
const (
	trustedTotal   = 0.3
	untrustedTotal = 0.5
)

// learn sets the corrections from the windows. A correction is used only as far as all
// windows agree on it, since the effect of a season or of chance in one window would make
// other periods worse; for Level, short windows must agree too. The corrections are reduced
// by the square of the share of the present base, of the given size, that the windows
// contain on average.
func (c *Scorer) learn(whole, short [][]holdoutRow, base int) {
	pooled := slices.Concat(whole...)
	c.chooseLift(pooled)
	each := make([]Scorer, len(whole), len(whole)+len(short))
	for i, rows := range whole {
		each[i] = *c
		each[i].chooseLift(rows)
		c.Lift = math.Min(c.Lift, each[i].Lift)
	}
	for i, rows := range whole {
		each[i].Lift = c.Lift
		each[i].learnOdds(rows)
		each[i].learnCounts(rows)
	}
	known := math.Min(1, float64(len(pooled))/float64(len(whole)*base))
	known *= known
	c.Lift *= known
	c.Shift = known * agreed(each, func(s *Scorer) float64 { return s.Shift })
	c.Slope = 1 + known*agreed(each, func(s *Scorer) float64 { return s.Slope - 1 })
	c.Power = 1 + known*agreed(each, func(s *Scorer) float64 { return s.Power - 1 })
	for _, rows := range short {
		one := *c
		one.learnCounts(rows)
		each = append(each, one)
	}
	c.Level = math.Exp(known * agreed(each, func(s *Scorer) float64 { return math.Log(s.Level) }))
}

// agreed is the correction nearest to 0, or 0 if the corrections have different signs.
func agreed(each []Scorer, part func(*Scorer) float64) float64 {
	all := make([]float64, len(each))
	for i := range each {
		all[i] = part(&each[i])
	}
	return math.Max(slices.Min(all), 0) + math.Min(slices.Max(all), 0)
}

// scores returns the log odds of rows, blended and with the lift, and their mean.
func (c *Scorer) scores(rows []holdoutRow) ([]float64, float64) {
	score, centre := make([]float64, len(rows)), 0.0
	for i, r := range rows {
		score[i] = (1-c.ParetoInOdds)*r.regularOdds + c.ParetoInOdds*r.paretoOdds + c.Lift*r.percentileSum
		centre += score[i] / float64(len(rows))
	}
	return score, centre
}

// predictedCounts returns the blended expected counts of rows, and their sum.
func (c *Scorer) predictedCounts(rows []holdoutRow) ([]float64, float64) {
	predicted, sum := make([]float64, len(rows)), 0.0
	for i, r := range rows {
		predicted[i] = math.Max(1e-12, (1-c.ParetoInCounts)*r.regularCount+c.ParetoInCounts*r.paretoCount)
		sum += predicted[i]
	}
	return predicted, sum
}

// doubled is the factor by which the variance due to chance exceeds that of the window's
// outcomes alone: the fit before the cut varies by chance too, about as much.
const doubled = 2

// learnOdds sets Slope and Shift by logistic regression, shrunk by how far the gain in
// likelihood exceeds the gain that two irrelevant parameters have by chance.
func (c *Scorer) learnOdds(rows []holdoutRow) {
	score, centre := c.scores(rows)
	n := float64(len(rows))
	fit := minimise(func(x, g []float64) float64 {
		v := x[0]*x[0]/(2*shiftSD*shiftSD) + (x[1]-1)*(x[1]-1)/(2*slopeSD*slopeSD)
		g[0], g[1] = x[0]/(shiftSD*shiftSD), (x[1]-1)/(slopeSD*slopeSD)
		for i := range rows {
			spread := score[i] - centre
			z := centre + x[0] + x[1]*spread
			bought := 0.0
			if rows[i].actual > 0 {
				bought = 1
			}
			d := logistic(z) - bought
			v += softplus(z) - bought*z
			g[0] += d
			g[1] += d * spread
		}
		g[0], g[1] = g[0]/n, g[1]/n
		return v / n
	}, []float64{0, 1}, 1e-9, 300)
	gain := 2 * (logLoss(score, rows, centre, 0, 1) - logLoss(score, rows, centre, fit[0], fit[1]))
	keep := evidence(gain, 2*doubled)
	c.Shift, c.Slope = keep*fit[0], 1+keep*(math.Min(math.Max(fit[1], 0.25), 2)-1)
}

// evidence is the James-Stein (1961) shrinkage factor of an estimate with the given square,
// if chance alone gives an expected square of chance; 0 if square <= chance.
func evidence(square, chance float64) float64 {
	return math.Max(0, 1-chance/math.Max(square, 1e-300))
}

// logLoss is minus the log-likelihood of which customers bought in the window.
func logLoss(score []float64, rows []holdoutRow, centre, shift, slope float64) float64 {
	sum := 0.0
	for i := range rows {
		z := centre + shift + slope*(score[i]-centre)
		sum += softplus(z)
		if rows[i].actual > 0 {
			sum -= z
		}
	}
	return sum
}

// learnCounts sets Power by Poisson regression and Level by the totals, each shrunk by how
// far its gain exceeds chance.
func (c *Scorer) learnCounts(rows []holdoutRow) {
	n, actual := float64(len(rows)), totalActual(rows)
	predicted, sum := c.predictedCounts(rows)
	variance, centre := 0.0, 0.0
	for i, r := range rows {
		d := r.actual - predicted[i]*actual/sum
		variance += d * d
		centre += predicted[i] * math.Log(predicted[i]) / sum
	}
	// Purchases are overdispersed: their variance is a multiple of that of a Poisson.
	over := math.Max(1, variance/actual)
	fit := minimise(func(x, g []float64) float64 {
		v := (x[1] - 1) * (x[1] - 1) / (2 * powerSD * powerSD)
		g[0], g[1] = 0, (x[1]-1)/(powerSD*powerSD)
		for i, p := range predicted {
			spread := math.Log(p) - centre
			eta := centre + x[0] + x[1]*spread
			mean := math.Exp(eta)
			v += (mean - rows[i].actual*eta) / over
			g[0] += (mean - rows[i].actual) / over
			g[1] += (mean - rows[i].actual) * spread / over
		}
		g[0], g[1] = g[0]/n, g[1]/n
		return v / n
	}, []float64{0, 1}, 1e-9, 300)
	off := math.Log(actual / sum)
	gain := 2 * (poissonLoss(predicted, rows, centre, off, 1) - poissonLoss(predicted, rows, centre, fit[0], fit[1])) / over
	c.Power = 1 + evidence(gain, doubled)*(math.Min(math.Max(fit[1], 0.6), 1.2)-1)
	keep := evidence(off*off, doubled*over/actual)
	trust := math.Min(math.Max((untrustedTotal-math.Abs(off))/(untrustedTotal-trustedTotal), 0), 1)
	c.Level = math.Exp(keep * trust * off)
	c.Shift *= trust
}

// poissonLoss is minus the Poisson log-likelihood of the numbers of purchases, up to a
// constant.
func poissonLoss(predicted []float64, rows []holdoutRow, centre, level, power float64) float64 {
	sum := 0.0
	for i, p := range predicted {
		eta := centre + level + power*(math.Log(p)-centre)
		sum += math.Exp(eta) - rows[i].actual*eta
	}
	return sum
}

// totalActual is the number of purchases in the window, but at least 0.5, so that its logarithm
// is finite.
func totalActual(rows []holdoutRow) float64 {
	actual := 0.0
	for _, r := range rows {
		actual += r.actual
	}
	return math.Max(actual, 0.5)
}
