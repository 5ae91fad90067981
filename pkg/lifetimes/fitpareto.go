package lifetimes

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// FitParetoNBD fits Pareto/NBD (Schmittlein, Morrison and Colombo 1987) by the likelihood
// of Fader and Hardie (2005). The weak priors are ln r and ln s ~ N(ln 0.5, 1), and
// ln(alpha/mean T) and ln(beta/mean T) ~ N(ln 0.3, 1.5). Units, results and errors are
// those of FitMBGNBD.
func FitParetoNBD(rows []Summary, o FitOptions) (Fit[ParetoNBD], error) {
	c, err := compress(rows)
	if err != nil {
		return Fit[ParetoNBD]{}, err
	}
	return fitParetoRows(c, o)
}

func fitParetoRows(c *fitRows, o FitOptions) (Fit[ParetoNBD], error) {
	shape, scale := normal{math.Log(priorR), 1}, normal{math.Log(priorRate * c.meanT), 1.5}
	p := problem{
		likelihood: newParetoLikelihood(c).at,
		priors:     []normal{shape, scale, shape, scale},
		start:      []float64{shape.mean, scale.mean, shape.mean, scale.mean},
		customers:  float64(c.customers), byPrior: !o.MaximumLikelihood,
	}
	if c.repeats == 0 && !o.evenWithoutRepeats {
		prior := fromParetoTheta(p.start)
		d, err := c.withoutRepeats(o, prior)
		return Fit[ParetoNBD]{Model: prior, Diagnostics: d, Deviations: priorDeviations(p.priors, fromParetoTheta)}, err
	}
	s := p.solve()
	m := fromParetoTheta(s.theta)
	fit := Fit[ParetoNBD]{Model: m, Diagnostics: s.diagnostics, Deviations: deviations(s, fromParetoTheta)}
	fit.StandardErrors = ParetoNBD{
		R:     s.standardError(m.R, 0, 0, 0),
		Alpha: s.standardError(0, m.Alpha, 0, 0),
		S:     s.standardError(0, 0, m.S, 0),
		Beta:  s.standardError(0, 0, 0, m.Beta),
	}
	fit.Customers, fit.RepeatBuyers, fit.UniqueRows = c.customers, c.repeats, len(c.rows)
	fit.grade(o)
	return fit, nil
}

func fromParetoTheta(theta []float64) ParetoNBD {
	return ParetoNBD{math.Exp(theta[0]), math.Exp(theta[1]), math.Exp(theta[2]), math.Exp(theta[3])}
}

// paretoLikelihood evaluates the log-likelihood of compressed rows with its gradient.
type paretoLikelihood struct {
	c                              *fitRows
	lnTA, lnTB, lnTxA, lnTxB, psiX []float64
}

func newParetoLikelihood(c *fitRows) *paretoLikelihood {
	return &paretoLikelihood{
		c:    c,
		lnTA: make([]float64, len(c.ts)), lnTB: make([]float64, len(c.ts)),
		lnTxA: make([]float64, len(c.txs)), lnTxB: make([]float64, len(c.txs)),
		psiX: make([]float64, len(c.xs)),
	}
}

// at returns the log-likelihood at theta and writes its gradient with respect to the
// logarithms of r, alpha, s and beta.
func (e *paretoLikelihood) at(theta, gradient []float64) float64 {
	m := fromParetoTheta(theta)
	c := e.c
	psi := mathext.Digamma(m.R)
	sum := 0.0
	for i, x := range c.xs {
		sum += c.countX[i] * lnRising(m.R, x)
		e.psiX[i] = mathext.Digamma(m.R+x) - psi
	}
	for i, t := range c.ts {
		e.lnTA[i], e.lnTB[i] = ln(m.Alpha+t), ln(m.Beta+t)
	}
	for i, tx := range c.txs {
		e.lnTxA[i], e.lnTxB[i] = ln(m.Alpha+tx), ln(m.Beta+tx)
	}
	dR, dA, dS, dB := 0.0, 0.0, 0.0, 0.0
	for i := range c.rows {
		row := &c.rows[i]
		x, tx, t := c.xs[row.x], c.txs[row.tx], c.ts[row.t]
		shape := m.R + x
		a, b, at, bt := m.Alpha+tx, m.Beta+tx, m.Alpha+t, m.Beta+t
		lnA, lnB := e.lnTA[row.t], e.lnTB[row.t]
		// Alive: alpha^r (alpha+T)^-shape beta^s (beta+T)^-s.
		value := m.R*theta[1] - shape*lnA + m.S*(theta[3]-lnB)
		byR, byS := e.psiX[row.x]+theta[1]-lnA, theta[3]-lnB
		byA, byB := m.R/m.Alpha-shape/at, m.S/m.Beta-m.S/bt
		if t > tx {
			j := powerIntegral{p: shape, q: m.S + 1, a: a, b: b, length: t - tx}.sums()
			gapA, gapB := lnA-e.lnTxA[row.tx], lnB-e.lnTxB[row.tx]
			odds := shape*gapA + m.S*gapB + ln(m.S/b*j.value)
			value += softplus(odds)
			dead := 1 / (1 + exp(-odds))
			byR += dead * (gapA - j.lnA/j.value)
			byS += dead * (gapB + 1/m.S - j.lnB/j.value)
			byA += dead * (shape*(1/at-1/a) + shape/a*j.shareA/j.value)
			byB += dead * (m.S*(1/bt-1/b) - 1/b + (m.S+1)/b*j.shareB/j.value)
		}
		sum += row.n * value
		dR += row.n * byR
		dA += row.n * byA
		dS += row.n * byS
		dB += row.n * byB
	}
	gradient[0], gradient[1], gradient[2], gradient[3] = dR*m.R, dA*m.Alpha, dS*m.S, dB*m.Beta
	return sum
}
