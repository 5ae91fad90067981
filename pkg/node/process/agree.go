package process

import (
	"errors"
	"fmt"

	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// ErrDisagrees is a configuration that is not the ledger's.
var ErrDisagrees = errors.New("the ledger was founded otherwise")

// Agree compares what may never change in the life of a ledger with the configuration. Its error names every setting.
func Agree(c config.Config, g *ledger.Genesis) error {
	clock := "live"
	if g.GetClock() == ledger.Clock_CLOCK_EVENT {
		clock = "event"
	}
	var all []error
	for _, s := range []struct {
		setting     string
		here, there any
	}{
		{"clock", c.Clock, clock},
		{"timezone", c.Timezone, g.GetTimezone()},
		{"money.currency", c.Money.Currency, g.GetCurrency()},
		{"ledger.partitions", c.Ledger.Partitions, int(g.GetPartitions())},
		{"ledger.customer_normalisation", c.Ledger.CustomerNormalisation, g.GetCustomerNormalisation()},
	} {
		if s.here != s.there {
			all = append(all, fmt.Errorf("%w: %s is %v here and %v in the ledger: set it to %v, or choose another namespace", ErrDisagrees, s.setting, s.here, s.there, s.there))
		}
	}
	return errors.Join(all...)
}

// Adopt takes over what the ledger fixes, for commands that only look.
func Adopt(c *config.Config, g *ledger.Genesis) {
	c.Clock = "live"
	if g.GetClock() == ledger.Clock_CLOCK_EVENT {
		c.Clock = "event"
	}
	c.Timezone, c.Money.Currency = g.GetTimezone(), g.GetCurrency()
	c.Ledger.Partitions, c.Ledger.CustomerNormalisation = int(g.GetPartitions()), g.GetCustomerNormalisation()
}
