package lifetimes

// PurchaseModel is a fitted model of repeat purchases; its methods score one customer.
//
// Parameters and Summary must pass Validate; otherwise, and for a negative time or NaN,
// the results are 0 and ok is false, never NaN. Times and rates are in the unit of the
// Summary.
type PurchaseModel interface {
	// Name is the model's usual name, such as "MBG/NBD".
	Name() string
	// Validate returns an error that wraps ErrParameter, or nil.
	Validate() error
	// PAlive is the probability that the customer has not stopped for good.
	PAlive(s Summary) float64
	// Expected is the expected number of repeat purchases in the next t, given that the
	// customer may have stopped already.
	Expected(s Summary, t float64) float64
	// PAtLeastOne is the probability of a purchase in the next t.
	PAtLeastOne(s Summary, t float64) float64
	// DERT is the discounted expected number of all future purchases, delta > 0 being the
	// continuous discount rate per unit of time.
	DERT(s Summary, delta float64) float64
	// Discounted is Expected with each purchase discounted by e^(-delta time).
	Discounted(s Summary, t, delta float64) float64
	// AliveUntil is the age T (time since the first purchase) at which PAlive falls to h
	// if nothing more is bought. It reads X and Tx only. It may be below s.T or s.Tx, or
	// negative: then PAlive is below h already. ok is false where it never falls to h.
	AliveUntil(s Summary, h float64) (age float64, ok bool)
	// PurchaseUntil is the age at which PAtLeastOne(horizon) falls to h if nothing more is
	// bought; the notes on AliveUntil apply.
	PurchaseUntil(s Summary, horizon, h float64) (age float64, ok bool)
	// MedianWait is the time from the last purchase within which a customer who does not stop
	// makes the next one with probability 1/2; +Inf if it is not representable. It reads X and
	// Tx only.
	MedianWait(s Summary) float64
	// LogLikelihood is the natural logarithm of the likelihood of the Summary; times
	// count as densities, so values compare within one unit of time only.
	LogLikelihood(s Summary) float64
}

// The purchase models of this package.
var (
	_ PurchaseModel = MBGNBD{}
	_ PurchaseModel = BGNBD{}
	_ PurchaseModel = ParetoNBD{}
	_ PurchaseModel = MBGCNBD{}
)
