package lifetimes

import (
	"math"
	"math/rand/v2"
)

// A shop is a kind of customer base that the tests make up.
type shop struct {
	name string
	// arrive is the day of the first purchase, of days in all.
	arrive func(r *rand.Rand, days float64) float64
	// live makes the purchase days after the first, until days.
	live func(r *rand.Rand, first, days float64) []float64
	// made is the model that live follows, times in weeks; nil where it is none of ours.
	made PurchaseModel
}

// gammaVariate is a gamma variate of the given shape and rate 1.
func gammaVariate(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gammaVariate(r, shape+1) * math.Pow(1-r.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	for {
		x := r.NormFloat64()
		v := 1 + x/math.Sqrt(9*d)
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

func betaVariate(r *rand.Rand, a, b float64) float64 {
	x := gammaVariate(r, a)
	return x / (x + gammaVariate(r, b))
}

func evenly(share float64) func(*rand.Rand, float64) float64 {
	return func(r *rand.Rand, days float64) float64 { return days * share * r.Float64() }
}

// ticking buys with Erlang gaps of k stages, and stops by chance after each purchase.
func ticking(k int, shape, scaleDays, a, b float64) func(*rand.Rand, float64, float64) []float64 {
	return func(r *rand.Rand, first, days float64) (out []float64) {
		rate, p := gammaVariate(r, shape)/scaleDays, betaVariate(r, a, b)
		for t := first; r.Float64() >= p; {
			if t += gammaVariate(r, float64(k)) / rate; t > days {
				break
			}
			out = append(out, t)
		}
		return out
	}
}

// living buys at a Poisson rate, thinned by season, until the end of an exponential life.
func living(shape, scaleDays, s, betaDays float64, season func(day float64) float64) func(*rand.Rand, float64, float64) []float64 {
	return func(r *rand.Rand, first, days float64) (out []float64) {
		rate := gammaVariate(r, shape) / scaleDays
		end := math.Min(days, first+r.ExpFloat64()*betaDays/gammaVariate(r, s))
		for t := first; ; {
			if t += r.ExpFloat64() / (2 * rate); t > end {
				return out
			}
			if r.Float64()*2 < season(t) {
				out = append(out, t)
			}
		}
	}
}

func always(float64) float64 { return 1 }

func yearly(day float64) float64 { return 1 + 0.6*math.Sin(2*math.Pi*day/365) }

var shops = []shop{
	{"Pareto/NBD", evenly(0.4), living(0.6, 90, 0.6, 80, always), ParetoNBD{.6, 90. / 7, .6, 80. / 7}},
	{"MBG/NBD", evenly(0.4), ticking(1, 0.6, 45, 0.8, 2), MBGNBD{.6, 45. / 7, .8, 2}},
	{"regular", evenly(0.4), ticking(3, 2, 20, 0.7, 4), MBGCNBD{3, 2, 20. / 7, .7, 4}},
	{"seasonal", evenly(0.3), living(0.8, 80, 0.5, 200, yearly), nil},
	{"growing", func(r *rand.Rand, days float64) float64 { return days * math.Sqrt(r.Float64()) }, living(0.7, 60, 0.5, 100, always), ParetoNBD{.7, 60. / 7, .5, 100. / 7}},
	{"never stop", evenly(0.5), living(1, 80, 50, 1e6, always), ParetoNBD{1, 80. / 7, 50, 1e6 / 7}},
	{"mostly once", evenly(0.8), ticking(1, 0.4, 60, 3, 1), MBGNBD{.4, 60. / 7, 3, 1}},
}

// open makes the histories of n customers over two years, values log-normal around a mean
// of each customer's own.
func (s shop) open(seed uint64, n int) []History {
	const days = 730
	r := rand.New(rand.NewPCG(seed, 17))
	all := make([]History, n)
	for i := range all {
		first := s.arrive(r, days)
		mean := math.Exp(3.4 + 0.5*r.NormFloat64())
		for _, t := range append([]float64{first}, s.live(r, first, days)...) {
			all[i] = all[i].Add(10000+int32(t), int64(100*mean*math.Exp(0.5*r.NormFloat64())))
		}
	}
	return all
}
