package consumer_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/consumer"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

const topic = "numbers"

// member is a consumer with a worker per partition that records which partitions are being served.
type member struct {
	*consumer.Consumer
	metrics *telemetry.Consumer
	result  chan error

	mu      sync.Mutex
	serving []int32
}

// cluster has one topic of three partitions.
func cluster(t *testing.T) *kafka.Client {
	t.Helper()
	e := embedded.StartVirtual(t, embedded.Options{Topics: []embedded.Topic{{Name: topic, Partitions: 3}}})
	client, err := kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}, Dial: e.DialKafka})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// join starts a member. Its workers call work, or wait for their context or a drain if that is nil.
func join(ctx context.Context, k *kafka.Client, work func(ctx context.Context, c *consumer.Consumer, partition int32)) *member {
	metrics := telemetry.NewIntake(prometheus.NewRegistry())
	m := &member{metrics: &metrics.Consumer, result: make(chan error, 1)}
	m.Consumer = consumer.New("test", kafka.GroupConfig{ID: "g", Topics: []string{topic}, SessionTimeout: 6 * time.Second}, k, m.metrics, zap.NewNop())
	if work == nil {
		work = func(ctx context.Context, c *consumer.Consumer, _ int32) {
			select {
			case <-ctx.Done():
			case <-c.Drained():
			}
		}
	}
	go func() {
		m.result <- m.Run(ctx, func(gen *kafka.Generation) []consumer.Worker {
			var workers []consumer.Worker
			for _, p := range gen.Assignments[topic] {
				workers = append(workers, func(ctx context.Context) {
					m.serve(p, true)
					defer m.serve(p, false)
					work(ctx, m.Consumer, p)
				})
			}
			return workers
		})
	}()
	return m
}

func (m *member) serve(partition int32, begin bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if begin {
		m.serving = append(m.serving, partition)
	} else {
		m.serving = slices.DeleteFunc(m.serving, func(p int32) bool { return p == partition })
	}
}

func (m *member) partitions() []int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(slices.Values(m.serving))
}

// TestDrainHandsPartitionsOver: a drained member leaves the group, so that the other one has all partitions before the
// session of the first could have timed out.
func TestDrainHandsPartitionsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := cluster(t)
		first := join(t.Context(), k, nil)
		second := join(t.Context(), k, nil)
		time.Sleep(20 * time.Second)
		require.Len(t, append(first.partitions(), second.partitions()...), 3)
		require.NotEmpty(t, first.partitions())
		require.NotEmpty(t, second.partitions())
		require.InDelta(t, len(first.partitions()), testutil.ToFloat64(first.metrics.AssignedPartitions), 0)

		first.Drain()
		require.NoError(t, <-first.result)
		require.Empty(t, first.partitions())
		require.Zero(t, testutil.ToFloat64(first.metrics.AssignedPartitions))
		time.Sleep(5 * time.Second)
		require.Equal(t, []int32{0, 1, 2}, second.partitions())

		second.Drain()
		require.NoError(t, <-second.result)
	})
}

// TestAWorkerThatReturnsFirstEndsNoOther: workers take different times to drain, and none loses its generation before it is
// done.
func TestAWorkerThatReturnsFirstEndsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var interrupted []int32
		m := join(t.Context(), cluster(t), func(ctx context.Context, c *consumer.Consumer, partition int32) {
			<-c.Drained()
			time.Sleep(time.Duration(partition) * time.Second)
			if ctx.Err() != nil {
				mu.Lock()
				defer mu.Unlock()
				interrupted = append(interrupted, partition)
			}
		})
		time.Sleep(10 * time.Second)
		require.Equal(t, []int32{0, 1, 2}, m.partitions())
		m.Drain()
		require.NoError(t, <-m.result)
		require.Empty(t, interrupted)
	})
}

// TestTheEndOfTheContextEndsTheWorkers, also those that do not look at a drain.
func TestTheEndOfTheContextEndsTheWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		m := join(ctx, cluster(t), func(ctx context.Context, _ *consumer.Consumer, _ int32) { <-ctx.Done() })
		time.Sleep(10 * time.Second)
		require.Equal(t, []int32{0, 1, 2}, m.partitions())
		cancel()
		require.ErrorIs(t, <-m.result, context.Canceled)
		require.Empty(t, m.partitions())
	})
}

// TestAMemberWithoutPartitionsDrains: a group with more members than partitions.
func TestAMemberWithoutPartitionsDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := cluster(t)
		var members []*member
		for range 4 {
			members = append(members, join(t.Context(), k, nil))
		}
		time.Sleep(30 * time.Second)
		idle := slices.IndexFunc(members, func(m *member) bool { return len(m.partitions()) == 0 })
		require.NotEqual(t, -1, idle)
		members[idle].Drain()
		require.NoError(t, <-members[idle].result)
		for i, m := range members {
			if i != idle {
				m.Drain()
				require.NoError(t, <-m.result)
			}
		}
	})
}

func TestPauseEndsWithADrainAndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := consumer.New("test", kafka.GroupConfig{}, nil, nil, zap.NewNop())
		require.True(t, c.Pause(t.Context(), time.Minute))
		require.Equal(t, time.Minute, time.Since(began))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.False(t, c.Pause(ended, time.Minute))
		c.Drain()
		require.False(t, c.Pause(t.Context(), time.Minute))
		require.Equal(t, time.Minute, time.Since(began))
	})
}

// Each cause has its own pauses, which nothing but its own absence shortens.
func TestBackoffs(t *testing.T) {
	var b consumer.Backoffs
	now := time.Unix(0, 0)
	var pauses []time.Duration
	for range 6 {
		pauses = append(pauses, b.Next("refused", 300*time.Millisecond, now))
		require.Equal(t, consumer.FirstPause, b.Next(now.String(), time.Minute, now), "another cause")
		now = now.Add(time.Second)
	}
	require.Equal(t, []time.Duration{20, 40, 80, 160, 300, 300}, func() (ms []time.Duration) {
		for _, p := range pauses {
			ms = append(ms, p/time.Millisecond)
		}
		return ms
	}())
	require.Equal(t, consumer.FirstPause, b.Next("refused", time.Second, now.Add(2*time.Minute)), "it had not occurred for long")
}
