package shopfeed

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/sandbox/shop"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// market is a Kafka with the input topics, and a ledger that was created two days before noon.
func market(t *testing.T) *kafka.Client {
	t.Helper()
	inputs := []embedded.Topic{{Name: ledger.Topic("mainstay"), Partitions: 1}}
	for name, partitions := range map[string]int32{"sales": 3, "cancellations": 2, "referrals": 1, "surveys": 2} {
		inputs = append(inputs, embedded.Topic{Name: name, Partitions: partitions})
	}
	e, err := embedded.Start(t.Context(), embedded.Options{Kafka: true, Topics: inputs})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	k, err := kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}})
	require.NoError(t, err)
	t.Cleanup(k.Close)
	producer, err := k.NewProducer(t.Context())
	require.NoError(t, err)
	first := kafka.NewBatch(ledger.Topic("mainstay"), 0)
	first.Append(noon.Add(-2*day).UnixMilli(), nil, []byte("genesis"), nil)
	_, err = producer.Produce(t.Context(), []*kafka.Batch{first})
	require.NoError(t, err)
	return k
}

func simulation() *Feed {
	return &Feed{
		Namespace: "mainstay", Genesis: &ledger.Genesis{Currency: "EUR"}, Customers: 60, Days: 200, Seed: 3,
		Topics: map[event.Kind]string{event.Purchase: "sales", event.Cancellation: "cancellations", event.Referral: "referrals", event.Survey: "surveys"},
		Now:    func() time.Time { return noon },
	}
}

// events returns the events of the shop before noon, by topic.
func events(t *testing.T, s *Feed) (byTopic map[string]map[string]int, events int64) {
	t.Helper()
	created := noon.Add(-2 * day).Truncate(day)
	all, err := shop.New(shop.Config{Seed: s.Seed, Customers: s.Customers, Days: s.Days + 365, Start: created.Add(-time.Duration(s.Days) * day), Currency: "EUR"})
	require.NoError(t, err)
	byTopic = map[string]map[string]int{"sales": {}, "cancellations": {}, "referrals": {}, "surveys": {}}
	for e := range all.Events() {
		if !e.At.After(noon) {
			byTopic[s.Topics[e.Kind]][string(e.Value)]++
			events++
		}
	}
	require.Greater(t, events, int64(100))
	return byTopic, events
}

// lying is what lies in the input topics.
func lying(t *testing.T, k *kafka.Client) map[string]map[string]int {
	t.Helper()
	byTopic := map[string]map[string]int{}
	for topic, partitions := range map[string]int32{"sales": 3, "cancellations": 2, "referrals": 1, "surveys": 2} {
		byTopic[topic] = map[string]int{}
		for p := range partitions {
			bounds, err := k.ListOffsets(t.Context(), topic, []int32{p})
			require.NoError(t, err)
			_, err = k.ReadCommitted(t.Context(), topic, p, 0, bounds[p].LastStable, func(r kafka.Record) error {
				byTopic[topic][string(r.Value)]++
				require.Equal(t, noon.UnixMilli(), r.Timestamp)
				if r.Key != nil {
					require.Equal(t, murmur2.PartitionFor(r.Key, partitions), p)
				}
				return nil
			})
			require.NoError(t, err)
		}
	}
	return byTopic
}

func TestASimulationTellsALedgerOneStory(t *testing.T) {
	k, s := market(t), simulation()
	want, events := events(t, s)
	progress, err := s.Run(t.Context(), k, nil)
	require.NoError(t, err)
	require.Equal(t, events, progress.Events)
	require.True(t, progress.CaughtUp)
	require.Equal(t, noon, progress.To)
	require.Equal(t, want, lying(t, k))

	s.Rate = 1_000_000 // in small parts
	_, err = s.Run(t.Context(), k, nil)
	require.NoError(t, err)
	for _, values := range want {
		for v := range values {
			values[v] *= 2
		}
	}
	require.Equal(t, want, lying(t, k), "the same events, known by their identities")
}

func TestASimulationThatStaysEndsInOrder(t *testing.T) {
	k, s := market(t), simulation()
	_, events := events(t, s)
	stopping := make(chan struct{})
	s.Stay, s.OnProgress = true, func(t Progress) {
		if t.CaughtUp {
			close(stopping)
		}
	}
	progress, err := s.Run(t.Context(), k, stopping)
	require.NoError(t, err)
	require.Equal(t, events, progress.Events)
}

func TestASimulationIsStoppedInTheMiddle(t *testing.T) {
	k, s := market(t), simulation()
	_, events := events(t, s)
	stopping := make(chan struct{})
	s.Rate, s.OnProgress = 400, func(t Progress) {
		if t.Events == 40 {
			close(stopping)
		}
	}
	progress, err := s.Run(t.Context(), k, stopping)
	require.NoError(t, err)
	require.Equal(t, int64(40), progress.Events)
	require.Less(t, progress.Events, events)
	there := int64(0)
	for _, values := range lying(t, k) {
		for _, n := range values {
			there += int64(n)
		}
	}
	require.Equal(t, progress.Events, there, "what was begun is there, and no more")
}

func TestASimulationNeedsItsTopicsAndALedger(t *testing.T) {
	k, s := market(t), simulation()
	s.Topics[event.Survey] = "answers"
	_, err := s.Run(t.Context(), k, nil)
	require.ErrorIs(t, err, topics.ErrNoTopic)
	s = simulation()
	s.Genesis = &ledger.Genesis{Currency: "XXQ"}
	_, err = s.Run(t.Context(), k, nil)
	require.ErrorContains(t, err, "Currency")
}
