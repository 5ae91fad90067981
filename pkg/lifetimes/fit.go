package lifetimes

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// FitOptions configure a fit; the zero value is recommended.
type FitOptions struct {
	// MaximumLikelihood fits without the weak priors. The likelihood of small or unusual
	// data may have no maximum; Diagnostics.Converged is then false.
	MaximumLikelihood bool
	// EnoughRepeatBuyers is the minimum number of customers with a repeat purchase for
	// StatusFitted; 0 means 100.
	EnoughRepeatBuyers int

	// evenWithoutRepeats also fits data without a repeat purchase, instead of returning the
	// prior.
	evenWithoutRepeats bool
	// gapsKnown states that the rows carry LogGaps, so that a sum of 0 is a value and not
	// ErrGaps.
	gapsKnown bool
}

// Status states how well the data determine the parameters.
type Status string

// The statuses of parameters.
const (
	// StatusPrior: the data have no repeat buyer; the parameters are those of the prior.
	StatusPrior Status = "prior"
	// StatusProvisional: fitted on fewer than FitOptions.EnoughRepeatBuyers repeat buyers.
	StatusProvisional Status = "provisional"
	// StatusFitted: fitted on at least FitOptions.EnoughRepeatBuyers repeat buyers.
	StatusFitted Status = "fitted"
)

// Diagnostics describe the result of a fit.
type Diagnostics struct {
	// Status states how well the data determine the parameters.
	Status Status
	// Converged is whether the gradient vanished inside the domain. If it is false, the
	// parameters are the best ones that were evaluated and should not be used.
	Converged bool
	// GradientNorm is the largest component of the gradient of the objective with respect
	// to the transformed parameters, per customer.
	GradientNorm float64
	// LogLikelihood is the log-likelihood of the data. LogPosterior adds the log density of
	// the priors up to a constant; for maximum likelihood the two are equal.
	LogLikelihood, LogPosterior float64
	// Customers is the number of rows, and RepeatBuyers the number of those with a repeat
	// purchase.
	Customers, RepeatBuyers int
	// UniqueRows is the number of distinct rows, each of which is evaluated once.
	UniqueRows int
	// Evaluations is the number of evaluations of the likelihood and its gradient.
	Evaluations int
	// Problem explains why Converged is false; it is empty otherwise.
	Problem string
}

// Fit is a fitted model of type M. StandardErrors holds the standard error of each
// parameter in the field of that parameter, from the observed information of the
// posterior (of the likelihood with MaximumLikelihood); 0 where the data do not
// determine it.
type Fit[M any] struct {
	Model          M
	StandardErrors M
	// Deviations are pairs of models: the parameters moved by one standard error, up and down, along
	// each of the independent directions of their uncertainty, by the observed information (by the
	// priors with StatusPrior). They are nil where the data do not determine the parameters. See
	// RelativeError.
	Deviations [][2]M
	Diagnostics
}

// RelativeError is the standard error, to first order, of the logarithm of a positive quantity that
// is a function of the model; 0 without Deviations, and where the quantity is not positive.
func (f *Fit[M]) RelativeError(quantity func(M) float64) float64 {
	sum := 0.0
	for _, d := range f.Deviations {
		half := math.Log(quantity(d[1])/quantity(d[0])) / 2
		sum += half * half
	}
	if !isFinite(sum) {
		return 0
	}
	return math.Sqrt(sum)
}

// converted returns a fit with its models converted.
func converted[A, B any](f Fit[A], model func(A) B) Fit[B] {
	g := Fit[B]{Model: model(f.Model), StandardErrors: model(f.StandardErrors), Diagnostics: f.Diagnostics}
	for _, d := range f.Deviations {
		g.Deviations = append(g.Deviations, [2]B{model(d[0]), model(d[1])})
	}
	return g
}

func (o FitOptions) enough() int {
	if o.EnoughRepeatBuyers > 0 {
		return o.EnoughRepeatBuyers
	}
	return 100
}

// normal is the prior distribution of one transformed parameter.
type normal struct{ mean, sd float64 }

// problem is a log-likelihood as a function of transformed parameters, which are unbounded
// and of the order of 1 for usual data.
type problem struct {
	// likelihood returns the log-likelihood at theta and writes its gradient.
	likelihood func(theta, gradient []float64) float64
	priors     []normal
	start      []float64
	customers  float64
	byPrior    bool
}

// solution is the result of maximising a problem.
type solution struct {
	theta       []float64
	covariance  *mat.SymDense // nil where the information is not positive definite
	diagnostics Diagnostics
}

const (
	// farthest bounds the absolute values of transformed parameters, which is about 1e-9 to
	// 1e9, the domain of Validate. A search that reaches the bound has diverged.
	farthest        = 20.7
	gradientEnough  = 2e-7
	gradientStalled = 1e-5
)

