package export_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/export"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// outputs appends n outputs to a topic: that of ledger entry i is of customer c<i/10>.
func outputs(t *testing.T, k *kafka.Client, topic, ledgerID string, n int64) {
	t.Helper()
	producer, err := k.NewProducer(t.Context())
	require.NoError(t, err)
	envelope := output.NewEnvelope("test", ledgerID, 0, 1)
	for from := int64(0); from < n; {
		batch := kafka.NewBatch(topic, 0)
		for end := min(from+1000, n); from < end; from++ {
			key := fmt.Sprint("c", from/10)
			headers := envelope.AppendHeaders(nil, &output.Record{Topic: output.CLV, Key: key, Type: output.TypeCLV, Offset: from}, output.Headers{})
			batch.Append(0, []byte(key), []byte("{}"), headers)
		}
		_, err := producer.Produce(t.Context(), []*kafka.Batch{batch})
		require.NoError(t, err)
	}
}

// Changed are exactly those of whom something was published within the offsets, however far back that is; what retention has deleted is
// missed by name.
func TestChanged(t *testing.T) {
	const n = 25_000 // more than one span
	var topics []embedded.Topic
	for _, topic := range output.AnswerTopics() {
		topics = append(topics, embedded.Topic{Name: topic.Name("test"), Partitions: 1})
	}
	e := embedded.StartVirtual(t, embedded.Options{Topics: topics})
	k, err := kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}, Dial: e.DialKafka})
	require.NoError(t, err)
	t.Cleanup(k.Close)
	clv, alerts := output.CLV.Name("test"), output.Alerts.Name("test")
	outputs(t, k, clv, "former", 30) // another ledger had this namespace before
	outputs(t, k, clv, "ledger", n)
	s := &export.FromServers{Kafka: k, Namespace: "test", Genesis: &ledger.Genesis{LedgerId: "ledger"}, Now: time.Now}
	expect := func(from, to int64) {
		t.Helper()
		want := map[string]struct{}{}
		for i := from; i < to; i++ {
			want[fmt.Sprint("c", i/10)] = struct{}{}
		}
		got, err := s.Changed(t.Context(), 0, from, to)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, from := range []int64{0, 5, 20, 12_345, n - 1, n} {
		expect(from, n)
		expect(from, max(from, n-7))
	}
	outputs(t, k, alerts, "ledger", 20) // an alert is a change, too
	expect(15, 30)

	require.NoError(t, k.DeleteRecords(t.Context(), clv, 0, 30+10_000))
	expect(10_001, n)
	_, err = s.Changed(t.Context(), 0, 9_999, n)
	require.ErrorIs(t, err, export.ErrRetention)
	_, err = s.Changed(t.Context(), 0, 10_000, n) // the output before it is deleted, so nothing shows that none is missing
	require.ErrorIs(t, err, export.ErrRetention)
}
