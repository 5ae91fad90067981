package refit

import (
	"math"

	"github.com/mainstay/mainstay/pkg/models/parameters"
)

// Holdout compares how two sets of parameters predict the orders after a split in time: the mean log loss of the probability of
// an order within the horizon, over the customers known at the split. Lower is better. Neither saw orders after the split,
// unless the parameters in force were fitted since.
type Holdout struct {
	Days      float64 `json:"days"`      // after the split
	Customers int     `json:"customers"` // known at the split; 0: the base is too young to be split, and nothing was judged
	InForce   float64 `json:"in_force"`
	Candidate float64 `json:"candidate"`
	// Error is the standard error of the difference.
	Error float64 `json:"standard_error"`
}

// tolerance is the relative loss by which a candidate may be worse: the parameters in force may have been fitted to orders after
// the split.
const tolerance = .005

// Worse reports whether the candidate is worse by more than tolerance and by more than two standard errors.
func (h Holdout) Worse() bool {
	d := h.Candidate - h.InForce
	return h.Customers > 0 && d > tolerance*h.InForce && d > 2*h.Error
}

// leastJudged is the smallest number of customers for which the comparison is made.
const leastJudged = 50

// judge fits the named model, with a season or without one, to the orders before the split, and compares the losses after it.
func (b *base) judge(data parameters.Data, name string, inSeason bool) (Holdout, error) {
	h := Holdout{Days: b.horizon}
	split := parameters.Split(data, b.horizon)
	if len(split.Known) < leastJudged {
		return h, nil
	}
	candidate, err := split.Fit(name, inSeason)
	if err != nil || candidate == nil {
		return h, err // too little data before the split for a fit: nothing to compare
	}
	old, fitted := split.Losses(b.inForce), split.Losses(candidate)
	n, d, dd := float64(len(old)), 0.0, 0.0
	for i := range old {
		h.InForce, h.Candidate = h.InForce+old[i]/n, h.Candidate+fitted[i]/n
		d += fitted[i] - old[i]
		dd += (fitted[i] - old[i]) * (fitted[i] - old[i])
	}
	h.Customers = len(old)
	h.Error = math.Sqrt(max(0, dd/n-(d/n)*(d/n)) / n)
	return h, nil
}
