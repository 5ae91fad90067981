package lifetimes

import (
	"math"
	"slices"
	"sort"
)

// chooseBlend sets Pareto/NBD's share in the odds by comparing the models' areas under the
// curve, and its share in the counts by comparing their squared errors, after scaling
// each model's counts to the observed total.
func (c *Scorer) chooseBlend(rows []holdoutRow) {
	c.ParetoInOdds = preference(ranksBetter(rows))
	actual, regular, pareto := totalActual(rows), 0.0, 0.0
	for _, r := range rows {
		regular += r.regularCount
		pareto += r.paretoCount
	}
	sum, squares := 0.0, 0.0
	for _, r := range rows {
		a, b := r.regularCount*actual/regular-r.actual, r.paretoCount*actual/pareto-r.actual
		d := a*a - b*b
		sum += d
		squares += d * d
	}
	c.ParetoInCounts = preference(inStandardErrors(sum, squares))
}

// preference is the probability that Pareto/NBD is the better model, given its advantage
// in standard errors (normal approximation); 0 or 1 beyond 1.5 standard errors.
func preference(saves float64) float64 {
	const clearDifference = 1.5
	switch {
	case saves > clearDifference:
		return 1
	case saves < -clearDifference:
		return 0
	}
	return 0.5 * math.Erfc(-saves/math.Sqrt2)
}

// ranksBetter is the area under Pareto/NBD's curve minus the area under the other model's,
// in standard errors (DeLong, DeLong and Clarke-Pearson 1988, "Comparing the areas under
// two or more correlated receiver operating characteristic curves").
func ranksBetter(rows []holdoutRow) float64 {
	score := make([]float64, len(rows))
	for i, r := range rows {
		score[i] = r.paretoOdds
	}
	pareto := placements(score, rows)
	for i, r := range rows {
		score[i] = r.regularOdds
	}
	regular := placements(score, rows)
	var sum, squares, count [2]float64
	for i, r := range rows {
		d, bought := pareto[i]-regular[i], 0
		if r.actual > 0 {
			bought = 1
		}
		sum[bought] += d
		squares[bought] += d * d
		count[bought]++
	}
	if count[0] == 0 || count[1] == 0 {
		return 0
	}
	variance := 0.0
	for i := range sum {
		variance += (squares[i] - sum[i]*sum[i]/count[i]) / (count[i] * count[i])
	}
	return inStandardErrors(sum[1]/count[1], variance)
}

func inStandardErrors(v, variance float64) float64 {
	if !(variance > 0) {
		return 0
	}
	return v / math.Sqrt(variance)
}

// placements returns, for each customer who bought, the share of non-buyers with a lower
// score, and for each non-buyer, the share of buyers with a higher score. Ties count half.
func placements(score []float64, rows []holdoutRow) []float64 {
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool { return score[order[i]] < score[order[j]] })
	var below [2]float64 // number of non-buyers, and of buyers, with a lower score
	out := make([]float64, len(rows))
	for i := 0; i < len(order); {
		var here [2]float64
		j := i
		for ; j < len(order) && score[order[j]] == score[order[i]]; j++ {
			if rows[order[j]].actual > 0 {
				here[1]++
			} else {
				here[0]++
			}
		}
		for _, k := range order[i:j] {
			if rows[k].actual > 0 {
				out[k] = below[0] + here[0]/2
			} else {
				out[k] = -(below[1] + here[1]/2) // turned into the share above in the last loop
			}
		}
		below[0] += here[0]
		below[1] += here[1]
		i = j
	}
	for k := range out {
		if rows[k].actual > 0 {
			out[k] /= math.Max(below[0], 1)
		} else {
			out[k] = 1 + out[k]/math.Max(below[1], 1)
		}
	}
	return out
}

// chooseLift sets Lift to the value that gives the largest area under the curve.
func (c *Scorer) chooseLift(rows []holdoutRow) {
	const plateau = 0.0005 // lifts whose areas differ by less count as equally good
	lifts := [...]float64{0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3}
	try, order := *c, make([]int, len(rows))
	areas := make([]float64, len(lifts))
	for i := range lifts {
		try.Lift = lifts[i]
		score, _ := try.scores(rows)
		areas[i] = areaUnder(score, rows, order)
	}
	// The area is nearly constant around its maximum: take the mean of the equally good lifts,
	// since the maximum itself is determined by noise.
	top, sum, count := slices.Max(areas), 0.0, 0.0
	for i := range lifts {
		if areas[i] >= top-plateau {
			sum += lifts[i]
			count++
		}
	}
	c.Lift = sum / count
}

// areaUnder is the area under the curve: the probability that a buyer has a higher score
// than a non-buyer.
func areaUnder(score []float64, rows []holdoutRow, order []int) float64 {
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
			if rows[k].actual > 0 {
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

// compare fills in the candidates' measures on the windows and sets Chosen to the model
// with the highest log score.
func (t *Training) compare(rows []holdoutRow) {
	n := float64(len(rows))
	actual := 0.0
	for _, r := range rows {
		actual += r.actual
	}
	score, order := make([]float64, len(rows)), make([]int, len(rows))
	measure := func(name string, odds, count func(holdoutRow) float64) {
		for i := range t.Candidates {
			c := &t.Candidates[i]
			if c.Name != name {
				continue
			}
			sum, squares := 0.0, 0.0
			for j, r := range rows {
				score[j] = odds(r)
				if r.actual > 0 {
					c.LogScore -= softplus(-score[j]) / n
				} else {
					c.LogScore -= softplus(score[j]) / n
				}
				sum += count(r)
				squares += (count(r) - r.actual) * (count(r) - r.actual)
			}
			c.RMSE, c.Bias, c.AUC = math.Sqrt(squares/n), sum/actual-1, areaUnder(score, rows, order)
		}
	}
	measure(t.Regular.Model.Name(), func(r holdoutRow) float64 { return r.regularOdds }, func(r holdoutRow) float64 { return r.regularCount })
	measure(t.Pareto.Model.Name(), func(r holdoutRow) float64 { return r.paretoOdds }, func(r holdoutRow) float64 { return r.paretoCount })
	best := math.Inf(-1)
	for _, c := range t.Candidates {
		if c.LogScore != 0 && c.LogScore > best {
			best, t.Chosen = c.LogScore, c.Name
		}
	}
}
