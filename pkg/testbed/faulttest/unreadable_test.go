package faulttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/pkg/stream/intake"
)

// A batch that cannot be read halts its input partition: its records are unknown. The other partitions are read on, and this
// one is after the operator has set the offset behind the batch.
func TestUnreadableBatchHalts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		producer, err := w.client.Kafka.NewProducer(w.ctx)
		require.NoError(t, err)
		b := kafka.NewBatch("purchases", 0)
		b.Append(time.Now().UnixMilli(), nil, make([]byte, 33<<20), nil) // the client compresses it
		_, err = producer.Produce(w.ctx, []*kafka.Batch{b})
		require.NoError(t, err)
		stop := w.startBothRoles()
		for i := range 12 {
			w.purchase(t, i)
		}
		time.Sleep(5 * time.Second)
		stop()
		read := w.orders(t)
		require.Positive(t, read, "the other partitions are read")
		require.Less(t, read, 12)

		in := w.startProcess("intake")
		time.Sleep(3 * time.Second)
		require.Equal(t, map[halt.Reason]bool{halt.InputUnreadable: true}, inputHalts(in.intake), "%v", in.intake.Status())
		time.Sleep(35 * time.Second) // a halted partition is looked at again after half a minute, and stays halted
		require.Equal(t, map[halt.Reason]bool{halt.InputUnreadable: true}, inputHalts(in.intake), "%v", in.intake.Status())
		in.drain()
		<-in.done

		require.NoError(t, w.client.Kafka.CommitOffsets(w.ctx, intake.Group(w.cfg.Namespace), []kafka.TopicPartitionOffset{{Topic: "purchases", Partition: 0, Offset: 1}}))
		stop = w.startBothRoles()
		time.Sleep(8 * time.Second)
		stop()
		require.Equal(t, 12, w.orders(t))
	})
}
