package lifetimes

import "math"

// Counts is the predictive distribution of the number of purchases N of one customer within a time
// span: P(N >= n) for n = 1, 2, .., as far as it is not negligible. Predictor.Counts returns
// it. Its zero value is the distribution of a customer who buys nothing.
//
// With beta dropout, N >= n if the customer is alive, would make n purchases or more without
// stopping (a negative binomial number K), and survives the first n-1 of them. The three are
// independent given the history, so the distribution is exact:
//
//	P(N >= n) = P(alive) P(K >= n) B(a, b+n-1)/B(a, b)
//
// With Pareto/NBD the customer must be alive at the n-th purchase. Its time is replaced by its mean,
// given that it is within the span, and the result is adjusted to the model's P(N >= 1) and E(N): the
// probabilities are within .01 of the exact ones. The exact mean over the time of stopping takes
// twenty times as long as all other scores of the customer.
type Counts struct {
	n    int // the greatest count that has a probability of its own
	tail [mostCounted + 2]float64
}

const (
	// mostCounted bounds the counts and with them the time; it is more than the purchase days of
	// three years.
	mostCounted = 1200
	// negligible is the tail that is left out, so that intervals are right up to a level of .99.
	negligible = 1e-3
)

// AtLeast is the probability of n purchases or more; 0 where it is below .001.
func (c *Counts) AtLeast(n int) float64 {
	switch {
	case n <= 0:
		return 1
	case n > c.n:
		return 0
	}
	return c.tail[n]
}

// Interval returns the central interval of a level, such as 0.8: the least counts that the number
// of purchases exceeds with a probability of at most (1+level)/2 and (1-level)/2. Since counts are
// whole, the interval contains the number with a probability of level or more: a customer who buys
// nothing with a probability of .95 has the interval 0 to 0. Intervals of greater levels contain
// those of smaller ones. A level is at most .99.
func (c *Counts) Interval(level float64) (low, high int) {
	above := float64(0.5 * (1 - level))
	return c.quantile(1 - above), c.quantile(above)
}

