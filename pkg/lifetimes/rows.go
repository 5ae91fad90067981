package lifetimes

import "fmt"

// fitRows are the distinct summaries of a customer base, with their multiplicity. Times are
// whole days, so many customers have the same summary, and x, t_x and T have fewer distinct
// values still: terms that depend on one of them only are computed once per value.
type fitRows struct {
	rows        []fitRow
	xs, txs, ts []float64 // distinct values of x, t_x and T
	countX      []float64 // number of customers for each x
	customers   int       // number of customers
	repeats     int       // number of customers with a repeat purchase
	meanT       float64   // mean of T
	logGaps     float64   // sum of LogGaps
	withoutGaps bool      // whether LogGaps is 0 although not all gaps can be 1
	repeatSum   float64   // sum of x
}

type fitRow struct {
	fitKey
	n float64
}

// fitKey holds indices into xs, txs and ts.
type fitKey struct{ x, tx, t int }

// compress validates the summaries and merges equal ones.
func compress(rows []Summary) (*fitRows, error) {
	c := &fitRows{customers: len(rows)}
	var xs, txs, ts valueIndex
	seen := map[fitKey]int{}
	sumT, known, unlike := 0.0, false, false
	for i := range rows {
		s := &rows[i]
		if err := s.Validate(); err != nil {
			return nil, fmt.Errorf("summary %d: %w", i, err)
		}
		if s.X > 0 {
			c.repeats++
		}
		sumT += s.T
		c.logGaps += s.LogGaps
		known = known || s.LogGaps != 0
		unlike = unlike || s.Tx != float64(s.X)
		c.repeatSum += float64(s.X)
		key := fitKey{x: xs.place(float64(s.X)), tx: txs.place(s.Tx), t: ts.place(s.T)}
		at, met := seen[key]
		if !met {
			at = len(c.rows)
			c.rows = append(c.rows, fitRow{fitKey: key})
			seen[key] = at
		}
		c.rows[at].n++
	}
	c.withoutGaps = unlike && !known
	c.xs, c.txs, c.ts = xs.values, txs.values, ts.values
	c.countX = make([]float64, len(c.xs))
	for _, r := range c.rows {
		c.countX[r.x] += r.n
	}
	if c.customers > 0 {
		c.meanT = sumT / float64(c.customers)
	}
	if !(c.meanT > 0) {
		c.meanT = priorWeeks // all ages are 0: any scale serves
	}
	return c, nil
}

// withoutRepeats is the diagnostics for rows without a repeat purchase: the model is the
// prior, with its log-likelihood of the rows.
func (c *fitRows) withoutRepeats(o FitOptions, prior PurchaseModel) (Diagnostics, error) {
	d, err := withoutRepeats(o, c.customers)
	if err != nil {
		return d, err
	}
	for _, r := range c.rows {
		d.LogLikelihood += r.n * prior.LogLikelihood(Summary{T: c.ts[r.t]})
	}
	d.LogPosterior, d.UniqueRows = d.LogLikelihood, len(c.rows)
	return d, nil
}

// valueIndex numbers the distinct values of a column.
type valueIndex struct {
	values []float64
	places map[float64]int
}

func (v *valueIndex) place(value float64) int {
	at, known := v.places[value]
	if !known {
		if v.places == nil {
			v.places = map[float64]int{}
		}
		at = len(v.values)
		v.values = append(v.values, value)
		v.places[value] = at
	}
	return at
}
