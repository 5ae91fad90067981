package topics

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
)

// Dead letters are kept for 30 days, and a topic that keeps them for ever is reported.
func TestDeadLettersAreNotKeptForEver(t *testing.T) {
	e, err := embedded.Start(t.Context(), embedded.Options{Kafka: true})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	k, err := kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}})
	require.NoError(t, err)
	t.Cleanup(k.Close)
	c := Config{Namespace: "test", DeadLetters: []string{"made.dlq", "old.dlq"}, InputPartitions: 1, Partitions: 1, Retention: 24 * time.Hour, DeadLetterBytes: 1 << 20}
	var made []kafka.TopicSpec
	for _, w := range c.All() {
		if w.Name == "old.dlq" {
			w.Configs["retention.ms"] = "-1"
		}
		made = append(made, w.TopicSpec)
	}
	require.NoError(t, k.CreateTopics(t.Context(), made))
	configs, err := k.TopicConfigs(t.Context(), []string{"made.dlq"})
	require.NoError(t, err)
	require.Equal(t, "2592000000", configs["made.dlq"]["retention.ms"])
	_, findings, err := Plan(t.Context(), k, c)
	require.NoError(t, err)
	var about []string
	for _, f := range findings {
		if strings.Contains(f.Text, "retention.ms") {
			require.False(t, f.Fatal)
			about = append(about, f.Topic)
		}
	}
	require.Equal(t, []string{"old.dlq"}, about)
}

// An output topic that refuses batches of the size that a fold sends is named before it halts a partition.
func TestOutputsMayBeAsLargeAsABatch(t *testing.T) {
	for n, fatal := range map[string]bool{"1048588": false, "1048576": false, "500000": true} {
		found := differences(Wanted{Kind: Output}, map[string]string{"retention.ms": "-1", "cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime", "max.message.bytes": n})
		require.Equal(t, fatal, len(found) == 1 && found[0].Fatal, "%s: %v", n, found)
	}
}
