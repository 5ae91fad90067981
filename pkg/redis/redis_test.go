package redis_test

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
)

func closed(t testing.TB, c io.Closer) {
	t.Helper()
	require.NoError(t, c.Close())
}

func TestConfigErrors(t *testing.T) {
	for name, c := range map[string]struct {
		config redis.Config
		says   string
	}{
		"no address":       {redis.Config{}, "redis.addresses"},
		"several, single":  {redis.Config{Addresses: []string{"a:1", "b:1"}}, "2 addresses for a single server"},
		"unknown mode":     {redis.Config{Addresses: []string{"a:1"}, Mode: "ring"}, "single, cluster, sentinel"},
		"nameless master":  {redis.Config{Addresses: []string{"a:1"}, Mode: redis.ModeSentinel}, "redis.master_name"},
		"cluster database": {redis.Config{Addresses: []string{"a:1"}, Mode: redis.ModeCluster, DB: 1}, "redis.db"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := redis.New(c.config)
			require.ErrorContains(t, err, c.says)
		})
	}
}

// Whatever keeps the server out of reach is one class of error, in every mode.
func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := l.Addr().String()
	require.NoError(t, l.Close())
	for _, mode := range []redis.Mode{redis.ModeSingle, redis.ModeCluster, redis.ModeSentinel} {
		t.Run(string(mode), func(t *testing.T) {
			client, err := redis.New(redis.Config{Addresses: []string{nobody}, Mode: mode, MasterName: "m"})
			require.NoError(t, err)
			p := client.Partition("test", 0, 1)
			_, err = p.ReadMeta(t.Context())
			require.ErrorIs(t, err, redis.ErrUnavailable)
			_, err = p.Claim(t.Context(), "a")
			require.ErrorIs(t, err, redis.ErrUnavailable)
			_, err = client.Check(t.Context())
			require.ErrorIs(t, err, redis.ErrUnavailable)
			require.NoError(t, client.Close())
			_, err = p.Claim(t.Context(), "a")
			require.ErrorIs(t, err, redis.ErrUnavailable)
		})
	}
}

func TestCancelled(t *testing.T) {
	e, err := embedded.Start(t.Context(), embedded.Options{Redis: true})
	require.NoError(t, err)
	defer e.Close()
	client, err := redis.New(redis.Config{Addresses: []string{e.RedisAddress()}, Embedded: true})
	require.NoError(t, err)
	defer closed(t, client)
	found, err := client.Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, found, "an embedded server is not asked for its policies")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.Partition("test", 0, 1).Claim(ctx, "a")
	require.ErrorIs(t, err, context.Canceled)
}

// A server that cannot be asked for its policy is warned of, unless it is known to be embedded.
func TestCheckWithoutPermissions(t *testing.T) {
	e, err := embedded.Start(t.Context(), embedded.Options{Redis: true})
	require.NoError(t, err)
	defer e.Close()
	client, err := redis.New(redis.Config{Addresses: []string{e.RedisAddress()}})
	require.NoError(t, err)
	defer closed(t, client)
	found, err := client.Check(t.Context())
	require.NoError(t, err)
	var codes []string
	for _, f := range found {
		require.Equal(t, redis.SeverityWarn, f.Severity)
		codes = append(codes, f.Code)
	}
	require.Contains(t, codes, "policy_unknown")
}
