package lifetimes

import "math"

// grid holds the nodes and weights for a mean under a beta or gamma distribution.
//
// It uses the trapezoidal rule in the logit (beta) or the logarithm (gamma) of the
// variable, which converges exponentially for all parameters if the step is proportional
// to the width of the density. The tails are not truncated: beyond the last node the
// summand is a power of e^(step k) times a function that is nearly a parabola, so the
// infinite tail is a geometric sum, which is added to the weights of the last three nodes.
// Shapes of 1e-6 are therefore as accurate as shapes of 1; a fixed grid was rejected
// because its error there is some percent.
type grid struct {
	n     int
	total float64
	at, w [gridNodes]float64
}

const (
	gridNodes = 320
	// The integrands here are analytic in a strip of half-width at least pi/2.
	widestStep = 0.36
	// For a Gaussian of deviation 1: e^(-2 (pi/step)^2) is 4e-14.
	gaussStep = 0.8
	// A tail is summed in closed form where the summand's curvature per node is below this.
	closeTail = 1e-4
	dropTail  = 1e-15
)

// mean is the weighted mean of f.
func (g *grid) mean(f func(float64) float64) float64 {
	sum := 0.0
	for i := 0; i < g.n; i++ {
		sum += float64(g.w[i] * f(g.at[i]))
	}
	return sum / g.total
}

// fillBeta fills g for means under Beta(a, b) of functions of p that decrease no faster
// than 1/p and are smooth where p < 1/left and where 1-p < 1/right.
func (g *grid) fillBeta(a, b, left, right float64) {
	ab := a + b
	p0, q0 := a/ab, b/ab
	step := 1 / math.Sqrt(1/(widestStep*widestStep)+float64(a*q0/(gaussStep*gaussStep)))
	up := exp(step)
	left, right = math.Max(left, ab), math.Max(right, ab)

	put := func(k, e float64) {
		d := q0 + float64(p0*e)
		g.at[g.n] = p0 * e / d
		g.w[g.n] = exp(float64(a*k*step) - float64(ab*ln(d)))
		g.n++
	}
	put(0, 1)
	for k, e := 1.0, 1/up; g.n < gridNodes/2; k, e = k+1, e/up {
		put(-k, e)
		if k >= 2 && g.at[g.n-1]*left < closeTail {
			g.closeTail(a, step, up)
			break
		}
		if g.w[g.n-1] < dropTail*e {
			break
		}
	}
	for k, e, from := 1.0, up, g.n; g.n < gridNodes; k, e = k+1, e*up {
		put(k, e)
		if g.n >= from+3 && q0*right < closeTail*p0*e {
			g.closeTail(b, step, up)
			break
		}
		if g.w[g.n-1] < dropTail {
			break
		}
	}
	g.sum()
}

// fillGamma fills g for means under a gamma distribution with the given shape and rate 1 of
// functions that increase no faster than the given power and are smooth below 1/left.
func (g *grid) fillGamma(shape, left, power float64) {
	// The product of density and function is as narrow as a density of a greater shape.
	narrow := float64((shape + power - 1) / (gaussStep * gaussStep))
	step := 1 / math.Sqrt(1/(widestStep*widestStep)+narrow)
	up := exp(step)
	left = math.Max(left, 1)

	put := func(k, e float64) {
		g.at[g.n] = shape * e
		g.w[g.n] = exp(float64(shape * (float64(k*step) - expm1(k*step))))
		g.n++
	}
	put(0, 1)
	for k, e := 1.0, 1/up; g.n < gridNodes/2; k, e = k+1, e/up {
		put(-k, e)
		// The means of functions that vanish at 0 are small, so the tail's error must be too.
		if k >= 2 && g.at[g.n-1]*left < 0.01*closeTail {
			g.closeTail(shape, step, up)
			break
		}
		if g.w[g.n-1] < dropTail {
			break
		}
	}
	for k, e := 1.0, up; g.n < gridNodes; k, e = k+1, e*up {
		put(k, e)
		if g.w[g.n-1] < dropTail*exp(-power*k*step) {
			break
		}
	}
	g.sum()
}

// closeTail adds the sum over all nodes beyond the last one to the weights of the last
// three nodes. Beyond them, the weights decrease by e^(-power step) per node, and the
// function is taken as the parabola through the last three nodes, in a variable that
// decreases by the factor up per node.
func (g *grid) closeTail(power, step, up float64) {
	g0 := 1 / expm1(power*step)
	g1 := 1 / expm1((power+1)*step)
	g2 := 1 / expm1((power+2)*step)
	u2 := float64(up * up)
	fall := exp(-power * step)
	w := g.w[g.n-3 : g.n : g.n]
	w[0] += float64(w[0] * fall * fall * (g2 - float64((1+up)*g1) + float64(up*g0)) / ((u2 - 1) * (u2 - up)))
	w[1] += float64(w[1] * fall * (g2 - float64((1+u2)*g1) + float64(u2*g0)) / ((up - 1) * (up - u2)))
	w[2] += float64(w[2] * (g2 - float64((up+u2)*g1) + float64(u2*up*g0)) / ((1 - up) * (1 - u2)))
}

func (g *grid) sum() {
	g.total = 0
	for i := 0; i < g.n; i++ {
		g.total += g.w[i]
	}
}
