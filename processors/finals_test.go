package processors_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// TestFinalsByFirstPrinciples: a day's final figures equal, to the last digit, those that are worked out from the events without any of
// the program's code: the histories by counting, the models from their definitions by numerical integration and exact fractions. They do
// so in any order of arrival and for any number of partitions.
func TestFinalsByFirstPrinciples(t *testing.T) {
	midnight := ms("2024-06-01")
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 1))
		all := aroundMidnight(random, 30, midnight)
		model := textbook{
			r: .3 + random.Float64(), alpha: 2 + 10*random.Float64(), a: .4 + random.Float64(), b: 1 + 2*random.Float64(),
			p: 2 + 4*random.Float64(), q: 2 + 3*random.Float64(), v: 10 + 60*random.Float64(),
		}
		want := model.finals(all, midnight)
		for range 3 {
			random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
			w := newWorld(t, genesis(1+random.Int32N(4), ledger.Clock_CLOCK_EVENT))
			w.settings(func(v *ledger.SettingsValues) { v.WakeLimit = 1 + random.Uint32N(30) })
			blob, err := (&ledger.Parameters{
				Version: 1, Model: "mbg_nbd", Status: "fitted", R: model.r, Alpha: model.alpha, A: model.a, B: model.b, P: model.p, Q: model.q, V: model.v,
			}).MarshalVT()
			require.NoError(t, err)
			for i := range w.parts {
				w.fold(int32(i), &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_PARAMETERS, Payload: blob})
			}
			w.tick(midnight - 41*day)
			for _, e := range all {
				w.event(e.id, e.Event)
			}
			w.tick(midnight - 1)
			w.takeOutputs()
			w.tick(midnight)
			published := finals(w)
			require.Len(t, published, 1)
			for _, figure := range want {
				require.Contains(t, published[0], figure, "seed %d", seed)
			}
		}
	}
}

// textbook holds the parameters of MBG/NBD (Batislam et al. 2007; times in weeks) and Gamma-Gamma (Fader and Hardie 2013).
type textbook struct{ r, alpha, a, b, p, q, v float64 }

// finals are the figures of a portfolio as of the end of a day.
func (m textbook) finals(all []sent, end int64) []string {
	type order struct {
		day                      int64
		total, refunded          int64
		known, refund, cancelled bool
	}
	customers := map[string]map[string]*order{}
	for _, e := range all {
		if e.GetOccurredAt() >= end {
			continue
		}
		if customers[e.id] == nil {
			customers[e.id] = map[string]*order{}
		}
		id := e.GetPurchase().GetOrderId() + e.GetCancellation().GetOrderId()
		if id == "" {
			continue
		}
		if customers[e.id][id] == nil {
			customers[e.id][id] = &order{}
		}
		switch o := customers[e.id][id]; {
		case e.Purchase != nil:
			o.known, o.day, o.total = true, e.GetOccurredAt()/day, e.GetPurchase().GetTotal()
		case e.GetCancellation().GetKind() == ledger.CancellationKind_CANCELLATION_KIND_ORDER:
			o.cancelled = true
		default:
			o.refund, o.refunded = true, o.refunded+e.GetCancellation().GetTotal()
		}
	}
	var buyers, revenue, future, equity int64
	for _, orders := range customers {
		var historic int64
		days := map[int64]int64{} // net by purchase day
		for _, o := range orders {
			switch {
			case !o.known:
				historic -= o.refunded
			case o.cancelled:
			case o.refund && o.refunded >= o.total:
			default:
				days[o.day] += o.total - o.refunded
				historic += o.total - o.refunded
			}
		}
		revenue += historic
		if len(days) == 0 {
			continue
		}
		buyers++
		predicted := m.predicted(days, end/day)
		future, equity = future+predicted, equity+historic+predicted
	}
	money := func(name string, minor int64) string {
		return fmt.Sprintf(`"%s":%d.%02d,`, name, minor/100, minor%100)
	}
	return []string{fmt.Sprintf(`"customers":%d,`, buyers), money("historic_revenue", revenue), money("future_value", future), money("customer_equity", equity)}
}

// predicted is what a customer is expected to spend in the year after a day, minor units.
func (m textbook) predicted(days map[int64]int64, end int64) int64 {
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for d := range days {
		first, last = min(first, d), max(last, d)
	}
	x, spent := len(days)-1, int64(0)
	for d, net := range days {
		if d != first {
			spent += net
		}
	}
	orders := m.expected(float64(x), float64(last-first)/7, float64(end-first)/7, 365.0/7)

	// Given the rate nu of a customer, a purchase is worth p/nu on average, and nu ~ Gamma(q, v) has become Gamma(p x + q, v + sum of the
	// purchases). The mean of 1/nu under Gamma(k, c) is c/(k-1).
	number := func(f float64) *big.Rat { return new(big.Rat).SetFloat64(f) }
	shape := new(big.Rat).Add(new(big.Rat).Mul(number(m.p), big.NewRat(int64(x), 1)), number(m.q))
	rate := new(big.Rat).Add(number(m.v), big.NewRat(spent, 100))
	value := new(big.Rat).Quo(new(big.Rat).Mul(number(m.p), rate), shape.Sub(shape, big.NewRat(1, 1)))
	minor, _ := value.Mul(value, number(orders)).Mul(value, big.NewRat(100, 1)).Float64()
	return int64(math.RoundToEven(minor))
}

// expected is the number of purchase days expected in the next t weeks of a customer with x repeat days, the last of them tx weeks after
// the first day, which was age weeks ago. A customer buys at a rate lambda ~ Gamma(r, alpha) and leaves after each purchase, the first
// included, with probability p ~ Beta(a, b). So the history has likelihood lambda^x (1-p)^(x+1) e^(-lambda age) for one who has stayed, and
// lambda^x (1-p)^x p e^(-lambda tx) for one who left after the last purchase; one who has stayed makes (1 - e^(-lambda p t))/p purchases.
// Lambda is integrated in closed form, p numerically.
func (m textbook) expected(x, tx, age, t float64) float64 {
	shape := m.r + x
	stayed := math.Pow((m.alpha+tx)/(m.alpha+age), shape)           // relative to one who left
	moments := func(p, q float64) (purchases, likelihood float64) { // q = 1 - p
		density := math.Pow(p, m.a-1) * math.Pow(q, m.b-1+x)
		bought := -math.Expm1(-shape*math.Log1p(p*t/(m.alpha+age))) / p
		return density * q * stayed * bought, density * (q*stayed + p)
	}
	// Tanh-sinh quadrature of (0, 1), which does not mind the singularities at its ends.
	var purchases, likelihood float64
	const step = 1.0 / 128
	for k := -640; k <= 640; k++ {
		u := math.Pi / 2 * math.Sinh(float64(k)*step)
		p, q := 1/(1+math.Exp(-2*u)), 1/(1+math.Exp(2*u))
		if p == 0 || q == 0 {
			continue
		}
		weight := math.Cosh(float64(k)*step) * p * q
		n, l := moments(p, q)
		purchases, likelihood = purchases+weight*n, likelihood+weight*l
	}
	return purchases / likelihood
}
