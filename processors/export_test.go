package processors

import "github.com/mainstay/mainstay/schemas/ledger"

// Offset returns the offset of the entry folded last, -1 before the first.
func (p *Partition) Offset() int64 { return p.state.offset }

// ValidateParameters returns an error that names what Step would refuse in a parameters entry, nil if nothing.
func ValidateParameters(v *ledger.Parameters) error { return validateParameters(v) }
