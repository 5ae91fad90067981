package lifetimes

import (
	"errors"
	"fmt"
	"math"
)

// Errors that the package names. Each returned error wraps one of them, so that
// errors.Is tells the kind and the text tells the value.
var (
	// ErrSummary: a Summary that no purchase history can have.
	ErrSummary = errors.New("lifetimes: impossible summary")
	// ErrNoPurchase: a history without a standing order; there is nobody to score.
	ErrNoPurchase = errors.New("lifetimes: no purchase day")
	// ErrParameter: a model parameter outside its domain.
	ErrParameter = errors.New("lifetimes: parameter out of domain")
	// ErrNoData: nothing to fit or to choose on.
	ErrNoData = errors.New("lifetimes: no data")
	// ErrOption: an option outside its domain.
	ErrOption = errors.New("lifetimes: option out of domain")
	// ErrGaps: regular-buyer models were asked for without Summary.LogGaps.
	ErrGaps = errors.New("lifetimes: summaries carry no gaps")
)

// Summary is what the purchase models know of one customer. All times are in one
// unit, the caller's own; parameters are in the same unit.
type Summary struct {
	// X is the number of repeat purchase days: days with a standing order, minus one.
	X int
	// Tx is the time from the first to the last purchase day, 0 when X is 0.
	Tx float64
	// T is the time from the first purchase day to now, at least Tx.
	T float64
	// M is the mean net value per repeat purchase day in money units, 0 when X is 0.
	// It may be negative where refunds exceed sales; spend models then decline it.
	M float64
	// LogGaps is the sum of the logarithms of the gaps between purchase days. Only
	// LogLikelihood of MBGCNBD with K > 1 reads it; no score depends on it.
	LogGaps float64
}

// Validate returns ErrNoPurchase for a negative X and ErrSummary for whatever else
// cannot be: negative, unordered or non-finite times, and a Tx or M with X = 0.
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

// scorable is the part of Validate that a score depends on.
func (s Summary) scorable() bool {
	return s.X >= 0 && s.Tx >= 0 && s.T >= s.Tx && s.T <= math.MaxFloat64 && (s.X > 0 || s.Tx == 0)
}

func isFinite(v float64) bool { return v-v == 0 }

// Parameters are refused outside these bounds: beyond them float64 no longer tells
// the models apart, and a fit that gets there has run away.
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
