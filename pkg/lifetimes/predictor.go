package lifetimes

import "math"

// Predictor scores the customers of a stream, with one purchase model or with a Scorer. It
// keeps what the scores of one customer have in common, so that a customer costs little more
// than their most expensive score. Create one with NewPredictor or NewScorerPredictor. It is
// not safe for concurrent use.
//
// With a model, the scores are those of the model. With a Scorer they are those of
// Scorer.Score; AliveUntil and MedianWait are those of the blended models.
type Predictor struct {
	regular *Prepared // the only model without a scorer
	pareto  *Prepared
	scorer  *Scorer         // nil: none
	ages    [256]aliveUntil // results of AliveUntil, by a hash of the arguments; with a scorer
	counts  Counts          // the latest result of Counts
}

// NewPredictor returns a Predictor for a model, which must pass Validate.
func NewPredictor(m PurchaseModel) *Predictor {
	return &Predictor{regular: NewPrepared(m)}
}

// NewScorerPredictor returns a Predictor for a Scorer, which must pass Validate and must not be
// changed any more.
func NewScorerPredictor(c *Scorer) *Predictor {
	return &Predictor{regular: NewPrepared(c.Regular), pareto: NewPrepared(c.Pareto), scorer: c}
}

func (p *Predictor) blend() blend { return blend{p.scorer, p.regular, p.pareto} }

// Model returns the model without a Scorer, and nil with one.
func (p *Predictor) Model() PurchaseModel {
	if p.scorer != nil {
		return nil
	}
	return p.regular.PurchaseModel
}

// Scorer returns the Scorer, or nil. It must not be changed.
func (p *Predictor) Scorer() *Scorer { return p.scorer }

// PAlive is the probability that the customer has not stopped for good.
func (p *Predictor) PAlive(s Summary) float64 {
	if p.scorer == nil {
		return p.regular.PAlive(s)
	}
	if !p.scorer.answers(s) {
		return 0
	}
	return p.blend().alive(s)
}

// Expected is the expected number of purchases in the next t.
func (p *Predictor) Expected(s Customer, t float64) float64 {
	if p.scorer == nil {
		return p.regular.Expected(s.Summary, t)
	}
	_, expected := p.expected(s, t)
	return expected
}

// expected returns the blended count of a Scorer for the next t, and the corrected one.
func (p *Predictor) expected(s Customer, t float64) (model, corrected float64) {
	if !p.scorer.answers(s.Summary) || !(t > 0) || !validSpan(t) {
		return 0, 0
	}
	b := p.blend()
	model = b.count(s.Summary, t)
	reference := model
	if t != p.scorer.Horizon && p.scorer.Power != 1 { // with a power of 1 the multiplier does not depend on it
		reference = b.count(s.Summary, p.scorer.Horizon)
	}
	corrected = model * p.scorer.multiplier(reference)
	if corrected >= 1 { // no probability is greater
		return model, corrected
	}
	return model, math.Max(p.PAtLeastOne(s, t), corrected)
}

// PAtLeastOne is the probability of a purchase in the next t.
func (p *Predictor) PAtLeastOne(s Customer, t float64) float64 {
	if p.scorer == nil {
		return p.regular.PAtLeastOne(s.Summary, t)
	}
	if !p.scorer.answers(s.Summary) || !(t > 0) || !validSpan(t) {
		return 0
	}
	z, _ := p.blend().odds(s.Summary, t)
	sum := 0.0
	if p.scorer.Lift != 0 {
		sum = p.scorer.percentileSum(s)
	}
	return p.scorer.corrected(z, sum)
}

// Discounted is Expected with each purchase discounted by e^(-delta time). The corrections of a
// Scorer concern the count, so the discounted count has the same factor.
func (p *Predictor) Discounted(s Customer, t, delta float64) float64 {
	if p.scorer == nil {
		return p.regular.Discounted(s.Summary, t, delta)
	}
	model, corrected := p.expected(s, t)
	if !(model > 0) || !(delta >= 0) {
		return 0
	}
	b, n := p.blend(), 0.0
	if share := b.ParetoInCounts; share < 1 {
		n = float64((1 - share) * b.regular.Discounted(s.Summary, t, delta))
	}
	if share := b.ParetoInCounts; share > 0 {
		n += float64(share * b.pareto.Discounted(s.Summary, t, delta))
	}
	return n * (corrected / model)
}

// AliveUntil is the age at which PAlive falls to h if nothing more is bought; see
// PurchaseModel.
func (p *Predictor) AliveUntil(s Summary, h float64) (float64, bool) {
	if p.scorer == nil {
		return p.regular.AliveUntil(s, h)
	}
	a := &p.ages[ageSlot(s, h)]
	if !a.holds(s, h) {
		age, ok := p.scorer.AliveUntil(s, h)
		a.set(s, h, age, ok)
	}
	return a.age, a.ok
}

// MedianWait is the time from the last purchase within which a customer who does not stop makes
// the next one with probability 1/2; see PurchaseModel.
func (p *Predictor) MedianWait(s Summary) float64 {
	if p.scorer == nil {
		return p.regular.MedianWait(s)
	}
	return p.scorer.MedianWait(s)
}

