package lifetimes

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestResiduesAgreeWithGrids compares the two algorithms for DERT wherever the faster one
// returns ok, which it must do for most customers of most shops.
func TestResiduesAgreeWithGrids(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	upTo := func(factor float64) float64 { return math.Pow(factor, 2*r.Float64()-1) }
	used := 0
	const tries = 20000
	for i := range tries {
		spread := []float64{3, 10, 1000}[i%3]
		x := float64(r.IntN(1 + r.IntN(1+r.IntN(3000))))
		c := betaCustomer{shape: upTo(spread) + x, age: 50 * upTo(30), a: upTo(spread), b: upTo(spread) + x + 1, alive: 1}
		delta := .003 * upTo(10)
		fast, ok := dertByResidues(c.shape, c.a, c.b, delta*c.age)
		if !ok {
			continue
		}
		used++
		slow := c.dertByGrids(delta)
		require.InEpsilon(t, slow, fast, 1e-9, "%+v, delta %v", c, delta)
	}
	require.Greater(t, used, tries/2)
	// Where poles coincide, ok is false.
	for _, shape := range []float64{1, 2, 2.5} {
		for _, a := range []float64{1, 1 + 1e-9, .5} {
			if shape == 2.5 && a != .5 {
				continue
			}
			_, ok := dertByResidues(shape, a, 3, .1)
			require.False(t, ok, "%v %v", shape, a)
		}
	}
}
