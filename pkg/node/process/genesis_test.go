package process

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/node/config"
)

func TestCheckGenesisNamesEverySetting(t *testing.T) {
	c := config.Default()
	genesis := c.Genesis()
	require.NoError(t, CheckGenesis(c, genesis))

	c.Clock, c.Timezone, c.Money.Currency, c.Ledger.Partitions, c.Ledger.CustomerNormalisation = "event", "Asia/Tehran", "IRT", 3, "lower"
	err := CheckGenesis(c, genesis)
	require.ErrorIs(t, err, ErrGenesisMismatch)
	for _, setting := range []string{
		"clock is event here and live in the ledger", "timezone is Asia/Tehran here and UTC", "money.currency is IRT here and USD",
		"ledger.partitions is 3 here and 8", "ledger.customer_normalisation is lower here and none",
	} {
		require.ErrorContains(t, err, setting)
	}
	c.AdoptGenesis(genesis)
	require.NoError(t, CheckGenesis(c, genesis))
}
