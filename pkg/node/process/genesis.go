package process

import (
	"errors"
	"fmt"

	"github.com/mainstay/mainstay/pkg/node/config"
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
