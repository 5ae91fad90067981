package processors

import (
	"fmt"
	"slices"
	"sync"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/schemas/ledger"
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
