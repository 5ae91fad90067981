package lifetimes

import (
	"errors"
	"fmt"
	"math"
)

// Errors of the package. Each returned error wraps one of them (see errors.Is), and its text
// contains the value.
var (
	// ErrSummary: a Summary that no purchase history can have.
	ErrSummary = errors.New("lifetimes: impossible summary")
	// ErrNoPurchase: a history without a standing order, which cannot be scored.
	ErrNoPurchase = errors.New("lifetimes: no purchase day")
	// ErrParameter: a model parameter outside its domain.
	ErrParameter = errors.New("lifetimes: parameter out of domain")
	// ErrNoData: no data to fit to.
	ErrNoData = errors.New("lifetimes: no data")
	// ErrOption: an option or argument outside its domain.
	ErrOption = errors.New("lifetimes: option out of domain")
	// ErrGaps: FitMBGCNBD with k > 1 was called with summaries without LogGaps.
	ErrGaps = errors.New("lifetimes: summaries carry no gaps")
)

// Summary is the input of the purchase models for one customer. All times are in one unit,
// which the caller chooses; the parameters of the models are in the same unit.
type Summary struct {
	// X is the number of repeat purchase days: days with a standing order, minus one.
	X int
	// Tx is the time from the first to the last purchase day, 0 when X is 0.
	Tx float64
	// T is the time from the first purchase day to now, at least Tx.
	T float64
	// M is the mean net value per repeat purchase day in money units, 0 when X is 0.
	// It is negative if refunds exceed sales; GammaGamma then uses the mean over customers.
	M float64
	// LogGaps is the sum of the logarithms of the gaps between purchase days. Only
	// LogLikelihood of MBGCNBD with K > 1 reads it; no score depends on it.
	LogGaps float64
}

// Validate returns an error that wraps ErrNoPurchase for a negative X, and ErrSummary for
// negative, unordered or non-finite times, a Tx or M other than 0 with X = 0, and a
// non-finite M or LogGaps.
func (s Summary) Validate() error {
	switch {
	case s.X < 0:
		return fmt.Errorf("%w: x is %d", ErrNoPurchase, s.X)
	case !(s.Tx >= 0) || !(s.T >= s.Tx) || s.T > math.MaxFloat64:
		return fmt.Errorf("%w: want 0 <= t_x <= T, have t_x %v and T %v", ErrSummary, s.Tx, s.T)
	case s.X == 0 && s.Tx != 0:
		return fmt.Errorf("%w: t_x %v without a repeat purchase", ErrSummary, s.Tx)
	case s.X == 0 && s.M != 0:
		return fmt.Errorf("%w: value %v without a repeat purchase", ErrSummary, s.M)
	case !isFinite(s.M) || !isFinite(s.LogGaps):
		return fmt.Errorf("%w: value %v or gaps %v not finite", ErrSummary, s.M, s.LogGaps)
	}
	return nil
}

// scorable reports whether the fields that scores depend on are valid.
func (s Summary) scorable() bool {
	return s.X >= 0 && s.Tx >= 0 && s.T >= s.Tx && s.T <= math.MaxFloat64 && (s.X > 0 || s.Tx == 0)
}

func isFinite(v float64) bool { return v-v == 0 }

// Bounds of valid parameters. Beyond them different models are equal in float64, and a fit
// that reaches them has diverged.
const (
	leastParameter    = 1e-9
	greatestParameter = 1e9
)

func validParameter(v float64) bool { return v >= leastParameter && v <= greatestParameter }

func checkParameter(model, name string, v float64) error {
	if validParameter(v) {
		return nil
	}
	return parameterError(model, name, v, "1e-9 to 1e9")
}

func parameterError(model, name string, v float64, want string) error {
	return fmt.Errorf("%w: %s %s is %v, want %s", ErrParameter, model, name, v, want)
}

func optionError(name string, v float64, want string) error {
	return fmt.Errorf("%w: %s is %v, want %s", ErrOption, name, v, want)
}
