// Package lift owns the comparison of treated customers with those in control: how different an outcome is in the mean, and how sure that
// is.
//
// Its bounds are a confidence sequence: with a probability of 95% they contain the true difference at all looks together, from the first
// one on and for ever, so it does not matter how often and until when somebody looks. The bounds of a z test, which allow a single look,
// exclude 0 in a fifth of the half-years in which nothing differs, if somebody looks daily.
//
// The estimate. The groups are drawn at random, so the difference of the means is right by itself. What the model predicted of a customer
// when the alert was raised, x, explains a part of what they then do, y; a regression takes that part of the noise away. Each group has
// its own line (Lin, Agnostic notes on regression adjustments to experimental data, 2013), read at the mean of x over both:
//
//	mean(group) = avg(y|group) + slope(group) (avg(x) - avg(x|group))
//	difference  = mean(treated) - mean(control)
//	variance    = v(treated) + v(control) + (slope(treated) - slope(control))² var(x)/n
//
// where v is the variance of the mean of a group, HC3 (MacKinnon and White, Some heteroskedasticity-consistent covariance matrix estimators,
// 1985). It is right whatever the distribution of y and however wrong the line is. The mean square around the line was tried in its place: it needs
// sums alone, but a few great customers draw the line towards them, and with 200 in control more than 5% were false.
//
// The bounds. The estimate, times n, is nearly a Brownian motion with drift (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Time-uniform
// central limit theory and asymptotic confidence sequences, 2021). For one without drift, Robbins (Statistical methods related to the law of
// the iterated logarithm, 1970) gives
//
//	P(|W(n)| >= sqrt(n (a² + ln(n/m))) for some n >= m) = 2 (1 - Φ(a) + a φ(a))
//
// so the bounds are difference ± sqrt(variance (a² + ln(n/m))), with a² = 7.81 for 5%. Below m customers there are none: too few to tell.
// That is where the approximation would not hold either, since revenue is skewed.
//
// The mixture of the first paper, which has bounds from the first customer on, was rejected: it is as wide at the numbers of interest, and its
// first bounds rest on a normal distribution that a few customers do not have. A group-sequential design was rejected, since its end must be
// stated before it begins.
//
// It refuses to know what an outcome is, and to adjust for looking at several measures: each has its own 95%.
package lift

import "math"

// Arm is what the customers of one group have done. The zero Arm has none.
type Arm struct{ customers []one }

// one is a customer: what was predicted of them, x, and what they did, y.
type one struct{ x, y float64 }

// Add adds a customer.
func (a *Arm) Add(predicted, outcome float64) {
	a.customers = append(a.customers, one{predicted, outcome})
}

// N is the number of customers.
func (a *Arm) N() int { return len(a.customers) }

// line is the regression of an arm.
type line struct {
	n, x, y float64 // number, means
	xx      float64 // sum of squares of x around its mean
	slope   float64 // of y on x
}

func (a *Arm) fit() line {
	l := line{n: float64(len(a.customers))}
	if l.n == 0 {
		return l
	}
	for _, c := range a.customers {
		l.x += c.x
		l.y += c.y
	}
	l.x, l.y = l.x/l.n, l.y/l.n
	xy := 0.
	for _, c := range a.customers {
		l.xx += (c.x - l.x) * (c.x - l.x)
		xy += (c.x - l.x) * (c.y - l.y)
	}
	//mutant:covariate-ignored if false && $
	if l.xx > 0 {
		l.slope = xy / l.xx
	}
	return l
}

// at is the mean outcome of customers of whom x was predicted.
func (l *line) at(x float64) float64 { return l.y + l.slope*(x-l.x) }

// variance is that of at. Each customer counts with the square of their distance from a line that is drawn without them.
func (a *Arm) variance(l *line, x float64) float64 {
	sum := 0.
	for _, c := range a.customers {
		weight, leverage := 1/l.n, 1/l.n
		if l.xx > 0 {
			weight += (x - l.x) * (c.x - l.x) / l.xx
			leverage += (c.x - l.x) * (c.x - l.x) / l.xx
		}
		if leverage >= 1 {
			continue // the line goes through this customer, whatever they do
		}
		off := weight * (c.y - l.at(c.x)) / (1 - leverage)
		sum += off * off
	}
	return sum
}

// Least is the expected number of customers of the smaller group below which nothing is stated.
const Least = 200

// FewestFor returns the number of customers of both groups, m, from which on there are bounds.
func FewestFor(controlShare float64) int {
	return int(math.Ceil(Least / math.Min(controlShare, 1-controlShare)))
}

// quantile is a²: the 95% quantile of chi-squared with 3 degrees of freedom, at which 2 (1 - Φ(a) + a φ(a)) is 5%.
const quantile = 7.814727903251179

// Comparison is the difference between two groups. The means are those of customers of whom the same was predicted.
type Comparison struct {
	Treated, Control float64 // means
	Difference       float64
	Low, High        float64 // the bounds
	Bounded          bool    // there are bounds: customers enough
}

// Shown reports whether the bounds exclude a difference of 0.
func (c *Comparison) Shown() bool { return c.Bounded && (c.Low > 0 || c.High < 0) }

// Compare compares the groups of an experiment in which a share of the customers is in control.
func Compare(treated, control *Arm, controlShare float64) Comparison {
	t, c := treated.fit(), control.fit()
	if t.n == 0 || c.n == 0 {
		return Comparison{Treated: t.y, Control: c.y}
	}
	n := t.n + c.n
	x := (t.n*t.x + c.n*c.x) / n
	r := Comparison{Treated: t.at(x), Control: c.at(x)}
	r.Difference = r.Treated - r.Control
	fewest := float64(FewestFor(controlShare))
	const three = 3 // customers, through whom no line goes in general
	if n < fewest || t.n < three || c.n < three {
		return r
	}
	spread := (t.xx + c.xx + t.n*c.n/n*(t.x-c.x)*(t.x-c.x)) / n
	variance := treated.variance(&t, x) + control.variance(&c, x) + (t.slope-c.slope)*(t.slope-c.slope)*spread/n
	wide := math.Sqrt(variance * (quantile + math.Log(n/fewest)))
	//mutant:lift-fixed-bound insert wide = 1.96 * math.Sqrt(variance)
	r.Low, r.High, r.Bounded = r.Difference-wide, r.Difference+wide, true
	return r
}
