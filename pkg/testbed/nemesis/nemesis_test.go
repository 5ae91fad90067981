//go:build real

package nemesis

import (
	"context"
	"errors"
	"flag"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/testbed/containers"
)

var (
	seedFlag   = flag.Uint64("seed", 0, "seed of the shop and of the faults; 0: from the clock")
	faultsFlag = flag.Int("faults", 5, "number of faults of each set of servers")
)

func TestRedisCluster(t *testing.T) { inject(t, config(t, RedisCluster())) }

func TestSentinels(t *testing.T) { inject(t, config(t, Sentinels())) }

func TestKafkaBrokers(t *testing.T) { inject(t, config(t, KafkaBrokers())) }

// TestUncleanElection loses records of one kind of topic, on brokers that nothing has happened to before.
func TestUncleanElection(t *testing.T) {
	c := config(t, KafkaBrokers())
	c.Faults = 0
	losing := LosingTopics()
	c.Losing = []string{losing[c.Seed%uint64(len(losing))]}
	inject(t, c)
}

// TestSoak is a soak of seconds.
func TestSoak(t *testing.T) {
	const kills = 12
	c := config(t, Soak(kills))
	c.Events = kills * 1000
	inject(t, c)
}

func inject(t *testing.T, c Config) {
	t.Helper()
	_, err := Run(bounded(t), c, nil)
	require.NoError(t, err)
}

// config is that of a few faults.
func config(t *testing.T, set Set) Config {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	path, err := containers.Build(t.Context(), t.TempDir())
	require.NoError(t, err)
	return Config{Set: set, Faults: *faultsFlag, Seed: seed, Rate: 300, Program: path, Log: t.Logf}
}

// bounded is a context that ends with a signal, and before the testing package would panic: no container and no process may remain.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGINT, syscall.SIGTERM)
	t.Cleanup(stop)
	if end, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, end.Add(-30*time.Second), errors.New("the test timed out"))
		t.Cleanup(cancel)
	}
	return ctx
}
