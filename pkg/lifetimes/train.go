package lifetimes

import (
	"fmt"
	"math"
	"slices"
)

// ScorerOptions configure TrainScorer; Horizon is required.
type ScorerOptions struct {
	// Horizon is the time span that the scores are mainly for, in units of DaysPerUnit.
	Horizon float64
	// DaysPerUnit and MinorPerUnit are those of History.Summary; values that are not positive
	// mean 7 (weeks) and 100.
	DaysPerUnit, MinorPerUnit float64
	// SingleStage leaves out MBG/CNBD-k with k > 1, whose scores take several times as long.
	SingleStage bool
	// Fit configures the fits of the models.
	Fit FitOptions
}

// Training describes how a Scorer was learned.
type Training struct {
	// Status is the status of Regular.
	Status Status
	// Regular and Pareto are the fits to the whole history.
	Regular Fit[PurchaseModel]
	Pareto  Fit[ParetoNBD]
	// Candidates compares the models by likelihood and on the windows. Chosen is the name of
	// the model with the highest log score there.
	Candidates []Candidate
	Chosen     string
	// Windows are the inner splits: the models are fitted to the history up to Cut, and their
	// predictions compared with the purchases until End. Windows is empty if they hold too few
	// purchases; then the Scorer has no corrections, and each model's weight is its probability
	// by the likelihood.
	Windows []Window
	// Purchases is the number of purchase days in the windows, without the short ones.
	Purchases float64
}

// Window is an inner split, in civil days.
type Window struct {
	Cut, End  int32
	Customers int // number of customers with a purchase up to Cut
	// Short windows are used to choose the models and to confirm Level, not to learn other
	// corrections.
	Short bool
}

// Candidate is the result of one model in a Training.
type Candidate struct {
	Name          string
	LogLikelihood float64 // of the whole history
	// Measures over all windows: the mean log-likelihood of whether a customer bought, the root
	// mean square error of counts, the area under the curve, and predicted / actual total - 1.
	LogScore, RMSE, AUC, Bias float64
}

// TrainScorer learns a Scorer from the purchase days up to now, a civil day; later days are
// ignored, and so are histories without a purchase up to now. It returns ErrOption for a
// horizon that is not positive, and ErrNoData if no customer has bought. With few data the
// Scorer uses the models without corrections, and the models use their priors; see
// Training.Status.
func TrainScorer(all []History, now int32, o ScorerOptions) (*Scorer, Training, error) {
	if !(o.Horizon > 0) || o.Horizon > math.MaxFloat64 {
		return nil, Training{}, optionError("horizon", o.Horizon, "above 0")
	}
	if !(o.DaysPerUnit > 0) {
		o.DaysPerUnit = 7
	}
	if !(o.MinorPerUnit > 0) {
		o.MinorPerUnit = 100
	}
	base, first := gather(all, now, o)
	if len(base) == 0 {
		return nil, Training{}, fmt.Errorf("%w: no customer has bought by day %d", ErrNoData, now)
	}
	o.Fit.evenWithoutRepeats, o.Fit.gapsKnown = !o.Fit.MaximumLikelihood, true
	var tr Training
	final, candidates, err := fitBase(base, o)
	if err != nil {
		return nil, Training{}, err
	}
	tr.Regular, tr.Pareto, tr.Candidates, tr.Status = final.regular, final.pareto, candidates, final.regular.Status
	c := &Scorer{
		Regular: final.regular.Model, Pareto: final.pareto.Model,
		Slope: 1, Level: 1, Power: 1, Horizon: o.Horizon,
	}
	_, c.AliveByPareto = c.Regular.(BGNBD)
	if !final.pareto.Converged {
		c.Pareto = fromParetoTheta([]float64{math.Log(priorR), 0, math.Log(priorR), 0})
	}
	c.setPercentiles(base)

	sample := sampleHistories(all)
	var whole, short [][]holdoutRow
	for _, w := range windows(first, now, o) {
		rows, known, err := predictWindow(sample, w, o, final.variant)
		if err != nil {
			return nil, Training{}, err
		}
		if !known {
			continue
		}
		w.Customers = len(rows)
		tr.Windows = append(tr.Windows, w)
		if w.Short {
			short = append(short, rows)
		} else {
			whole = append(whole, rows)
		}
	}
	for _, rows := range whole {
		for i := range rows {
			tr.Purchases += rows[i].actual
		}
	}
	if tr.Purchases < leastPurchases {
		// Without windows, each model's weight is its probability by the likelihood.
		tr.Windows = nil
		if final.pareto.Converged {
			c.ParetoInOdds = logistic(final.pareto.LogLikelihood - final.regular.LogLikelihood)
			c.ParetoInCounts = c.ParetoInOdds
		}
		c.setCentres(base)
		return c, tr, nil
	}
	pooled := slices.Concat(slices.Concat(whole, short)...)
	if final.pareto.Converged {
		c.chooseBlend(pooled)
	}
	c.learn(whole, short, max(1, len(base)*len(sample)/len(all)))
	c.setCentres(base)
	tr.compare(pooled)
	return c, tr, nil
}

