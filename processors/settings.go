package processors

import (
	"errors"
	"fmt"
	"sync"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/model"
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
	return &ledger.Parameters{Model: model.MBGNBD, Status: string(lifetimes.StatusPrior), R: m.R, Alpha: m.Alpha, A: m.A, B: m.B, OrdersError: lifetimes.PriorRelativeError}
}

var prior = sync.OnceValue(lifetimes.PriorMBGNBD) //nolint:gochecknoglobals // a constant that is computed

// validateParameters returns an error that wraps ErrUnknownModel, or another one.
func validateParameters(v *ledger.Parameters) error {
	err := model.Validate(v)
	if errors.Is(err, model.ErrUnknown) {
		return fmt.Errorf("%w: %w", ErrUnknownModel, err)
	}
	return err
}
