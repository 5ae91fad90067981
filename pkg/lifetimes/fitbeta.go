package lifetimes

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// The weak priors of the beta-dropout models, on transformed parameters. They stabilise a
// fit to few data and hardly change a fit to a few hundred customers.
const (
	priorR       = 0.5 // ln r ~ N(ln 0.5, 1)
	priorRate    = 0.3 // ln(alpha/mean T) ~ N(ln 0.3, 1.5)
	priorTotal   = 3.0 // ln(a+b) ~ N(ln 3, 1)
	priorDropout = -1  // logit(a/(a+b)) ~ N(-1, 1.2)
	priorWeeks   = 26  // mean T to assume without customers
)

// PriorMBGNBD is the model to use without data, with times in weeks: the means of the
// priors for a customer base with a mean age T of half a year. R is 0.5, Alpha 7.8 (0.3
// times 26 weeks), A 0.8068 and B 2.1932 (A+B = 3, mean dropout probability 0.2689).
func PriorMBGNBD() MBGNBD {
	p := betaPriors(priorWeeks, 1)
	return fromBetaTheta([]float64{p[0].mean, p[1].mean, p[2].mean, p[3].mean})
}

// PriorRelativeError is Fit.RelativeError, under the priors, of the number of purchases that are
// expected of a new customer within a year, rounded.
const PriorRelativeError = 2

// FitMBGNBD fits MBG/NBD by the likelihood of Batislam, Denizel and Filiztekin (2007) to
// summaries that have the same "now" and the same unit of time; Alpha is in that unit.
// Without a repeat buyer the result is the prior, with StatusPrior, or ErrNoData with
// MaximumLikelihood. It returns ErrSummary or ErrNoPurchase for a row that fails Validate.
// A fit that does not converge returns no error: Converged is false, and Problem explains
// why.
func FitMBGNBD(rows []Summary, o FitOptions) (Fit[MBGNBD], error) {
	fit, err := fitBeta(rows, o, betaVariant{stages: 1})
	return converted(fit, fromBeta), err
}

// FitBGNBD fits BG/NBD by the likelihood of Fader, Hardie and Lee (2005); units, results
// and errors are those of FitMBGNBD.
func FitBGNBD(rows []Summary, o FitOptions) (Fit[BGNBD], error) {
	fit, err := fitBeta(rows, o, betaVariant{stages: 1, loyal: true})
	return converted(fit, func(m MBGCNBD) BGNBD { return BGNBD(fromBeta(m)) }), err
}

// FitMBGCNBD fits MBG/CNBD-k (Platzer and Reutterer 2016) for a given k from 1 to 4; units,
// results and errors are those of FitMBGNBD. It returns ErrOption for another k, and
// ErrGaps if k > 1 and the summaries have no LogGaps. Likelihoods for different k can be
// compared.
func FitMBGCNBD(rows []Summary, k int, o FitOptions) (Fit[MBGCNBD], error) {
	if k < 1 || k > mostStages {
		return Fit[MBGCNBD]{}, optionError("k", float64(k), "1 to 4")
	}
	return fitBeta(rows, o, betaVariant{stages: k})
}

// betaVariant identifies one of the beta-dropout models.
type betaVariant struct {
	stages int  // Erlang stages of a gap between purchases: k
	loyal  bool // BG/NBD: no customer stops before the first repeat purchase
}

// model returns m as the variant's own type.
func (v betaVariant) model(m MBGCNBD) PurchaseModel {
	switch {
	case v.loyal:
		return BGNBD(fromBeta(m))
	case v.stages == 1:
		return fromBeta(m)
	}
	return m
}

func fitBeta(rows []Summary, o FitOptions, v betaVariant) (Fit[MBGCNBD], error) {
	c, err := compress(rows)
	if err != nil {
		return Fit[MBGCNBD]{}, err
	}
	return fitBetaRows(c, o, v)
}