// leastPurchases is the minimum number of purchases in the windows for learning from them.
const leastPurchases = 200

// sampleHistories keeps every n-th customer of a large base, so that at most 50,000 are left, which are
// enough to learn a few weights.
func sampleHistories(all []History) []History {
	const most = 50000
	step := (len(all) + most - 1) / most
	if step <= 1 {
		return all
	}
	out := make([]History, 0, most)
	for i := 0; i < len(all); i += step {
		out = append(out, all[i])
	}
	return out
}

// gather returns the customers with a purchase up to now, and the first purchase day.
func gather(all []History, now int32, o ScorerOptions) ([]Customer, int32) {
	var base []Customer
	first := now
	for _, h := range all {
		h = h.Until(now)
		if len(h) == 0 {
			continue
		}
		first = min(first, h[0].Day)
		c := h.Customer(float64(now), o.DaysPerUnit, o.MinorPerUnit)
		c.LogGaps = h.SummaryWithGaps(float64(now), o.DaysPerUnit, o.MinorPerUnit).LogGaps
		base = append(base, c)
	}
	return base, first
}

type baseFits struct {
	regular Fit[PurchaseModel]
	variant betaVariant
	pareto  Fit[ParetoNBD]
}

// fitBase fits all models to the base and keeps the beta-dropout model with the highest
// likelihood.
func fitBase(base []Customer, o ScorerOptions) (baseFits, []Candidate, error) {
	rows := make([]Summary, len(base))
	for i := range base {
		rows[i] = base[i].Summary
	}
	c, err := compress(rows)
	if err != nil {
		return baseFits{}, nil, err
	}
	var f baseFits
	var candidates []Candidate
	last := math.Inf(-1)
	variants := []betaVariant{{stages: 1, loyal: true}, {stages: 1}, {stages: 2}, {stages: 3}, {stages: 4}}
	if o.SingleStage {
		variants = variants[:2]
	}
	for _, v := range variants {
		fit, err := fitVariant(c, o.Fit, v)
		if err != nil {
			return baseFits{}, nil, err
		}
		if f.regular.Model == nil || fit.Converged && fit.LogLikelihood > f.regular.LogLikelihood {
			f.regular, f.variant = fit, v
		}
		candidates = append(candidates, Candidate{Name: fit.Model.Name(), LogLikelihood: fit.LogLikelihood})
		if v.stages > 1 && !(fit.LogLikelihood > last) {
			break // the likelihood has one maximum in k
		}
		last = fit.LogLikelihood
	}
	if f.pareto, err = fitPareto(c, o.Fit); err != nil {
		return baseFits{}, nil, err
	}
	return f, append(candidates, Candidate{Name: f.pareto.Model.Name(), LogLikelihood: f.pareto.LogLikelihood}), nil
}

// fitWithFallback fits by maximum likelihood if there are enough repeat buyers and the likelihood has
// a maximum, and with the weak priors otherwise. The priors are not always used because they
// would predict dropout even for a base in which no customer seems to stop.
func fitWithFallback[M any](c *fitRows, o FitOptions, fit func(FitOptions) (Fit[M], error)) (Fit[M], error) {
	if c.repeats >= o.enough() {
		o.MaximumLikelihood = true
		if f, err := fit(o); err != nil || f.Converged {
			return f, err
		}
		o.MaximumLikelihood = false
	}
	return fit(o)
}

