// Package model owns which models a parameters entry can put in force, and how the entry holds them. The stream scores with the
// Predictor that New returns; fits write their result with Set.
//
// It refuses a model whose scores take too long for a stream: MBG/CNBD-k with k > 1.
package model

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/season"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// The names of the models, as in the ledger, the parameter file and the outputs.
const (
	MBGNBD    = "mbg_nbd"
	BGNBD     = "bg_nbd"
	ParetoNBD = "pareto_nbd"
	Blended   = "blended"
)

// Names returns the names of all models, the default first.
func Names() []string { return []string{MBGNBD, BGNBD, ParetoNBD, Blended} }

// Statuses returns how well data can determine parameters; see lifetimes.Status.
func Statuses() []string {
	return []string{string(lifetimes.StatusPrior), string(lifetimes.StatusProvisional), string(lifetimes.StatusFitted)}
}

// Errors of Validate.
var (
	// ErrUnknown means that this release does not have the model or the status.
	ErrUnknown = errors.New("unknown model")
	// ErrParameters means that a parameter is missing or outside its domain.
	ErrParameters = errors.New("parameters out of domain")
)

// OneTimeBuyersStop reports whether, in a model, a customer with one purchase may have stopped. In BG/NBD they buy again with
// certainty, so they never become a churn risk, however long they are silent.
func OneTimeBuyersStop(name string) bool { return name != BGNBD }

// Validate returns an error that wraps ErrUnknown or ErrParameters, or nil.
func Validate(v *ledger.Parameters) error {
	if !slices.Contains(Names(), v.GetModel()) {
		return fmt.Errorf("%w: model %q; this release has %q", ErrUnknown, v.GetModel(), Names())
	}
	if !slices.Contains(Statuses(), v.GetStatus()) {
		return fmt.Errorf("%w: status %q", ErrUnknown, v.GetStatus())
	}
	if err := validatePurchases(v); err != nil {
		return fmt.Errorf("%w: %w", ErrParameters, err)
	}
	for _, e := range []float64{v.GetOrdersError(), v.GetSpendError()} {
		if !(e >= 0 && e <= mostError) {
			return fmt.Errorf("%w: relative standard error %v, want 0 to %v", ErrParameters, e, mostError)
		}
	}
	if err := validateSeason(v); err != nil {
		return fmt.Errorf("%w: %w", ErrParameters, err)
	}
	if s := Spend(v); s != (lifetimes.GammaGamma{}) {
		if err := s.Validate(); err != nil {
			return fmt.Errorf("%w: %w", ErrParameters, err)
		}
	}
	return nil
}

func validateSeason(v *ledger.Parameters) error {
	if v.GetSeason() != nil && !Seasonal(v.GetModel()) {
		return fmt.Errorf("model %s has no season", v.GetModel())
	}
	return season.Decode(v.GetSeason()).Validate()
}

// Seasonal reports whether a model can have a season. The blended scorer has none: its corrections are learned in civil time.
func Seasonal(name string) bool { return name != Blended }

// Clock returns the clock of the season of parameters that Validate accepts; nil without a season.
func Clock(v *ledger.Parameters) *season.Clock { return season.Trusted(season.Decode(v.GetSeason())) }

// mostError bounds relative standard errors; fits write no more.
const mostError = 10

// SetErrors sets the relative standard errors; greater ones than the ledger accepts are cut.
func SetErrors(v *ledger.Parameters, orders, spend float64) {
	v.OrdersError, v.SpendError = min(orders, mostError), min(spend, mostError)
}

func validatePurchases(v *ledger.Parameters) error {
	if v.GetModel() == Blended {
		return scorer(v).Validate()
	}
	return purchases(v).Validate()
}

// New returns the Predictor of parameters that Validate accepts.
func New(v *ledger.Parameters) *lifetimes.Predictor {
	if v.GetModel() == Blended {
		return lifetimes.NewScorerPredictor(scorer(v))
	}
	return lifetimes.NewPredictor(purchases(v))
}

// Spend returns the spend model; the zero model stands for the prior, which has no scale.
func Spend(v *ledger.Parameters) lifetimes.GammaGamma {
	return lifetimes.GammaGamma{P: v.GetP(), Q: v.GetQ(), V: v.GetV()}
}

