package seasonality

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/mainstay/mainstay/processors/season"
)

// regression is a penalised Poisson regression of daily repeat purchases. Its columns are a constant, the trend, and those of the parts.
type regression struct {
	d       *daily
	parts   []part
	trend   int
	rows    [][]float64
	days    []int // index in d of each row
	offsets []float64
	spread  []float64 // of each column; +Inf: not penalised
	// The columns of the yearly shape, from and to: its multiplier is a mean of the exponentials of its coefficients, by the weights in the
	// row, and not the exponential of a mean.
	yearly [2]int
}

// leastExpected is the mean of a day with fewer repeat purchases of which a day says nothing.
const leastExpected = 0.05

func newRegression(d *daily, parts []part, campaigns []season.Campaign, yearly bool) *regression {
	r := &regression{d: d, parts: parts}
	every := trendDays
	if yearly {
		every = trendDaysYearly
	}
	r.trend = len(d.repeats)/every + 1
	r.spread = append(r.spread, math.Inf(1), math.Inf(1))
	for range r.trend - 1 {
		r.spread = append(r.spread, spreadTrend)
	}
	for i, p := range parts {
		if p.columns == season.Months {
			r.yearly = [2]int{r.column(i), r.column(i) + season.Months}
		}
		r.spread = append(r.spread, slices.Repeat([]float64{p.spread}, p.columns)...)
	}
	for i := range d.repeats {
		if d.expected[i] < leastExpected {
			continue
		}
		day := d.first + int32(i)
		row := make([]float64, 0, len(r.spread))
		row = append(row, 1)
		for k := range r.trend { // a broken line: its slope changes at each knot
			row = append(row, max(0, float64(i-k*every))/float64(every))
		}
		offset := math.Log(d.expected[i])
		for _, c := range campaigns {
			if c.Multiplier > 0 && day >= c.First && day <= c.Last {
				offset += math.Log(c.Multiplier)
			}
		}
		for _, p := range parts {
			row = append(row, p.on(day, campaigns)...)
		}
		r.rows, r.days, r.offsets = append(r.rows, row), append(r.days, i), append(r.offsets, offset)
	}
	return r
}

// on returns the columns of a part on a day.
func (p *part) on(day int32, campaigns []season.Campaign) []float64 {
	columns := make([]float64, p.columns)
	switch {
	case p.campaign != "":
		if slices.ContainsFunc(campaigns, func(c season.Campaign) bool { return c.Name == p.campaign && day >= c.First && day <= c.Last }) {
			columns[0] = 1
		}
	case p.event:
		if len(season.Occurrences(p.name, day, day)) > 0 {
			columns[0] = 1
		}
	case p.columns == season.WeekDays:
		columns[season.Weekday(day)] = 1
	default:
		months, weights := season.Spline(day)
		for i, m := range months {
			columns[m] += weights[i]
		}
	}
	return columns
}

// solution is the result of a regression.
type solution struct {
	theta      []float64
	deviance   float64 // with the penalty
	dispersion float64 // of the counts, relative to Poisson; at least 1
}

// solve fits all parts but those without.
func (r *regression) solve(without []int) solution {
	skip := make([]bool, len(r.spread))
	for _, i := range without {
		from := r.column(i)
		for k := range r.parts[i].columns {
			skip[from+k] = true
		}
	}
	s := solution{theta: make([]float64, len(r.spread)), dispersion: 1}
	for range 2 { // the dispersion of the first weighs the penalty of the second
		s.iterate(r, skip)
		s.dispersion = max(1, s.pearson(r))
	}
	s.deviance = 0
	for i, row := range r.rows {
		y, mu := r.d.repeats[r.days[i]], s.mean(r, row, r.offsets[i])
		s.deviance += 2 * (mu - y)
		if y > 0 {
			s.deviance += 2 * y * math.Log(y/mu)
		}
	}
	for j, v := range s.theta {
		s.deviance += s.dispersion * v * v / (r.spread[j] * r.spread[j])
	}
	return s
}

// mean is the expected count of a day.
func (s *solution) mean(r *regression, row []float64, offset float64) float64 {
	shape := 0.0
	for j, v := range row {
		if j >= r.yearly[0] && j < r.yearly[1] {
			shape += v * math.Exp(s.theta[j])
		} else {
			offset += v * s.theta[j]
		}
	}
	if shape > 0 {
		offset += math.Log(shape)
	}
	return math.Exp(min(max(offset, -30), 30))
}

