package lifetimes

import "math"

// SpendInterval returns the central interval of a level of what a customer spends in the purchases
// that c counts, in money units, by the Gamma-Gamma model. x and mean are those of ExpectedSpend.
// relativeError is the relative standard error of the mean value over customers; it widens the
// interval as far as the customer's expected value depends on that mean. Intervals of greater levels
// contain those of smaller ones. A bound is 0 if the customer buys nothing with more than the bound's
// probability, and for an invalid model.
//
// Given n purchases, the sum is (V + x mean) G(P n)/G(Q + P x) with two independent gamma variates of
// these shapes. Its distribution function is Paulson's approximation (1942), in which the cube root
// of such a ratio is a ratio of normal variates; with n grouped by factors of two, the probabilities
// are within .01 of the exact ones. The exact function, an incomplete beta function for each n, takes
// as long as all other work of the stream on an event.
func (c *Counts) SpendInterval(m GammaGamma, x int, mean, relativeError, level float64) (low, high float64) {
	above := float64(0.5 * (1 - level))
	if !m.valid() || c.AtLeast(1) <= above {
		return 0, 0
	}
	var s spendSum
	s.fill(c, m, x, mean, relativeError)
	low = s.quantile(1 - above)
	return low, math.Max(low, s.quantile(above))
}

// SpendVariance is the variance of what a customer spends in the purchases that c counts, in square money units, by the Gamma-Gamma
// model; the arguments are those of SpendInterval. Where Q + P x is near 2 or below, the variance of the customer's mean value is very
// great or does not exist; it is then taken for Q + P x = 2.25. It is 0 for an invalid model.
func (c *Counts) SpendVariance(m GammaGamma, x int, mean float64) float64 {
	if !m.valid() || c.n == 0 {
		return 0
	}
	scale, rate := m.scaleAndRate(x, mean)
	n, square := c.moments()
	spread := 1 / (math.Max(rate, leastFiniteRate) - 2) // relative variance of the customer's mean value
	one := m.P * scale / (rate - 1)                     // its expectation
	// E(S^2 | N) = one^2 (1 + spread) (N^2 + N/P)
	second := float64(float64(one*one) * float64((1+spread)*(square+n/m.P)))
	return math.Max(0, second-float64(float64(one*n)*float64(one*n)))
}

// leastFiniteRate bounds the variance of a customer's mean value.
const leastFiniteRate = 2.25

// scaleAndRate are V + x mean, and the shape below the fraction, Q + P x.
func (m GammaGamma) scaleAndRate(x int, mean float64) (scale, rate float64) {
	if x > 0 && mean > 0 && mean <= math.MaxFloat64 {
		return m.V + float64(float64(x)*mean), m.Q + float64(m.P*float64(x))
	}
	return m.V, m.Q
}

// spendSum is a mixture, over the number of purchases, of scaled ratios of gamma variates.
type spendSum struct {
	scale, rate float64 // V + x mean; the shape below the fraction, Q + P x
	some        float64 // the probability of a purchase
	n           int
	parts       [mostParts]spendPart
}

// spendPart is one number of purchases, or a few neighbouring ones.
type spendPart struct {
	p     float64 // probability
	shape float64 // P times the number
	third float64 // (rate/shape)^(1/3)
}

const (
	// mostParts is enough for mostCounted in groups of factors of 9/8.
	mostParts = 64
	// evenValues is the P above which the values of one customer differ by less than a quarter.
	evenValues = 20
)

func (s *spendSum) fill(c *Counts, m GammaGamma, x int, mean, relativeError float64) {
	s.scale, s.rate = m.scaleAndRate(x, mean)
	if own := float64(relativeError * (m.V / s.scale)); own > 0 && s.rate > 2 {
		// The second moment of the customer's mean grows by 1 + own^2; its expectation stays.
		spread := float64((1+float64(own*own))*(1+1/(s.rate-2))) - 1
		wider := 2 + 1/spread
		s.scale *= (wider - 1) / (s.rate - 1)
		s.rate = wider
	}
	s.some = c.AtLeast(1)
	lnRate := ln(s.rate / m.P)
	// Where the values of purchases hardly vary, the sum has steps, and groups must be finer.
	wide := 1
	if m.P > evenValues {
		wide = 8
	}
	for n := 1; n <= c.n; {
		next := n + 1 + (n-1)/wide
		if s.n == mostParts-1 {
			next = c.n + 1
		}
		weight, sum, squares := 0.0, 0.0, 0.0
		for ; n < next && n <= c.n; n++ {
			p := c.tail[n] - c.tail[n+1]
			weight += p
			sum += float64(p * float64(n))
			squares += float64(p * float64(n) * float64(n))
		}
		if weight > 0 {
			number := sum / weight
			// The relative variance of the number is added to that of the values.
			varies := math.Max(0, squares/float64(weight*number*number)-1)
			shape := 1 / (1/float64(m.P*number) + varies)
			s.parts[s.n] = spendPart{p: weight, shape: shape, third: exp((lnRate - ln(number)) / 3)}
			s.n++
		}
	}
}

// quantile is the amount that is exceeded with the given probability, 0 if none is.
func (s *spendSum) quantile(above float64) float64 {
	if !(above > 0) || s.some <= above {
		return 0
	}
	// Newton's method for the log odds, as a function of a third of the logarithm of amount/scale.
	target := ln(above / (s.some - above))
	low, high := -60.0, 60.0
	z := s.start(above)
	for range 100 {
		exceeds, slope := s.exceeds(z)
		if exceeds > above {
			low = z
		} else {
			high = z
		}
		next, rest := low+float64(0.5*(high-low)), s.some-exceeds
		if exceeds > 0 && rest > 0 && slope > 0 {
			miss := ln(exceeds/rest) - target
			if v := z + float64(miss*exceeds*rest)/float64(slope*s.some); v > low && v < high {
				next = v
			}
			if math.Abs(miss) < 0.02 {
				z = next
				break
			}
		}
		if next == z {
			break
		}
		z = next
	}
	return s.scale * exp(3*z)
}

// start is the logarithm of the median of the first part that is exceeded with no more than the given
// probability.
func (s *spendSum) start(above float64) float64 {
	i, left := 0, s.some
	for ; i < s.n-1 && left-s.parts[i].p > above; i++ {
		left -= s.parts[i].p
	}
	return -ln(s.parts[i].third)
}

// exceeds is the probability of more than scale e^3z, and minus its derivative by z.
func (s *spendSum) exceeds(z float64) (sum, slope float64) {
	c, v := exp(z), 1/(9*s.rate)
	for i := range s.parts[:s.n] {
		part := &s.parts[i]
		root, u := float64(c*part.third), 1/(9*part.shape)
		width := math.Sqrt(float64(v*root*root) + u)
		d := (float64((1-v)*root) - (1 - u)) / width
		square := float64(d * d)
		if square > 40 {
			if d < 0 {
				sum += part.p
			}
			continue
		}
		// The normal distribution by a logistic one, within 2e-4.
		less := 1 / (1 + exp(float64(d*(1.5976+float64(0.07056*square)))))
		sum += float64(part.p * less)
		change := (float64((1-v)*root) - float64(d*v*root*root)/width) / width
		slope += float64(part.p*less*(1-less)*(1.5976+float64(0.21168*square))) * change
	}
	return sum, slope
}