// MedianWait is the median of the blended distribution of the time from the last purchase to
// the next one, for a customer who does not stop; +Inf if it is not representable. It reads X
// and Tx only.
func (c *Scorer) MedianWait(s Summary) float64 {
	s.T = s.Tx
	if !c.answers(s) {
		return 0
	}
	a, ok := waitOf(c.Regular, s)
	b, _ := waitOf(&c.Pareto, s)
	if !ok {
		return 0
	}
	return medianOfTwo(a, b, c.ParetoInCounts)
}

// AliveUntil is the age at which the blended probability of being alive falls to h if nothing
// more is bought; see PurchaseModel. It is solved by Newton's method for the logarithm of the
// odds, which is nearly linear in the logarithm of the age.
func (c *Scorer) AliveUntil(s Summary, h float64) (float64, bool) {
	share := c.paretoInAlive()
	switch s.T = s.Tx; {
	case !c.answers(s) || !(h > 0):
		return 0, false
	case share == 0:
		return c.Regular.AliveUntil(s, h)
	case share == 1:
		return c.Pareto.AliveUntil(s, h)
	case h >= 1:
		return s.Tx, true
	}
	if float64((1-share)*c.Regular.PAlive(s))+share <= h {
		return s.Tx, true // below h already
	}
	regular, ok := c.Regular.AliveUntil(s, h)
	if !ok { // BG/NBD does not fall below 1 for a one-time buyer
		regular = c.Pareto.aliveNear(s, h)
	}
	wanted, alpha := (1-h)/h, math.Min(c.Pareto.Alpha, c.Pareto.Beta)
	age := float64((1-share)*regular) + float64(share*c.Pareto.aliveNear(s, h))
	from, to := s.Tx, math.MaxFloat64/8
	for range mostNewtonSteps {
		s.T = math.Min(math.Max(age, s.Tx), to)
		f := c.fate(s)
		// ln(1 + odds/wanted), which is linear in the age near s.Tx, and in its logarithm later.
		odds := f.dead / float64(f.alive*wanted)
		miss := ln1p(float64(0.5 * (odds - 1)))
		if miss > 0 {
			to = s.T
		} else {
			from = s.T
		}
		slope := f.slope / float64(f.alive*f.alive*wanted) / (1 + odds)
		age = s.T + float64((alpha+s.T)*expm1(-miss/float64(slope*(alpha+s.T))))
		if math.Abs(miss) < 1e-6 && age > 0 {
			return math.Max(s.Tx, age), true
		}
		if !(age > from && age < to) { // also for NaN, where f.alive or f.slope is 0
			age = math.Sqrt((alpha+from)*(alpha+to)) - alpha
		}
		if from > math.MaxFloat64/16 {
			return 0, false // not representable, or never
		}
	}
	return age, true
}

// fate is the probability that a customer is alive, that they have stopped, and the rate at
// which the former falls with their age if nothing is bought.
type fate struct{ alive, dead, slope float64 }

// fate of the blend.
func (c *Scorer) fate(s Summary) fate {
	share := c.paretoInAlive()
	a, b := fateOf(c.Regular, s), c.Pareto.fate(s)
	return fate{
		alive: float64((1-share)*a.alive) + float64(share*b.alive),
		dead:  float64((1-share)*a.dead) + float64(share*b.dead),
		slope: float64((1-share)*a.slope) + float64(share*b.slope),
	}
}

func fateOf(m PurchaseModel, s Summary) fate {
	switch m := m.(type) {
	case MBGNBD:
		return betaFate(m.PAlive(s), m.R+float64(s.X), m.Alpha+s.T)
	case BGNBD:
		return betaFate(m.PAlive(s), m.R+float64(s.X), m.Alpha+s.T)
	case *Prepared:
		return fateOf(m.PurchaseModel, s)
	}
	// MBG/CNBD-k: by a difference, which only guides the search.
	alive, later := m.PAlive(s), s
	later.T += 1e-5 * (1 + s.T)
	return fate{alive: alive, dead: 1 - alive, slope: (alive - m.PAlive(later)) / (later.T - s.T)}
}

func betaFate(alive, shape, age float64) fate {
	return fate{alive: alive, dead: 1 - alive, slope: float64(alive * (1 - alive) * shape / age)}
}

func (m ParetoNBD) fate(s Summary) fate {
	lnDead := m.lnDead(s)
	alive, dead := logistic(-lnDead), logistic(lnDead)
	rate := (m.R+float64(s.X))/(m.Alpha+s.T) + m.S/(m.Beta+s.T)
	return fate{alive: alive, dead: dead, slope: float64(alive*dead*rate) + float64(alive*alive*m.S/(m.Beta+s.T))}
}

// aliveNear is AliveUntil for Alpha = Beta: exact then, and an estimate otherwise.
func (m ParetoNBD) aliveNear(s Summary, h float64) float64 {
	w := m.S + m.R + float64(s.X)
	age := s.Tx + float64((m.Beta+s.Tx)*expm1(softplus(ln(w/m.S)+ln((1-h)/h))/w))
	return math.Min(age, math.MaxFloat64/16)
}
