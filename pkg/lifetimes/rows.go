package lifetimes

import "fmt"

// fitRows are the summaries of a base, each distinct one once. Purchase days make
// many alike, and distinct values of x, t_x and T are fewer still: whatever depends on
// one of them alone is computed once per value.
type fitRows struct {
	rows        []fitRow
	xs, txs, ts []float64
	countX      []float64 // customers by x
	customers   int
	repeats     int
	meanT       float64
	logGaps     float64
	withoutGaps bool    // though not all gaps can be 1, whose logarithm is 0
	repeatSum   float64 // of x over customers
}

type fitRow struct {
	fitKey
	n float64
}

// fitKey holds places in xs, txs and ts.
type fitKey struct{ x, tx, t int }

// compress checks and gathers summaries.
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
		c.meanT = priorWeeks // everybody bought today: any scale will do
	}
	return c, nil
}

// withoutRepeats settles a fit on rows without a repeat purchase: it is the prior, and how
// likely that makes them is all there is to say.
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
