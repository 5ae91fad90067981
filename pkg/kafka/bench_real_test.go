//go:build real

package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkOnKafka times one transaction of 800 records on 8 partitions with its offset, and then reading all of them.
func BenchmarkOnKafka(b *testing.B) {
	e := realKafka(b)
	c, err := New(Config{Brokers: e.brokers})
	require.NoError(b, err)
	b.Cleanup(c.Close)
	for _, size := range []int{800, 8000} {
		topic, id := name("bench"), name("id")
		ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
		defer cancel()
		require.NoError(b, c.CreateTopics(ctx, []TopicSpec{{Name: topic, Partitions: 8, Replicas: 1}}))
		written := 0
		x, err := c.OpenTransactional(ctx, id, 10*time.Second)
		require.NoError(b, err)
		var batches []*Batch
		for p := range int32(8) {
			batches = append(batches, NewBatch(topic, p))
		}
		key, value := []byte("customer-12345"), make([]byte, 190)
		b.Run("publish", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for p, batch := range batches {
					batch.Reset()
					for i := range size / 8 {
						batch.Append(int64(i+p), key, value, nil)
					}
				}
				require.NoError(b, x.Publish(ctx, Transaction{Batches: batches, Group: id, Topic: topic, Offset: int64(written)}))
				written += size
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "records/s")
		})
		b.Run("fetch", func(b *testing.B) {
			b.ReportAllocs()
			total := 0
			for b.Loop() {
				f := c.NewFetcher(FetcherConfig{})
				for p := range int32(8) {
					f.Assign(topic, p, 0)
				}
				for n := 0; n < written; {
					got, err := f.Fetch(ctx, 100*time.Millisecond, 1<<20)
					require.NoError(b, err)
					for _, g := range got {
						require.NoError(b, g.Err)
						n += len(g.Records)
						total += len(g.Records)
					}
				}
			}
			b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
