package lifetimes

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestPreparedIsTheModel verifies that Prepared returns the results of the model, regardless of which customers it scored before.
func TestPreparedIsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		positive := func(name string) float64 { return math.Exp(rapid.Float64Range(-6, 6).Draw(t, name)) }
		m := MBGNBD{positive("r"), positive("alpha"), positive("a"), positive("b")}
		p := NewPrepared(m)
		for range rapid.IntRange(1, 20).Draw(t, "customers") {
			s := Summary{X: rapid.IntRange(-1, 34).Draw(t, "x"), T: positive("T")}
			if s.X > 0 {
				s.Tx = float64(s.T * rapid.SampledFrom([]float64{0, .25, .5, 1, 2}).Draw(t, "share"))
			}
			span := positive("span")
			require.Equal(t, m.PAlive(s), p.PAlive(s))
			h := rapid.SampledFrom([]float64{0, .3, .33, 1, math.NaN()}).Draw(t, "h")
			age, ok := m.AliveUntil(s, h)
			again, still := p.AliveUntil(s, h)
			require.Equal(t, age, again)
			require.Equal(t, ok, still)
			want, got := m.Expected(s, span), p.Expected(s, span)
			require.InDelta(t, want, got, tableError*want)
			require.Equal(t, m.Expected(s, 0), p.Expected(s, 0))
			require.Equal(t, m.Expected(s, math.NaN()), p.Expected(s, math.NaN()))
		}
	})
}
