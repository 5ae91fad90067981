package process

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// ErrGenesisMismatch is a configuration that contradicts the ledger's genesis.
var ErrGenesisMismatch = errors.New("the configuration contradicts the ledger")

// CheckGenesis compares the settings that genesis fixes for the life of a ledger with the configuration. Its error names
// every setting that differs.
func CheckGenesis(c config.Config, g *ledger.Genesis) error {
	configured := c.Genesis()
	var all []error
	for _, s := range settings.Table() {
		if s.Holds != settings.Genesis {
			continue
		}
		if here, there := s.OfGenesis(configured), s.OfGenesis(g); here != there {
			all = append(all, fmt.Errorf("%w: %s is %v here and %v in the ledger: set it to %v, or choose another namespace", ErrGenesisMismatch, s.Path, here, there, there))
		}
	}
	return errors.Join(all...)
}

// checkSettings returns an error, with the settings and both values, if some partition is already folded under other settings: a process
// that joined would halt every partition that it takes from a process that can fold it. What is committed to Redis is looked at, which is
// all that can be read at once; a fold checks each settings entry of the ledger as well.
func (p *Process) checkSettings(ctx context.Context) error {
	configured := app.Settings(p.app.Config)
	for n := range p.genesis.GetPartitions() {
		meta, err := p.app.Redis.Partition(p.app.Config.Namespace, n, p.genesis.GetPartitions()).ReadMeta(ctx)
		if err != nil || !meta.Exists || meta.Offset == 0 || meta.LedgerID != p.genesis.GetLedgerId() {
			continue // the claim decides about it
		}
		state, err := processors.DecodePartition(meta.State)
		if err != nil {
			continue // of another release: the ledger is folded again
		}
		if err := fold.CheckSettings(configured, state); err != nil {
			return fmt.Errorf("this process does not join: %w (ledger partition %d)", err, n)
		}
	}
	return nil
}
