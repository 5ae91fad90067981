package processors_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mathext"

	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// TestIntervalsHoldWhatTheyState verifies with incomplete beta functions that the published bounds are exceeded with probabilities of
// .9 and .1, for customers of MBG/NBD who have bought up to 12 times.
func TestIntervalsHoldWhatTheyState(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	v := live(model.MBGNBD)
	w.append(ledger.Kind_KIND_PARAMETERS, 0, v)
	at := ms("2024-01-01")
	for i := range int64(13) {
		w.event("ada", purchase(fmt.Sprint("o", i), 4000, at+30*i*day))
		got := w.scores("ada").CLV
		x, age := float64(i), float64(30*i)/7
		const weeks = 365.0 / 7
		alive := 1 / (1 + v.GetA()/(v.GetB()+x))
		exceeds := func(n float64) float64 { // more than n purchases
			return alive * mathext.RegIncBeta(n+1, v.GetR()+x, weeks/(v.GetAlpha()+age+weeks)) *
				math.Exp(mathext.Lbeta(v.GetA(), v.GetB()+x+1+n)-mathext.Lbeta(v.GetA(), v.GetB()+x+1))
		}
		for _, bound := range []struct {
			n     output.Opt[int64]
			above float64
		}{{got.PredictedOrdersInterval.Low, .9}, {got.PredictedOrdersInterval.High, .1}} {
			require.True(t, bound.n.Known)
			n := float64(bound.n.Value)
			require.LessOrEqual(t, exceeds(n), bound.above+.001, "%d purchases", i)
			require.True(t, n == 0 || exceeds(n-1) > bound.above-.001, "%d purchases", i)
		}
		// The value of n orders is a ratio of gamma variates; x repeat orders of 40.00 have been seen.
		scale, rate := v.GetV()+40*x, v.GetQ()+v.GetP()*x
		worth := func(minor int64) (sum float64) {
			for n := 1.0; n < 400; n++ {
				sum += (exceeds(n-1) - exceeds(n)) * mathext.RegIncBeta(rate, v.GetP()*n, scale/(scale+float64(minor)/100))
			}
			return sum
		}
		require.InDelta(t, .1, worth(got.PredictedInterval.High.Value), .012, "%d purchases", i)
		if low := got.PredictedInterval.Low.Value; low > 0 {
			require.InDelta(t, .9, worth(low), .012, "%d purchases", i)
		} else {
			require.Less(t, exceeds(0), .901)
		}
		require.GreaterOrEqual(t, got.PredictedInterval.High.Value, got.PredictedInterval.Low.Value)
	}
	w.event("ada", &ledger.Event{Id: "closed", Source: "cancellation", OccurredAt: at + 400*day, Cancellation: &ledger.Cancellation{
		Kind: ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT, EffectiveAt: at + 400*day,
	}})
	w.tick(at + 401*day)
	gone := w.scores("ada").CLV
	require.Equal(t, output.Some[int64](0), gone.PredictedInterval.High)
	require.Equal(t, output.Some[int64](0), gone.PredictedOrdersInterval.High)
}
