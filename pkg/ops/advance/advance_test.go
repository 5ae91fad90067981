package advance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const ledgerPartitions = 2

// broker returns a client of a Kafka with two inputs, and a ledger whose intake has seen an event of an hour before noon.
func broker(t *testing.T) *kafka.Client {
	t.Helper()
	e, err := embedded.Start(t.Context(), embedded.Options{Kafka: true, Topics: []embedded.Topic{
		{Name: "purchases", Partitions: 2}, {Name: "surveys", Partitions: 1}, {Name: ledger.Topic("test"), Partitions: ledgerPartitions},
	}})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	k, err := kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}})
	require.NoError(t, err)
	t.Cleanup(k.Close)
	tick := &ledger.Tick{
		Revision: 3, Inputs: []*ledger.Input{{Topic: "purchases", Partitions: 2}, {Topic: "surveys", Partitions: 1}},
		Readings: []*ledger.Reading{{Topic: "purchases", Time: noon.Add(-time.Hour).UnixMilli()}},
	}
	payload, err := tick.MarshalVT()
	require.NoError(t, err)
	value, err := (&ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_TICK, Payload: payload}).MarshalVT()
	require.NoError(t, err)
	for p := range int32(ledgerPartitions) {
		produce(t, k, ledger.Topic("test"), p, value)
	}
	return k
}

func produce(t *testing.T, k *kafka.Client, topic string, partition int32, value []byte) {
	t.Helper()
	producer, err := k.NewProducer(t.Context())
	require.NoError(t, err)
	b := kafka.NewBatch(topic, partition)
	b.Append(noon.UnixMilli(), nil, value, nil)
	_, err = producer.Produce(t.Context(), []*kafka.Batch{b})
	require.NoError(t, err)
}

func request(to time.Time) *Request {
	random := uint64(0)
	return &Request{
		Namespace: "test", Genesis: &ledger.Genesis{Clock: ledger.Clock_CLOCK_EVENT, Partitions: ledgerPartitions},
		Inputs: []string{"purchases", "surveys"}, To: to, Now: func() time.Time { return noon },
		Random: func() uint64 { random++; return random },
	}
}

// ticks returns the ticks of a ledger partition.
func ticks(t *testing.T, k *kafka.Client, partition int32) (all []*ledger.Tick) {
	t.Helper()
	bounds, err := k.ListOffsets(t.Context(), ledger.Topic("test"), []int32{partition})
	require.NoError(t, err)
	_, err = k.ReadCommitted(t.Context(), ledger.Topic("test"), partition, 0, bounds[partition].HighWatermark, func(r kafka.Record) error {
		var e ledger.Entry
		require.NoError(t, e.UnmarshalVT(r.Value))
		require.Equal(t, ledger.Kind_KIND_TICK, e.Kind)
		tick := new(ledger.Tick)
		require.NoError(t, tick.UnmarshalVT(e.Payload))
		all = append(all, tick)
		return nil
	})
	require.NoError(t, err)
	return all
}

func TestAdvancesEveryPartitionOnce(t *testing.T) {
	k := broker(t)
	require.NoError(t, request(noon).Run(t.Context(), k))
	for p := range int32(ledgerPartitions) {
		all := ticks(t, k, p)
		require.Len(t, all, 2, "the tick of intake and that of the advance")
		require.Equal(t, noon.UnixMilli(), all[1].AdvanceTo)
		require.Equal(t, all[0].Revision, all[1].Revision)
		require.Len(t, all[1].Inputs, 2, "a tick without the inputs would not count")
		require.Empty(t, all[1].Readings, "only intake states how far inputs are read")
	}
}

func TestRefusesTimesBeforeTheLedgers(t *testing.T) {
	k := broker(t)
	require.ErrorIs(t, request(noon.Add(-2*time.Hour)).Run(t.Context(), k), ErrBack, "an input is further")
	require.NoError(t, request(noon).Run(t.Context(), k))
	err := request(noon.Add(-time.Minute)).Run(t.Context(), k)
	require.ErrorIs(t, err, ErrBack, "an advance was further")
	require.ErrorContains(t, err, "2026-03-01T12:00:00Z")
	require.Len(t, ticks(t, k, 0), 2, "a refused advance appends nothing")
}

func TestRefusesTheLiveClock(t *testing.T) {
	k, r := broker(t), request(noon)
	r.Genesis.Clock = ledger.Clock_CLOCK_LIVE
	require.ErrorIs(t, r.Run(t.Context(), k), ErrLiveClock)
	require.Len(t, ticks(t, k, 0), 1)
}

func TestNamesTheInputThatIsNotRead(t *testing.T) {
	k := broker(t)
	for range 2 {
		produce(t, k, "purchases", 1, []byte("{}"))
	}
	r := request(noon)
	now := noon
	r.Now = func() time.Time { now = now.Add(time.Minute); return now } // so that the wait is over at the first look
	r.Timeout = time.Second
	err := r.Run(t.Context(), k)
	require.ErrorIs(t, err, ErrUnread)
	require.ErrorContains(t, err, "purchases/1 is read up to 0 of 2")
	require.Len(t, ticks(t, k, 0), 1)

	commit := func(offset int64) {
		at := kafka.TopicPartitionOffset{Topic: "purchases", Partition: 1, Offset: offset}
		require.NoError(t, k.CommitOffsets(t.Context(), intake.Group("test"), []kafka.TopicPartitionOffset{at}))
	}
	commit(1)
	require.ErrorContains(t, r.Run(t.Context(), k), "purchases/1 is read up to 1 of 2")
	commit(2)
	require.NoError(t, r.Run(t.Context(), k))
	require.Len(t, ticks(t, k, 0), 2)
}

func TestNeedsItsInputsAndATick(t *testing.T) {
	k, r := broker(t), request(noon)
	r.Inputs = append(r.Inputs, "refunds")
	require.ErrorIs(t, r.Run(t.Context(), k), topics.ErrNoTopic)
	r = request(noon)
	bounds, err := k.ListOffsets(t.Context(), ledger.Topic("test"), []int32{0})
	require.NoError(t, err)
	require.NoError(t, k.DeleteRecords(t.Context(), ledger.Topic("test"), 0, bounds[0].HighWatermark))
	require.ErrorIs(t, r.Run(t.Context(), k), ErrNoTick)
}
