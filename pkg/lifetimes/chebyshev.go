package lifetimes

import "math"

// expectedTable is the expected purchases of customers who are alive, for one beta-dropout model with fixed parameters. They depend on
// the number x of purchases and on z = t/age alone (see betaCustomer), and for each x they are a smooth function of z, whose only
// singularity is at z = -1. So each quarter of an octave of z has a polynomial, which is computed when it is first needed: that takes as
// long as pieceTerms customers by the series, and a customer by a polynomial a fortieth of that.
//
// A polynomial depends on the model, x and the piece alone, so results are the same whichever customers were scored before. They are
// within 1e-11 of betaCustomer.expected, relatively. A table over x and the age was rejected: it would hold for one horizon, and a
// clock that runs by the season changes the horizon every day.
type expectedTable struct {
	rows [tableRows]*[tablePieces]*chebyshev
}

const (
	tableRows   = 48 // x beyond it: the series converges fast there
	firstOctave = -8 // of z, as a power of two; smaller z are horizons below a 256th of the age
	lastOctave  = 8
	tablePieces = (lastOctave - firstOctave) * quarters
	quarters    = 4 // pieces of an octave, which the two leading bits of the mantissa number
	quarterBits = 52 - 2
	firstPiece  = (1023 + firstOctave) * quarters // of the bits of z without the lower ones
)

// expected is c.expected(t), where c is the posterior of a customer of x purchases.
func (e *expectedTable) expected(c betaCustomer, x int, t float64) float64 {
	z := t / c.age
	piece := int(math.Float64bits(z)>>quarterBits) - firstPiece
	if x >= tableRows || piece < 0 || piece >= tablePieces || c.alive == 0 {
		return c.expected(t)
	}
	//mutant:expected-by-another-count insert x = min(x, 1)
	row := e.rows[x]
	if row == nil {
		row = new([tablePieces]*chebyshev)
		e.rows[x] = row
	}
	p := row[piece]
	if p == nil {
		from := math.Float64frombits(uint64(piece+firstPiece) << quarterBits)
		to := math.Float64frombits(uint64(piece+firstPiece+1) << quarterBits)
		p = interpolate(from, to, func(z float64) float64 {
			return betaCustomer{shape: c.shape, age: 1, a: c.a, b: c.b, alive: 1}.expected(z)
		})
		row[piece] = p
	}
	return c.alive * p.evaluate(z)
}

// pieceTerms is the number of terms of a polynomial. On an ellipse around the piece on which the function is no larger than near it, the
// error falls by a factor of at least 9 with each term.
const pieceTerms = 14

// chebyshev is a polynomial by its coefficients of Chebyshev polynomials over an interval.
type chebyshev struct {
	middle, scale float64 // (z - middle) scale is from -1 to 1
	terms         [pieceTerms]float64
}

// interpolate returns the polynomial that equals f at the Chebyshev nodes between from and to.
func interpolate(from, to float64, f func(float64) float64) *chebyshev {
	p := &chebyshev{middle: float64(0.5 * (from + to)), scale: 2 / (to - from)}
	var values [pieceTerms]float64
	for k := range values {
		values[k] = f(p.middle + chebyshevNode(2*k+1)/p.scale)
	}
	for j := range p.terms {
		sum := 0.0
		for k, v := range values {
			sum += float64(v * chebyshevNode(j*(2*k+1)))
		}
		p.terms[j] = float64(sum*2) / pieceTerms
	}
	p.terms[0] *= 0.5
	return p
}

// chebyshevNode is cos(pi n/(2 pieceTerms)).
func chebyshevNode(n int) float64 {
	const turn = 4 * pieceTerms
	return sinPi(float64((n+pieceTerms)%turn) / (2 * pieceTerms))
}

// evaluate returns the value at z, by Clenshaw's recurrence.
func (p *chebyshev) evaluate(z float64) float64 {
	y := float64((z - p.middle) * p.scale)
	twice := 2 * y
	var a, b float64
	for j := pieceTerms - 1; j > 0; j-- {
		a, b = p.terms[j]+float64(twice*a)-b, a
	}
	return p.terms[0] + float64(y*a) - b
}
