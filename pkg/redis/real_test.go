//go:build real

package redis_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	own "github.com/mainstay/mainstay/pkg/redis"
)

// address returns a real Redis that may be emptied: the one that MAINSTAY_TEST_REDIS names, or one in a container.
func address(t testing.TB, arguments ...string) string {
	t.Helper()
	if there := os.Getenv("MAINSTAY_TEST_REDIS"); there != "" && len(arguments) == 0 {
		return there
	}
	container, err := testcontainers.GenericContainer(t.Context(), testcontainers.GenericContainerRequest{
		ContainerRequest: testcontainers.ContainerRequest{
			Image: "redis:8.0", ExposedPorts: []string{"6379/tcp"}, WaitingFor: wait.ForListeningPort("6379/tcp"),
			Cmd: append([]string{"redis-server"}, arguments...), Labels: labels(),
		},
		Started: true,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = container.Terminate(context.Background()) })
	endpoint, err := container.PortEndpoint(t.Context(), "6379/tcp", "")
	require.NoError(t, err)
	return endpoint
}

// labels are those by which what a killed test has left behind is known (see MAINSTAY_TEST_RUN in .ci/run).
func labels() map[string]string {
	if run := os.Getenv("MAINSTAY_TEST_RUN"); run != "" {
		return map[string]string{"mainstay.run": run}
	}
	return nil
}

func TestRealRedis(t *testing.T) {
	at := address(t)
	conformance(t, func(t *testing.T, part func(*testing.T, world)) {
		part(t, realWorld(t, own.Config{Addresses: []string{at}}, at))
	})
}

// One node with all slots: what differs in a cluster is how the client finds it.
func TestRealCluster(t *testing.T) {
	at := address(t, "--cluster-enabled", "yes")
	direct := redis.NewClient(&redis.Options{Addr: at})
	defer closed(t, direct)
	require.NoError(t, direct.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err())
	require.Eventually(t, func() bool {
		return direct.Set(t.Context(), "probe", "", 0).Err() == nil
	}, 20*time.Second, 50*time.Millisecond)
	config := own.Config{
		Addresses: []string{at}, Mode: own.ModeCluster,
		// The node announces the address that it has inside its container.
		Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, at)
		},
	}
	conformance(t, func(t *testing.T, part func(*testing.T, world)) { part(t, realWorld(t, config, at)) })

	client, err := own.New(config)
	require.NoError(t, err)
	defer closed(t, client)
	found, err := client.Check(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, found)
}

func realWorld(t *testing.T, config own.Config, at string) world {
	direct := redis.NewClient(&redis.Options{Addr: at})
	t.Cleanup(func() { require.NoError(t, direct.Close()) })
	ctx := context.Background()
	require.NoError(t, direct.FlushAll(ctx).Err())
	keys := func(t *testing.T) []string {
		all, err := direct.Keys(ctx, "*").Result()
		require.NoError(t, err)
		return all
	}
	return world{
		config: config,
		copy: func(t *testing.T) func() {
			dumps := make(map[string]string)
			for _, key := range keys(t) {
				dump, err := direct.Dump(ctx, key).Result()
				require.NoError(t, err)
				dumps[key] = dump
			}
			return func() {
				require.NoError(t, direct.FlushAll(ctx).Err())
				for key, dump := range dumps {
					require.NoError(t, direct.Restore(ctx, key, 0, dump).Err())
				}
			}
		},
		empty: func(t *testing.T) { require.NoError(t, direct.FlushAll(ctx).Err()) },
		keys:  keys,
		spoil: func(t *testing.T, key string) { require.NoError(t, direct.Set(ctx, key, "of another type", 0).Err()) },
		outside: func(t *testing.T, command ...string) {
			arguments := make([]any, len(command))
			for i, c := range command {
				arguments[i] = c
			}
			require.NoError(t, direct.Do(ctx, arguments...).Err())
		},
		swap: func(t *testing.T, key, first, second string) {
			values, err := direct.HMGet(ctx, key, first, second).Result()
			require.NoError(t, err)
			require.NoError(t, direct.HSet(ctx, key, first, values[1], second, values[0]).Err())
		},
	}
}

