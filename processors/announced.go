package processors

import (
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// Announced are the sums over the whole base that partition 0 published last; nil: none, or another partition. They must not
// be changed.
func (p *Partition) Announced() *ledger.Contribution { return p.board.Announced() }

// Unit is the base currency's; meaningless before genesis.
func (p *Partition) Unit() money.Unit { return p.terms.Unit }
