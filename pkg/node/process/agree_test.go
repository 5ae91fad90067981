package process

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
)

func TestAgreeNamesEverySetting(t *testing.T) {
	c := config.Default()
	founded := app.Genesis(c)
	require.NoError(t, Agree(c, founded))

	c.Clock, c.Timezone, c.Money.Currency, c.Ledger.Partitions, c.Ledger.CustomerNormalisation = "event", "Asia/Tehran", "IRT", 3, "lower"
	err := Agree(c, founded)
	require.ErrorIs(t, err, ErrDisagrees)
	for _, setting := range []string{
		"clock is event here and live in the ledger", "timezone is Asia/Tehran here and UTC", "money.currency is IRT here and USD",
		"ledger.partitions is 3 here and 8", "ledger.customer_normalisation is lower here and none",
	} {
		require.ErrorContains(t, err, setting)
	}
	Adopt(&c, founded)
	require.NoError(t, Agree(c, founded))
}
