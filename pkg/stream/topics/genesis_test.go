package topics

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

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

// Brokers that have just lost each other refuse writes and answers for a while. The ledger must be created all the same, and once.
func TestCreateLedgerAgainWhileKafkaFails(t *testing.T) {
	const namespace, partitions = "test", 3
	for name, fault := range map[string]kfake.Fault{
		"the id cannot be opened":           {Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.CoordinatorNotAvailable, Count: 2},
		"replicas are missing":              {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: 2},
		"a broker does not reach another":   {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NetworkException, Count: 2},
		"the coordinator is elsewhere":      {Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.NotCoordinator, Count: 2},
		"the commit may have happened":      {Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.RequestTimedOut, Count: 2},
		"the partitions' leaders are moved": {Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.NotLeaderForPartition, Count: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := embedded.StartVirtual(t, embedded.Options{Topics: []embedded.Topic{{Name: ledger.Topic(namespace), Partitions: partitions}}})
				k, err := kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}, Dial: e.DialKafka})
				require.NoError(t, err)
				defer k.Close()
				installed := e.Cluster().Fault(fault)
				g := &ledger.Genesis{
					Partitions: partitions, CustomerHash: settings.CustomerHash, CustomerNormalisation: "none",
					Clock: ledger.Clock_CLOCK_LIVE, Currency: "EUR", Timezone: "UTC",
				}
				s := &ledger.Settings{Revision: 1, Hash: settings.Hash(settings.Default()), Values: settings.Default()}
				created, err := createLedger(t.Context(), k, namespace, g, s, processors.LogicVersion, rand.Uint64)
				require.NoError(t, err)
				require.Equal(t, 2, installed.Hits())
				read, err := Genesis(t.Context(), k, namespace)
				require.NoError(t, err)
				require.True(t, proto.Equal(created, read))
				ends, err := k.ListOffsets(t.Context(), ledger.Topic(namespace), []int32{0, 1, 2})
				require.NoError(t, err)
				for p, o := range ends {
					entries := 0
					_, err := k.ReadCommitted(t.Context(), ledger.Topic(namespace), p, 0, o.LastStable, func(kafka.Record) error { entries++; return nil })
					require.NoError(t, err)
					require.Equal(t, 3, entries, "partition %d", p)
				}
			})
		})
	}
}