func TestRealCheck(t *testing.T) {
	at := address(t, "--save", "", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	direct := redis.NewClient(&redis.Options{Addr: at})
	defer closed(t, direct)
	check := func(config own.Config) map[string]own.Severity {
		config.Addresses = []string{at}
		client, err := own.New(config)
		require.NoError(t, err)
		defer closed(t, client)
		found, err := client.Check(t.Context())
		require.NoError(t, err)
		by := make(map[string]own.Severity)
		for _, f := range found {
			require.Equal(t, at, f.Server)
			by[f.Code] = f.Severity
		}
		return by
	}
	require.Equal(t, map[string]own.Severity{"policy_evicts": own.SeverityRefuse, "persistence_off": own.SeverityWarn, "version": own.SeverityNote}, check(own.Config{}))
	require.NoError(t, direct.ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err())
	require.NoError(t, direct.ConfigSet(t.Context(), "appendonly", "yes").Err())
	require.Equal(t, map[string]own.Severity{"version": own.SeverityNote}, check(own.Config{}))

	password := func() (string, error) { return "secret", nil }
	require.NoError(t, direct.Do(t.Context(), "ACL", "SETUSER", "poor", "on", ">secret", "~*", "+@all", "-config", "-info").Err())
	require.Equal(t, map[string]own.Severity{"info_unreadable": own.SeverityWarn, "policy_unknown": own.SeverityWarn},
		check(own.Config{Username: "poor", Password: password}))
	client, err := own.New(own.Config{Addresses: []string{at}, Username: "poor", Password: func() (string, error) { return "wrong", nil }})
	require.NoError(t, err)
	defer closed(t, client)
	_, err = client.Check(t.Context())
	require.ErrorIs(t, err, own.ErrDenied)
	require.NotContains(t, err.Error(), "wrong ")

	// A full Redis refuses the commit as a whole, and takes it once there is room.
	require.NoError(t, direct.ConfigSet(t.Context(), "maxmemory", "1").Err())
	full, err := own.New(own.Config{Addresses: []string{at}})
	require.NoError(t, err)
	defer closed(t, full)
	p := full.Partition("test", 0, 1)
	_, err = p.Claim(t.Context(), "a")
	require.ErrorIs(t, err, own.ErrUnavailable)
	require.ErrorIs(t, err, own.ErrFull)
	require.ErrorContains(t, err, "hset was refused: OOM", "EXECABORT alone says nothing")
	require.NoError(t, direct.ConfigSet(t.Context(), "maxmemory", "0").Err())
	_, err = p.Claim(t.Context(), "a")
	require.NoError(t, err)
	require.NoError(t, p.BeginSnapshot(t.Context(), "ledger", "s1", "c0", 1))
	require.NoError(t, direct.ConfigSet(t.Context(), "maxmemory", "1").Err())
	commit := own.Commit{Offset: 1, CommitID: "c1", Customers: blobs("x", "1")}
	require.ErrorIs(t, p.Commit(t.Context(), commit), own.ErrFull)
	require.NoError(t, direct.ConfigSet(t.Context(), "maxmemory", "0").Err())
	require.NoError(t, p.Commit(t.Context(), commit))
}

// There is room for one snapshot: a rebuild deletes the former one first. And if a snapshot that is torn fills Redis, so that it does not
// even accept the token of a claim, the claim deletes it.
func TestRealRebuildInAFullRedis(t *testing.T) {
	at := address(t, "--save", "", "--maxmemory", "30mb", "--maxmemory-policy", "noeviction")
	client, err := own.New(own.Config{Addresses: []string{at}})
	require.NoError(t, err)
	defer closed(t, client)
	direct := redis.NewClient(&redis.Options{Addr: at})
	defer closed(t, direct)
	fill := func(p *own.Partition, tag string, commits int) error {
		for c := range commits {
			commit := own.Commit{Offset: int64(c) + 1, CommitID: fmt.Sprint(tag, c), State: []byte("s")}
			for i := range 1000 {
				commit.Customers = append(commit.Customers, own.Blob{ID: fmt.Sprintf("customer-%d-%d", c, i), Value: []byte(strings.Repeat(tag, 150))})
			}
			if err := p.Commit(t.Context(), commit); err != nil {
				return err
			}
		}
		return nil
	}
	p := client.Partition("test", 0, 1)
	_, err = p.Claim(t.Context(), "t0")
	require.NoError(t, err)
	for n := range 3 {
		require.NoError(t, p.BeginSnapshot(t.Context(), "ledger", fmt.Sprint("s", n), fmt.Sprint("begin", n), 1))
		require.NoError(t, fill(p, fmt.Sprint(n), 70), "snapshot %d", n)
	}

	require.ErrorIs(t, fill(p, "3", 200), own.ErrTorn, "the first of them contradicts the count")
	require.NoError(t, direct.ConfigSet(t.Context(), "maxmemory", "10mb").Err())
	require.ErrorContains(t, direct.Set(t.Context(), "probe", "x", 0).Err(), "OOM")
	var meta own.Meta
	require.Eventually(t, func() bool { // Redis frees memory in the background
		meta, err = p.Claim(t.Context(), "t1")
		return err == nil
	}, 20*time.Second, 50*time.Millisecond)
	require.False(t, meta.Exists)
	require.NoError(t, p.BeginSnapshot(t.Context(), "ledger", "s4", "begin4", 1))
	require.NoError(t, fill(p, "4", 10))
}
