package lifetimes

import "math"

// Valuation says how future purchases become money.
type Valuation struct {
	// Margin is the share of the net value that is kept, such as 0.3; 1 values revenue.
	Margin float64
	// Horizon is how far to look, in the unit of the summaries; +Inf for all the future.
	Horizon float64
	// Delta is the continuous discount rate per unit of time, as DiscountRate gives it.
	// It must be above 0 with an infinite Horizon, where undiscounted sums may diverge.
	Delta float64
}

// Validate returns ErrOption for what cannot be valued.
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

// DiscountRate is the continuous rate per period that an annual rate (0.1 for 10%)
// amounts to: ln(1+annual)/periodsPerYear. It is 0 outside the domain: a rate of -1 or less,
// no periods.
func DiscountRate(annual, periodsPerYear float64) float64 {
	if !(annual > -1) || !(periodsPerYear > 0) || math.IsInf(annual, 1) {
		return 0
	}
	return ln1p(annual) / periodsPerYear
}

// CLV is the residual lifetime value of a customer in money units: margin times expected
// value of a purchase times the discounted expected number of purchases (Fader, Hardie
// and Lee 2005, "RFM and CLV"). Spend and frequency are taken as independent. It is 0
// where the model, the Summary or the Valuation does not pass Validate.
func CLV[M PurchaseModel](model M, spend GammaGamma, s Summary, v Valuation) float64 {
	if v.Validate() != nil {
		return 0
	}
	return v.Margin * spend.ExpectedSpend(s.X, s.M) * Purchases(model, s, v)
}

// Purchases is the discounted expected number of purchases within the valuation's
// horizon; for all the future it is DERT, "discounted expected residual transactions" (Fader,
// Hardie and Lee 2005, "RFM and CLV"). See CLV for what it is worth and when it is 0.
func Purchases[M PurchaseModel](model M, s Summary, v Valuation) float64 {
	switch {
	case v.Validate() != nil:
		return 0
	case math.IsInf(v.Horizon, 1):
		return model.DERT(s, v.Delta)
	}
	return model.Discounted(s, v.Horizon, v.Delta)
}

// CLVByPeriods is CLV with purchases discounted at the end of the period they fall
// into, as spreadsheets do it: the sum over k of (E(k)-E(k-1)) e^(-delta k period), for
// periods of the given length, at most 10,000 of them, within a finite horizon. Otherwise,
// and where CLV is 0, it is 0.
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
