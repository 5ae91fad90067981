package lifetimes

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// tableError is the relative error of expected purchases by the table.
const tableError = 1e-11

// TestExpectedByTable: the table is within tableError of the series and quadratures, for all parameters, ages and horizons, also beyond its
// ends, and its results do not depend on which customers were scored before.
func TestExpectedByTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		positive := func(name string, width float64) float64 {
			return math.Exp(rapid.Float64Range(-width, width).Draw(t, name))
		}
		m := MBGNBD{positive("r", 4), positive("alpha", 4), positive("a", 3), positive("b", 4)}
		var used expectedTable
		for range rapid.IntRange(1, 20).Draw(t, "customers") {
			s := Summary{X: rapid.IntRange(0, tableRows+2).Draw(t, "x"), T: positive("T", 6)}
			s.Tx = s.T
			c := m.customer(s)
			span := c.age * positive("z", 6.5) // beyond both ends
			want, got := c.expected(span), used.expected(c, s.X, span)
			require.InDelta(t, want, got, tableError*want)
			require.Equal(t, new(expectedTable).expected(c, s.X, span), got)
		}
	})
}

// TestExpectedAtTheEdgesOfPieces: neighbouring polynomials meet.
func TestExpectedAtTheEdgesOfPieces(t *testing.T) {
	c := betaCustomer{shape: 3.2, age: 1, a: .9, b: 4.1, alive: .7}
	var table expectedTable
	last := 0.0
	for piece := range tablePieces + 1 {
		z := math.Float64frombits(uint64(piece+firstPiece) << quarterBits)
		for _, z := range []float64{math.Nextafter(z, 0), z, math.Nextafter(z, 2*z)} {
			want, got := c.expected(z), table.expected(c, 2, z)
			require.InDelta(t, want, got, tableError*want)
			require.GreaterOrEqual(t, got, last*(1-tableError))
			last = got
		}
	}
}