// fitBetaRows is fitBeta with compressed rows, which several fits can share.
func fitBetaRows(c *fitRows, o FitOptions, v betaVariant) (Fit[MBGCNBD], error) {
	k := float64(v.stages)
	if v.stages > 1 && c.repeats > 0 && c.withoutGaps && !o.gapsKnown {
		return Fit[MBGCNBD]{}, ErrGaps
	}
	priors := betaPriors(c.meanT, k)
	start := make([]float64, len(priors))
	for i := range priors {
		start[i] = priors[i].mean
	}
	staged := func(theta []float64) MBGCNBD { return withStages(v.stages, fromBetaTheta(theta)) }
	if c.repeats == 0 && !o.evenWithoutRepeats {
		prior := staged(start)
		d, err := c.withoutRepeats(o, v.model(prior))
		return Fit[MBGCNBD]{Model: prior, Diagnostics: d, Deviations: priorDeviations(priors, staged)}, err
	}
	constant := float64((k-1)*c.logGaps) - float64(c.repeatSum*lnFactorial[v.stages-1])
	e := newBetaLikelihood(c, v)
	s := problem{
		likelihood: func(theta, g []float64) float64 { return constant + e.at(theta, g) },
		priors:     priors, start: start, customers: float64(c.customers), byPrior: !o.MaximumLikelihood,
	}.solve()
	m := fromBetaTheta(s.theta)
	share := m.A / (m.A + m.B)
	fit := Fit[MBGCNBD]{Diagnostics: s.diagnostics, Deviations: deviations(s, staged)}
	if err := validateBeta("beta-dropout", m.R, m.Alpha, m.A, m.B); err != nil {
		// Where no customer stops, or all of them at once, maximum likelihood leaves the domain.
		fit.Converged, fit.Problem = false, err.Error()
		m.A = math.Min(math.Max(m.A, leastParameter), greatestParameter)
		m.B = math.Min(math.Max(m.B, leastParameter), greatestParameter)
	}
	fit.Model = withStages(v.stages, m)
	fit.StandardErrors = MBGCNBD{
		K:     v.stages,
		R:     s.standardError(m.R, 0, 0, 0),
		Alpha: s.standardError(0, m.Alpha, 0, 0),
		A:     s.standardError(0, 0, m.A, m.A*(1-share)),
		B:     s.standardError(0, 0, m.B, -m.B*share),
	}
	fit.Customers, fit.RepeatBuyers, fit.UniqueRows = c.customers, c.repeats, len(c.rows)
	fit.grade(o)
	return fit, nil
}

// betaPriors are the priors of ln r, ln alpha, ln(a+b) and logit(a/(a+b)).
func betaPriors(meanT, stages float64) []normal {
	return []normal{
		{math.Log(priorR), 1},
		{math.Log(priorRate * meanT / stages), 1.5},
		{math.Log(priorTotal), 1},
		{priorDropout, 1.2},
	}
}

func fromBetaTheta(theta []float64) MBGNBD {
	total := math.Exp(theta[2])
	return MBGNBD{
		R: math.Exp(theta[0]), Alpha: math.Exp(theta[1]),
		A: total / (1 + math.Exp(-theta[3])), B: total / (1 + math.Exp(theta[3])),
	}
}

func fromBeta(m MBGCNBD) MBGNBD { return MBGNBD{m.R, m.Alpha, m.A, m.B} }

func withStages(k int, m MBGNBD) MBGCNBD { return MBGCNBD{k, m.R, m.Alpha, m.A, m.B} }

// betaLikelihood evaluates the log-likelihood of compressed rows with its gradient.
type betaLikelihood struct {
	c          *fitRows
	v          betaVariant
	byX        []xTerms
	lnT, inT   []float64 // ln(alpha+T), 1/(alpha+T)
	lnTx, inTx []float64
	deadSum    []float64 // sum of n P(not alive) for each x
}

// xTerms are the terms that depend on x only.
type xTerms struct{ shape, lnOdds, odds float64 }

func newBetaLikelihood(c *fitRows, v betaVariant) *betaLikelihood {
	e := &betaLikelihood{c: c, v: v}
	e.byX = make([]xTerms, len(c.xs))
	e.deadSum = make([]float64, len(c.xs))
	e.lnT, e.inT = make([]float64, len(c.ts)), make([]float64, len(c.ts))
	e.lnTx, e.inTx = make([]float64, len(c.txs)), make([]float64, len(c.txs))
	return e
}

