package process

import (
	"errors"
	"fmt"

	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// ErrGenesisMismatch is a configuration that contradicts the ledger's genesis.
var ErrGenesisMismatch = errors.New("the configuration contradicts the ledger")

// CheckGenesis compares the settings that genesis fixes for the life of a ledger with the configuration. Its error names
// every setting that differs.
func CheckGenesis(c config.Config, g *ledger.Genesis) error {
	clock := "live"
	if g.GetClock() == ledger.Clock_CLOCK_EVENT {
		clock = "event"
	}
	var all []error
	for _, s := range []struct {
		setting           string
		configured, fixed any
	}{
		{"clock", c.Clock, clock},
		{"timezone", c.Timezone, g.GetTimezone()},
		{"money.currency", c.Money.Currency, g.GetCurrency()},
		{"ledger.partitions", c.Ledger.Partitions, int(g.GetPartitions())},
		{"ledger.customer_normalisation", c.Ledger.CustomerNormalisation, g.GetCustomerNormalisation()},
	} {
		if s.configured != s.fixed {
			all = append(all, fmt.Errorf("%w: %s is %v here and %v in the ledger: set it to %v, or choose another namespace", ErrGenesisMismatch, s.setting, s.configured, s.fixed, s.fixed))
		}
	}
	return errors.Join(all...)
}

// AdoptGenesis overwrites the settings that genesis fixes, for commands that only read.
func AdoptGenesis(c *config.Config, g *ledger.Genesis) {
	c.Clock = "live"
	if g.GetClock() == ledger.Clock_CLOCK_EVENT {
		c.Clock = "event"
	}
	c.Timezone, c.Money.Currency = g.GetTimezone(), g.GetCurrency()
	c.Ledger.Partitions, c.Ledger.CustomerNormalisation = int(g.GetPartitions()), g.GetCustomerNormalisation()
}
