package lifetimes

import (
	"math"
	"math/rand/v2"
)

// A shop is a kind of simulated customer base. Times are in days.
type shop struct {
	name      string
	customers int
	arrivals  float64 // first purchases are before this day
	split     int32   // last day of the first part
	days      int32   // last day of the second part
	// live simulates the purchases after the first, until days.
	live func(r *rand.Rand, first, days float64) []float64
	// growing is whether the number of new customers per day increases.
	growing bool
	// made is the model that live follows, with times in weeks; nil if it is no model of the package.
	made PurchaseModel
}

// opening is the civil day on which all shops open.
const opening = 10000

// shops has kinds of shops that the models describe and kinds that they do not describe, large and
// small, with long and short histories.
var shops = []shop{
	{name: "Pareto/NBD", customers: 2357, arrivals: 84, split: 273, days: 546, live: living(.55, 10.6, .6, 11.7, always), made: ParetoNBD{.55, 10.6, .6, 11.7}},
	{name: "MBG/NBD", customers: 2357, arrivals: 84, split: 273, days: 546, live: ticking(1, .525, 43.3, .89, 1.61), made: MBGNBD{.525, 43.3 / 7, .89, 1.61}},
	{name: "BG/NBD", customers: 3000, arrivals: 120, split: 273, days: 546, live: loyal(.5, 40, .8, 2.5), made: BGNBD{.5, 40. / 7, .8, 2.5}},
	{name: "regular", customers: 1500, arrivals: 300, split: 400, days: 600, live: ticking(2, 1, 20, .7, 3), made: MBGCNBD{2, 1, 20. / 7, .7, 3}},
	{name: "groceries", customers: 1500, arrivals: 90, split: 364, days: 728, live: ticking(3, 2, 12, .6, 6), made: MBGCNBD{3, 2, 12. / 7, .6, 6}},
	{name: "never stop", customers: 2000, arrivals: 300, split: 365, days: 730, live: living(1, 11, 50, 1e6, always), made: ParetoNBD{1, 11, 50, 1e6}},
	{name: "mostly once", customers: 4000, arrivals: 550, split: 500, days: 730, live: ticking(1, .4, 60, 3, 1), made: MBGNBD{.4, 60. / 7, 3, 1}},
	{name: "growing", customers: 2500, arrivals: 700, split: 500, days: 730, live: living(.7, 9, .5, 14, always), growing: true, made: ParetoNBD{.7, 9, .5, 14}},
	{name: "five years", customers: 2000, arrivals: 1700, split: 1735, days: 1825, live: living(.7, 10, .5, 40, always), made: ParetoNBD{.7, 10, .5, 40}},
	{name: "little past", customers: 2500, arrivals: 70, split: 80, days: 400, live: living(.7, 8, .6, 15, always), made: ParetoNBD{.7, 8, .6, 15}},
	{name: "12,000", customers: 12000, arrivals: 400, split: 450, days: 730, live: living(.6, 9, .6, 16, always), made: ParetoNBD{.6, 9, .6, 16}},
	{name: "400 customers", customers: 400, arrivals: 200, split: 300, days: 546, live: living(.7, 8, .6, 20, always), made: ParetoNBD{.7, 8, .6, 20}},
	{name: "150 customers", customers: 150, arrivals: 200, split: 300, days: 546, live: living(.7, 8, .6, 20, always), made: ParetoNBD{.7, 8, .6, 20}},
	{name: "60 customers", customers: 60, arrivals: 200, split: 300, days: 546, live: ticking(1, .7, 40, .7, 3), made: MBGNBD{.7, 40. / 7, .7, 3}},
	{name: "all once", customers: 1000, arrivals: 700, split: 400, days: 730, live: func(*rand.Rand, float64, float64) []float64 { return nil }},
	{name: "heavy tail", customers: 2500, arrivals: 300, split: 400, days: 700, live: heavyTail},
	{name: "two kinds", customers: 2500, arrivals: 350, split: 450, days: 730, live: twoKinds},
	{name: "in clumps", customers: 2000, arrivals: 350, split: 450, days: 730, live: clumps},
	{name: "even gaps", customers: 2000, arrivals: 400, split: 450, days: 700, live: gaps(20, func(r *rand.Rand) float64 { return math.Pow(r.ExpFloat64(), 1/1.6) })},
	{name: "uneven gaps", customers: 2000, arrivals: 400, split: 450, days: 700, live: gaps(30, func(r *rand.Rand) float64 { return math.Exp(.8 * r.NormFloat64()) })},
	{name: "subscription", customers: 1500, arrivals: 500, split: 450, days: 730, live: subscription},
	{name: "donors", customers: 1500, arrivals: 700, split: 1460, days: 2190, live: donors},
	{name: "Christmas", customers: 2500, arrivals: 600, split: 730, days: 1095, live: living(.7, 12, .6, 30, func(day float64) float64 {
		return pulse(math.Mod(day, 365) > 310 && math.Mod(day, 365) < 360, 2.6)
	})},
	{name: "seasonal", customers: 2500, arrivals: 300, split: 550, days: 900, live: living(.8, 11, .5, 28, func(day float64) float64 {
		return 1 + .6*math.Sin(2*math.Pi*day/365)
	})},
	{name: "campaigns", customers: 2500, arrivals: 350, split: 450, days: 730, live: living(.7, 10, .6, 20, func(day float64) float64 {
		return pulse(math.Mod(day, 91) < 10, 2.8)
	})},
	{name: "fading", customers: 2500, arrivals: 300, split: 400, days: 730, live: living(.7, 6, .5, 30, func(day float64) float64 { return math.Exp(-day / 500) })},
	{name: "rising", customers: 2500, arrivals: 300, split: 400, days: 730, live: living(.7, 15, .5, 30, func(day float64) float64 { return math.Min(3, .7*math.Exp(day/600)) })},
}

