package parameters

import (
	"time"

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
			BgNbd: b.BGNBD, AliveByPareto: b.AliveByPareto, ParetoInOdds: b.ParetoInOdds, ParetoInCounts: b.ParetoInCounts, Lift: b.Lift,
			Centre: b.Centre, Shift: b.Shift, Slope: b.Slope, Level: b.Level, Power: b.Power, Typical: b.Typical, Horizon: b.Horizon,
			Silence: b.Silence.ledger(), Repeats: b.Repeats.ledger(), Value: b.Value.ledger(),
		}
	}
	v.Season = f.Season.ledger()
	if s := f.Spend; s != nil {
		v.P, v.Q, v.V = s.P, s.Q, s.V
	}
	return v
}

func (s *Season) ledger() *ledger.Season {
	if s == nil {
		return nil
	}
	v := &ledger.Season{Weekly: s.Weekly, Yearly: s.Yearly}
	for _, e := range s.Events {
		v.Events = append(v.Events, &ledger.SeasonEvent{Name: e.Name, Multiplier: e.Multiplier})
	}
	for _, c := range s.Campaigns {
		v.Campaigns = append(v.Campaigns, &ledger.SeasonCampaign{Name: c.Name, First: dayOf(c.First), Last: dayOf(c.Last), Multiplier: c.Multiplier})
	}
	return v
}

// dayOf returns a day that Validate accepts, counted from 1970-01-01.
func dayOf(text string) int32 {
	t, _ := time.Parse(time.DateOnly, text) // Validate has parsed it
	return int32(t.Unix() / 86400)          //nolint:gosec // good for five million years
}

// SeasonOf converts a season; nil for nil.
func SeasonOf(v *ledger.Season) *Season {
	if v == nil {
		return nil
	}
	s := &Season{Weekly: v.GetWeekly(), Yearly: v.GetYearly()}
	for _, e := range v.GetEvents() {
		s.Events = append(s.Events, SeasonEvent{e.GetName(), e.GetMultiplier()})
	}
	for _, c := range v.GetCampaigns() {
		s.Campaigns = append(s.Campaigns, SeasonCampaign{c.GetName(), civil(c.GetFirst()), civil(c.GetLast()), c.GetMultiplier()})
	}
	return s
}

func (p Percentiles) ledger() *ledger.Percentiles {
	return &ledger.Percentiles{At: p.At, Share: p.Share}
}

// setModel sets the model and its parameters from those of the ledger.
func (f *File) setModel(v *ledger.Parameters) {
	f.Model, f.Status = v.GetModel(), v.GetStatus()
	f.Uncertainty = Uncertainty{v.GetOrdersError(), v.GetSpendError()}
	f.Purchases, f.Pareto, f.Blend, f.Spend = purchasesOf(v), paretoOf(v), blendOf(v.GetBlend()), nil
	f.Season = SeasonOf(v.GetSeason())
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
		BGNBD: b.GetBgNbd(), AliveByPareto: b.GetAliveByPareto(), ParetoInOdds: b.GetParetoInOdds(), ParetoInCounts: b.GetParetoInCounts(), Lift: b.GetLift(),
		Centre: b.GetCentre(), Shift: b.GetShift(), Slope: b.GetSlope(), Level: b.GetLevel(), Power: b.GetPower(),
		Typical: b.GetTypical(), Horizon: b.GetHorizon(),
		Silence: percentilesOf(b.GetSilence()), Repeats: percentilesOf(b.GetRepeats()), Value: percentilesOf(b.GetValue()),
	}
}

func percentilesOf(p *ledger.Percentiles) Percentiles { return Percentiles{p.GetAt(), p.GetShare()} }
