package lifetimes

import "math"

// minimum is where minimise ended.
type minimum struct {
	at        []float64
	value     float64
	gradient  []float64
	converged bool
}

// minimise finds a local minimum of a smooth function of a few variables by the method
// of Broyden, Fletcher, Goldfarb and Shanno with a line search that asks for the strong
// Wolfe conditions. f returns the value and writes the gradient; +Inf bounds the domain.
// It runs the same way on every call: a fit can be repeated bit by bit.
func minimise(f func(x, gradient []float64) float64, start []float64, enough float64, most int) minimum {
	n := len(start)
	now := minimum{at: append([]float64(nil), start...), gradient: make([]float64, n)}
	now.value = f(now.at, now.gradient)
	inverse := identity(n)
	direction := make([]float64, n)
	fresh := true
	for evaluations := 1; evaluations < most; {
		if largest(now.gradient) <= enough {
			now.converged = true
			break
		}
		for i := range direction {
			direction[i] = -dot(inverse[i], now.gradient)
		}
		slope := dot(direction, now.gradient)
		if !(slope < 0) {
			if fresh {
				break
			}
			inverse, fresh = identity(n), true
			continue
		}
		step := 1.0
		if size := largest(direction); fresh || size > 3 {
			step = math.Min(1, 1/size) // not beyond a factor e of any parameter at first
			if !fresh {
				step = 3 / size
			}
		}
		next, used, ok := lineSearch(f, now, direction, slope, step)
		evaluations += used
		if !ok {
			if fresh {
				break
			}
			inverse, fresh = identity(n), true
			continue
		}
		updateInverse(inverse, now, next, fresh)
		fresh = false
		now = next
	}
	now.converged = largest(now.gradient) <= enough
	return now
}

// lineSearch goes from a point along a direction until the value has fallen enough and
// the slope has flattened, bracketing and interpolating in between.
func lineSearch(f func(x, gradient []float64) float64, from minimum, direction []float64, slope, step float64) (minimum, int, bool) {
	const (
		fallEnough = 1e-4
		flatEnough = 0.9
		attempts   = 40
	)
	n := len(direction)
	try := func(step float64) (minimum, float64) {
		m := minimum{at: make([]float64, n), gradient: make([]float64, n)}
		for i := range m.at {
			m.at[i] = from.at[i] + step*direction[i]
		}
		m.value = f(m.at, m.gradient)
		return m, dot(m.gradient, direction)
	}
	low, lowValue, lowSlope := 0.0, from.value, slope
	high := math.Inf(1)
	best, found := from, false
	for used := 1; used <= attempts; used++ {
		m, s := try(step)
		// Near the minimum values differ by rounding only; then the slope decides.
		tiny := 1e-14 * math.Abs(from.value)
		switch {
		case !(m.value <= from.value+fallEnough*step*slope+tiny) || m.value > lowValue+tiny:
			high = step
			cut := 0.1
			if m.value < math.MaxFloat64 {
				// The parabola through the low end, its slope, and the value here.
				width := step - low
				cut = -lowSlope * width / (2 * (m.value - lowValue - lowSlope*width))
				cut = math.Min(math.Max(cut, 0.1), 0.9)
			}
			step = low + cut*(step-low)
		case math.Abs(s) <= flatEnough*math.Abs(slope):
			return m, used, true
		case s > 0:
			high, best, found = step, m, true
			cut := lowSlope / (lowSlope - s)
			step = low + math.Min(math.Max(cut, 0.1), 0.9)*(step-low)
		default:
			low, lowValue, lowSlope, best, found = step, m.value, s, m, true
			if math.IsInf(high, 1) {
				step *= 3
			} else {
				step = low + 0.5*(high-low)
			}
		}
		if high-low < 1e-12*high {
			break
		}
	}
	return best, attempts, found && best.value < from.value
}

// updateInverse takes one step's change of the gradient into the inverse Hessian.
func updateInverse(inverse [][]float64, from, to minimum, fresh bool) {
	n := len(inverse)
	s, y := make([]float64, n), make([]float64, n)
	for i := range s {
		s[i], y[i] = to.at[i]-from.at[i], to.gradient[i]-from.gradient[i]
	}
	sy := dot(s, y)
	if !(sy > 1e-14*math.Sqrt(dot(s, s)*dot(y, y))) {
		return // no curvature to learn from
	}
	if fresh {
		for i := range inverse {
			inverse[i][i] = sy / dot(y, y)
		}
	}
	hy := make([]float64, n)
	for i := range hy {
		hy[i] = dot(inverse[i], y)
	}
	c := (1 + dot(y, hy)/sy) / sy
	for i := range inverse {
		for j := range inverse[i] {
			inverse[i][j] += c*s[i]*s[j] - (hy[i]*s[j]+s[i]*hy[j])/sy
		}
	}
}

func identity(n int) [][]float64 {
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n)
		m[i][i] = 1
	}
	return m
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func largest(v []float64) float64 {
	most := 0.0
	for _, x := range v {
		most = math.Max(most, math.Abs(x))
	}
	return most
}
