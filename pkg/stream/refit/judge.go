package refit

import (
	"math"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/customer"
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

// judge fits to the orders before the split, and compares the losses after it.
func (b *base) judge(inForce lifetimes.MBGNBD) (Holdout, error) {
	h := Holdout{Days: b.horizon}
	var known []lifetimes.Summary
	for i := range b.rows {
		if b.rows[i].before.X >= 0 {
			known = append(known, b.rows[i].before)
		}
	}
	if len(known) < leastJudged {
		return h, nil
	}
	fit, err := lifetimes.FitMBGNBD(known, lifetimes.FitOptions{})
	if err != nil || !fit.Converged || fit.Status == lifetimes.StatusPrior {
		return h, err // too little data before the split for a fit: nothing to compare
	}
	weeks := b.horizon / customer.DaysPerWeek
	var a, c, d, dd float64
	for i := range b.rows {
		r := &b.rows[i]
		if r.before.X < 0 {
			continue
		}
		old, candidate := loss(inForce.PAtLeastOne(r.before, weeks), r.after > 0), loss(fit.Model.PAtLeastOne(r.before, weeks), r.after > 0)
		a, c = a+old, c+candidate
		d, dd = d+candidate-old, dd+(candidate-old)*(candidate-old)
	}
	n := float64(len(known))
	h.Customers, h.InForce, h.Candidate = len(known), a/n, c/n
	h.Error = math.Sqrt(max(0, dd/n-(d/n)*(d/n)) / n)
	return h, nil
}

// loss is minus the log of the probability of what happened, bounded so that one customer cannot make it infinite.
func loss(p float64, happened bool) float64 {
	const least = 1e-6
	if !happened {
		p = 1 - p
	}
	return -math.Log(min(max(p, least), 1))
}