// solve maximises the likelihood, multiplied by the priors if byPrior is set.
func (p problem) solve() solution {
	n := len(p.start)
	evaluations := 0
	scratch := make([]float64, n)
	likelihood := math.Inf(-1)
	// objective is minus the log posterior per customer.
	objective := func(theta, gradient []float64) float64 {
		for _, v := range theta {
			if !(math.Abs(v) <= farthest) {
				return math.Inf(1)
			}
		}
		evaluations++
		likelihood = p.likelihood(theta, scratch)
		v := likelihood
		for i := range theta {
			g := scratch[i]
			if p.byPrior {
				d := (theta[i] - p.priors[i].mean) / p.priors[i].sd
				v -= d * d / 2
				g -= d / p.priors[i].sd
			}
			gradient[i] = -g / p.customers
		}
		if !isFinite(v) {
			return math.Inf(1)
		}
		return -v / p.customers
	}

	end := minimise(objective, p.start, gradientEnough, 1000)
	gradient := make([]float64, n)
	s := solution{theta: end}
	posterior := -objective(end, gradient) * p.customers
	s.diagnostics.LogLikelihood, s.diagnostics.LogPosterior = likelihood, posterior
	s.diagnostics.GradientNorm = largest(gradient)
	s.diagnostics.Converged = s.diagnostics.GradientNorm <= gradientStalled
	switch {
	case largest(end) > farthest-1:
		s.diagnostics.Converged = false
		s.diagnostics.Problem = "the likelihood has no maximum inside the parameters' domain"
	case !s.diagnostics.Converged:
		s.diagnostics.Problem = "the gradient did not vanish"
	}
	s.covariance = p.invertInformation(end, objective)
	s.diagnostics.Evaluations = evaluations
	return s
}

// invertInformation is the inverse of the observed information, which is computed by
// central differences of the analytic gradient; nil if it is not positive definite.
func (p problem) invertInformation(theta []float64, objective func(theta, gradient []float64) float64) *mat.SymDense {
	n := len(theta)
	const step = 1e-4
	rows := make([][]float64, n)
	for i := range rows {
		moved := append([]float64(nil), theta...)
		up, down := make([]float64, n), make([]float64, n)
		moved[i] = theta[i] + step
		if math.IsInf(objective(moved, up), 0) {
			return nil
		}
		moved[i] = theta[i] - step
		if math.IsInf(objective(moved, down), 0) {
			return nil
		}
		rows[i] = make([]float64, n)
		for j := range rows[i] {
			rows[i][j] = (up[j] - down[j]) / (2 * step) * p.customers
		}
	}
	information := mat.NewSymDense(n, nil)
	for i := range rows {
		for j := i; j < n; j++ {
			information.SetSym(i, j, (rows[i][j]+rows[j][i])/2)
		}
	}
	var chol mat.Cholesky
	if !chol.Factorize(information) {
		return nil
	}
	inverse := mat.NewSymDense(n, nil)
	if chol.InverseTo(inverse) != nil {
		return nil
	}
	return inverse
}

// standardError is the standard error, to first order, of a quantity with the given
// gradient with respect to the transformed parameters; 0 without a covariance.
func (s solution) standardError(gradient ...float64) float64 {
	if s.covariance == nil {
		return 0
	}
	sum := 0.0
	for i := range gradient {
		for j := range gradient {
			sum += gradient[i] * gradient[j] * s.covariance.At(i, j)
		}
	}
	if !(sum >= 0) || math.IsInf(sum, 1) {
		return 0
	}
	return math.Sqrt(sum)
}

// deviations returns the models at one standard error along each column of the Cholesky factor of
// the covariance.
func deviations[M any](s solution, model func(theta []float64) M) [][2]M {
	var chol mat.Cholesky
	if s.covariance == nil || !chol.Factorize(s.covariance) {
		return nil
	}
	var l mat.TriDense
	chol.LTo(&l)
	var out [][2]M
	for j := range s.theta {
		down, up := append([]float64(nil), s.theta...), append([]float64(nil), s.theta...)
		for i := range s.theta {
			down[i] -= l.At(i, j)
			up[i] += l.At(i, j)
		}
		out = append(out, [2]M{model(down), model(up)})
	}
	return out
}

// priorDeviations returns the models at one standard deviation of each prior.
func priorDeviations[M any](priors []normal, model func(theta []float64) M) [][2]M {
	s := solution{covariance: mat.NewSymDense(len(priors), nil)}
	for i, p := range priors {
		s.theta = append(s.theta, p.mean)
		s.covariance.SetSym(i, i, p.sd*p.sd)
	}
	return deviations(s, model)
}

// grade sets Status from the number of repeat buyers.
func (d *Diagnostics) grade(o FitOptions) {
	switch {
	case d.RepeatBuyers == 0:
		d.Status = StatusPrior
	case d.RepeatBuyers < o.enough():
		d.Status = StatusProvisional
	default:
		d.Status = StatusFitted
	}
}

// withoutRepeats is the result for data without a repeat purchase. Such data do not
// distinguish slow buyers from buyers who have stopped, so the result is the prior.
func withoutRepeats(o FitOptions, customers int) (Diagnostics, error) {
	if o.MaximumLikelihood {
		return Diagnostics{}, fmt.Errorf("%w: the likelihood of %d customers without a repeat purchase has no maximum", ErrNoData, customers)
	}
	return Diagnostics{Status: StatusPrior, Converged: true, Customers: customers}, nil
}
