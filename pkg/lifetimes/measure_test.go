package lifetimes

import (
	"math"
	"sort"
)

// measures are the errors of predictions on a holdout.
type measures struct{ MAE, RMSE, Correlation, Bias, AUC, ECE, ECEdecile float64 }

// measure compares expected counts and probabilities of a purchase with the observed counts.
func measure(expected, some, actual []float64) measures {
	n := float64(len(actual))
	var m measures
	var se, sa, sp, spp, saa, spa float64
	for i, a := range actual {
		d := expected[i] - a
		m.MAE += math.Abs(d) / n
		se += d * d / n
		sa += a
		sp += expected[i]
	}
	for i, a := range actual {
		spp += (expected[i] - sp/n) * (expected[i] - sp/n)
		saa += (a - sa/n) * (a - sa/n)
		spa += (expected[i] - sp/n) * (a - sa/n)
	}
	m.RMSE = math.Sqrt(se)
	m.Correlation = spa / math.Sqrt(spp*saa)
	m.Bias = sp/sa - 1
	m.AUC = areaUnderCurve(some, actual)
	// Ten bins of equal width.
	var count, hit, sum [10]float64
	for i, p := range some {
		b := min(9, int(p*10))
		count[b]++
		sum[b] += p
		if actual[i] > 0 {
			hit[b]++
		}
	}
	for b := range count {
		m.ECE += math.Abs(hit[b]-sum[b]) / n
	}
	idx := make([]int, len(some))
	for i := range idx {
		idx[i] = i
	}
	sort.Slice(idx, func(i, j int) bool { return some[idx[i]] < some[idx[j]] })
	for b := range 10 {
		d := 0.0
		for _, i := range idx[b*len(idx)/10 : (b+1)*len(idx)/10] {
			d += some[i]
			if actual[i] > 0 {
				d--
			}
		}
		m.ECEdecile += math.Abs(d) / n
	}
	return m
}

// areaUnderCurve is the probability that a buyer is ranked above one who did not buy.
func areaUnderCurve(score, actual []float64) float64 {
	idx := make([]int, len(score))
	for i := range idx {
		idx[i] = i
	}
	sort.Slice(idx, func(i, j int) bool { return score[idx[i]] < score[idx[j]] })
	ranks, buyers := 0.0, 0.0
	for i := 0; i < len(idx); {
		j := i
		for j < len(idx) && score[idx[j]] == score[idx[i]] {
			j++
		}
		for _, k := range idx[i:j] {
			if actual[k] > 0 {
				ranks += float64(i+j+1) / 2
				buyers++
			}
		}
		i = j
	}
	return (ranks - buyers*(buyers+1)/2) / (buyers * (float64(len(idx)) - buyers))
}

// holdout returns the summaries, at split, of the customers who had bought, and their
// numbers of purchase days from split until end.
func holdout(all []History, split, end int32) (rows []Summary, known []History, actual []float64) {
	for _, h := range all {
		u := h.Until(split)
		if len(u) == 0 {
			continue
		}
		rows = append(rows, u.SummaryWithGaps(float64(split), 7, 100))
		known = append(known, u)
		actual = append(actual, float64(len(h.Until(end))-len(u)))
	}
	return rows, known, actual
}

func predict(m PurchaseModel, rows []Summary, t float64) (expected, some []float64) {
	for _, s := range rows {
		expected = append(expected, m.Expected(s, t))
		some = append(some, m.PAtLeastOne(s, t))
	}
	return expected, some
}
