package processors

import (
	"fmt"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// foldCallMark keeps what somebody did about a customer on the list of calls. It changes no answer, so nothing is scored or published. A mark
// of a customer who is not known, or that cannot be kept, is ignored: whoever appends one checks it before, and a mark alone makes nobody a
// customer. So one that comes after an erasure brings nothing back.
func (s *step) foldCallMark() (Verdict, error) {
	k := new(ledger.CallMark)
	err := k.UnmarshalVT(s.entry.GetPayload())
	if err == nil && s.entry.GetCustomer() == "" {
		err = errCustomer
	}
	if err != nil {
		return Verdict{}, fmt.Errorf("%w call mark: %w", ErrMalformed, err)
	}
	m := s.p.momentOf(s.timeOfRequest())
	c, sent, err := s.loadOrForward(m)
	if err != nil || sent {
		return Verdict{Result: Forwarded}, err
	}
	//mutant:mark-makes-customer if !customer.IsValidCallMark(k)
	if !c.known || !customer.IsValidCallMark(k) {
		return Verdict{Result: Ignored}, nil
	}
	s.beforeChange(&c)
	c.state.RecordCallMark(m, k)
	s.put(&c)
	return Verdict{}, nil
}
