package lifetimes

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// FitOptions say how to fit; the zero value is the recommendation.
type FitOptions struct {
	// MaximumLikelihood leaves the weak priors out. On small or odd data the likelihood may
	// then have no maximum, which Diagnostics.Converged tells.
	MaximumLikelihood bool
	// EnoughRepeatBuyers is the number of customers with a repeat purchase from which on
	// a fit counts as fitted; 0 means 100.
	EnoughRepeatBuyers int

	// evenWithoutRepeats weighs silence against the priors where nobody has come twice.
	evenWithoutRepeats bool
	// gapsKnown says that gaps whose logarithms sum to 0 do so by chance.
	gapsKnown bool
}

// Status says how far parameters come from data.
type Status string

// The statuses of parameters.
const (
	// StatusPrior: no repeat buyer was seen; the parameters are the prior's.
	StatusPrior Status = "prior"
	// StatusProvisional: fitted, on too few repeat buyers to rely on.
	StatusProvisional Status = "provisional"
	// StatusFitted: fitted on enough repeat buyers.
	StatusFitted Status = "fitted"
)

// Diagnostics say what a fit went through.
type Diagnostics struct {
	Status Status
	// Converged is whether the gradient vanished. Parameters of a fit that has not
	// converged are the best it saw and should not be used.
	Converged bool
	// GradientNorm is the largest component of the gradient of what was maximised, by the
	// transformed parameters, per customer.
	GradientNorm float64
	// LogLikelihood is that of the data; LogPosterior adds the log density of the priors,
	// up to a constant, and equals it for maximum likelihood.
	LogLikelihood, LogPosterior float64
	// Customers and RepeatBuyers count the rows and those with a repeat purchase.
	Customers, RepeatBuyers int
	// UniqueRows counts the distinct rows, each of which was evaluated once.
	UniqueRows int
	// Evaluations counts evaluations of the likelihood with its gradient.
	Evaluations int
	// Problem says in words why Converged is false; empty otherwise.
	Problem string
}

// Fit is a fitted model of type M. StandardErrors holds, under each parameter's name,
// its standard error from the observed information (of the posterior, unless fitted by
// maximum likelihood); 0 where the data do not determine it.
type Fit[M any] struct {
	Model          M
	StandardErrors M
	Diagnostics
}

func (o FitOptions) enough() int {
	if o.EnoughRepeatBuyers > 0 {
		return o.EnoughRepeatBuyers
	}
	return 100
}

// A normal is the prior of one transformed parameter.
type normal struct{ mean, sd float64 }

// A problem is a log-likelihood over transformed parameters: each unbounded, and of a
// size around 1 where the data are sane.
type problem struct {
	// likelihood returns the log-likelihood at theta and writes its gradient.
	likelihood func(theta, gradient []float64) float64
	priors     []normal
	start      []float64
	customers  float64
	byPrior    bool
}

// solution is where a problem ended.
type solution struct {
	theta       []float64
	covariance  *mat.SymDense // nil where the information is not positive definite
	diagnostics Diagnostics
}

const (
	// farthest bounds the transformed parameters to about 1e-9 .. 1e9, where Validate
	// ends; a search that wants to leave has run away.
	farthest        = 20.7
	gradientEnough  = 2e-7
	gradientStalled = 1e-5
)

// solve maximises the likelihood, times the priors unless told otherwise.
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

// invertInformation is the inverse of the observed information, by central differences
// of the analytic gradient.
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

// standardError is that of a quantity with the given gradient by the transformed
// parameters, to first order; 0 where there is none.
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

// status grades by what was seen.
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

// withoutRepeats settles a fit on data that hold no repeat purchase: nothing tells then
// buyers who are slow from buyers who are gone, and the answer is the prior.
func withoutRepeats(o FitOptions, customers int) (Diagnostics, error) {
	if o.MaximumLikelihood {
		return Diagnostics{}, fmt.Errorf("%w: %d customers without a repeat purchase have no maximum of likelihood", ErrNoData, customers)
	}
	return Diagnostics{Status: StatusPrior, Converged: true, Customers: customers}, nil
}
