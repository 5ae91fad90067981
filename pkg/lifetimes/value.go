package lifetimes

import "math"

// Valuation defines how future purchases are valued.
type Valuation struct {
	// Margin is the profit as a share of the net value, such as 0.3; 1 values revenue.
	Margin float64
	// Horizon is the time span to value, in the unit of the summaries; +Inf for all future
	// purchases.
	Horizon float64
	// Delta is the continuous discount rate per unit of time; see DiscountRate. It must be
	// above 0 with an infinite Horizon, for which undiscounted sums may diverge.
	Delta float64
}

// Validate returns an error that wraps ErrOption for a margin that is not finite, a negative
// horizon or delta, and an infinite horizon without discount.
func (v Valuation) Validate() error {
	switch {
	case !isFinite(v.Margin):
		return optionError("margin", v.Margin, "a finite number")
	case !(v.Horizon >= 0):
		return optionError("horizon", v.Horizon, "0 or more")
	case !(v.Delta >= 0) || v.Delta > math.MaxFloat64:
		return optionError("delta", v.Delta, "0 or more")
	case v.Delta == 0 && math.IsInf(v.Horizon, 1):
		return optionError("delta", v.Delta, "above 0 with an infinite horizon")
	}
	return nil
}

// DiscountRate is the continuous rate per period that is equivalent to an annual rate (0.1
// for 10%): ln(1+annual)/periodsPerYear. It is 0 for an annual rate of -1 or less or +Inf, and
// for periodsPerYear that is not positive.
func DiscountRate(annual, periodsPerYear float64) float64 {
	if !(annual > -1) || !(periodsPerYear > 0) || math.IsInf(annual, 1) {
		return 0
	}
	return ln1p(annual) / periodsPerYear
}

// CLV is the residual lifetime value of a customer in money units: the margin times the
// expected value of a purchase times the discounted expected number of purchases (Fader,
// Hardie and Lee 2005, "RFM and CLV"). It assumes that spend is independent of frequency. It
// is 0 if a model, the Summary or the Valuation fails Validate.
func CLV[M PurchaseModel](model M, spend GammaGamma, s Summary, v Valuation) float64 {
	if v.Validate() != nil {
		return 0
	}
	return v.Margin * spend.ExpectedSpend(s.X, s.M) * Purchases(model, s, v)
}

// Purchases is the discounted expected number of purchases within the horizon of the
// valuation. For an infinite horizon it is DERT, "discounted expected residual transactions"
// (Fader, Hardie and Lee 2005, "RFM and CLV"). It is 0 if the model, the Summary or the
// Valuation fails Validate.
func Purchases[M PurchaseModel](model M, s Summary, v Valuation) float64 {
	switch {
	case v.Validate() != nil:
		return 0
	case math.IsInf(v.Horizon, 1):
		return model.DERT(s, v.Delta)
	}
	return model.Discounted(s, v.Horizon, v.Delta)
}

// CLVByPeriods is CLV with each purchase discounted from the end of the period that contains
// it, as in a spreadsheet: the sum over k of (E(k)-E(k-1)) e^(-delta k period), for periods of
// the given length. It is 0 if CLV is 0, if the horizon is infinite or has more than 10,000
// periods, and if period is not positive.
func CLVByPeriods[M PurchaseModel](model M, spend GammaGamma, s Summary, v Valuation, period float64) float64 {
	if v.Validate() != nil || !(period > 0) || !(v.Horizon/period <= 10000) {
		return 0
	}
	sum, before := 0.0, 0.0
	for k := 1.0; k <= 10001; k++ {
		end := math.Min(float64(k*period), v.Horizon)
		expected := model.Expected(s, end)
		sum += float64((expected - before) * exp(-v.Delta*end))
		if end == v.Horizon {
			break
		}
		before = expected
	}
	return v.Margin * spend.ExpectedSpend(s.X, s.M) * sum
}
