package topics

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A ledger cannot be corrected after it was created, so createLedger must refuse values that Step would refuse, and append nothing.
func TestCreateLedgerRefusesValuesOutOfBounds(t *testing.T) {
	const namespace, partitions = "test", 2
	e, err := embedded.Start(t.Context(), embedded.Options{Kafka: true, Topics: []embedded.Topic{{Name: ledger.Topic(namespace), Partitions: partitions}}})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	k, err := kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}})
	require.NoError(t, err)
	t.Cleanup(k.Close)

	create := func(change func(*ledger.Genesis, *ledger.SettingsValues)) error {
		g := &ledger.Genesis{
			Partitions: partitions, CustomerHash: settings.CustomerHash, CustomerNormalisation: "none",
			Clock: ledger.Clock_CLOCK_LIVE, Currency: "EUR", Timezone: "UTC",
		}
		values := settings.Default()
		change(g, values)
		s := &ledger.Settings{Revision: 1, Hash: settings.Hash(values), Values: values}
		_, err := createLedger(t.Context(), k, namespace, g, s, processors.LogicVersion, func() uint64 { return 1 })
		return err
	}
	for message, change := range map[string]func(*ledger.Genesis, *ledger.SettingsValues){
		"timezone: must be":        func(g *ledger.Genesis, _ *ledger.SettingsValues) { g.Timezone = "Mars/Olympus" },
		"money.currency: must be":  func(g *ledger.Genesis, _ *ledger.SettingsValues) { g.Currency = "XXQ" },
		"the customer hash must":   func(g *ledger.Genesis, _ *ledger.SettingsValues) { g.CustomerHash = "crc32" },
		"fold.wake_limit: must be": func(_ *ledger.Genesis, v *ledger.SettingsValues) { v.WakeLimit = 20_000 },
		"churn.high: must be":      func(_ *ledger.Genesis, v *ledger.SettingsValues) { v.ChurnHigh = v.ChurnMedium },
	} {
		require.ErrorContains(t, create(change), message)
		_, err := Genesis(t.Context(), k, namespace)
		require.ErrorIs(t, err, ErrNoLedger, message)
	}
	ends, err := k.ListOffsets(t.Context(), ledger.Topic(namespace), []int32{0, 1})
	require.NoError(t, err)
	for p, o := range ends {
		require.Zero(t, o.HighWatermark, "partition %d", p)
	}
	require.NoError(t, create(func(*ledger.Genesis, *ledger.SettingsValues) {}), "valid values are accepted after a refusal")
}
