package lifetimes

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// The weak priors of the Gamma-Gamma model: ln p ~ N(ln 6, 1), ln(q-1) ~ N(ln 3, 1), and
// the mean value of a purchase, p v/(q-1), within a factor e of the sample's.
const (
	priorP     = 6.0
	priorQ     = 4.0
	priorSpend = 30.0 // mean value to assume without data, in money units
)

// PriorGammaGamma is the spend model to use without data: P is 6, Q is 4, and V is such
// that the mean value of a purchase is mean, in money units. A mean that is not positive
// and finite is replaced by 30.
func PriorGammaGamma(mean float64) GammaGamma {
	if !(mean > 0) || mean > math.MaxFloat64 {
		mean = priorSpend
	}
	v := mean * (priorQ - 1) / priorP
	return GammaGamma{priorP, priorQ, math.Min(math.Max(v, leastParameter), greatestParameter)}
}

// FitGammaGamma fits the Gamma-Gamma model (Fader and Hardie 2013) to the customers with a
// repeat purchase and a positive mean value; it ignores the others, which carry no
// information about the spread. V is in the money units of the summaries.
// Diagnostics.RepeatBuyers is the number of customers used. Without any, the result is
// PriorGammaGamma(0) with StatusPrior, or ErrNoData with MaximumLikelihood. It returns
// ErrSummary or ErrNoPurchase for a row that fails Validate.
func FitGammaGamma(rows []Summary, o FitOptions) (Fit[GammaGamma], error) {
	e := spendLikelihood{}
	places := map[int]int{}
	total := 0.0
	for i, s := range rows {
		if err := s.Validate(); err != nil {
			return Fit[GammaGamma]{}, fmt.Errorf("summary %d: %w", i, err)
		}
		if s.X == 0 || !(s.M > 0) {
			continue
		}
		at, known := places[s.X]
		if !known {
			at = len(e.xs)
			places[s.X] = at
			e.xs, e.countX = append(e.xs, float64(s.X)), append(e.countX, 0)
		}
		e.countX[at]++
		e.rows = append(e.rows, spendRow{x: at, sum: float64(s.X) * s.M, lnM: ln(s.M)})
		total += s.M
	}
	used := len(e.rows)
	if used == 0 {
		d, err := withoutRepeats(o, len(rows))
		return Fit[GammaGamma]{Model: PriorGammaGamma(0), Diagnostics: d}, err
	}
	mean := total / float64(used)
	prior := PriorGammaGamma(mean)
	e.mean = mean
	p := problem{
		likelihood: e.at,
		priors:     []normal{{math.Log(priorP), 1}, {math.Log(priorQ - 1), 1}, {0, 1}},
		start:      []float64{math.Log(prior.P), math.Log(prior.Q - 1), 0},
		customers:  float64(used), byPrior: !o.MaximumLikelihood,
	}
	s := p.solve()
	m := e.fromTheta(s.theta)
	fit := Fit[GammaGamma]{Model: m, Diagnostics: s.diagnostics, Deviations: deviations(s, e.fromTheta)}
	// V = mean e^theta2 (q-1)/p.
	fit.StandardErrors = GammaGamma{
		P: s.standardError(m.P, 0, 0),
		Q: s.standardError(0, m.Q-1, 0),
		V: s.standardError(-m.V, m.V, m.V),
	}
	fit.Customers, fit.RepeatBuyers, fit.UniqueRows = len(rows), used, used
	fit.grade(o)
	if err := m.Validate(); err != nil {
		fit.Converged, fit.Problem = false, err.Error()
	}
	return fit, nil
}

// spendLikelihood evaluates the log-likelihood of mean values and its gradient with respect
// to ln p, ln(q-1) and ln(p v/(q-1)/mean).
type spendLikelihood struct {
	rows       []spendRow
	xs, countX []float64
	mean       float64
}

type spendRow struct {
	x        int
	sum, lnM float64
}

func (e *spendLikelihood) fromTheta(theta []float64) GammaGamma {
	p, q1 := math.Exp(theta[0]), math.Exp(theta[1])
	return GammaGamma{P: p, Q: 1 + q1, V: e.mean * math.Exp(theta[2]) * q1 / p}
}