// quantile is the least n with P(N > n) <= above.
func (c *Counts) quantile(above float64) int {
	low, high := 0, c.n
	for low < high {
		if mid := (low + high) / 2; c.tail[mid+1] <= above {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// Counts returns the distribution of the number of purchases in the next t, which is valid until the
// next call. expected is Expected(s, t), which callers have. relativeError is the relative standard
// error of the expected number of a new customer, due to the uncertainty of the parameters; what a
// customer has bought reduces it. A Scorer corrects probability and number; the distribution is that
// of its regular model (of Pareto/NBD, if the counts are its alone), adjusted to both.
func (p *Predictor) Counts(s Customer, t, expected, relativeError float64) *Counts {
	c := &p.counts
	c.n = 0
	if p.scorer == nil {
		c.fill(p.regular, s.Summary, t, expected, relativeError)
	} else if p.scorer.answers(s.Summary) && t > 0 && validSpan(t) {
		from := p.regular
		if p.scorer.ParetoInCounts == 1 {
			from = p.pareto
		}
		mean := from.Expected(s.Summary, t)
		c.fill(from, s.Summary, t, mean, relativeError)
		c.adjust(from.PAtLeastOne(s.Summary, t), mean, p.PAtLeastOne(s, t), expected)
	}
	c.tail[c.n+1] = 0
	return c
}

// fill sets c to the distribution of a model whose expected number is given.
func (c *Counts) fill(p *Prepared, s Summary, t, expected, relativeError float64) {
	if !(t > 0) || !validSpan(t) {
		return
	}
	switch m := p.PurchaseModel.(type) {
	case MBGNBD:
		if m.answers(s) {
			b := m.buys(s)
			b.alive = p.PAlive(s)
			c.fillBeta(b, m.R, t, relativeError)
		}
	case BGNBD:
		if m.answers(s) {
			b := m.buys(s)
			b.alive = p.PAlive(s)
			c.fillBeta(b, m.R, t, relativeError)
		}
	case ParetoNBD:
		if m.answers(s) {
			c.fillPareto(m, s, t, p.PAlive(s), relativeError)
			c.adjust(c.AtLeast(1), c.mean(), p.PAtLeastOne(s, t), expected)
		}
	}
}

func (c *Counts) fillBeta(b betaCustomer, r, t, relativeError float64) {
	k := newTails(b.shape, t/b.age, r, relativeError)
	survive, ab := b.alive, b.a+b.b
	for n := 0; n < mostCounted; {
		v := float64(survive * k.next())
		if n++; n > 1 && v < negligible || v == 0 {
			break
		}
		c.n, c.tail[n] = n, v
		survive *= (b.b + float64(n-1)) / (ab + float64(n-1))
	}
}

func (c *Counts) fillPareto(m ParetoNBD, s Summary, t, alive, relativeError float64) {
	age := m.Alpha + s.T
	k := newTails(m.R+float64(s.X), t/age, m.R, relativeError)
	this, fade := k.next(), m.Beta+s.T
	for n := 1.0; n < mostCounted && this > 0; n++ {
		next := k.next()
		// The share of age+time that the time of the n-th purchase is, which has a beta distribution.
		y := n / (n + k.shape) * (next / this)
		v := float64(alive*this) * exp(-m.S*ln1p(age/fade*y/(1-y)))
		if n > 1 && v < negligible || v == 0 {
			break
		}
		c.n = int(n)
		c.tail[c.n] = v
		this = next
	}
}

// mean is the expected number of purchases.
func (c *Counts) mean() float64 {
	mean, _ := c.moments()
	return mean
}

// Variance is the variance of the number of purchases.
func (c *Counts) Variance() float64 {
	mean, square := c.moments()
	return math.Max(0, square-float64(mean*mean))
}

// moments are the means of N and N^2; what is negligible in the tail is taken as a geometric series.
func (c *Counts) moments() (mean, square float64) {
	for n := 1; n <= c.n; n++ {
		mean += c.tail[n]
		square += float64(float64(2*n-1) * c.tail[n])
	}
	if c.n > 1 {
		last := c.tail[c.n]
		fall := math.Min(last/c.tail[c.n-1], 0.99)
		rest := last * fall / (1 - fall)
		mean += rest
		square += float64(rest * (float64(2*c.n-1) + 2/(1-fall)))
	}
	return mean, square
}

// adjust changes the distribution from one with a probability of a purchase and an expected number
// to one with another probability and number. The number of purchases after the first is stretched.
func (c *Counts) adjust(some, mean, toSome, toMean float64) {
	if c.n == 0 || !(some > 0) || !(mean > 0) {
		return
	}
	most := c.n
	// The sum over n of a function of (n-1)/k is about k times its integral, plus 1/2.
	k := math.Min(8, math.Max(0.125, (toMean/toSome-0.5)/(mean/some-0.5)))
	to := min(mostCounted, 1+int(float64(float64(most-1)*k)))
	first := c.tail[1]
	c.tail[most+1] = 0
	stretch := func(n int) {
		at := 1 + float64(n-1)/k
		whole := int(at)
		v := c.tail[whole]
		if part := at - float64(whole); part > 0 {
			v += float64(part * (c.tail[whole+1] - v))
		}
		c.tail[n] = float64(toSome * (v / first))
	}
	if k > 1 { // reads below what it has written
		for n := to; n > 0; n-- {
			stretch(n)
		}
	} else {
		for n := 1; n <= to; n++ {
			stretch(n)
		}
	}
	c.n = to
}

// tails gives P(K >= n) of a negative binomial number for n = 1, 2, ..
type tails struct {
	shape, w float64
	none     float64 // P(K = n), from certain on
	left     float64 // P(K >= n)
	n        float64
	certain  float64 // P(K >= n) is 1 up to here
}

// newTails returns the tails for a time of z and a rate from Gamma(shape, 1), whose relative variance
// is increased by the square of an error of r/shape relativeError; its mean stays.
func newTails(shape, z, r, relativeError float64) tails {
	own := float64(relativeError * (r / shape))
	wider := shape / (1 + float64(shape*own*own))
	z *= shape / wider
	k := tails{shape: wider, w: z / (1 + z), left: 1}
	lnNone := -wider * ln1p(z)
	if lnNone < -600 {
		// P(K = 0) is not representable: begin 12 standard deviations below the mean.
		mean := float64(wider * z)
		k.certain = math.Max(0, math.Floor(mean-float64(12*math.Sqrt(float64(mean*(1+z))))))
		lnNone += lnRising(wider, k.certain) - lnGamma(k.certain+1) + float64(k.certain*ln(k.w))
	}
	k.none = exp(lnNone)
	return k
}

func (k *tails) next() float64 {
	if k.n++; k.n <= k.certain {
		return 1
	}
	before := k.n - 1
	k.left = max(0, k.left-k.none)
	k.none *= float64((k.shape+before)*k.w) / k.n
	return k.left
}
