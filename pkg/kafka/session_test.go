package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// expiring closes a connection as a broker does: when a request other than a handshake arrives after the session's end. kfake reports a
// lifetime, but does not enforce it.
type expiring struct {
	lifetime time.Duration
	opened   atomic.Int32
	closed   atomic.Int32
}

type expiringConn struct {
	net.Conn
	of      *expiring
	pending []byte
	ends    time.Time
}

func (x *expiring) around(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, nw, address string) (net.Conn, error) {
		conn, err := dial(ctx, nw, address)
		if err != nil {
			return nil, err
		}
		x.opened.Add(1)
		return &expiringConn{Conn: conn, of: x}, nil
	}
}

func (c *expiringConn) Write(p []byte) (int, error) {
	c.pending = append(c.pending, p...)
	for len(c.pending) >= 4 && len(c.pending) >= 4+int(binary.BigEndian.Uint32(c.pending)) {
		size := 4 + int(binary.BigEndian.Uint32(c.pending))
		switch key := kmsg.Key(binary.BigEndian.Uint16(c.pending[4:])); {
		case key == kmsg.SASLAuthenticate:
			c.ends = time.Now().Add(c.of.lifetime)
		case key != kmsg.SASLHandshake && time.Now().After(c.ends):
			c.of.closed.Add(1)
			return 0, errors.Join(errors.New("the session has expired"), c.Conn.Close())
		}
		c.pending = c.pending[size:]
	}
	return c.Conn.Write(p)
}

// Requests of every kind go on for thirty lifetimes of a session on the connections that were opened for them.
func TestSessionsAreRenewedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lifetime = 2 * time.Second
		e := fake(t, 1, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "shop", "secret"),
			kfake.BrokerConfigs(map[string]string{"connections.max.reauth.ms": "2000"}))
		x := &expiring{lifetime: lifetime}
		var asked atomic.Int32
		c, _ := e.client(t, func(cfg *Config) {
			cfg.Dial = x.around(e.dial)
			cfg.SASL = SASL{Mechanism: "scram-sha-256", User: "shop", Password: func(context.Context) (string, error) {
				asked.Add(1)
				return "secret", nil
			}}
		})
		ctx := t.Context()
		topic := e.topic(t, c, 1)
		g, err := c.NewGroup(GroupConfig{ID: "g", Topics: []string{topic}})
		require.NoError(t, err)
		gen, err := g.Next(ctx)
		require.NoError(t, err)
		p, err := c.NewProducer(ctx)
		require.NoError(t, err)
		id := open(t, e, c, "txn")
		f := c.NewFetcher(FetcherConfig{})
		f.Assign(topic, 0, 0)
		before := int32(0)
		for round := range 600 {
			_, err = p.Produce(ctx, []*Batch{batch(topic, 0, "a")})
			require.NoError(t, err)
			require.NoError(t, id.Publish(ctx, Transaction{Batches: []*Batch{batch(topic, 0, "b")}}))
			_, err = f.Fetch(ctx, 50*time.Millisecond, 1<<20)
			require.NoError(t, err)
			require.NoError(t, gen.Heartbeat(ctx))
			require.NoError(t, pause(ctx, 50*time.Millisecond))
			if round == 100 {
				before = x.opened.Load()
			}
		}
		require.NoError(t, gen.Context().Err(), "the membership has survived")
		require.Zero(t, x.closed.Load(), "no session expired")
		require.LessOrEqual(t, x.opened.Load()-before, before, "sessions are renewed, not replaced")
		require.GreaterOrEqual(t, asked.Load(), int32(30), "the password is read for each authentication")

		require.NoError(t, pause(ctx, 10*time.Second))
		_, err = p.Produce(ctx, []*Batch{batch(topic, 0, "c")})
		require.NoError(t, err, "an idle session is renewed before its next request")
		require.Zero(t, x.closed.Load())
		require.NoError(t, g.Close(ctx))
	})
}

// A request that follows another before its response has arrived does not renew the session: the exchange would read that response.
func TestSessionWaitsForResponses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := fake(t, 1, kfake.EnableSASL(), kfake.Superuser("PLAIN", "shop", "secret"),
			kfake.BrokerConfigs(map[string]string{"connections.max.reauth.ms": "2000"}))
		c, _ := e.client(t, func(cfg *Config) {
			cfg.SASL = SASL{Mechanism: "plain", User: "shop", Password: func(context.Context) (string, error) { return "secret", nil }}
		})
		conn, err := c.connect(t.Context(), c.dialer, "tcp", e.brokers[0])
		require.NoError(t, err)
		write := func(correlation int32) {
			b := append(appendHeader(nil, protocol.ApiVersions, 0, correlation, "test"), []byte{}...)
			binary.BigEndian.PutUint32(b, uint32(len(b)-4))
			for _, piece := range [][]byte{b[:3], b[3:6], b[6:]} {
				_, err := conn.Write(piece)
				require.NoError(t, err)
			}
		}
		read := func() int32 {
			size := make([]byte, 4)
			_, err := io.ReadFull(conn, size)
			require.NoError(t, err)
			body := make([]byte, binary.BigEndian.Uint32(size))
			_, err = io.ReadFull(conn, body)
			require.NoError(t, err)
			return int32(binary.BigEndian.Uint32(body))
		}
		write(1)
		require.NoError(t, pause(t.Context(), 1900*time.Millisecond))
		write(2)
		require.Equal(t, []int32{1, 2}, []int32{read(), read()})
		write(3) // now it is renewed
		require.Equal(t, int32(3), read())
		require.Equal(t, 2, int(conn.(*session).correlation)/2, "two authentications of two requests each")
	})
}

