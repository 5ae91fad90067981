package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Another client writes what we read, with every codec, and reads what we write.
func TestAgreesWithAnotherClient(t *testing.T) {
	// Not in a bubble: that client's pools have finalizers, which run outside.
	t.Run("it writes", func(t *testing.T) { testReadsAnother(t, fake(t, 3)) })
	t.Run("it reads", func(t *testing.T) { testAnotherReads(t, fake(t, 3)) })
}

func (e *env) other(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	if e.dial != nil {
		opts = append(opts, kgo.Dialer(e.dial))
	}
	k, err := kgo.NewClient(append(opts, kgo.SeedBrokers(e.brokers...))...)
	require.NoError(t, err)
	t.Cleanup(k.Close)
	return k
}

func testReadsAnother(t *testing.T, e *env) {
	c, _ := e.client(t)
	for i, codec := range []kgo.CompressionCodec{
		kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
	} {
		topic := e.topic(t, c, 2)
		k := e.other(t, kgo.ProducerBatchCompression(codec), kgo.TransactionalID(name("id")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for round := range 6 {
			require.NoError(t, k.BeginTransaction())
			for n := range 200 {
				k.Produce(e.ctx(t), &kgo.Record{
					Topic: topic, Partition: int32(n % 2), Key: []byte("key"), Value: fmt.Append(nil, round, "/", n),
					Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("x")}},
				}, nil)
			}
			require.NoError(t, k.Flush(e.ctx(t)))
			require.NoError(t, k.EndTransaction(e.ctx(t), kgo.TransactionEndTry(round%2 == 0)))
		}
		for part := range 2 {
			values := e.all(t, c, topic, int32(part))
			require.Len(t, values, 300, "codec %d", i)
			for j, v := range values {
				require.Equal(t, fmt.Sprint(2*(j/100), "/", 2*(j%100)+part), v)
			}
		}
	}
}

func testAnotherReads(t *testing.T, e *env) {
	for _, codec := range []string{"none", "lz4", "zstd"} {
		c, a := e.client(t, func(cfg *Config) { cfg.Compression = codec })
		topic, id := e.topic(t, c, 1), name("id")
		for round := range 4 {
			x := open(t, e, c, id)
			b := NewBatch(topic, 0)
			for n := range 100 {
				b.Append(int64(n), []byte("k"), fmt.Append(nil, round, "/", n), EncodeHeaders(nil, []Header{{"h", []byte("x")}}))
			}
			if round%2 == 1 {
				a.cut("EndTxn", false)
				require.ErrorIs(t, x.Publish(e.ctx(t), Transaction{Batches: []*Batch{b}}), ErrReopen)
				continue
			}
			require.NoError(t, x.Publish(e.ctx(t), Transaction{Batches: []*Batch{b}}))
		}
		open(t, e, c, id)
		k := e.other(t, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
		var got []*kgo.Record
		for len(got) < 200 {
			fetches := k.PollFetches(e.ctx(t))
			require.NoError(t, fetches.Err())
			got = append(got, fetches.Records()...)
		}
		for i, r := range got {
			require.Equal(t, fmt.Sprint(2*(i/100), "/", i%100), string(r.Value))
			require.Equal(t, int64(i%100), r.Timestamp.UnixMilli())
			require.Equal(t, []kgo.RecordHeader{{Key: "h", Value: []byte("x")}}, r.Headers)
		}
	}
}

func TestEncryption(t *testing.T) {
	web := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer web.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(web.Certificate())
	synctest.Test(t, func(t *testing.T) {
		e := fake(t, 1, kfake.TLS(&tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}))
		c, a := e.client(t, func(cfg *Config) { cfg.TLS = trusting(trusted) })
		topic := e.topic(t, c, 1)
		p, err := c.NewProducer(e.ctx(t))
		require.NoError(t, err)
		_, err = p.Produce(e.ctx(t), []*Batch{batch(topic, 0, "a")})
		require.NoError(t, err)
		require.Equal(t, []string{"a"}, e.all(t, c, topic, 0))
		g, err := c.NewGroup(GroupConfig{ID: "g", Topics: []string{topic}})
		require.NoError(t, err)
		_, err = g.Next(e.ctx(t))
		require.NoError(t, err)
		require.NoError(t, g.Close(e.ctx(t)))
		require.Positive(t, a.count("LeaveGroup"))

		c, _ = e.client(t, func(cfg *Config) { cfg.TLS = trusting(x509.NewCertPool()) })
		_, err = c.NewProducer(e.ctx(t))
		require.ErrorIs(t, err, ErrAuthorization, "an unknown certificate does not get better")
	})
}

func TestStartsBeforeTheBroker(t *testing.T) {
	bubble(t, "", func(t *testing.T, e *env) {
		var up atomic.Bool
		dial := e.dial
		late := &env{brokers: e.brokers, fake: e.fake, dial: func(ctx context.Context, nw, address string) (net.Conn, error) {
			if !up.Load() {
				return nil, errors.New("connection refused")
			}
			return dial(ctx, nw, address)
		}}
		now, _ := e.client(t)
		topic := e.topic(t, now, 1)
		c, _ := late.client(t, func(cfg *Config) { cfg.MetadataTTL, cfg.Around = time.Hour, nil })
		time.AfterFunc(20*time.Second, func() { up.Store(true) })
		start := time.Now()
		x := open(t, late, c, name("id"))
		require.Less(t, time.Since(start), 21*time.Second, "not a metadata period later") // virtual time
		require.NoError(t, x.Publish(e.ctx(t), Transaction{Batches: []*Batch{batch(topic, 0, "a")}}))
	})
}

func trusting(pool *x509.CertPool) func() (*tls.Config, error) {
	return func() (*tls.Config, error) { return &tls.Config{RootCAs: pool, ServerName: "example.com"}, nil }
}
