package lifetimes

import "math"

// ShiftedBetaGeometric is the model of subscriptions of Fader and Hardie (2007), "How to
// project customer retention": at each renewal a customer leaves with a probability from
// Beta(Alpha, Beta). The parameters have no unit; times are numbers of renewal periods.
type ShiftedBetaGeometric struct{ Alpha, Beta float64 }

// Name returns "sBG".
func (m ShiftedBetaGeometric) Name() string { return "sBG" }

// Validate returns an error that wraps ErrParameter for a parameter outside 1e-9 to 1e9.
func (m ShiftedBetaGeometric) Validate() error {
	if err := checkParameter(m.Name(), "alpha", m.Alpha); err != nil {
		return err
	}
	return checkParameter(m.Name(), "beta", m.Beta)
}

// Survival is the probability that a new customer survives n >= 0 renewals:
// B(alpha, beta+n)/B(alpha, beta). It is 0 for an invalid model and for n < 0.
func (m ShiftedBetaGeometric) Survival(n int) float64 {
	if !m.valid() || n < 0 {
		return 0
	}
	return exp(lnRising(m.Beta, float64(n)) - lnRising(m.Alpha+m.Beta, float64(n)))
}

// Churn is the probability that a customer who has survived n >= 0 renewals leaves at
// the next: alpha/(alpha+beta+n). It is 0 for an invalid model and for n < 0.
func (m ShiftedBetaGeometric) Churn(n int) float64 {
	if !m.valid() || n < 0 {
		return 0
	}
	return m.Alpha / (m.Alpha + m.Beta + float64(n))
}

// Given is the model of a customer who has survived n renewals, with these renewals no longer
// counted.
func (m ShiftedBetaGeometric) Given(n int) ShiftedBetaGeometric {
	return ShiftedBetaGeometric{m.Alpha, m.Beta + float64(max(n, 0))}
}

// ExpectedRenewals is the expected number of renewals, out of the next periods, of a customer
// who has survived n renewals. It is 0 for invalid arguments.
func (m ShiftedBetaGeometric) ExpectedRenewals(n, periods int) float64 {
	if !m.valid() || n < 0 || periods <= 0 {
		return 0
	}
	// The closed form of this sum needs a special case for alpha = 1; the sum is as accurate.
	survive, sum := 1.0, 0.0
	b := m.Beta + float64(n)
	for i := range periods {
		survive = float64(survive * ((b + float64(i)) / (m.Alpha + b + float64(i))))
		sum += survive
		if survive < 1e-17*sum/float64(periods) {
			break
		}
	}
	return sum
}

// DERL is the discounted expected residual lifetime, in renewals, of a customer who has
// survived n renewals and is about to decide on the next, which is not discounted (Fader and
// Hardie 2010, "Customer-base valuation in a contractual setting"). delta > 0 is the
// continuous discount rate per period. It is 0 for invalid arguments.
func (m ShiftedBetaGeometric) DERL(n int, delta float64) float64 {
	if !m.valid() || n < 0 || !validRate(delta) {
		return 0
	}
	// The mean over p of (1-p)/(1 - (1-p)d), where d = e^-delta and less = 1-d.
	less := -expm1(-delta)
	var g grid
	g.fillBeta(m.Alpha, m.Beta+float64(n)+1, 1/less, 1)
	b := m.Beta + float64(n)
	return b / (m.Alpha + b) * g.mean(func(p float64) float64 { return 1 / (p + float64((1-p)*less)) })
}

// LogLikelihood is the log-likelihood of a cohort: lost[i] customers left at renewal i+1, and
// remaining customers had not left after the last renewal. It is -Inf for an invalid model
// and for negative counts.
func (m ShiftedBetaGeometric) LogLikelihood(lost []int, remaining int) float64 {
	if !m.valid() || remaining < 0 {
		return math.Inf(-1)
	}
	sum, lnSurvive := 0.0, 0.0
	for i, n := range lost {
		if n < 0 {
			return math.Inf(-1)
		}
		churn := m.Churn(i)
		sum += float64(float64(n) * (lnSurvive + ln(churn)))
		lnSurvive += ln((m.Beta + float64(i)) / (m.Alpha + m.Beta + float64(i)))
	}
	return sum + float64(float64(remaining)*lnSurvive)
}

func (m ShiftedBetaGeometric) valid() bool { return validParameter(m.Alpha) && validParameter(m.Beta) }