func TestPasswordThatIsRejectedWhenASessionIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := fake(t, 1, kfake.EnableSASL(), kfake.Superuser("PLAIN", "shop", "secret"),
			kfake.BrokerConfigs(map[string]string{"connections.max.reauth.ms": "2000"}))
		var wrong atomic.Bool
		c, _ := e.client(t, func(cfg *Config) {
			cfg.SASL = SASL{Mechanism: "plain", User: "shop", Password: func(context.Context) (string, error) {
				if wrong.Load() {
					return "", errors.New("the file is empty")
				}
				return "secret", nil
			}}
		})
		require.NoError(t, c.Ping(t.Context()))
		wrong.Store(true)
		require.NoError(t, pause(t.Context(), 3*time.Second))
		require.ErrorContains(t, c.Ping(t.Context()), "the file is empty")
		wrong.Store(false)
		require.NoError(t, c.Ping(t.Context()), "the request was not sent, and the next one opens a connection")
	})
}

// bearing makes kfake, which has no OAUTHBEARER, accept one message.
func bearing(t *testing.T, e *env, want string) {
	t.Helper()
	e.fake.ControlKey(int16(kmsg.SASLHandshake), func(req kmsg.Request) (kmsg.Response, error, bool) {
		e.fake.KeepControl()
		res := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
		if req.(*kmsg.SASLHandshakeRequest).Mechanism != "OAUTHBEARER" {
			res.ErrorCode, res.SupportedMechanisms = kerr.UnsupportedSaslMechanism.Code, []string{"OAUTHBEARER"}
		}
		return res, nil, true
	})
	var mu sync.Mutex
	rejected := false
	e.fake.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		e.fake.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		res := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		switch message := string(req.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes); {
		case message == want:
		case rejected && message == "\x01":
			rejected = false
			res.ErrorCode, res.ErrorMessage = kerr.SaslAuthenticationFailed.Code, new(`{"status":"invalid_token"}`)
		default:
			rejected = true
			res.SASLAuthBytes = []byte(`{"status":"invalid_token"}`)
		}
		return res, nil, true
	})
}

func TestBearerTokens(t *testing.T) {
	for _, mechanism := range []string{"oauthbearer", "aws-msk-iam"} {
		synctest.Test(t, func(t *testing.T) {
			e := fake(t, 1)
			bearing(t, e, "n,,\x01auth=Bearer right\x01logicalCluster=lkc-1\x01pool=p\x01\x01")
			with := func(token string) func(*Config) {
				return func(cfg *Config) {
					cfg.SASL = SASL{
						Mechanism: mechanism, Token: func(context.Context) (string, error) { return token, nil },
						Extensions: map[string]string{"pool": "p", "logicalCluster": "lkc-1"},
					}
				}
			}
			c, _ := e.client(t, with("right"))
			require.NoError(t, c.Ping(t.Context()))

			c, _ = e.client(t, with("wrong"))
			err := c.Ping(t.Context())
			require.ErrorIs(t, err, ErrAuthorization)
			require.ErrorContains(t, err, "invalid_token")
			require.NotContains(t, err.Error(), "wrong")

			c, _ = e.client(t, func(cfg *Config) {
				cfg.SASL = SASL{Mechanism: "plain", User: "u", Password: func(context.Context) (string, error) { return "p", nil }}
			})
			err = c.Ping(t.Context())
			require.ErrorIs(t, err, ErrAuthorization)
			require.ErrorContains(t, err, `sasl mechanism PLAIN: the broker offers ["OAUTHBEARER"]`)
		})
	}
}

func TestMechanismsNameTheirCredentials(t *testing.T) {
	for _, m := range Mechanisms() {
		_, err := New(Config{Brokers: []string{"a:1"}, SASL: SASL{Mechanism: m.Name}})
		require.ErrorContains(t, err, "mechanism "+m.Name+" needs a source of its ")
		require.Equal(t, strings.ToLower(m.Name), m.Name)
	}
}

// However the bytes are cut, as many messages end as were written.
func TestFramesAreCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		sizes := rapid.SliceOf(rapid.IntRange(0, 9)).Draw(t, "sizes")
		for _, size := range sizes {
			stream = binary.BigEndian.AppendUint32(stream, uint32(size))
			stream = append(stream, make([]byte, size)...)
		}
		var f frames
		for len(stream) > 0 {
			n := rapid.IntRange(1, len(stream)).Draw(t, "cut")
			f.follow(stream[:n])
			stream = stream[n:]
		}
		require.Equal(t, len(sizes), f.begun)
		require.Equal(t, len(sizes), f.ended)
	})
}
