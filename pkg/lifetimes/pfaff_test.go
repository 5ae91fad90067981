package lifetimes

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWaysToExpectAgree compares the two series with quadrature wherever the series return ok,
// which they must do for most customers of most shops.
func TestWaysToExpectAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 2))
	upTo := func(factor float64) float64 { return math.Pow(factor, 2*r.Float64()-1) }
	early, late := 0, 0
	const tries = 20000
	for i := range tries {
		spread := []float64{3, 10, 1000}[i%3]
		x := float64(r.IntN(1 + r.IntN(1+r.IntN(300))))
		c := betaCustomer{shape: upTo(spread) + x, age: 10 * upTo(30), a: upTo(spread), b: upTo(spread) + x + 1, alive: 1}
		span := 50 * upTo(20)
		z := span / c.age
		var g grid
		g.fillBeta(c.a, c.b, float64((c.shape+1)*z)+1, c.shape+1)
		slow := g.mean(func(p float64) float64 { return repeatsBeforeDropout(p, z, c.shape) })
		at, one, grown := []float64{span}, []float64{1}, []float64{ln1p(z)}
		if fast, ok := c.expectedByPfaff(at, one, grown); ok {
			early++
			require.InEpsilon(t, slow, fast, 1e-9, "%+v in %v", c, span)
		}
		if fast, ok := c.expectedLate(at, one, grown); ok {
			late++
			require.InEpsilon(t, slow, fast, 1e-9, "%+v in %v, late", c, span)
		}
		if fast, ok := c.soonByPfaff(span); ok {
			require.InEpsilon(t, slow, fast, 1e-9, "%+v in %v, alone", c, span)
		}
	}
	require.Greater(t, early, tries/2)
	require.Greater(t, late, tries/10)
}