// open simulates the histories of a shop. Values are log-normal around a mean that varies between customers.
func (s shop) open(seed uint64) []History {
	r := rand.New(rand.NewPCG(seed, 17))
	all := make([]History, s.customers)
	for i := range all {
		first := s.arrivals * r.Float64()
		if s.growing {
			first = s.arrivals * math.Sqrt(r.Float64())
		}
		mean := math.Exp(3.4 + 0.5*r.NormFloat64())
		for _, t := range append([]float64{first}, s.live(r, first, float64(s.days))...) {
			all[i] = all[i].Add(opening+int32(t), int64(100*mean*math.Exp(0.5*r.NormFloat64())))
		}
	}
	return all
}

// shopNamed returns the shop with the given name.
func shopNamed(name string) shop {
	for _, s := range shops {
		if s.name == name {
			return s
		}
	}
	panic("no shop is called " + name)
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

// stopping simulates purchases with the given gaps, and dropout after each purchase, including the first.
func stopping(r *rand.Rand, first, days, a, b float64, gap func() float64) (out []float64) {
	p := betaVariate(r, a, b)
	for t := first; r.Float64() >= p; {
		if t += gap(); t > days {
			break
		}
		out = append(out, t)
	}
	return out
}

// ticking has Erlang gaps of k stages.
func ticking(k int, shape, scale, a, b float64) func(*rand.Rand, float64, float64) []float64 {
	return func(r *rand.Rand, first, days float64) []float64 {
		rate := gammaVariate(r, shape) / scale
		return stopping(r, first, days, a, b, func() float64 { return gammaVariate(r, float64(k)) / rate })
	}
}

// gaps draws gaps from one distribution with a log-normal scale around a mean.
func gaps(mean float64, gap func(*rand.Rand) float64) func(*rand.Rand, float64, float64) []float64 {
	return func(r *rand.Rand, first, days float64) []float64 {
		scale := mean * math.Exp(.8*r.NormFloat64())
		return stopping(r, first, days, .6, 4, func() float64 { return scale * gap(r) })
	}
}

// subscription simulates renewals every 30 days, plus or minus one day.
func subscription(r *rand.Rand, first, days float64) []float64 {
	return stopping(r, first, days, .7, 4, func() float64 { return 30 + r.NormFloat64() })
}

// loyal is ticking with k 1, but no customer stops after the first purchase.
func loyal(shape, scale, a, b float64) func(*rand.Rand, float64, float64) []float64 {
	return func(r *rand.Rand, first, days float64) (out []float64) {
		rate, p := gammaVariate(r, shape)/scale, betaVariate(r, a, b)
		for t := first; ; {
			if t += r.ExpFloat64() / rate; t > days {
				return out
			}
			if out = append(out, t); r.Float64() < p {
				return out
			}
		}
	}
}

// living buys at a Poisson rate, thinned by season (3 at most), until the end of an exponential life; scales in weeks.
func living(shape, scale, s, beta float64, season func(day float64) float64) func(*rand.Rand, float64, float64) []float64 {
	return func(r *rand.Rand, first, days float64) []float64 {
		rate := gammaVariate(r, shape) / (7 * scale)
		return thinned(r, first, math.Min(days, first+7*beta*r.ExpFloat64()/gammaVariate(r, s)), rate, season)
	}
}

func thinned(r *rand.Rand, first, end, rate float64, season func(day float64) float64) (out []float64) {
	for t := first; ; {
		if t += r.ExpFloat64() / (3 * rate); t > end {
			return out
		}
		if r.Float64()*3 < season(t) {
			out = append(out, t)
		}
	}
}

func always(float64) float64 { return 1 }

// pulse is high at times and a little low at others.
func pulse(now bool, high float64) float64 {
	if now {
		return high
	}
	return .8
}

// heavyTail has log-normal rates: some buy a hundred times as often as others.
func heavyTail(r *rand.Rand, first, days float64) []float64 {
	rate := math.Exp(1.6*r.NormFloat64()) / 120
	return thinned(r, first, math.Min(days, first+105*r.ExpFloat64()/gammaVariate(r, .7)), rate, always)
}

// twoKinds never come again, most of them, or for ever.
func twoKinds(r *rand.Rand, first, days float64) []float64 {
	if r.Float64() < .7 {
		return nil
	}
	return thinned(r, first, days, gammaVariate(r, 4)/100, always)
}

// clumps are weeks of much buying with months of none in between.
func clumps(r *rand.Rand, first, days float64) (out []float64) {
	rate, end := gammaVariate(r, 1)/15, math.Min(days, first+900*r.ExpFloat64())
	for t := first; t < end; {
		stop := t + 40*r.ExpFloat64()
		out = append(out, thinned(r, t, math.Min(stop, end), rate, always)...)
		t = stop + 100*r.ExpFloat64()
	}
	return out
}

// donors give once a year, around the same day, or leave a year out.
func donors(r *rand.Rand, first, days float64) (out []float64) {
	stops, gives := betaVariate(r, .8, 3), betaVariate(r, 1.2, .8)
	for t := first; r.Float64() >= stops; {
		if t += 365; t > days+60 {
			break
		}
		if at := t + 30*r.NormFloat64(); at < days && at > first && r.Float64() < gives {
			out = append(out, at)
		}
	}
	return out
}
