package backtest

import (
	"fmt"
	"math"
	"strings"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/model"
)

// Names of models with a special role.
const (
	// Live is the model that the stream scores with unless another is put in force.
	Live = "MBG/NBD"
	// Scorer is lifetimes.Scorer, which blends models and recalibrates the result.
	Scorer = "blended scorer"
)

// choiceOf returns the value of the setting model.choice for a model; false for a model that the stream cannot run.
func choiceOf(name string) (string, bool) {
	choice, ok := map[string]string{Live: model.MBGNBD, "BG/NBD": model.BGNBD, "Pareto/NBD": model.ParetoNBD, Scorer: model.Blended}[strings.TrimSuffix(name, inSeason)]
	return choice, ok
}

// candidate is a fitted model.
type candidate struct {
	name                      string
	status, fittedBy, problem string
	logLikelihood             float64
	in                        *holdout // whose time the model counts
	// predict returns the expected number of purchases of a customer of that holdout in the next t weeks, and the probability of at least one.
	predict func(c lifetimes.Customer, t float64) (expected, probability float64)
	// newcomer returns the expected number of purchases of a new customer in the t weeks after the first purchase.
	newcomer func(t float64) float64
	// predictor predicts intervals, ordersError widens them; nil for a model that the stream cannot run.
	predictor   *lifetimes.Predictor
	ordersError func() float64
}

// fit fits every purchase model and the spend model to the first part.
func fit(h *holdout, all []lifetimes.History, o Options, begin func(string) error) ([]candidate, spendFit, error) {
	var out []candidate
	add := func(name string, run func() (candidate, error)) error {
		if err := begin("fitting " + name); err != nil {
			return err
		}
		c, err := run()
		if err != nil {
			return fmt.Errorf("backtest: fit %s: %w", name, err)
		}
		out = append(out, c)
		return nil
	}
	regular := func(k int) func() (candidate, error) {
		return func() (candidate, error) {
			return fitted(h, func(rows []lifetimes.Summary, o lifetimes.FitOptions) (lifetimes.Fit[lifetimes.MBGCNBD], error) {
				return lifetimes.FitMBGCNBD(rows, k, o)
			})
		}
	}
	for _, m := range []struct {
		name string
		run  func() (candidate, error)
		only func() bool
	}{
		{"BG/NBD", func() (candidate, error) { return fitted(h, lifetimes.FitBGNBD) }, nil},
		{"Pareto/NBD", func() (candidate, error) { return fitted(h, lifetimes.FitParetoNBD) }, nil},
		{"MBG/NBD", func() (candidate, error) { return fitted(h, lifetimes.FitMBGNBD) }, nil},
		{"MBG/CNBD-2", regular(2), nil},
		{"MBG/CNBD-3", regular(3), func() bool { return improving(out) }}, // the likelihood has one maximum in k
		{"MBG/CNBD-4", regular(4), func() bool { return out[len(out)-1].name == "MBG/CNBD-3" && improving(out) }},
		{Scorer, func() (candidate, error) { return trained(h, all, o) }, nil},
	} {
		if m.only != nil && !m.only() {
			continue
		}
		if err := add(m.name, m.run); err != nil {
			return nil, spendFit{}, err
		}
	}
	if err := begin("fitting spend"); err != nil {
		return nil, spendFit{}, err
	}
	spend, err := fitSpend(h)
	return out, spend, err
}

// improving reports whether the last model has a higher likelihood than the one before it.
func improving(c []candidate) bool {
	n := len(c)
	return c[n-1].logLikelihood > c[n-2].logLikelihood
}

