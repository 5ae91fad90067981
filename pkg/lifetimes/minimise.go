package lifetimes

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"
)

// minimise finds a local minimum of a smooth function by gonum's BFGS. It ends when the
// largest component of the gradient is below enough, or after about most evaluations.
// f returns the value and writes the gradient; it returns +Inf outside its domain. The
// result is deterministic, so a fit can be reproduced bit for bit.
func minimise(f func(x, gradient []float64) float64, start []float64, enough float64, most int) []float64 {
	e := evaluated{f: f, gradient: make([]float64, len(start))}
	at, value := start, math.Inf(1)
	// If a line search fails before the minimum, and not because of rounding, BFGS is
	// restarted without its curvature estimate as long as the value decreases.
	for e.calls < most {
		end, err := optimize.Minimize(optimize.Problem{Func: e.valueAt, Grad: e.gradientAt}, at, &optimize.Settings{
			GradientThreshold: enough,
			FuncEvaluations:   most - e.calls,
			Converger:         optimize.NeverTerminate{},
		}, &optimize.BFGS{})
		if end == nil || !(end.F < value) {
			break
		}
		at, value = end.X, end.F
		if err == nil || largest(end.Gradient) < 10*enough {
			break
		}
	}
	return at
}

// evaluated caches the latest evaluation, since the optimiser requests the value and the
// gradient separately.
type evaluated struct {
	f        func(x, gradient []float64) float64
	at       []float64
	value    float64
	gradient []float64
	calls    int
}

func (e *evaluated) valueAt(x []float64) float64 {
	if !slices.Equal(x, e.at) {
		e.calls++
		e.at = append(e.at[:0], x...)
		e.value = e.f(x, e.gradient)
	}
	return e.value
}

func (e *evaluated) gradientAt(gradient, x []float64) {
	e.valueAt(x)
	copy(gradient, e.gradient)
}

func largest(v []float64) float64 { return floats.Norm(v, math.Inf(1)) }
