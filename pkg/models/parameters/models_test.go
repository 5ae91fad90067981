package parameters

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// busyShop is customers who begin in the first half of two years, buy at their own rates, and stop by chance after a purchase.
func busyShop(n int, price func(*rand.Rand) int64) []lifetimes.History {
	return shopOf(n, price, func(int) float64 { return .2 })
}

// loyalShop is a shop as in BG/NBD: nobody stops after the first purchase, and many do after the second.
func loyalShop(n int) []lifetimes.History {
	return shopOf(n, anyPrice, func(purchases int) float64 { return map[bool]float64{true: 0, false: .5}[purchases == 1] })
}

func shopOf(n int, price func(*rand.Rand) int64, stops func(purchases int) float64) []lifetimes.History {
	random := rand.New(rand.NewPCG(7, 11))
	all := make([]lifetimes.History, n)
	for i := range all {
		at := 20000 + float64(random.IntN(365))
		rate := random.ExpFloat64() / 30
		all[i] = all[i].Add(int32(at), price(random))
		for random.Float64() > stops(len(all[i])) {
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
			for _, choice := range append([]string{Auto}, model.Names()...) {
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
	require.Len(t, a.Compared, 3)
	require.Positive(t, a.Buyers)

	few, err := Choose(Data{Histories: all[:40], Now: 20600, MinorPerUnit: 100}, Auto, Incumbent{Model: model.ParetoNBD}, 90)
	require.NoError(t, err)
	require.Equal(t, model.ParetoNBD, few.Model)
	require.Empty(t, few.Compared)
}

// TestAutoCanLoseOneTimeBuyers verifies that under any model that auto can choose, the P(alive) of a customer with one purchase falls to
// nothing, on a history that BG/NBD describes best; and that BG/NBD can be had by its name.
func TestAutoCanLoseOneTimeBuyers(t *testing.T) {
	all := loyalShop(1500)
	data := Data{Histories: all, Now: 20700, MinorPerUnit: 100}
	likelihood := func(name string) float64 {
		e, _, err := fitModel(data, data.rows(), name, 90)
		require.NoError(t, err)
		return e.Diagnostics.LogLikelihood
	}
	require.Greater(t, likelihood(model.BGNBD), likelihood(model.MBGNBD)+10, "the history is not the one that this test needs")

	const tenMillennia = 520_000 // in weeks
	stops := func(v *ledger.Parameters) bool {
		return model.New(v).PAlive(lifetimes.Summary{T: tenMillennia}) < .01
	}
	choice, err := Choose(data, Auto, Incumbent{Model: model.BGNBD}, 90)
	require.NoError(t, err)
	require.NotEmpty(t, choice.Compared)
	h := Split(data, 90)
	for _, c := range choice.Compared {
		v, err := h.Fit(c.Model, false)
		require.NoError(t, err)
		require.True(t, stops(v), c.Model)
	}
	require.NotEqual(t, model.BGNBD, choice.Model)

	named, err := Choose(data, model.BGNBD, Incumbent{Model: model.MBGNBD}, 90)
	require.NoError(t, err)
	require.Equal(t, model.BGNBD, named.Model)
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
