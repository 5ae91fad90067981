package backtest

import (
	"math"
	"slices"
	"strconv"
)

// judge predicts the second part with a model and measures the error.
func (h *holdout) judge(c candidate, spend spendFit) Model {
	n := len(h.customers)
	p := predictions{make([]float64, n), make([]float64, n), make([]float64, n)}
	for i, one := range h.customers {
		p.expected[i], p.probability[i] = c.predict(one, h.horizon)
		p.spend[i] = p.expected[i] * spend.ExpectedSpend(one.X, one.M)
	}
	m := h.measureAll(c.name, p)
	m.losses = make([]float64, n)
	for i, bought := range h.actual {
		m.losses[i] = -logProbability(p.probability[i], bought)
	}
	m.LogLikelihood = finite(c.logLikelihood)
	m.Status, m.FittedBy, m.Problem = c.status, c.fittedBy, c.problem
	return m
}

// measureAll measures predictions, of a model or of a simple rule.
func (h *holdout) measureAll(name string, p predictions) Model {
	m := Model{Name: name, Measures: measure(p, h.actual, h.spent)}
	predicted := p.expected
	if predicted == nil {
		predicted = p.probability
	}
	m.Lift = tenths(p.probability, predicted, h.actual)
	slices.Reverse(m.Lift)
	if p.expected == nil {
		return m
	}
	bought := make([]float64, len(h.actual))
	for i, n := range h.actual {
		bought[i] = math.Min(n, 1)
	}
	m.ByProbability = tenths(p.probability, p.probability, bought)
	m.ByFrequency = h.byFrequency(p.expected)
	return m
}

// mostRepeats is the last group by frequency, which includes all greater frequencies.
const mostRepeats = 7

func (h *holdout) byFrequency(expected []float64) []Group {
	groups := make([]Group, mostRepeats+1)
	for i, c := range h.customers {
		g := &groups[min(c.X, mostRepeats)]
		g.Customers++
		g.Predicted += expected[i]
		g.Actual += h.actual[i]
	}
	for x := range groups {
		g := &groups[x]
		g.Name = strconv.Itoa(x)
		if x == mostRepeats {
			g.Name += "+"
		}
		if g.Customers > 0 {
			g.Predicted /= float64(g.Customers)
			g.Actual /= float64(g.Customers)
		}
	}
	return groups
}

// judgeBaselines measures the rules that need no model. If a rule predicts a number of purchases, the probability of at least one is that
// of a Poisson distribution, and each purchase has the mean value of the customer's repeat purchases.
//
//   - naive x/T: every customer continues at the past rate.
//   - last 26 weeks: purchase days of the last 26 weeks, scaled to the length of the second part.
//   - days of silence: customers are ranked by the day of their last purchase, latest first.
//   - RFM: the sum of three ranks: days of silence, number of repeat purchases, mean value of one (none: 0).
func (h *holdout) judgeBaselines() []Model {
	n := len(h.customers)
	pace, lately := make([]float64, n), make([]float64, n)
	silence, frequency, value := make([]float64, n), make([]float64, n), make([]float64, n)
	for i, c := range h.customers {
		if c.T > 0 {
			pace[i] = float64(c.X) / c.T * h.horizon
		}
		lately[i] = float64(len(h.known[i])-len(h.known[i].Until(h.split-26*7))) * h.horizon / 26
		silence[i], frequency[i], value[i] = c.Tx-c.T, float64(c.X), c.M
	}
	rfm := make([]float64, n)
	for _, rank := range [][]float64{ranks(silence), ranks(frequency), ranks(value)} {
		for i := range rfm {
			rfm[i] += rank[i]
		}
	}
	return []Model{
		h.measureAll("naive x/T", h.poisson(pace)),
		h.measureAll("last 26 weeks, scaled", h.poisson(lately)),
		h.measureAll("days of silence", predictions{probability: silence}),
		h.measureAll("RFM", predictions{probability: rfm}),
	}
}

func (h *holdout) poisson(expected []float64) predictions {
	p := predictions{expected: expected, probability: make([]float64, len(expected)), spend: make([]float64, len(expected))}
	for i, e := range expected {
		p.probability[i] = -math.Expm1(-e)
		p.spend[i] = e * h.customers[i].M
	}
	return p
}
