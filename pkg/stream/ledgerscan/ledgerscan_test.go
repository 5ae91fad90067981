package ledgerscan_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/ledgerscan"
	"github.com/mainstay/mainstay/schemas/ledger"
)

const (
	topic     = "a.ledger"
	partition = 1
)

// ledgerOf appends n entries: of kind at the given offsets, events at all others, and one that cannot be decoded at the end.
func ledgerOf(t *testing.T, n int64, kind ledger.Kind, offsets ...int64) *kafka.Client {
	t.Helper()
	e := embedded.StartVirtual(t, embedded.Options{Topics: []embedded.Topic{{Name: topic, Partitions: 2}}})
	client, err := kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}, Dial: e.DialKafka})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	producer, err := client.NewProducer(t.Context())
	require.NoError(t, err)
	of := map[int64]ledger.Kind{}
	for _, o := range offsets {
		of[o] = kind
	}
	batch := kafka.NewBatch(topic, partition)
	for o := range n {
		k, ok := of[o]
		if !ok {
			k = ledger.Kind_KIND_EVENT
		}
		value, err := (&ledger.Entry{Version: ledger.Version, Kind: k, Time: o}).MarshalVT()
		require.NoError(t, err)
		batch.Append(0, nil, value, nil)
	}
	batch.Append(0, nil, []byte{0xff}, nil)
	_, err = producer.Produce(t.Context(), []*kafka.Batch{batch})
	require.NoError(t, err)
	return client
}

func TestBackward(t *testing.T) {
	const n = 60_000 // spans: 60,001 to 50,001, to 10,001, to 0
	for _, test := range []struct {
		name    string
		floor   int64
		match   func(*ledger.Entry) bool
		visited []int64
	}{
		{"ends with the first span that matches, in ledger order", 0, func(*ledger.Entry) bool { return true }, []int64{55_000, 55_001}},
		{"goes on while nothing matches", 0, func(e *ledger.Entry) bool { return e.GetTime() == 20_000 }, []int64{55_000, 55_001, 20_000}},
		{"reads down to the start", 0, func(*ledger.Entry) bool { return false }, []int64{55_000, 55_001, 20_000, 0, 7}},
		{"and not below the floor", 7, func(*ledger.Entry) bool { return false }, []int64{55_000, 55_001, 20_000, 7}},
		{"a floor at the end leaves nothing to read", n + 1, func(*ledger.Entry) bool { return true }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := ledgerOf(t, n, ledger.Kind_KIND_TICK, 0, 7, 20_000, 55_000, 55_001)
				var visited []int64
				err := ledgerscan.Backward(t.Context(), client, topic, partition, test.floor, ledger.Kind_KIND_TICK, func(e *ledger.Entry) bool {
					visited = append(visited, e.GetTime())
					return test.match(e)
				})
				require.NoError(t, err)
				require.Equal(t, test.visited, visited)
			})
		})
	}
}

func TestBackwardReadsAnEmptyLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := ledgerOf(t, 0, ledger.Kind_KIND_TICK)
		err := ledgerscan.Backward(t.Context(), client, topic, 0, 0, ledger.Kind_KIND_TICK, func(*ledger.Entry) bool {
			t.Fatal("there is no entry")
			return true
		})
		require.NoError(t, err)
	})
}
