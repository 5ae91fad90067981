package faulttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// A broker refuses a record that is stamped more than an hour ahead of its own clock, unless the topic has LogAppendTime. Nothing that a
// fold publishes bears the time of its machine, so a clock that is wrong stops nothing, also where the output topics were made by hand.
func TestClockAheadStampsNoOutput(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var names []string
		var specs []kafka.TopicSpec
		for topic := range output.Topics {
			name := topic.Name(w.cfg.Namespace)
			names = append(names, name)
			specs = append(specs, kafka.TopicSpec{Name: name, Partitions: w.genesis.GetPartitions(), Replicas: 1})
		}
		require.NoError(t, w.client.Kafka.DeleteTopics(w.ctx, names))
		require.NoError(t, w.client.Kafka.CreateTopics(w.ctx, specs))
		w.clocksAhead = 2 * time.Hour
		stop := w.startBothRoles()
		for i := range 6 {
			w.purchase(t, i)
		}
		time.Sleep(5 * time.Second)
		stop()
		require.Equal(t, 6, w.orders(t))
		for _, name := range append(names, ledger.Topic(w.cfg.Namespace)) {
			require.NoError(t, w.readAll(name, func(r kafka.Record) error {
				require.LessOrEqual(t, r.Timestamp, time.Now().UnixMilli(), "%s offset %d", name, r.Offset)
				return nil
			}))
		}
	})
}
