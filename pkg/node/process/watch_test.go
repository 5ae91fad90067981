package process

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/failure"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

// fakeServer is a server whose probes return err, after delay.
type fakeServer struct {
	mu sync.Mutex
	serverFault
}

type serverFault struct {
	err   error
	delay time.Duration
}

func (s *fakeServer) set(f serverFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serverFault = f
}

func (s *fakeServer) probe(ctx context.Context) error {
	s.mu.Lock()
	f := s.serverFault
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(f.delay):
		return f.err
	}
}

// watched runs a test in a bubble with a watch of a server.
func watched(t *testing.T, test func(s *fakeServer, w *watch, log *observer.ObservedLogs)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, log := observer.New(zap.DebugLevel)
		s := &fakeServer{}
		m := telemetry.NewRedis(prometheus.NewRegistry(), func() telemetry.PoolStats { return telemetry.PoolStats{} }, failure.Names(failure.Redis())...)
		w := newWatch("redis", "redis.addresses", s.probe, failure.OfRedis, &m.Reachability, zap.New(core))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go w.run(ctx)
		time.Sleep(time.Minute)
		require.Zero(t, log.Len(), "a server that works is not worth a line")
		test(s, w, log)
	})
}

func TestAnOutageIsLoggedOnceWithinFiveSecondsAndOnceAtItsEnd(t *testing.T) {
	for name, fault := range map[string]serverFault{
		"refused":   {err: errors.New("connection refused")},
		"no answer": {delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			watched(t, func(s *fakeServer, w *watch, log *observer.ObservedLogs) {
				s.set(fault)
				time.Sleep(5 * time.Second)
				require.Len(t, log.FilterMessage("redis fails").All(), 1)
				require.Equal(t, "redis_unreachable", log.All()[0].ContextMap()["cause"])
				require.ErrorContains(t, w.failing(), "redis_unreachable for ")
				require.Zero(t, testutil.ToFloat64(w.metrics.Up))
				time.Sleep(12 * time.Hour)
				require.Equal(t, 1, log.Len(), "no flood")
				require.Greater(t, testutil.ToFloat64(w.metrics.Errors.WithLabelValues("redis_unreachable")), 10_000.0)

				s.set(serverFault{})
				time.Sleep(5 * time.Second)
				require.Equal(t, 2, log.Len())
				end := log.FilterMessage("redis works again").All()
				require.Len(t, end, 1)
				require.InDelta(t, 12*time.Hour, end[0].ContextMap()["after"], float64(10*time.Second))
				require.NoError(t, w.failing())
				require.InDelta(t, 1, testutil.ToFloat64(w.metrics.Up), 0)
			})
		})
	}
}

func TestOneFailedProbeIsNoOutage(t *testing.T) {
	watched(t, func(s *fakeServer, w *watch, log *observer.ObservedLogs) {
		s.set(serverFault{err: errors.New("connection reset")})
		for testutil.ToFloat64(w.metrics.Errors.WithLabelValues("redis_unreachable")) == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		s.set(serverFault{err: nil})
		time.Sleep(time.Minute)
		require.Zero(t, log.Len())
		require.NoError(t, w.failing())
	})
}

func TestAnotherCauseIsLogged(t *testing.T) {
	watched(t, func(s *fakeServer, w *watch, log *observer.ObservedLogs) {
		s.set(serverFault{err: errors.New("connection refused")})
		time.Sleep(time.Minute)
		s.set(serverFault{err: redis.ErrFull})
		time.Sleep(time.Minute)
		require.Equal(t, 2, log.Len())
		require.Equal(t, "redis_full", log.All()[1].ContextMap()["cause"])
		require.ErrorContains(t, w.failing(), "redis_full for ")
		require.InDelta(t, 2*time.Minute, w.now().Sub(w.since), float64(5*time.Second), "the outage began with the first cause")
	})
}

func TestPartitionsThatMakeNoProgressAreCountedByCause(t *testing.T) {
	var s stalls
	s.add(9*time.Second, failure.RedisFull, "a rebalance takes as long")
	s.add(30*time.Second, failure.RedisFull, "OOM")
	s.add(90*time.Second, failure.RedisFull, "OOM for long")
	s.add(30*time.Second, "", "")
	require.Equal(t, []string{"2 of 4 ledger partitions have made no progress for 1m30s: redis_full: OOM for long"}, texts(s.errors("ledger", nil)))
	s.add(2*time.Minute, "", "")
	require.Len(t, s.errors("ledger", nil), 2, "one hangs")
	require.Equal(t, []string{"5 ledger partitions wait: not joined"}, texts(s.errors("ledger", errors.New("not joined"))), "the process owns none of them")
}

func texts(all []error) []string {
	var lines []string
	for _, err := range all {
		lines = append(lines, err.Error())
	}
	return lines
}
