package backtest

import (
	"math"
	"sort"
)

// predictions are the predictions for each customer. A rule that only ranks has no expected counts and no spend, and its field
// probability holds scores.
type predictions struct {
	expected, probability, spend []float64
}

// measure compares predictions with the observed purchases and spend.
//
//   - MAE and RMSE: mean absolute error, and root of the mean squared error, of the number of purchases.
//   - Correlation: Pearson's, of predicted and observed number of purchases.
//   - Bias: predicted total / observed total - 1. A positive bias predicts too much.
//   - AUC: the probability that a customer who bought was ranked above one who did not, by the predicted probability of
//     a purchase; ties count half.
//   - ECE, the expected calibration error: customers sorted by predicted probability and divided into ten bins of equal size
//     (bin i starts at customer i n/10, rounded down); the absolute differences between mean prediction and share of buyers,
//     averaged over customers. Customers with equal predictions each count with the share of buyers among them, so that their
//     order does not matter.
//   - LogScore: mean natural logarithm of the probability that was predicted for the observed outcome (purchase or none).
//   - SpendMAE: mean absolute error of net value, expected purchases times expected value of a purchase.
func measure(p predictions, actual, spent []float64) Measures {
	bought := make([]float64, len(actual))
	for i, n := range actual {
		bought[i] = math.Min(n, 1)
	}
	var m Measures
	m.AUC, m.AUCError = areaUnderCurve(p.probability, bought)
	if p.expected == nil {
		return m
	}
	m.ECE, m.LogScore = calibrationError(p.probability, bought), logScore(p.probability, bought)
	if p.spend != nil {
		m.SpendMAE, _ = meanErrors(p.spend, spent)
	}
	m.MAE, m.RMSE = meanErrors(p.expected, actual)
	m.Correlation = correlation(p.expected, actual)
	m.Bias, m.BiasError = bias(p.expected, actual)
	return m
}

func meanErrors(predicted, actual []float64) (absolute, squared *float64) {
	a, s, n := 0.0, 0.0, float64(len(actual))
	for i := range actual {
		d := predicted[i] - actual[i]
		a += math.Abs(d)
		s += d * d
	}
	return finite(a / n), finite(math.Sqrt(s / n))
}

func correlation(a, b []float64) *float64 {
	meanA, meanB := mean(a), mean(b)
	ab, aa, bb := 0.0, 0.0, 0.0
	for i := range a {
		ab += (a[i] - meanA) * (b[i] - meanB)
		aa += (a[i] - meanA) * (a[i] - meanA)
		bb += (b[i] - meanB) * (b[i] - meanB)
	}
	return finite(ab / math.Sqrt(aa*bb))
}

// bias returns the bias and its standard error, that of a sum of independent differences.
func bias(predicted, actual []float64) (share, standardError *float64) {
	total, off := 0.0, 0.0
	for i := range actual {
		total += actual[i]
		off += predicted[i] - actual[i]
	}
	each, squares := off/float64(len(actual)), 0.0
	for i := range actual {
		d := predicted[i] - actual[i] - each
		squares += d * d
	}
	return finite(off / total), finite(math.Sqrt(squares) / total)
}

// areaUnderCurve returns the Mann-Whitney statistic and its standard error (Hanley and McNeil, 1982).
func areaUnderCurve(score, bought []float64) (area, standardError *float64) {
	rank := ranks(score)
	sum, yes := 0.0, 0.0
	for i := range rank {
		sum += bought[i] * rank[i]
		yes += bought[i]
	}
	no := float64(len(score)) - yes
	a := (sum - yes*(yes+1)/2) / (yes * no)
	both, other := a/(2-a), 2*a*a/(1+a)
	variance := (a*(1-a) + (yes-1)*(both-a*a) + (no-1)*(other-a*a)) / (yes * no)
	return finite(a), finite(math.Sqrt(variance))
}

// ranks returns ranks from 1 for the least value; equal values have their mean rank.
func ranks(values []float64) []float64 {
	order := sorted(values)
	out := make([]float64, len(values))
	each(order, values, func(from, to int) {
		for _, i := range order[from:to] {
			out[i] = float64(from+to+1) / 2
		}
	})
	return out
}

func calibrationError(probability, bought []float64) *float64 {
	sum := 0.0
	for _, bin := range tenths(probability, probability, bought) {
		sum += math.Abs(bin.Predicted-bin.Actual) * float64(bin.Customers)
	}
	return finite(sum / float64(len(probability)))
}

// tenths divides customers, sorted by score, into ten bins of equal size. Customers with equal scores each count as their mean.
func tenths(score, predicted, actual []float64) []Group {
	order := sorted(score)
	n := len(order)
	p, c := make([]float64, n), make([]float64, n)
	each(order, score, func(from, to int) {
		sumP, sumC := 0.0, 0.0
		for _, i := range order[from:to] {
			sumP += predicted[i]
			sumC += actual[i]
		}
		for k := from; k < to; k++ {
			p[k], c[k] = sumP/float64(to-from), sumC/float64(to-from)
		}
	})
	var out []Group
	for b := range 10 {
		from, to := b*n/10, (b+1)*n/10
		if from < to {
			out = append(out, Group{Customers: to - from, Predicted: mean(p[from:to]), Actual: mean(c[from:to])})
		}
	}
	return out
}

// logScore limits probabilities to [1e-6, 1-1e-6], so that a single surprise does not dominate the mean.
func logScore(probability, bought []float64) *float64 {
	sum := 0.0
	for i, p := range probability {
		sum += logProbability(p, bought[i])
	}
	return finite(sum / float64(len(probability)))
}

func logProbability(p, bought float64) float64 {
	const least = 1e-6
	p = math.Min(math.Max(p, least), 1-least)
	if bought > 0 {
		return math.Log(p)
	}
	return math.Log1p(-p)
}

// sorted returns the indices of values in ascending order.
func sorted(values []float64) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return values[order[a]] < values[order[b]] })
	return order
}

// each calls f with every run of equal values.
func each(order []int, values []float64, f func(from, to int)) {
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		f(from, to)
		from = to
	}
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// finite returns nil for NaN and infinities, which mean that there was nothing to measure.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