func (s *solution) pearson(r *regression) float64 {
	sum := 0.0
	for i, row := range r.rows {
		mu := s.mean(r, row, r.offsets[i])
		miss := r.d.repeats[r.days[i]] - mu
		sum += miss * miss / mu
	}
	return sum / math.Max(1, float64(len(r.rows)-len(s.theta)))
}

// iterate maximises the penalised likelihood by Newton's method.
func (s *solution) iterate(r *regression, skip []bool) {
	n := len(s.theta)
	slopes, some := make([]float64, n), make([]int, 0, n)
	for range 30 {
		sums, gradient := make([]float64, n*n), mat.NewVecDense(n, nil)
		for i, row := range r.rows {
			mu := s.mean(r, row, r.offsets[i])
			row = s.slopes(r, row, slopes)
			miss := (r.d.repeats[r.days[i]] - mu) / s.dispersion
			some = some[:0] // most columns are 0 on a day
			for j, v := range row {
				if v != 0 && !skip[j] {
					some = append(some, j)
				}
			}
			for at, j := range some {
				gradient.SetVec(j, gradient.AtVec(j)+row[j]*miss)
				weight := row[j] * mu / s.dispersion
				for _, k := range some[at:] {
					sums[j*n+k] += weight * row[k]
				}
			}
		}
		information := mat.NewSymDense(n, sums) // of which it reads the upper triangle
		for j := range n {
			precision := 1e-6 + 1/(r.spread[j]*r.spread[j])
			if skip[j] {
				precision = 1
			}
			information.SetSym(j, j, information.At(j, j)+precision)
			gradient.SetVec(j, gradient.AtVec(j)-precision*s.theta[j])
		}
		var chol mat.Cholesky
		step := mat.NewVecDense(n, nil)
		if !chol.Factorize(information) || chol.SolveVecTo(step, gradient) != nil {
			return
		}
		most := 0.0
		for j := range n {
			most = math.Max(most, math.Abs(step.AtVec(j)))
		}
		for j := range n { // the first steps are bounded, since a logarithm is far from linear
			s.theta[j] += step.AtVec(j) * math.Min(1, 2/most)
		}
		if most < 1e-9 {
			return
		}
	}
}

// slopes returns the derivatives of the logarithm of the mean; in scratch, if they are not the row itself.
func (s *solution) slopes(r *regression, row, scratch []float64) []float64 {
	from, to := r.yearly[0], r.yearly[1]
	if from == to {
		return row
	}
	copy(scratch, row)
	shape := 0.0
	for j := from; j < to; j++ {
		scratch[j] *= math.Exp(s.theta[j])
		shape += scratch[j]
	}
	for j := from; j < to; j++ {
		scratch[j] /= shape
	}
	return scratch
}

// column is the first column of a part.
func (r *regression) column(part int) int {
	at := 1 + r.trend
	for _, p := range r.parts[:part] {
		at += p.columns
	}
	return at
}

func (r *regression) droppedParts() (out []int) {
	for i, p := range r.parts {
		if p.dropped {
			out = append(out, i)
		}
	}
	return out
}

// season returns the season of a solution, and notes the planned campaigns of which nothing is known.
func (r *regression) season(s solution, campaigns []season.Campaign, e *Estimate) *season.Season {
	out := new(season.Season)
	lifts := map[string]float64{}
	for i, p := range r.parts {
		at := r.column(i)
		values := make([]float64, p.columns)
		for k := range values {
			values[k] = rounded(math.Exp(s.theta[at+k]))
		}
		switch {
		case p.dropped:
		case p.campaign != "":
			lifts[p.campaign] = values[0]
		case p.event:
			out.Events = append(out.Events, season.Event{Name: p.name, Multiplier: values[0]})
		case p.columns == season.WeekDays:
			out.Weekly = values
		default:
			out.Yearly = values
		}
	}
	for _, c := range campaigns {
		if c.Multiplier == 0 {
			c.Multiplier = lifts[c.Name]
		}
		if c.Multiplier == 0 {
			e.note("campaign %s is left out: no campaign of this name in the history shows its multiplier; state it", c.Text())
			continue
		}
		out.Campaigns = append(out.Campaigns, c)
	}
	return out
}

// rounded is a multiplier within its bounds, to four digits: more are not known.
func rounded(v float64) float64 {
	return math.Round(min(max(v, 2*season.Least), season.Most)*1e4) / 1e4
}
