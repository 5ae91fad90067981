package parameters

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/model"
)

// busyShop is customers who begin in the first half of two years, buy at their own rates, and stop by chance after a purchase.
func busyShop(n int, price func(*rand.Rand) int64) []lifetimes.History {
	random := rand.New(rand.NewPCG(7, 11))
	all := make([]lifetimes.History, n)
	for i := range all {
		at := 20000 + float64(random.IntN(365))
		rate := random.ExpFloat64() / 30
		all[i] = all[i].Add(int32(at), price(random))
		for random.Float64() > .2 {
			if at += 1 + random.ExpFloat64()/rate; at > 20730 {
				break
			}
			all[i] = all[i].Add(int32(at), price(random))
		}
	}
	return all
}

func anyPrice(r *rand.Rand) int64 { return 1000 + r.Int64N(5000) }

func options(name string) FitOptions {
	return FitOptions{Until: 20730, MinorPerUnit: 100, Currency: "EUR", Now: noon, Model: name, HorizonDays: 90}
}

// TestEveryModel fits each model, writes and reads its file, and scores a customer with it.
func TestEveryModel(t *testing.T) {
	all := busyShop(600, anyPrice)
	for _, name := range model.Names() {
		t.Run(name, func(t *testing.T) {
			f, err := Fit(all, options(name))
			require.NoError(t, err)
			require.Equal(t, name, f.Model)
			require.Empty(t, f.Notes)
			content, err := f.Encode()
			require.NoError(t, err)
			again, err := Parse(content)
			require.NoError(t, err)
			require.Equal(t, f, again)
			v := again.Ledger()
			blob, err := v.MarshalVT()
			require.NoError(t, err)
			require.Less(t, len(blob), 16<<10)
			p := model.New(v)
			c := all[0].Customer(20730, 7, 100)
			require.Greater(t, p.PAtLeastOne(c, 13), 0.0)
			require.GreaterOrEqual(t, p.Expected(c, 13), p.PAtLeastOne(c, 13))
		})
	}
}

// TestFitsFallBack verifies that data that do not determine a model give a file that says what it fell back to.
func TestFitsFallBack(t *testing.T) {
	once := make([]lifetimes.History, 300)
	for i := range once {
		once[i] = once[i].Add(20300+int32(i), 1000)
	}
	for name, c := range map[string]struct {
		all    []lifetimes.History
		spend  bool
		status string
		note   string
	}{
		"one price":      {busyShop(300, func(*rand.Rand) int64 { return 999 }), false, "fitted", "all repeat purchases have the same value"},
		"one-time":       {once, false, "prior", "no customer has a repeat purchase"},
		"30 customers":   {busyShop(30, anyPrice), true, "provisional", ""},
		"free of charge": {busyShop(300, func(*rand.Rand) int64 { return 0 }), false, "fitted", "no customer has a repeat purchase with a value"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, choice := range Choices() {
				f, err := Fit(c.all, options(choice))
				require.NoError(t, err, choice)
				require.Equal(t, c.status, f.Status, choice)
				require.Equal(t, c.spend, f.Spend != nil, choice)
				require.Equal(t, c.spend, f.Uncertainty.Spend > 0, choice)
				require.Positive(t, f.Uncertainty.Orders, choice)
				require.Equal(t, c.status == "prior", f.Uncertainty.Orders > .5, choice)
				_, err = f.Encode()
				require.NoError(t, err, choice)
				if c.note != "" {
					require.Contains(t, f.Notes[len(f.Notes)-1], c.note, choice)
				}
			}
		})
	}
	f, err := Fit(once, options(model.Blended))
	require.NoError(t, err)
	require.Equal(t, model.MBGNBD, f.Model)
	require.Contains(t, f.Notes[0], "blended could not be fitted to 300 customers, 0 of them repeat buyers")
}

// TestChooseKeepsTheIncumbent verifies the rule of a choice.
func TestChooseKeepsTheIncumbent(t *testing.T) {
	losses := func(mean, spread float64) []float64 {
		out := make([]float64, 100)
		for i := range out {
			out[i] = mean + spread*float64(i%2*2-1)
		}
		return out
	}
	compared := func(name string, logLoss, rmse, bias, spread float64) Compared {
		return Compared{Model: name, LogLoss: logLoss, RMSE: rmse, Bias: bias, losses: losses(logLoss, spread)}
	}
	incumbent := compared(model.MBGNBD, .50, 1, -.05, 0)
	for name, c := range map[string]struct {
		others []Compared
		want   string
	}{
		"nothing compared":     {nil, model.MBGNBD},
		"better":               {[]Compared{incumbent, compared(model.ParetoNBD, .45, 1, .05, .1)}, model.ParetoNBD},
		"better by chance":     {[]Compared{incumbent, compared(model.ParetoNBD, .49, 1, .05, .2)}, model.MBGNBD},
		"worse":                {[]Compared{incumbent, compared(model.ParetoNBD, .55, 1, .05, .1)}, model.MBGNBD},
		"counts are far off":   {[]Compared{incumbent, compared(model.ParetoNBD, .45, 1.03, .05, .1)}, model.MBGNBD},
		"the total is far off": {[]Compared{incumbent, compared(model.ParetoNBD, .45, 1, .2, .1)}, model.MBGNBD},
		"the incumbent failed": {[]Compared{compared(model.ParetoNBD, .55, 1, .05, .1)}, model.ParetoNBD},
	} {
		choice := Choice{Model: model.MBGNBD, Incumbent: model.MBGNBD, Compared: c.others}
		choice.decide()
		require.Equal(t, c.want, choice.Model, name)
	}
}

// TestChooseSeesNoFuture verifies that a choice is made by purchases up to now only.
func TestChooseSeesNoFuture(t *testing.T) {
	all := busyShop(400, anyPrice)
	cut := make([]lifetimes.History, len(all))
	for i := range all {
		cut[i] = all[i].Until(20600)
	}
	a, err := Choose(Data{Histories: all, Now: 20600, MinorPerUnit: 100}, Auto, Incumbent{Model: model.MBGNBD}, 90)
	require.NoError(t, err)
	b, err := Choose(Data{Histories: cut, Now: 20600, MinorPerUnit: 100}, Auto, Incumbent{Model: model.MBGNBD}, 90)
	require.NoError(t, err)
	require.Equal(t, a, b)
	require.Len(t, a.Compared, 4)
	require.Positive(t, a.Buyers)

	few, err := Choose(Data{Histories: all[:40], Now: 20600, MinorPerUnit: 100}, Auto, Incumbent{Model: model.ParetoNBD}, 90)
	require.NoError(t, err)
	require.Equal(t, model.ParetoNBD, few.Model)
	require.Empty(t, few.Compared)
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
