package parameters

import (
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Ledger returns the payload of a parameters entry. Without Spend, p, q and v are 0, as in the built-in prior.
func (f *File) Ledger() *ledger.Parameters {
	v := &ledger.Parameters{
		Version: f.Version, Model: f.Model, Status: f.Status, OrdersError: f.Uncertainty.Orders, SpendError: f.Uncertainty.Spend,
	}
	if p := f.Purchases; p != nil {
		v.R, v.Alpha, v.A, v.B = p.R, p.Alpha, p.A, p.B
	}
	if p := f.Pareto; p != nil {
		v.Pareto = &ledger.ParetoParameters{R: p.R, Alpha: p.Alpha, S: p.S, Beta: p.Beta}
	}
	if b := f.Blend; b != nil {
		v.Blend = &ledger.BlendParameters{
			BgNbd: b.BGNBD, ParetoInOdds: b.ParetoInOdds, ParetoInCounts: b.ParetoInCounts, Lift: b.Lift,
			Centre: b.Centre, Shift: b.Shift, Slope: b.Slope, Level: b.Level, Power: b.Power, Typical: b.Typical, Horizon: b.Horizon,
			Silence: b.Silence.ledger(), Repeats: b.Repeats.ledger(), Value: b.Value.ledger(),
		}
	}
	if s := f.Spend; s != nil {
		v.P, v.Q, v.V = s.P, s.Q, s.V
	}
	return v
}

func (p Percentiles) ledger() *ledger.Percentiles {
	return &ledger.Percentiles{At: p.At, Share: p.Share}
}

// setModel sets the model and its parameters from those of the ledger.
func (f *File) setModel(v *ledger.Parameters) {
	f.Model, f.Status = v.GetModel(), v.GetStatus()
	f.Uncertainty = Uncertainty{v.GetOrdersError(), v.GetSpendError()}
	f.Purchases, f.Pareto, f.Blend, f.Spend = purchasesOf(v), paretoOf(v), blendOf(v.GetBlend()), nil
	if v.GetV() > 0 {
		f.Spend = &Spend{v.GetP(), v.GetQ(), v.GetV()}
	}
}

// purchasesOf returns the parameters of the beta-dropout model; nil for Pareto/NBD alone.
func purchasesOf(v *ledger.Parameters) *Purchases {
	if v.GetPareto() != nil && v.GetBlend() == nil {
		return nil
	}
	return &Purchases{v.GetR(), v.GetAlpha(), v.GetA(), v.GetB()}
}

func paretoOf(v *ledger.Parameters) *Pareto {
	p := v.GetPareto()
	if p == nil {
		return nil
	}
	return &Pareto{p.GetR(), p.GetAlpha(), p.GetS(), p.GetBeta()}
}

func blendOf(b *ledger.BlendParameters) *Blend {
	if b == nil {
		return nil
	}
	return &Blend{
		BGNBD: b.GetBgNbd(), ParetoInOdds: b.GetParetoInOdds(), ParetoInCounts: b.GetParetoInCounts(), Lift: b.GetLift(),
		Centre: b.GetCentre(), Shift: b.GetShift(), Slope: b.GetSlope(), Level: b.GetLevel(), Power: b.GetPower(),
		Typical: b.GetTypical(), Horizon: b.GetHorizon(),
		Silence: percentilesOf(b.GetSilence()), Repeats: percentilesOf(b.GetRepeats()), Value: percentilesOf(b.GetValue()),
	}
}

func percentilesOf(p *ledger.Percentiles) Percentiles { return Percentiles{p.GetAt(), p.GetShare()} }
