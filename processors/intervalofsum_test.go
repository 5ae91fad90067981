package processors_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mathext"

	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// TestIntervalsOfSums verifies the intervals of a portfolio, provisional and final, against moments by incomplete beta functions: the
// customers' variances add up, and the error of the parameters is common to all of them. What changes a customer replaces their part,
// and a customer who leaves takes it away.
func TestIntervalsOfSums(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	s := settings.Default()
	s.ContributionMinutes = 60
	w.append(ledger.Kind_KIND_SETTINGS, 0, &ledger.Settings{Revision: 1, Hash: settings.Hash(s), Values: s})
	v := live(model.MBGNBD)
	v.OrdersError, v.SpendError = .12, .05
	w.append(ledger.Kind_KIND_PARAMETERS, 0, v)
	at := ms("2024-01-01")
	const people = 9
	for x := range int64(people) { // customer x has x repeat purchases
		for i := range x + 1 {
			w.event(fmt.Sprint("c", x), purchase(fmt.Sprint("o", x, i), 4000, at+i*day))
		}
	}
	w.event("gone", purchase("g", 9000, at))
	w.event("gone", &ledger.Event{Id: "closed", Source: "cancellation", OccurredAt: at + 9*day, Cancellation: &ledger.Cancellation{
		Kind: ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT, EffectiveAt: at + 9*day,
	}})
	w.tick(at + 9*day + 1)
	w.drain()
	w.takeOutputs()
	w.tick(at + 10*day)
	w.drain()
	w.tick(at + 10*day + 3_600_000)
	w.drain()

	const weeks = 365.0 / 7
	var orders, ordersVariance, value, valueVariance float64
	for x := range people {
		x := float64(x)
		age, last := 10.0/7, x/7
		shape := v.GetR() + x
		alive := 1 / (1 + v.GetA()/(v.GetB()+x)*math.Pow((v.GetAlpha()+age)/(v.GetAlpha()+last), shape))
		mean, square := 0.0, 0.0
		for n := 0.0; n < 600; n++ {
			more := alive * mathext.RegIncBeta(n+1, shape, weeks/(v.GetAlpha()+age+weeks)) *
				math.Exp(mathext.Lbeta(v.GetA(), v.GetB()+x+1+n)-mathext.Lbeta(v.GetA(), v.GetB()+x+1))
			mean += more
			square += (2*n + 1) * more
		}
		scale, rate := v.GetV()+40*x, v.GetQ()+v.GetP()*x
		one := v.GetP() * scale / (rate - 1)
		second := scale * scale / ((rate - 1) * (rate - 2)) * (v.GetP()*v.GetP()*square + v.GetP()*mean)
		orders += mean
		ordersVariance += square - mean*mean
		value += one * mean
		valueVariance += second - one*one*mean*mean
	}
	interval := func(sum, variance, common float64) (low, high float64) {
		square := math.Log1p(variance/(sum*sum) + common*common)
		return sum * math.Exp(-square/2-1.2815515655446004*math.Sqrt(square)), sum * math.Exp(-square/2+1.2815515655446004*math.Sqrt(square))
	}
	states := map[string]bool{}
	for _, out := range w.takeOutputs() {
		if out.Topic != output.Portfolio {
			continue
		}
		var got struct {
			State      string  `json:"state"`
			Orders     float64 `json:"predicted_number_of_orders"`
			OrdersLow  float64 `json:"predicted_number_of_orders_low"`
			OrdersHigh float64 `json:"predicted_number_of_orders_high"`
			Value      float64 `json:"future_value"`
			ValueLow   float64 `json:"future_value_low"`
			ValueHigh  float64 `json:"future_value_high"`
		}
		require.NoError(t, json.Unmarshal([]byte(out.json), &got))
		if got.State == output.PortfolioFinal {
			// Scores of the end of the day; the provisional ones are as last published.
			require.InEpsilon(t, orders, got.Orders, .001)
			require.InEpsilon(t, value, got.Value, .001)
		}
		states[got.State] = true
		low, high := interval(got.Orders, ordersVariance, v.GetOrdersError())
		require.InDelta(t, low, got.OrdersLow, 1+.01*low, got.State)
		require.InDelta(t, high, got.OrdersHigh, 1+.01*high, got.State)
		low, high = interval(got.Value, valueVariance, math.Hypot(v.GetOrdersError(), v.GetSpendError()))
		require.InEpsilon(t, low, got.ValueLow, .02, got.State)
		require.InEpsilon(t, high, got.ValueHigh, .02, got.State)
	}
	require.Equal(t, map[string]bool{output.PortfolioFinal: true, output.PortfolioProvisional: true}, states)
}