func purchases(v *ledger.Parameters) lifetimes.PurchaseModel {
	switch v.GetModel() {
	case BGNBD:
		return lifetimes.BGNBD(beta(v))
	case ParetoNBD:
		return pareto(v)
	default:
		return beta(v)
	}
}

func beta(v *ledger.Parameters) lifetimes.MBGNBD {
	return lifetimes.MBGNBD{R: v.GetR(), Alpha: v.GetAlpha(), A: v.GetA(), B: v.GetB()}
}

func pareto(v *ledger.Parameters) lifetimes.ParetoNBD {
	p := v.GetPareto()
	return lifetimes.ParetoNBD{R: p.GetR(), Alpha: p.GetAlpha(), S: p.GetS(), Beta: p.GetBeta()}
}

func scorer(v *ledger.Parameters) *lifetimes.Scorer {
	b := v.GetBlend()
	c := &lifetimes.Scorer{
		Regular: beta(v), Pareto: pareto(v),
		AliveByPareto: b.GetAliveByPareto(), ParetoInOdds: b.GetParetoInOdds(), ParetoInCounts: b.GetParetoInCounts(), Lift: b.GetLift(),
		Centre: b.GetCentre(), Shift: b.GetShift(), Slope: b.GetSlope(),
		Level: b.GetLevel(), Power: b.GetPower(), Typical: b.GetTypical(), Horizon: b.GetHorizon(),
		Silence: percentiles(b.GetSilence()), Repeats: percentiles(b.GetRepeats()), Value: percentiles(b.GetValue()),
	}
	if b.GetBgNbd() {
		c.Regular = lifetimes.BGNBD(beta(v))
	}
	return c
}

func percentiles(p *ledger.Percentiles) lifetimes.Percentiles {
	return lifetimes.Percentiles{At: p.GetAt(), Share: p.GetShare()}
}

// SetPurchases sets the model and its parameters; an error that wraps ErrUnknown for a model that a stream cannot run.
func SetPurchases(v *ledger.Parameters, m lifetimes.PurchaseModel) error {
	v.R, v.Alpha, v.A, v.B, v.Pareto, v.Blend = 0, 0, 0, 0, nil, nil
	switch m := m.(type) {
	case lifetimes.MBGNBD:
		v.Model = MBGNBD
		v.R, v.Alpha, v.A, v.B = m.R, m.Alpha, m.A, m.B
	case lifetimes.BGNBD:
		v.Model = BGNBD
		v.R, v.Alpha, v.A, v.B = m.R, m.Alpha, m.A, m.B
	case lifetimes.ParetoNBD:
		v.Model = ParetoNBD
		v.Pareto = &ledger.ParetoParameters{R: m.R, Alpha: m.Alpha, S: m.S, Beta: m.Beta}
	default:
		return fmt.Errorf("%w: %s", ErrUnknown, m.Name())
	}
	return nil
}

// SetScorer sets the blended scorer and its parameters; an error that wraps ErrUnknown where one of its models is one that a
// stream cannot run.
func SetScorer(v *ledger.Parameters, c *lifetimes.Scorer) error {
	if err := SetPurchases(v, c.Regular); err != nil {
		return err
	}
	if v.GetModel() == ParetoNBD {
		return fmt.Errorf("%w: a scorer of two Pareto/NBD", ErrUnknown)
	}
	p := c.Pareto
	v.Pareto = &ledger.ParetoParameters{R: p.R, Alpha: p.Alpha, S: p.S, Beta: p.Beta}
	v.Blend = &ledger.BlendParameters{
		BgNbd: v.GetModel() == BGNBD, AliveByPareto: c.AliveByPareto, ParetoInOdds: c.ParetoInOdds, ParetoInCounts: c.ParetoInCounts, Lift: c.Lift,
		Centre: c.Centre, Shift: c.Shift, Slope: c.Slope, Level: c.Level, Power: c.Power, Typical: c.Typical, Horizon: c.Horizon,
		Silence: distribution(c.Silence), Repeats: distribution(c.Repeats), Value: distribution(c.Value),
	}
	v.Model = Blended
	return nil
}

func distribution(p lifetimes.Percentiles) *ledger.Percentiles {
	return &ledger.Percentiles{At: p.At, Share: p.Share}
}