// at returns the log-likelihood at theta and writes its gradient with respect to the
// transformed parameters.
func (e *betaLikelihood) at(theta, gradient []float64) float64 {
	m := fromBetaTheta(theta)
	c, k := e.c, float64(e.v.stages)
	sum, dR, dAlpha, dA, dB := 0.0, 0.0, 0.0, 0.0, 0.0
	lnAlpha := math.Log(m.Alpha)
	psiR, psiB, psiAB := mathext.Digamma(m.R), mathext.Digamma(m.B), mathext.Digamma(m.A+m.B)
	for i, x := range c.xs {
		n := c.countX[i]
		stays, dropped := x+1, m.B+x // purchases the customer survived; b of the posterior at the last one
		if e.v.loyal {
			stays, dropped = x, m.B+x-1
		}
		sum += n * (lnRising(m.R, k*x) + lnRising(m.B, stays) - lnRising(m.A+m.B, stays) + m.R*lnAlpha)
		dR += n * (mathext.Digamma(m.R+k*x) - psiR + lnAlpha)
		dAlpha += n * m.R / m.Alpha
		both := psiAB - mathext.Digamma(m.A+m.B+stays)
		dA += n * both
		dB += n * (both + mathext.Digamma(m.B+stays) - psiB)
		e.byX[i] = xTerms{shape: m.R + k*x, odds: m.A / dropped}
		if e.v.loyal && x == 0 {
			e.byX[i].odds = 0
		}
		e.byX[i].lnOdds = ln(e.byX[i].odds)
		e.deadSum[i] = 0
	}
	for i, t := range c.ts {
		e.lnT[i], e.inT[i] = ln(m.Alpha+t), 1/(m.Alpha+t)
	}
	for i, tx := range c.txs {
		e.lnTx[i], e.inTx[i] = ln(m.Alpha+tx), 1/(m.Alpha+tx)
	}
	for i := range c.rows {
		row := &c.rows[i]
		x := &e.byX[row.x]
		gap := e.lnT[row.t] - e.lnTx[row.tx]
		odds := x.lnOdds + x.shape*gap
		value := -x.shape * e.lnT[row.t]
		byR, byAlpha := -e.lnT[row.t], -x.shape*e.inT[row.t]
		gapAlpha := e.inT[row.t] - e.inTx[row.tx]
		stageR, stageAlpha := 0.0, 0.0
		if e.v.stages > 1 {
			v := (c.ts[row.t] - c.txs[row.tx]) * e.inT[row.t]
			lnStages, byShape, byV := stages(e.v.stages, x.shape, v)
			odds -= lnStages
			value += lnStages
			stageR, stageAlpha = byShape, -byV*v*e.inT[row.t]
			byR += stageR
			byAlpha += stageAlpha
		}
		dead := 0.0
		if odds > -745 {
			less := exp(-math.Abs(odds))
			value += math.Max(odds, 0) + ln1p(less)
			dead = 1 / (1 + less)
			if odds < 0 {
				dead = less / (1 + less)
			}
		}
		sum += row.n * value
		dR += row.n * (byR + dead*(gap-stageR))
		dAlpha += row.n * (byAlpha + dead*(x.shape*gapAlpha-stageAlpha))
		e.deadSum[row.x] += row.n * dead
	}
	for i, x := range c.xs {
		dA += e.deadSum[i] / m.A
		if !e.v.loyal {
			dB -= e.deadSum[i] / (m.B + x)
		} else if x > 0 {
			dB -= e.deadSum[i] / (m.B + x - 1)
		}
	}
	share := m.A / (m.A + m.B)
	gradient[0] = dR * m.R
	gradient[1] = dAlpha * m.Alpha
	gradient[2] = dA*m.A + dB*m.B
	gradient[3] = dA*m.A*(1-share) - dB*m.B*share
	return sum
}

// stages is ln of the sum over j < k of (shape)_j/j! v^j, and its derivatives with respect
// to shape and v.
func stages(k int, shape, v float64) (lnSum, byShape, byV float64) {
	sum, dShape, dV := 1.0, 0.0, 0.0
	term, inverse := 1.0, 0.0 // inverse: the sum of 1/(shape+i) for i < j
	for j := 1; j < k; j++ {
		inverse += 1 / (shape + float64(j-1))
		dV += term * (shape + float64(j-1))
		term *= (shape + float64(j-1)) / float64(j) * v
		sum += term
		dShape += term * inverse
	}
	return ln(sum), dShape / sum, dV / sum
}
