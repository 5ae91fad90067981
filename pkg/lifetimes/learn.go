package lifetimes

import (
	"math"
	"slices"
	"sort"
)

// place fills the percentiles from a base.
func (c *Scorer) place(base []Customer) {
	silence, repeats, value := make([]float64, len(base)), make([]float64, len(base)), make([]float64, len(base))
	for i, s := range base {
		silence[i], repeats[i], value[i] = s.T-s.Tx, float64(s.X), s.Net
	}
	c.Silence, c.Repeats, c.Value = newPercentiles(silence), newPercentiles(repeats), newPercentiles(value)
}

// standing is the sum of a customer's three percentiles, 0 in the middle.
func (c *Scorer) standing(s Customer) float64 {
	return ((1 - c.Silence.Of(s.T-s.Tx)) + c.Repeats.Of(float64(s.X)) + c.Value.Of(s.Net)) - 1.5
}

// centre measures where the base stands now, around which odds and counts are spread.
func (c *Scorer) centre(base []Customer) {
	odds := 0.0
	sum, power := 0.0, 0.0
	for _, s := range base {
		z, _ := c.odds(s.Summary, c.Horizon)
		odds += z + c.Lift*c.standing(s)
		n := c.count(s.Summary, c.Horizon)
		sum += n
		if n > 0 {
			power += math.Pow(n, c.Power)
		}
	}
	c.Centre = odds / float64(len(base))
	// Typical is such that spreading leaves the total alone: sum of E (E/typical)^(power-1)
	// is the sum of E.
	c.Typical = 0
	if sum > 0 && power > 0 && c.Power != 1 {
		c.Typical = math.Pow(power/sum, 1/(c.Power-1))
	}
}

var (
	paretoShares = []float64{0, 0.5, 1}
	lifts        = []float64{0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3}
)

// Deviations of the priors that hold corrections near none: a base must insist.
const (
	shiftSD = 0.5
	slopeSD = 0.3
	powerSD = 0.2
	levelSD = 0.12
)

// A window whose total is off by more than a factor e^doubted saw a season or a turn of
// the trade, not a fault of the models: of that no part is carried forward beyond
// e^dismissed, and in between ever less.
const (
	doubted   = 0.3
	dismissed = 0.5
)

// plateau is how much area under the curve tells two lifts apart.
const plateau = 0.0005

// learn takes what the windows teach, the less the fewer of today's base, of the given
// size, they knew. Where there are several windows, only that part of a correction is made
// on which all agree: what a season or chance did to one would mislead on the next.
func (c *Scorer) learn(windows [][]seen, base int) {
	pooled := slices.Concat(windows...)
	c.chooseOdds(pooled)
	c.chooseCounts(pooled)
	each := make([]Scorer, len(windows))
	for i, rows := range windows {
		each[i] = *c
		each[i].chooseOdds(rows)
		c.Lift = math.Min(c.Lift, each[i].Lift)
	}
	for i, rows := range windows {
		each[i].ParetoInOdds, each[i].Lift = c.ParetoInOdds, c.Lift
		each[i].learnOdds(rows)
		each[i].learnCounts(rows)
	}
	agreed := func(part func(*Scorer) float64) float64 {
		all := make([]float64, len(each))
		for i := range each {
			all[i] = part(&each[i])
		}
		// The one nearest to 0, unless they lie on both sides of it.
		return math.Max(slices.Min(all), 0) + math.Min(slices.Max(all), 0)
	}
	known := math.Min(1, float64(len(pooled))/float64(len(windows)*base))
	known *= known
	c.Lift *= known
	c.Shift = known * agreed(func(s *Scorer) float64 { return s.Shift })
	c.Slope = 1 + known*agreed(func(s *Scorer) float64 { return s.Slope - 1 })
	c.Level = math.Exp(known * agreed(func(s *Scorer) float64 { return math.Log(s.Level) }))
	c.Power = 1 + known*agreed(func(s *Scorer) float64 { return s.Power - 1 })
}

// scores are the blended and lifted log odds of rows, and their mean.
func (c *Scorer) scores(rows []seen) ([]float64, float64) {
	score, centre := make([]float64, len(rows)), 0.0
	for i, r := range rows {
		score[i] = (1-c.ParetoInOdds)*r.regularOdds + c.ParetoInOdds*r.paretoOdds + c.Lift*r.standing
		centre += score[i] / float64(len(rows))
	}
	return score, centre
}

// promises are the blended counts of rows, and their sum.
func (c *Scorer) promises(rows []seen) ([]float64, float64) {
	promised, sum := make([]float64, len(rows)), 0.0
	for i, r := range rows {
		promised[i] = math.Max(1e-12, (1-c.ParetoInCounts)*r.regularCount+c.ParetoInCounts*r.paretoCount)
		sum += promised[i]
	}
	return promised, sum
}

// chooseOdds chooses the blend and the lift by the area under the curve.
func (c *Scorer) chooseOdds(rows []seen) {
	order := make([]int, len(rows))
	best := 0.0
	try := *c
	for _, try.ParetoInOdds = range paretoShares {
		areas := make([]float64, len(lifts))
		for i := range lifts {
			try.Lift = lifts[i]
			score, _ := try.scores(rows)
			areas[i] = areaUnder(score, rows, order)
		}
		top := slices.Max(areas)
		if top <= best {
			continue
		}
		best, c.ParetoInOdds = top, try.ParetoInOdds
		// The curve is flat around its top: the middle of the flat part, not the peak of noise.
		sum, count := 0.0, 0.0
		for i := range lifts {
			if areas[i] >= top-plateau {
				sum += lifts[i]
				count++
			}
		}
		c.Lift = sum / count
	}
}