// fitted fits by maximum likelihood if there are enough repeat buyers and the fit converges, otherwise with the weak priors.
func fitted[M lifetimes.PurchaseModel](h *holdout, run func([]lifetimes.Summary, lifetimes.FitOptions) (lifetimes.Fit[M], error)) (candidate, error) {
	f, by, err := fitWithFallback(h.rows, run)
	if err != nil {
		return candidate{}, err
	}
	m := f.Model
	var predictor *lifetimes.Predictor
	if _, runs := choiceOf(m.Name()); runs {
		predictor = lifetimes.NewPredictor(m)
	}
	return candidate{
		in: h, predictor: predictor, ordersError: func() float64 { return ordersError(h, &f) },
		name: m.Name(), status: string(f.Status), fittedBy: by, problem: f.Problem, logLikelihood: f.LogLikelihood,
		predict: func(c lifetimes.Customer, t float64) (float64, float64) {
			return m.Expected(c.Summary, t), m.PAtLeastOne(c.Summary, t)
		},
		newcomer: func(t float64) float64 { return m.Expected(lifetimes.Summary{}, t) },
	}, nil
}

func fitWithFallback[M any](rows []lifetimes.Summary, run func([]lifetimes.Summary, lifetimes.FitOptions) (lifetimes.Fit[M], error)) (lifetimes.Fit[M], string, error) {
	f, err := run(rows, lifetimes.FitOptions{MaximumLikelihood: true})
	if err == nil && f.Converged && f.Status == lifetimes.StatusFitted {
		return f, "maximum likelihood", nil
	}
	f, err = run(rows, lifetimes.FitOptions{}) // an error in the data is returned here again
	return f, "weak priors", err
}

func trained(h *holdout, all []lifetimes.History, o Options) (candidate, error) {
	s, training, err := lifetimes.TrainScorer(all, h.split, lifetimes.ScorerOptions{
		Horizon: h.horizon, MinorPerUnit: o.MinorPerUnit, SingleStage: true,
	})
	if err != nil {
		return candidate{}, err
	}
	share := s.ParetoInCounts
	c := candidate{
		in: h, predictor: lifetimes.NewScorerPredictor(s), ordersError: func() float64 { return ordersError(h, &training.Regular) },
		name: Scorer, status: string(training.Status), fittedBy: "weak priors",
		predict: func(c lifetimes.Customer, t float64) (float64, float64) {
			score := s.Score(c, h.horizon)
			if t == h.horizon || !(score.ModelExpected > 0) {
				return score.Expected, score.PAtLeastOne
			}
			// The corrections are learned for the horizon. Before it, the models determine the share of the count.
			early := s.Score(c, t)
			return score.Expected * early.ModelExpected / score.ModelExpected, early.PAtLeastOne
		},
		newcomer: func(t float64) float64 {
			return (1-share)*s.Regular.Expected(lifetimes.Summary{}, t) + share*s.Pareto.Expected(lifetimes.Summary{}, t)
		},
	}
	for _, row := range h.rows {
		a, b := s.Regular.LogLikelihood(row), s.Pareto.LogLikelihood(row)
		top := math.Max(a, b)
		c.logLikelihood += top + math.Log((1-share)*math.Exp(a-top)+share*math.Exp(b-top))
	}
	if !training.Regular.Converged {
		c.problem = training.Regular.Problem
	}
	return c, nil
}

// spendFit is the spend model, and the relative standard error of the mean value of a purchase.
type spendFit struct {
	lifetimes.GammaGamma
	error float64
}

// priorSpendError is the relative standard error of a mean that is known within a factor of e, as the prior has it.
const priorSpendError = 1.31

func fitSpend(h *holdout) (spendFit, error) {
	f, _, err := fitWithFallback(h.rows, lifetimes.FitGammaGamma)
	if err != nil {
		return spendFit{}, fmt.Errorf("backtest: fit spend: %w", err)
	}
	if f.Status != lifetimes.StatusPrior && f.Converged {
		mean := func(m lifetimes.GammaGamma) float64 { return m.ExpectedSpend(0, 0) }
		return spendFit{f.Model, f.RelativeError(mean)}, nil
	}
	// Without repeat buyers: the prior, scaled to the mean value of all purchases.
	net, days := 0.0, 0
	for i, c := range h.customers {
		net += c.Net
		days += len(h.known[i])
	}
	return spendFit{lifetimes.PriorGammaGamma(net / float64(days)), priorSpendError}, nil
}