func (e *spendLikelihood) at(theta, gradient []float64) float64 {
	m := e.fromTheta(theta)
	sum, dP, dQ, dV := 0.0, 0.0, 0.0, 0.0
	lgq, psiQ := lnGamma(m.Q), mathext.Digamma(m.Q)
	for i, x := range e.xs {
		px := m.P * x
		sum += e.countX[i] * (lnRising(px, m.Q) - lgq)
		both := mathext.Digamma(px + m.Q)
		dP += e.countX[i] * x * (both - mathext.Digamma(px))
		dQ += e.countX[i] * (both - psiQ)
	}
	for i := range e.rows {
		row := &e.rows[i]
		px := m.P * e.xs[row.x]
		all := row.sum + m.V
		lnSum, lnV := ln1p(m.V/row.sum), ln1p(row.sum/m.V) // ln(all/sum), ln(all/v)
		sum -= row.lnM + px*lnSum + m.Q*lnV
		dP -= e.xs[row.x] * lnSum
		dQ -= lnV
		dV += m.Q/m.V - (px+m.Q)/all
	}
	gradient[0] = dP*m.P - dV*m.V
	gradient[1] = dQ*(m.Q-1) + dV*m.V
	gradient[2] = dV * m.V
	return sum
}

// FitShiftedBetaGeometric fits the subscription model of Fader and Hardie (2007) to a
// cohort: lost[i] customers left at renewal i+1, and remaining customers had not left after
// the last renewal. The weak priors are MBG/NBD's priors of a+b and a/(a+b). It returns
// ErrOption for a negative count; for an empty cohort the result is the prior, or ErrNoData
// with MaximumLikelihood.
func FitShiftedBetaGeometric(lost []int, remaining int, o FitOptions) (Fit[ShiftedBetaGeometric], error) {
	gone := 0
	for _, n := range lost {
		if n < 0 {
			return Fit[ShiftedBetaGeometric]{}, optionError("lost", float64(n), "0 or more")
		}
		gone += n
	}
	if remaining < 0 {
		return Fit[ShiftedBetaGeometric]{}, optionError("remaining", float64(remaining), "0 or more")
	}
	priors := betaPriors(priorWeeks, 1)[2:]
	start := []float64{priors[0].mean, priors[1].mean}
	if len(lost) == 0 || gone+remaining == 0 {
		d, err := withoutRepeats(o, gone+remaining)
		return Fit[ShiftedBetaGeometric]{Model: fromDropoutTheta(start), Diagnostics: d}, err
	}
	s := problem{
		likelihood: func(theta, g []float64) float64 { return cohortLikelihood(lost, remaining, theta, g) },
		priors:     priors, start: start, customers: float64(gone + remaining), byPrior: !o.MaximumLikelihood,
	}.solve()
	m := fromDropoutTheta(s.theta)
	share := m.Alpha / (m.Alpha + m.Beta)
	fit := Fit[ShiftedBetaGeometric]{Model: m, Diagnostics: s.diagnostics}
	fit.StandardErrors = ShiftedBetaGeometric{
		Alpha: s.standardError(m.Alpha, m.Alpha*(1-share)),
		Beta:  s.standardError(m.Beta, -m.Beta*share),
	}
	// Customers who leave determine this fit as repeat buyers determine the others, so they
	// are reported, and graded, as RepeatBuyers.
	fit.Customers, fit.RepeatBuyers, fit.UniqueRows = gone+remaining, gone, len(lost)+1
	fit.grade(o)
	return fit, nil
}

func fromDropoutTheta(theta []float64) ShiftedBetaGeometric {
	m := fromBetaTheta([]float64{0, 0, theta[0], theta[1]})
	return ShiftedBetaGeometric{m.A, m.B}
}

// cohortLikelihood returns the log-likelihood of a cohort and writes its gradient with
// respect to ln(alpha+beta) and logit(alpha/(alpha+beta)).
func cohortLikelihood(lost []int, remaining int, theta, gradient []float64) float64 {
	m := fromDropoutTheta(theta)
	dA, dB := 0.0, 0.0
	later := remaining
	for i, left := range slices.Backward(lost) {
		// At renewal i+1, left customers left and later customers stayed.
		n, stayed, at := float64(left), float64(later), m.Alpha+m.Beta+float64(i)
		dA += n/m.Alpha - (n+stayed)/at
		dB += stayed/(m.Beta+float64(i)) - (n+stayed)/at
		later += left
	}
	share := m.Alpha / (m.Alpha + m.Beta)
	gradient[0] = dA*m.Alpha + dB*m.Beta
	gradient[1] = dA*m.Alpha*(1-share) - dB*m.Beta*share
	return m.LogLikelihood(lost, remaining)
}