// learnOdds recalibrates with a slope and a shift.
func (c *Scorer) learnOdds(rows []seen) {
	score, centre := c.scores(rows)
	n := float64(len(rows))
	fit := minimise(func(x, g []float64) float64 {
		v := x[0]*x[0]/(2*shiftSD*shiftSD) + (x[1]-1)*(x[1]-1)/(2*slopeSD*slopeSD)
		g[0], g[1] = x[0]/(shiftSD*shiftSD), (x[1]-1)/(slopeSD*slopeSD)
		for i := range rows {
			spread := score[i] - centre
			z := centre + x[0] + x[1]*spread
			bought := 0.0
			if rows[i].came > 0 {
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
	c.Shift, c.Slope = fit.at[0], math.Min(math.Max(fit.at[1], 0.25), 2)
}

// chooseCounts chooses the blend by squared error, an even one unless another is clearly
// better.
func (c *Scorer) chooseCounts(rows []seen) {
	came := arrivals(rows)
	squares := func(share float64) float64 {
		try := Scorer{ParetoInCounts: share}
		promised, sum := try.promises(rows)
		loss := 0.0
		for i, r := range rows {
			d := promised[i]*came/sum - r.came
			loss += d * d
		}
		return loss
	}
	best := squares(0.5) * 0.99
	c.ParetoInCounts = 0.5
	for _, share := range []float64{0, 1} {
		if loss := squares(share); loss < best {
			best, c.ParetoInCounts = loss, share
		}
	}
}

// learnCounts finds the power by Poisson regression and the level by the totals, drawn
// towards 1 as far as the data leave it open.
func (c *Scorer) learnCounts(rows []seen) {
	n, came := float64(len(rows)), arrivals(rows)
	promised, sum := c.promises(rows)
	variance, centre := 0.0, 0.0
	for i, r := range rows {
		d := r.came - promised[i]*came/sum
		variance += d * d
		centre += promised[i] * math.Log(promised[i]) / sum
	}
	// Purchases come in clumps: their variance is a multiple of a Poisson's.
	over := math.Max(1, variance/came)
	fit := minimise(func(x, g []float64) float64 {
		v := (x[1] - 1) * (x[1] - 1) / (2 * powerSD * powerSD)
		g[0], g[1] = 0, (x[1]-1)/(powerSD*powerSD)
		for i, p := range promised {
			spread := math.Log(p) - centre
			eta := centre + x[0] + x[1]*spread
			mean := math.Exp(eta)
			v += (mean - rows[i].came*eta) / over
			g[0] += (mean - rows[i].came) / over
			g[1] += (mean - rows[i].came) * spread / over
		}
		g[0], g[1] = g[0]/n, g[1]/n
		return v / n
	}, []float64{0, 1}, 1e-9, 300)
	c.Power = math.Min(math.Max(fit.at[1], 0.6), 1.2)
	off := math.Log(came / sum)
	keep := levelSD * levelSD / (levelSD*levelSD + over/came)
	trust := math.Min(math.Max((dismissed-math.Abs(off))/(dismissed-doubted), 0), 1)
	c.Level = math.Exp(keep * trust * off)
	c.Shift *= trust
}

// arrivals counts what came, half a purchase at least, so that it has a logarithm.
func arrivals(rows []seen) float64 {
	came := 0.0
	for _, r := range rows {
		came += r.came
	}
	return math.Max(came, 0.5)
}

// areaUnder is the probability that a customer who bought was ranked above one who did not.
func areaUnder(score []float64, rows []seen, order []int) float64 {
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool { return score[order[i]] < score[order[j]] })
	ranks, buyers := 0.0, 0.0
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && score[order[j]] == score[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			if rows[k].came > 0 {
				ranks += float64(i+j+1) / 2
				buyers++
			}
		}
		i = j
	}
	others := float64(len(order)) - buyers
	if buyers == 0 || others == 0 {
		return 0.5
	}
	return (ranks - buyers*(buyers+1)/2) / (buyers * others)
}

// compare fills in how the models did on the windows and names the best: the one whose
// odds made what came most likely.
func (t *Training) compare(rows []seen) {
	n := float64(len(rows))
	came := 0.0
	for _, r := range rows {
		came += r.came
	}
	score, order := make([]float64, len(rows)), make([]int, len(rows))
	showing := func(name string, odds, count func(seen) float64) {
		for i := range t.Candidates {
			c := &t.Candidates[i]
			if c.Name != name {
				continue
			}
			sum, squares := 0.0, 0.0
			for j, r := range rows {
				score[j] = odds(r)
				if r.came > 0 {
					c.LogScore -= softplus(-score[j]) / n
				} else {
					c.LogScore -= softplus(score[j]) / n
				}
				sum += count(r)
				squares += (count(r) - r.came) * (count(r) - r.came)
			}
			c.RMSE, c.Bias, c.AUC = math.Sqrt(squares/n), sum/came-1, areaUnder(score, rows, order)
		}
	}
	regular := t.Regular.Model.Name()
	if t.Regular.Model.K == 1 {
		regular = MBGNBD{}.Name()
	}
	showing(regular, func(r seen) float64 { return r.regularOdds }, func(r seen) float64 { return r.regularCount })
	showing(t.Pareto.Model.Name(), func(r seen) float64 { return r.paretoOdds }, func(r seen) float64 { return r.paretoCount })
	best := math.Inf(-1)
	for _, c := range t.Candidates {
		if c.LogScore != 0 && c.LogScore > best {
			best, t.Chosen = c.LogScore, c.Name
		}
	}
}
