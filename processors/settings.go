package processors

import (
	"fmt"
	"slices"
	"sync"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// LogicVersion is raised by a release that changes an answer. State is one version's function of the ledger.
const LogicVersion = 1

// EntryVersion is the envelope's version that Step reads.
const EntryVersion = ledger.Version

// PriorParameters hold until the ledger says others: MBG/NBD at the means of its weak priors (lifetimes.PriorMBGNBD), for
// weeks. Spend is the Gamma-Gamma prior at each customer's own average, since a prior knows no currency's scale: p, q and v
// are 0.
func PriorParameters() *ledger.Parameters {
	m := prior()
	return &ledger.Parameters{Model: modelName, Status: priorStatus, R: m.R, Alpha: m.Alpha, A: m.A, B: m.B}
}

var prior = sync.OnceValue(lifetimes.PriorMBGNBD) //nolint:gochecknoglobals // a constant that is computed

const (
	modelName   = "mbg_nbd"
	priorStatus = "prior"
)

func validateParameters(v *ledger.Parameters) error {
	if v.GetModel() != modelName {
		return fmt.Errorf("%w: model %q", ErrUnknownModel, v.GetModel())
	}
	if !slices.Contains([]string{priorStatus, "provisional", "fitted"}, v.GetStatus()) {
		return fmt.Errorf("%w: status %q", ErrUnknownModel, v.GetStatus())
	}
	if err := purchases(v).Validate(); err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	if s := spending(v); s != (lifetimes.GammaGamma{}) {
		if err := s.Validate(); err != nil {
			return fmt.Errorf("parameters: %w", err)
		}
	}
	return nil
}

func purchases(v *ledger.Parameters) lifetimes.MBGNBD {
	return lifetimes.MBGNBD{R: v.GetR(), Alpha: v.GetAlpha(), A: v.GetA(), B: v.GetB()}
}

func spending(v *ledger.Parameters) lifetimes.GammaGamma {
	return lifetimes.GammaGamma{P: v.GetP(), Q: v.GetQ(), V: v.GetV()}
}

// adopt makes parameters and settings the terms on which customers are scored.
func (p *Partition) adopt() {
	p.terms.Settings = p.settings
	p.rules = alert.Compile(p.settings, p.terms.Unit)
	p.fuses.Keep(&p.rules)
	p.terms.Thresholds = p.thresholds
	if m := purchases(p.parameters); p.terms.Purchases == nil || p.terms.Purchases.MBGNBD != m {
		p.terms.Purchases = lifetimes.NewPrepared(m)
	}
	p.terms.Spend = spending(p.parameters)
	p.terms.Model = output.Model{Name: p.parameters.GetModel(), Version: p.parameters.GetVersion(), Status: p.parameters.GetStatus()}
}
