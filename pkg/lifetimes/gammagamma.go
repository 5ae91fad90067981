package lifetimes

import "math"

// GammaGamma is the Gamma-Gamma model of the value of a purchase of Fader and Hardie
// (2013), "The gamma-gamma model of monetary value": the values of a customer's purchases
// have a gamma distribution with shape P, whose rate varies between customers as
// Gamma(Q, V). V is in money units; P and Q have no unit. The mean over customers is
// P V/(Q-1).
type GammaGamma struct{ P, Q, V float64 }

// Name returns "Gamma-Gamma".
func (m GammaGamma) Name() string { return "Gamma-Gamma" }

// Validate returns an error that wraps ErrParameter for a parameter outside 1e-9 to 1e9,
// and for Q <= 1, for which the mean does not exist.
func (m GammaGamma) Validate() error {
	if err := checkParameter(m.Name(), "p", m.P); err != nil {
		return err
	}
	if err := checkParameter(m.Name(), "v", m.V); err != nil {
		return err
	}
	if !(m.Q > 1) {
		return parameterError(m.Name(), "q", m.Q, "above 1")
	}
	return checkParameter(m.Name(), "q", m.Q)
}

// ExpectedSpend is the expected value, in money units, of the next purchase of a customer
// with x repeat purchases of the given mean value. Without repeat purchases, or with a mean
// that is not positive (refunds exceed purchases), it is the mean over customers. It is 0
// for an invalid model.
func (m GammaGamma) ExpectedSpend(x int, mean float64) float64 {
	if !m.valid() {
		return 0
	}
	n := float64(x)
	if x <= 0 || !(mean > 0) || mean > math.MaxFloat64 {
		return m.P * m.V / (m.Q - 1)
	}
	// (v + x m)/(x + (q-1)/p): neither overflows nor cancels.
	return (m.V + float64(n*mean)) / (n + (m.Q-1)/m.P)
}

// LogLikelihood is the log-likelihood of the mean value of a customer's x repeat purchases.
// It is 0 for x <= 0 or a mean that is not positive, which the model does not describe, and
// -Inf for an invalid model.
func (m GammaGamma) LogLikelihood(x int, mean float64) float64 {
	if !m.valid() {
		return math.Inf(-1)
	}
	if x <= 0 || !(mean > 0) || mean > math.MaxFloat64 {
		return 0
	}
	n := float64(x)
	px, sum := float64(m.P*n), float64(n*mean)
	// lnG(px+q) - lnG(px) - lnG(q) is the logarithm of a rising factorial minus lnG(q).
	lgq := lnGamma(m.Q)
	return lnRising(px, m.Q) - lgq - float64(m.Q*ln1p(sum/m.V)) - float64(px*ln1p(m.V/sum)) - ln(mean)
}

func (m GammaGamma) valid() bool {
	return validParameter(m.P) && validParameter(m.V) && m.Q > 1 && m.Q <= greatestParameter
}
