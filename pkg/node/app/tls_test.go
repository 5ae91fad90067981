package app_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/testbed/certificates"
)

// server is a TLS configuration that demands a client's certificate, and remembers the last one.
type server struct {
	mu   sync.Mutex
	seen string
}

func (s *server) config(t *testing.T, a *certificates.Authority) *tls.Config {
	t.Helper()
	c, err := a.Server()
	require.NoError(t, err)
	c.VerifyConnection = func(state tls.ConnectionState) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen = state.PeerCertificates[0].Subject.CommonName
		return nil
	}
	return c
}

func (s *server) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// cutter closes the connections that it has opened.
type cutter struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (c *cutter) dial(ctx context.Context, nw, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, nw, address)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// A client's certificate, its key and the trusted authority are those that the files hold when a connection is opened.
func TestCertificatesAreReadAtEachConnection(t *testing.T) {
	trusted, err := certificates.NewAuthority(time.Now())
	require.NoError(t, err)
	untrusted, err := certificates.NewAuthority(time.Now())
	require.NoError(t, err)
	var broker, store server
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(broker.config(t, trusted)))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	mini := miniredis.NewMiniRedis()
	require.NoError(t, mini.StartTLS(store.config(t, trusted)))
	t.Cleanup(mini.Close)

	dir := t.TempDir()
	files := config.TLS{Enabled: true, CAFile: filepath.Join(dir, "ca"), CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key")}
	require.NoError(t, os.WriteFile(files.CAFile, trusted.PEM(), 0o600))
	require.NoError(t, trusted.Write("first", files.CertFile, files.KeyFile))
	c := config.Default()
	c.Kafka.Brokers, c.Kafka.TLS = cluster.ListenAddrs(), files
	c.Redis.Addresses, c.Redis.TLS = []string{mini.Addr()}, files
	var network cutter
	a, err := app.New(c, zap.NewNop(), app.Hooks{KafkaDial: network.dial, RedisDial: network.dial, Embedded: true})
	require.NoError(t, err)
	t.Cleanup(a.Close)

	// connect opens new connections. The first requests meet the closed ones.
	connect := func() (kafkaErr, redisErr error) {
		network.cut()
		for range 5 {
			if kafkaErr = a.Kafka.Ping(t.Context()); kafkaErr == nil {
				break
			}
		}
		for range 5 {
			if _, redisErr = a.Redis.Check(t.Context()); redisErr == nil {
				break
			}
		}
		return kafkaErr, redisErr
	}
	require.NoError(t, errors.Join(connect()))
	require.Equal(t, []string{"first", "first"}, []string{broker.last(), store.last()})

	require.NoError(t, trusted.Write("second", files.CertFile, files.KeyFile))
	require.NoError(t, errors.Join(connect()))
	require.Equal(t, []string{"second", "second"}, []string{broker.last(), store.last()})

	require.NoError(t, untrusted.Write("third", files.CertFile, files.KeyFile))
	kafkaErr, redisErr := connect()
	require.ErrorIs(t, kafkaErr, kafka.ErrAuthorization)
	require.ErrorIs(t, redisErr, redis.ErrDenied)

	require.NoError(t, os.WriteFile(files.KeyFile, nil, 0o600)) // as while it is being replaced
	kafkaErr, redisErr = connect()
	require.True(t, kafka.Retriable(kafkaErr), kafkaErr)
	require.ErrorContains(t, kafkaErr, "kafka.tls.cert_file")
	require.ErrorIs(t, redisErr, redis.ErrUnavailable)

	require.NoError(t, trusted.Write("fourth", files.CertFile, files.KeyFile))
	require.NoError(t, errors.Join(connect()))
	require.NoError(t, os.WriteFile(files.CAFile, untrusted.PEM(), 0o600))
	kafkaErr, redisErr = connect()
	require.ErrorIs(t, kafkaErr, kafka.ErrAuthorization)
	require.ErrorIs(t, redisErr, redis.ErrDenied)

	require.NoError(t, os.Remove(files.CAFile))
	_, err = app.New(c, zap.NewNop(), app.Hooks{})
	require.ErrorContains(t, err, "kafka.tls.ca_file: open ")
}
