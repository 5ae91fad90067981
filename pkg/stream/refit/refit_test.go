package refit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

const today = 700.5

func empty() *base {
	return &base{most: mostRows, part: 1, inForce: processors.PriorParameters(), horizon: 90, money: 100}
}

// shop is customers who buy as MBG/NBD says, at rates around one order in so many weeks, and stop by chance after each.
func shop(n int, weeks, stops float64) *base {
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
		b.keep(b.row(fmt.Sprint("c", i), days, today))
	}
	return b
}

func TestFitIsBetterThanThePrior(t *testing.T) {
	b := shop(3000, 3, .1)
	result, fitted, err := b.fit()
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
	result, again, err := b.fit()
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
		b.keep(b.row(fmt.Sprint("c", i), days, today))
	}
	return b
}

// TestWorseIsRefused: what was learnt before the split foresees nothing of what came after it.
func TestWorseIsRefused(t *testing.T) {
	b := weekly(func(i int) int64 { return 1000 + int64(i*37%900) })
	b.inForce = &ledger.Parameters{Version: 4, Model: "mbg_nbd", Status: "fitted", R: .01, Alpha: 50, A: 20, B: .5}
	result, fitted, err := b.fit()
	require.NoError(t, err)
	require.Equal(t, Worse, result.Outcome)
	require.Nil(t, fitted)
	require.Contains(t, result.Reason, "that of version 4")
	require.EqualValues(t, 5, result.Fitted.Version)
}

// TestNotConvergedIsRefused: where all pay the same there is no spread of spending to be found.
func TestNotConvergedIsRefused(t *testing.T) {
	result, fitted, err := weekly(func(int) int64 { return 1000 }).fit()
	require.NoError(t, err)
	require.Equal(t, NotConverged, result.Outcome)
	require.Contains(t, result.Reason, "Gamma-Gamma: ")
	require.Nil(t, fitted)
}

func TestTooLittle(t *testing.T) {
	b := empty()
	result, fitted, err := b.fit()
	require.NoError(t, err)
	require.Equal(t, NoData, result.Outcome)
	require.Nil(t, fitted)
	for i := range 300 {
		b.keep(b.row(fmt.Sprint("c", i), lifetimes.History{}.Add(int32(i), 100), today))
	}
	result, _, err = b.fit()
	require.NoError(t, err)
	require.Equal(t, NoData, result.Outcome)
	require.Contains(t, result.Reason, "none of 300 customers")
	// A handful of repeat buyers is fitted, and said to be provisional; nothing is judged on a base too young to be split.
	b = empty()
	for i := range 30 {
		b.keep(b.row(fmt.Sprint("c", i), lifetimes.History{}.Add(680, 100).Add(int32(681+i%15), 100), today))
	}
	result, fitted, err = b.fit()
	require.NoError(t, err)
	require.Equal(t, Appended, result.Outcome)
	require.Equal(t, "provisional", fitted.GetStatus())
	require.Zero(t, result.Holdout.Customers)
}

// TestLargeBaseIsFittedToAnEvenPart: memory is bounded, and which part is kept does not depend on the order.
func TestLargeBaseIsFittedToAnEvenPart(t *testing.T) {
	all := shop(8000, 3, .1)
	whole, _, err := all.fit()
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
	one, _, err := parts[0].fit()
	require.NoError(t, err)
	other, _, err := parts[1].fit()
	require.NoError(t, err)
	require.InEpsilon(t, one.Fitted.Alpha, other.Fitted.Alpha, 1e-3)
	require.Equal(t, one.Customers, other.Customers)
	require.InEpsilon(t, whole.Fitted.R/whole.Fitted.Alpha, one.Fitted.R/one.Fitted.Alpha, .2)
}

func TestNoSurpriseIsInfinite(t *testing.T) {
	for _, p := range []float64{0, 1, 1e-300} {
		for _, happened := range []bool{true, false} {
			l := loss(p, happened)
			require.False(t, math.IsInf(l, 0) || math.IsNaN(l) || l < 0)
		}
	}
	require.InDelta(t, math.Ln2, loss(.5, true), 1e-12)
}
