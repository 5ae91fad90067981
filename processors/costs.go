package processors

import (
	"fmt"

	"github.com/mainstay/mainstay/processors/cost"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// foldCost keeps what the shop spent, in partition 0: costs are of no customer. An amount that cannot be, or for which there is no room, is
// ignored: whoever appends one checks it before, and a ledger cannot be trimmed, so a halt would be for ever.
func (s *step) foldCost() (Verdict, error) {
	k := new(ledger.Cost)
	if err := k.UnmarshalVT(s.entry.GetPayload()); err != nil {
		return Verdict{}, fmt.Errorf("%w cost: %w", ErrMalformed, err)
	}
	s.state.advanceMark(s.entry)
	if s.state.number != 0 || !cost.Valid(k) || !s.state.costs.Set(k) {
		return Verdict{Result: Ignored}, nil
	}
	return Verdict{}, nil
}
