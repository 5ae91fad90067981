package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
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
)

// authority issues certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	n    int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.issue("authority", func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
	return a
}

func (a *authority) issue(name string, edit func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	a.n++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.n), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	if edit != nil {
		edit(template)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(a.t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return cert, key
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// write writes the certificate and key of a name as files.
func (a *authority) write(name, certFile, keyFile string) {
	cert, key := a.issue(name, nil)
	writePEM(a.t, certFile, "CERTIFICATE", cert.Raw)
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(a.t, err)
	writePEM(a.t, keyFile, "EC PRIVATE KEY", der)
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// server is a TLS configuration that demands a client's certificate, and remembers the last one.
type server struct {
	mu   sync.Mutex
	seen string
}

func (s *server) config(a *authority) *tls.Config {
	cert, key := a.issue("server", nil)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: a.pool(), MinVersion: tls.VersionTLS12,
		VerifyConnection: func(c tls.ConnectionState) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.seen = c.PeerCertificates[0].Subject.CommonName
			return nil
		},
	}
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
	trusted, stranger := newAuthority(t), newAuthority(t)
	var broker, store server
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(broker.config(trusted)))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	mini := miniredis.NewMiniRedis()
	require.NoError(t, mini.StartTLS(store.config(trusted)))
	t.Cleanup(mini.Close)

	dir := t.TempDir()
	files := config.TLS{Enabled: true, CAFile: filepath.Join(dir, "ca"), CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key")}
	writePEM(t, files.CAFile, "CERTIFICATE", trusted.cert.Raw)
	trusted.write("first", files.CertFile, files.KeyFile)
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

	trusted.write("second", files.CertFile, files.KeyFile)
	require.NoError(t, errors.Join(connect()))
	require.Equal(t, []string{"second", "second"}, []string{broker.last(), store.last()})

	stranger.write("third", files.CertFile, files.KeyFile)
	kafkaErr, redisErr := connect()
	require.ErrorIs(t, kafkaErr, kafka.ErrAuthorization)
	require.ErrorIs(t, redisErr, redis.ErrDenied)

	require.NoError(t, os.WriteFile(files.KeyFile, nil, 0o600)) // as while it is being replaced
	kafkaErr, redisErr = connect()
	require.True(t, kafka.Retriable(kafkaErr), kafkaErr)
	require.ErrorContains(t, kafkaErr, "kafka.tls.cert_file")
	require.ErrorIs(t, redisErr, redis.ErrUnavailable)

	trusted.write("fourth", files.CertFile, files.KeyFile)
	require.NoError(t, errors.Join(connect()))
	writePEM(t, files.CAFile, "CERTIFICATE", stranger.cert.Raw)
	kafkaErr, redisErr = connect()
	require.ErrorIs(t, kafkaErr, kafka.ErrAuthorization)
	require.ErrorIs(t, redisErr, redis.ErrDenied)

	require.NoError(t, os.Remove(files.CAFile))
	_, err = app.New(c, zap.NewNop(), app.Hooks{})
	require.ErrorContains(t, err, "kafka.tls.ca_file: open ")
}
