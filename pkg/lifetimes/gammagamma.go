package lifetimes

import "math"

// GammaGamma is the Gamma-Gamma model of the value of a purchase, Fader and Hardie
// (2013), "The gamma-gamma model of monetary value": values of one customer are
// gamma with shape P around a mean that varies between customers, whose scale is
// Gamma(Q, V). V is in money units. The mean over customers is P V/(Q-1).
type GammaGamma struct{ P, Q, V float64 }

// Name is "Gamma-Gamma".
func (m GammaGamma) Name() string { return "Gamma-Gamma" }

// Validate refuses, with ErrParameter, parameters outside 1e-9 to 1e9 and Q <= 1, where
// the mean value does not exist.
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

// ExpectedSpend is the expected value of a customer's next purchase in money units,
// after x repeat purchases of mean value m. Without repeat purchases, or with a mean
// that is not positive (more refunded than bought), it is the mean over customers.
func (m GammaGamma) ExpectedSpend(x int, mean float64) float64 {
	if !m.valid() {
		return 0
	}
	n := float64(x)
	if x <= 0 || !(mean > 0) || mean > math.MaxFloat64 {
		return m.P * m.V / (m.Q - 1)
	}
	// (v + x m)/(x + (q-1)/p), with nothing that overflows or cancels.
	return (m.V + float64(n*mean)) / (n + (m.Q-1)/m.P)
}

// LogLikelihood of the mean value of a customer's x repeat purchases; only x > 0 and a
// positive mean say anything, others give 0. It is -Inf outside the parameters' domain.
func (m GammaGamma) LogLikelihood(x int, mean float64) float64 {
	if !m.valid() {
		return math.Inf(-1)
	}
	if x <= 0 || !(mean > 0) || mean > math.MaxFloat64 {
		return 0
	}
	n := float64(x)
	px, sum := float64(m.P*n), float64(n*mean)
	// lnG(px+q) - lnG(px) - lnG(q) is a rising factorial less lnG(q).
	lgq := lnGamma(m.Q)
	return lnRising(px, m.Q) - lgq - float64(m.Q*ln1p(sum/m.V)) - float64(px*ln1p(m.V/sum)) - ln(mean)
}

func (m GammaGamma) valid() bool {
	return validParameter(m.P) && validParameter(m.V) && m.Q > 1 && m.Q <= greatestParameter
}
