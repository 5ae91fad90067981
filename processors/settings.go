package processors

import (
	"fmt"
	"slices"
	"sync"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// LogicVersion is the version of the function that Step computes. A release that changes an answer raises it.
const LogicVersion = 2

// EntryVersion is the version of the entries that Step reads.
const EntryVersion = ledger.Version

// PriorParameters returns the parameters in force until the ledger has a parameters entry: MBG/NBD at the means of its weak priors
// (lifetimes.PriorMBGNBD), in weeks. p, q and v are 0, which stands for the Gamma-Gamma prior scaled by each customer's own average,
// since the prior has no scale of its own.
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