// fitVariant is fitBetaRows with the model converted to the type of the variant.
func fitVariant(c *fitRows, o FitOptions, v betaVariant) (Fit[PurchaseModel], error) {
	fit, err := fitWithFallback(c, o, func(o FitOptions) (Fit[MBGCNBD], error) { return fitBetaRows(c, o, v) })
	if err != nil {
		return Fit[PurchaseModel]{}, err
	}
	return converted(fit, v.model), nil
}

func fitPareto(c *fitRows, o FitOptions) (Fit[ParetoNBD], error) {
	return fitWithFallback(c, o, func(o FitOptions) (Fit[ParetoNBD], error) { return fitParetoRows(c, o) })
}

// windows returns the inner splits. The last one has the same ratio to the history before it
// as the horizon has to the whole history, so that models are tested on predictions as far
// ahead, relative to their data, as they will be used for. If the history is long enough,
// earlier windows are added, and one that begins a year before now, which has the season of
// the period to predict. Otherwise the second half of the only window is added as a short
// window, as further evidence on which model is better.
func windows(first, now int32, o ScorerOptions) []Window {
	span := float64(now) - float64(first)
	days := o.Horizon * o.DaysPerUnit
	before := math.Max(span*span/(span+days), span/3)
	length := math.Floor(span - before)
	if length < 7 {
		return nil
	}
	const least = 0.45 // minimum share of the history before a cut
	var ws []Window
	for end := float64(now); len(ws) < 3; end -= length {
		cut := end - length
		if len(ws) > 0 && cut-float64(first) < least*span {
			break
		}
		ws = append(ws, Window{Cut: int32(cut), End: int32(end)})
	}
	if half := math.Floor(length / 2); len(ws) == 1 && half >= 7 {
		ws = append(ws, Window{Cut: int32(float64(now) - half), End: now, Short: true})
	}
	if cut := float64(now) - 365; cut-float64(first) >= least*span && length < 300 {
		ws = append(ws, Window{Cut: int32(cut), End: int32(cut + length)})
	}
	return ws
}

// holdoutRow is a customer at a cut: the models' predictions for the window, and the outcome.
type holdoutRow struct {
	regularOdds, paretoOdds   float64 // log odds of a purchase
	regularCount, paretoCount float64 // expected purchases
	percentileSum             float64 // R + F + M - 1.5
	actual                    float64 // purchase days in the window
}

// predictWindow fits the models to the history up to the cut and returns their predictions with
// the outcomes. It returns false if the history up to the cut is too short for a fit.
func predictWindow(all []History, w Window, o ScorerOptions, v betaVariant) ([]holdoutRow, bool, error) {
	base, _ := gather(all, w.Cut, o)
	if len(base) == 0 {
		return nil, false, nil
	}
	rows := make([]Summary, len(base))
	for i := range base {
		rows[i] = base[i].Summary
	}
	c, err := compress(rows)
	if err != nil {
		return nil, false, err
	}
	// A part of the history has fewer data, so it is always fitted with the priors.
	regular, err := fitBetaRows(c, o.Fit, v)
	if err != nil {
		return nil, false, err
	}
	pareto, err := fitParetoRows(c, o.Fit)
	if err != nil {
		return nil, false, err
	}
	if regular.Status == StatusPrior || !regular.Converged || !pareto.Converged {
		return nil, false, nil
	}
	var at Scorer
	at.setPercentiles(base)
	model, t := v.model(regular.Model), (float64(w.End)-float64(w.Cut))/o.DaysPerUnit
	out := make([]holdoutRow, 0, len(base))
	for _, h := range all {
		known := h.Until(w.Cut)
		if len(known) == 0 {
			continue
		}
		s := base[len(out)]
		out = append(out, holdoutRow{
			regularOdds: logit(model.PAtLeastOne(s.Summary, t)), paretoOdds: logit(pareto.Model.PAtLeastOne(s.Summary, t)),
			regularCount: model.Expected(s.Summary, t), paretoCount: pareto.Model.Expected(s.Summary, t),
			percentileSum: at.percentileSum(s),
			actual:        float64(len(h.Until(w.End)) - len(known)),
		})
	}
	return out, true, nil
}
