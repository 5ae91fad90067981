package lifetimes

import "math"

// wait is the distribution of the time from the last purchase to the next one, for a customer
// who does not stop: the clock has to make stages ticks, at a rate from Gamma(shape, age).
type wait struct {
	stages     int
	shape, age float64
}

// waitOf returns the distribution of the next wait under a model of this package; false for
// another model. It reads X and Tx only.
func waitOf(m PurchaseModel, s Summary) (wait, bool) {
	x := float64(s.X)
	switch m := m.(type) {
	case MBGNBD:
		return wait{1, m.R + x, m.Alpha + s.Tx}, true
	case BGNBD:
		return wait{1, m.R + x, m.Alpha + s.Tx}, true
	case ParetoNBD:
		return wait{1, m.R + x, m.Alpha + s.Tx}, true
	case *ParetoNBD:
		return wait{1, m.R + x, m.Alpha + s.Tx}, true
	case MBGCNBD:
		return wait{m.K, m.R + float64(m.K*s.X), m.Alpha + s.Tx}, true
	case *Prepared:
		return waitOf(m.PurchaseModel, s)
	}
	return wait{}, false
}

// beyond is the probability that the wait exceeds t.
func (w wait) beyond(t float64) float64 {
	if w.stages == 1 {
		return exp(-w.shape * ln1p(t/w.age))
	}
	return 1 - countAtLeast(w.stages, w.shape, t/w.age)
}

// median returns the time that the wait exceeds with probability 1/2; +Inf if it is not
// representable.
func (w wait) median() float64 {
	one := float64(w.age * rootOf2Minus1(w.shape))
	if w.stages == 1 || math.IsInf(one, 1) {
		return one
	}
	high := one
	for ; w.beyond(high) > 0.5; high *= 2 {
		if high > math.MaxFloat64/4 {
			return math.Inf(1)
		}
	}
	return solveAge(w.age, 0, high, func(t float64) float64 { return w.beyond(t) - 0.5 })
}

// medianOfTwo returns the median of a mixture of two waits, given the weight of the second.
func medianOfTwo(a, b wait, second float64) float64 {
	switch second {
	case 0:
		return a.median()
	case 1:
		return b.median()
	}
	one, two := a.median(), b.median()
	low, high := math.Min(one, two), math.Max(one, two)
	if math.IsInf(high, 1) {
		return high
	}
	return solveAge(a.age, low, high, func(t float64) float64 {
		return float64((1-second)*a.beyond(t)) + float64(second*b.beyond(t)) - 0.5
	})
}

// medianWait is MedianWait for a model of this package.
func medianWait(m PurchaseModel, s Summary) float64 {
	s.T = s.Tx
	w, ok := waitOf(m, s)
	if !ok || m.Validate() != nil || !s.scorable() {
		return 0
	}
	return w.median()
}

// rootOf2Minus1 returns 2^(1/n) - 1 for n > 0, by the series of e^y - 1 and doubling.
func rootOf2Minus1(n float64) float64 {
	y, halved := math.Ln2/n, 0
	if !(y < 64) {
		return math.Inf(1)
	}
	for ; y > .5; halved++ {
		y /= 2
	}
	term, sum := y, y
	for k := 2.0; term > 1e-18*sum; k++ {
		term = float64(term * y / k)
		sum += term
	}
	for ; halved > 0; halved-- {
		sum = float64(sum * (sum + 2))
	}
	return sum
}

// MedianWait is the median time from the last purchase to the next; see PurchaseModel.
func (m MBGNBD) MedianWait(s Summary) float64 { return medianWait(m, s) }

// MedianWait is the median time from the last purchase to the next; see PurchaseModel.
func (m BGNBD) MedianWait(s Summary) float64 { return medianWait(m, s) }

// MedianWait is the median time from the last purchase to the next; see PurchaseModel.
func (m ParetoNBD) MedianWait(s Summary) float64 { return medianWait(m, s) }

// MedianWait is the median time from the last purchase to the next; see PurchaseModel.
func (m MBGCNBD) MedianWait(s Summary) float64 { return medianWait(m, s) }
