package lifetimes

import "math"

// SumInterval returns the interval of a sum over customers, such as of their purchases or of what they spend: from deviations standard
// deviations below to as many above (1.2816 for 80%). sum is the sum of the expected values. variance is the sum of the customers'
// variances, which are independent given the parameters. relativeError is the relative standard error that all customers have in
// common, since they have the parameters in common; unlike variance, it does not average out over many customers.
//
// The sum is taken to be log-normal, with the mean sum: nearly normal where the error is small, and never below 0 where it is great,
// as with the priors. An interval of more deviations contains one of fewer. Both bounds are 0 for a sum that is not positive.
func SumInterval(sum, variance, relativeError, deviations float64) (low, high float64) {
	if !(sum > 0) || !(variance >= 0) || !(relativeError >= 0) {
		return 0, 0
	}
	//mutant:interval-of-sum-without-parameters insert relativeError = 0
	square := ln1p(variance/float64(sum*sum) + float64(relativeError*relativeError))
	half, median := float64(deviations*math.Sqrt(square)), float64(sum*exp(-0.5*square))
	return median * exp(-half), median * exp(half)
}
