package faulttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// publishedOffsets returns the fold group's offsets by ledger partition.
func (w *world) publishedOffsets(t *testing.T) []kafka.TopicPartitionOffset {
	t.Helper()
	partitions := make([]int32, w.genesis.GetPartitions())
	for p := range partitions {
		partitions[p] = int32(p)
	}
	offsets, err := w.client.Kafka.CommittedOffsets(w.ctx, fold.Group(w.cfg.Namespace), ledger.Topic(w.cfg.Namespace), partitions)
	require.NoError(t, err)
	return offsets
}

// setPublished sets the fold group's offsets, as an operator's tool does: without metadata.
func (w *world) setPublished(t *testing.T, offset func(p int32) int64) {
	t.Helper()
	for p := range w.genesis.GetPartitions() {
		require.NoError(t, w.client.Kafka.CommitOffsets(w.ctx, fold.Group(w.cfg.Namespace), []kafka.TopicPartitionOffset{
			{Topic: ledger.Topic(w.cfg.Namespace), Partition: p, Offset: offset(p)},
		}))
	}
}

func (w *world) ledgerEnd(t *testing.T, p int32) int64 {
	t.Helper()
	bounds, err := w.client.Kafka.ListOffsets(w.ctx, ledger.Topic(w.cfg.Namespace), []int32{p})
	require.NoError(t, err)
	return bounds[p].HighWatermark
}

// loseLedgerTail does what an unclean leader election does: the last entries of each partition are gone, all else is kept.
func (w *world) loseLedgerTail(t *testing.T, entries int64) {
	t.Helper()
	topic, published := ledger.Topic(w.cfg.Namespace), w.publishedOffsets(t)
	kept := map[int32][]kafka.Record{}
	for p := range w.genesis.GetPartitions() {
		end := w.ledgerEnd(t, p) - entries
		_, err := w.client.Kafka.ReadCommitted(w.ctx, topic, p, 0, end, func(r kafka.Record) error {
			kept[p] = append(kept[p], r.Clone())
			return nil
		})
		require.NoError(t, err)
	}
	require.NoError(t, w.client.Kafka.DeleteTopics(w.ctx, []string{topic}))
	require.NoError(t, w.client.Kafka.CreateTopics(w.ctx, []kafka.TopicSpec{{
		Name: topic, Partitions: w.genesis.GetPartitions(), Replicas: 1, Configs: map[string]string{"message.timestamp.type": "LogAppendTime"},
	}}))
	producer, err := w.client.Kafka.NewProducer(w.ctx)
	require.NoError(t, err)
	for p, records := range kept {
		b := kafka.NewBatch(topic, p)
		next := int64(0)
		for _, r := range records {
			for ; next < r.Offset; next++ { // a transaction's marker stood here
				b.Append(0, nil, nil, nil)
			}
			b.Append(r.Timestamp, r.Key, r.Value, r.RawHeaders())
			next++
		}
		_, err := producer.Produce(w.ctx, []*kafka.Batch{b})
		require.NoError(t, err)
	}
	require.NoError(t, w.client.Kafka.CommitOffsets(w.ctx, fold.Group(w.cfg.Namespace), published))
}

// foldUntilHalted runs a fold and returns why its partitions halt.
func (w *world) foldUntilHalted(t *testing.T) map[halt.Reason]bool {
	t.Helper()
	f := w.startProcess("fold")
	time.Sleep(5 * time.Second)
	reasons := foldHalts(f.fold)
	t.Logf("%+v", f.fold.Status())
	f.drain()
	<-f.done
	return reasons
}

// An offset above the ledger's end would hide the outputs of all entries that are appended below it. It halts the partition, also
// after the ledger has grown beyond it, until it is deleted; then nothing is missing and nothing is published twice.
func TestOffsetBeyondLedgerHalts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		stop := w.startBothRoles()
		for i := range 6 {
			w.purchase(t, i)
		}
		time.Sleep(5 * time.Second)
		stop()
		require.Equal(t, 6, w.orders(t))

		w.setPublished(t, func(p int32) int64 { return w.ledgerEnd(t, p) + 3 })
		require.True(t, w.foldUntilHalted(t)[halt.PublishedBeyondLedger])
		in := w.startProcess("intake")
		for i := range 6 {
			w.purchase(t, 6+i)
		}
		time.Sleep(8 * time.Second)
		in.drain()
		<-in.done
		for _, published := range w.publishedOffsets(t) {
			require.Greater(t, w.ledgerEnd(t, published.Partition), published.Offset, "the ledger has grown beyond the offset")
		}
		require.True(t, w.foldUntilHalted(t)[halt.PublishedBeyondLedger])
		require.Equal(t, 6, w.orders(t))

		w.setPublished(t, func(int32) int64 { return -1 })
		stop = w.startBothRoles()
		time.Sleep(5 * time.Second)
		stop()
		require.Equal(t, 12, w.orders(t))
		w.subscriber.checkSequences()
		require.Empty(t, w.subscriber.problems, "no output is missing or published twice")
	})
}

// Entries that Kafka has lost after their outputs were published are not replaced silently by others at the same offsets, whether the
// ledger ends below K or has grown beyond it, and whether or not Redis is as old as what is left of the ledger.
func TestLostLedgerTailHalts(t *testing.T) {
	for name, c := range map[string]struct {
		grown, oldRedis bool
		reason          halt.Reason
	}{
		"shorter":                {false, true, halt.PublishedBeyondLedger},
		"shorter than Redis":     {false, false, halt.LedgerRecreated},
		"grown again":            {true, true, halt.LedgerRecreated},
		"grown again over Redis": {true, false, halt.LedgerRecreated},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				stop := w.startBothRoles()
				w.purchase(t, 1)
				time.Sleep(5 * time.Second)
				stop()
				before, err := w.env.Copy()
				require.NoError(t, err)
				stop = w.startBothRoles()
				for i := range 6 {
					w.purchase(t, 10+i)
				}
				time.Sleep(5 * time.Second)
				stop()
				w.loseLedgerTail(t, 6)
				if c.oldRedis {
					require.NoError(t, w.env.Restore(before))
				}
				if c.grown {
					in := w.startProcess("intake")
					for i := range 18 {
						w.purchase(t, 20+i)
					}
					time.Sleep(8 * time.Second)
					in.drain()
					<-in.done
					for _, published := range w.publishedOffsets(t) {
						require.Greater(t, w.ledgerEnd(t, published.Partition), published.Offset)
					}
				}
				require.True(t, w.foldUntilHalted(t)[c.reason])
			})
		})
	}
}
