package shop

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

const week = 7 * 24 * 3600 // seconds

// Model is how customers are lost.
type Model uint8

// The models.
const (
	MBGNBD    Model = iota // may be lost right after any purchase, the first included (Batislam, Denizel & Filiztekin 2007)
	ParetoNBD              // may be lost at any moment (Schmittlein, Morrison & Colombo 1987)
)

// Population holds the distributions from which the parameters of each customer are drawn. Time is in
// weeks, money in units of the currency, in the symbols of the literature. Purchases of one customer fall on different days, as
// models see them whose periods are days; Mix.SameDay comes on top.
type Population struct {
	Model    Model
	R, Alpha float64 // purchases a week while alive: Gamma(shape R, rate Alpha)
	A, B     float64 // MBGNBD: probability of being lost after a purchase, Beta(A, B)
	S, Beta  float64 // ParetoNBD: losses a week, Gamma(S, Beta)
	P, Q, V  float64 // spend: an order is Gamma(P, nu), nu of a customer is Gamma(Q, V) (Fader & Hardie 2013); Q > 1
}

// DefaultPopulation is a shop of everyday goods: about six orders a customer and year, and a third of the customers
// lost soon.
func DefaultPopulation() Population {
	return Population{
		Model: MBGNBD, R: .9, Alpha: 2.6, A: .55, B: 3.6,
		S: .6, Beta: 10, P: 6.25, Q: 3.74, V: 15.44,
	}
}

func (p Population) check() error {
	type figure struct {
		name  string
		value float64
	}
	positive := []figure{{"R", p.R}, {"Alpha", p.Alpha}, {"P", p.P}, {"Q - 1", p.Q - 1}, {"V", p.V}}
	switch p.Model {
	case MBGNBD:
		positive = append(positive, figure{"A", p.A}, figure{"B", p.B})
	case ParetoNBD:
		positive = append(positive, figure{"S", p.S}, figure{"Beta", p.Beta})
	default:
		return errors.New("shop: Population: Model is unknown")
	}
	for _, f := range positive {
		if !(f.value > 0 && f.value <= 1e6) {
			return fmt.Errorf("shop: Population: %s must be above 0 and at most 1e6", f.name)
		}
	}
	return nil
}

// traits are the parameters of one customer; the shop does not know them.
type traits struct {
	rate         float64 // purchases a second while alive
	dropout      float64 // MBGNBD: probability of being lost after a purchase
	loss         float64 // ParetoNBD: losses a second
	spend        float64 // nu
	satisfaction float64 // standard normal over customers, the more the longer they stay
	responds     float64 // probability of answering a survey
}

// draw draws the parameters of a customer. Satisfaction is correlated with staying through a common normal variable, so that the
// distribution of dropout remains exactly the model's.
func (p Population) draw(rng *rand.Rand) traits {
	staying := rng.NormFloat64()
	n := traits{
		rate:         distuv.Gamma{Alpha: p.R, Beta: p.Alpha, Src: rng}.Rand() / week,
		spend:        distuv.Gamma{Alpha: p.Q, Beta: p.V, Src: rng}.Rand(),
		satisfaction: float64(.75*staying) + float64(math.Sqrt(1-.75*.75)*rng.NormFloat64()),
		responds:     distuv.Beta{Alpha: 1.5, Beta: 2.5, Src: rng}.Rand(),
	}
	leaving := .5 * math.Erfc(staying/math.Sqrt2) // uniform
	if p.Model == ParetoNBD {
		n.loss = distuv.Gamma{Alpha: p.S, Beta: p.Beta}.Quantile(leaving) / week
	} else {
		n.dropout = distuv.Beta{Alpha: p.A, Beta: p.B}.Quantile(leaving)
	}
	return n
}

// order draws the value of an order in units of the currency, before the currency's price level.
func (p Population) order(n traits, rng *rand.Rand) float64 {
	return distuv.Gamma{Alpha: p.P, Beta: n.spend, Src: rng}.Rand()
}

// priceLevel says, roughly, how many units of a currency cost what one euro does, so that prices look like prices.
func priceLevel(currency string) float64 {
	switch currency {
	case "JPY", "INR":
		return 100
	case "KRW":
		return 1_000
	case "IDR", "VND":
		return 10_000
	case "IRT":
		return 50_000
	case "IRR":
		return 500_000
	default:
		return 1
	}
}
