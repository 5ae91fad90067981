//go:build real

package containers

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// TestCompressedRecordsThatExpand sends batches of a few kilobytes that hold records of 30 MB, and one of 200 MB. The memory of a process
// stays bounded. What fits into the bound of a batch becomes a dead letter; what does not halts the partition, and status says so.
func TestCompressedRecordsThatExpand(t *testing.T) {
	const (
		fitting = 20
		bound   = 256<<20 + 150<<20 // the default of fold.cache_bytes, and what docs/configuration.md allows beside it
	)
	namespace := "expand-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	p := program.With(InputTopics(namespace))
	_, _, err := p.Do(t.Context(), "topics", "apply")
	require.NoError(t, err)
	k, err := kafka.New(kafka.Config{Brokers: []string{broker.Address}, ClientID: "expansion", Compression: "zstd"})
	require.NoError(t, err)
	defer k.Close()
	producer, err := k.NewProducer(t.Context())
	require.NoError(t, err)
	send := func(size int) {
		b := kafka.NewBatch(namespace+".purchases", 0)
		b.Append(time.Now().UnixMilli(), nil, bytes.Repeat([]byte{'0'}, size), nil)
		_, err := producer.Produce(t.Context(), []*kafka.Batch{b})
		require.NoError(t, err)
	}
	for range fitting {
		send(30 << 20)
	}
	send(200 << 20)

	process, err := p.Run(t.Context())
	require.NoError(t, err)
	defer process.Kill()
	_, err = process.Await(t.Context(), "input partition halted")
	require.NoError(t, err)
	peak, err := process.PeakMemory()
	require.NoError(t, err)
	t.Logf("peak of resident memory: %d MB", peak>>20)
	require.Less(t, peak, int64(bound))
	require.Eventually(t, func() bool {
		letters, err := k.ListOffsets(t.Context(), namespace+".purchases.dlq", []int32{0})
		return err == nil && letters[0].LastStable == fitting
	}, time.Minute, 100*time.Millisecond, "what fits becomes a dead letter")

	out, code, err := p.Do(t.Context(), "status", "--http", process.HTTP)
	require.Equal(t, 3, code, "%v", err)
	require.Contains(t, string(out), "Not healthy: input "+namespace+".purchases/0 is halted: input_unreadable")
	require.NotContains(t, string(out), "does not answer")
}
