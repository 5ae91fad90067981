package refit

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/models/parameters"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/schemas/ledger"
)

const today = 700.5

func rowOf(i int, days lifetimes.History) row {
	return row{ledger.Class(fmt.Sprint("c", i), rowClasses), days}
}

func empty() *base {
	return &base{most: mostRows, part: 1, inForce: processors.PriorParameters(), today: today, horizon: 90, money: 100}
}

// shop is customers who buy as MBG/NBD says, at rates around one order in three weeks, and stop after one of ten.
func shop(n int) *base {
	const weeks, stops = 3, .1
	random := rand.New(rand.NewPCG(1, 2))
	b := empty()
	for i := range n {
		at := float64(random.IntN(600))
		rate := random.ExpFloat64() / (7 * weeks)
		days := lifetimes.History{}.Add(int32(at), int64(1000+random.IntN(5000)))
		for random.Float64() > stops {
			if at += random.ExpFloat64() / rate; at > today {
				break
			}
			days = days.Add(int32(at), int64(1000+random.IntN(5000)))
		}
		b.keep(rowOf(i, days))
	}
	return b
}

func TestFitIsBetterThanThePrior(t *testing.T) {
	b := shop(3000)
	result, fitted, err := b.fit(model.MBGNBD)
	require.NoError(t, err)
	require.Equal(t, Appended, result.Outcome, result.Reason)
	require.EqualValues(t, 1, fitted.GetVersion())
	require.Equal(t, "fitted", fitted.GetStatus())
	require.Equal(t, 3000, result.Customers)
	require.Less(t, result.Holdout.Candidate, result.Holdout.InForce)
	require.Greater(t, result.Holdout.Customers, 2000)
	require.InDelta(t, .1, fitted.GetA()/(fitted.GetA()+fitted.GetB()), .03, "what customers stop with")
	require.InEpsilon(t, 1/3.0, fitted.GetR()/fitted.GetAlpha(), .2, "orders a week")
	require.InEpsilon(t, 35, fitted.GetP()*fitted.GetV()/(fitted.GetQ()-1), .05, "money an order")

	// What was just put in force is no worse than itself, and no news.
	b.inForce = fitted
	result, again, err := b.fit(model.MBGNBD)
	require.NoError(t, err)
	require.Equal(t, Unchanged, result.Outcome)
	require.Nil(t, again)
	require.Contains(t, result.Reason, "version 1")
}

// weekly is customers who all bought every week until the split, and nothing since.
func weekly(price func(i int) int64) *base {
	b := empty()
	for i := range 400 {
		var days lifetimes.History
		for d := int32(100 + i%50); d < int32(today-b.horizon); d += 7 {
			days = days.Add(d, price(i))
		}
		b.keep(rowOf(i, days))
	}
	return b
}

// TestWorseIsRefused: what was learnt before the split foresees nothing of what came after it.
func TestWorseIsRefused(t *testing.T) {
	b := weekly(func(i int) int64 { return 1000 + int64(i*37%900) })
	b.inForce = &ledger.Parameters{Version: 4, Model: "mbg_nbd", Status: "fitted", R: .01, Alpha: 50, A: 20, B: .5}
	result, fitted, err := b.fit(model.MBGNBD)
	require.NoError(t, err)
	require.Equal(t, Worse, result.Outcome)
	require.Nil(t, fitted)
	require.Contains(t, result.Reason, "that of version 4")
	require.EqualValues(t, 5, result.Fitted.Version)
}

// TestSpendInForceStays verifies that a base in which all pay the same is fitted, and keeps the spend model in force.
func TestSpendInForceStays(t *testing.T) {
	b := shop(500)
	for _, r := range b.rows {
		for i := range r.days {
			r.days[i].Net = 1000
		}
	}
	b.inForce.P, b.inForce.Q, b.inForce.V, b.inForce.SpendError = 6, 4, 15, .07
	result, fitted, err := b.fit(model.MBGNBD)
	require.NoError(t, err)
	require.Equal(t, Appended, result.Outcome, result.Reason)
	require.Contains(t, result.Notes[0], "all repeat purchases have the same value")
	require.Equal(t, []float64{6, 4, 15, .07}, []float64{fitted.GetP(), fitted.GetQ(), fitted.GetV(), fitted.GetSpendError()})
}

// TestEveryModelIsRefitted verifies that a refit puts each model in force, that the same fit again changes nothing, and that the
// choice of a model compares all of them.
func TestEveryModelIsRefitted(t *testing.T) {
	b := shop(800)
	for _, name := range model.Names() {
		b.inForce = processors.PriorParameters()
		result, fitted, err := b.fit(name)
		require.NoError(t, err)
		require.Equal(t, Appended, result.Outcome, "%s: %s", name, result.Reason)
		require.Equal(t, name, fitted.GetModel())
		require.NoError(t, model.Validate(fitted))
		b.inForce = fitted
		result, _, err = b.fit(name)
		require.NoError(t, err)
		require.Equal(t, Unchanged, result.Outcome, name)
		require.Equal(t, name, result.InForce.Model)
	}
	result, _, err := b.fit(parameters.Auto)
	require.NoError(t, err)
	require.Len(t, result.Choice.Compared, len(model.Names())-1, "all but BG/NBD")
	require.Equal(t, model.Blended, result.Choice.Incumbent)
}

func TestTooLittle(t *testing.T) {
	b := empty()
	result, fitted, err := b.fit(model.MBGNBD)
	require.NoError(t, err)
	require.Equal(t, NoData, result.Outcome)
	require.Nil(t, fitted)
	for i := range 300 {
		b.keep(rowOf(i, lifetimes.History{}.Add(int32(i), 100)))
	}
	result, _, err = b.fit(model.MBGNBD)
	require.NoError(t, err)
	require.Equal(t, NoData, result.Outcome)
	require.Contains(t, result.Reason, "none of 300 customers")
	// A handful of repeat buyers is fitted, and the fit is provisional; nothing is judged on a base too young to be split.
	b = empty()
	for i := range 30 {
		b.keep(rowOf(i, lifetimes.History{}.Add(680, 100).Add(int32(681+i%15), 100)))
	}
	result, fitted, err = b.fit(model.MBGNBD)
	require.NoError(t, err)
	require.Equal(t, Appended, result.Outcome)
	require.Equal(t, "provisional", fitted.GetStatus())
	require.Zero(t, result.Holdout.Customers)
}

// TestLargeBaseIsFittedToAnEvenPart: memory is bounded, and which part is kept does not depend on the order.
func TestLargeBaseIsFittedToAnEvenPart(t *testing.T) {
	all := shop(8000)
	whole, _, err := all.fit(model.MBGNBD)
	require.NoError(t, err)
	parts := [2]*base{empty(), empty()}
	for k, b := range parts {
		b.most = 1500
		for i := range all.rows {
			if k == 1 {
				i = len(all.rows) - 1 - i
			}
			b.keep(all.rows[i])
			require.LessOrEqual(t, len(b.rows), b.most)
		}
		require.EqualValues(t, 8, b.part)
		require.InDelta(t, 1000, len(b.rows), 120)
	}
	one, _, err := parts[0].fit(model.MBGNBD)
	require.NoError(t, err)
	other, _, err := parts[1].fit(model.MBGNBD)
	require.NoError(t, err)
	require.InEpsilon(t, one.Fitted.Alpha, other.Fitted.Alpha, 1e-3)
	require.Equal(t, one.Customers, other.Customers)
	require.InEpsilon(t, whole.Fitted.R/whole.Fitted.Alpha, one.Fitted.R/one.Fitted.Alpha, .2)
}
