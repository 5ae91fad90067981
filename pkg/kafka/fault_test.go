package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// bubble runs a test on a fake cluster of three brokers, in virtual time.
func bubble(t *testing.T, name string, test func(t *testing.T, e *env)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, fake(t, 3)) })
	})
}

var transactionCalls = []kmsg.Key{kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn}

// publishing is a transaction that can be tried in any state.
type publishing struct {
	c              *Client
	a              *around
	in, out, group string
	id             string
}

func newPublishing(t *testing.T, e *env) *publishing {
	c, a := e.client(t)
	return &publishing{c: c, a: a, in: e.topic(t, c, 1), out: e.topic(t, c, 1), group: name("group"), id: name("id")}
}

func (p *publishing) publish(ctx context.Context, x *Transactional, at int64) error {
	return x.Publish(ctx, Transaction{Batches: []*Batch{batch(p.out, 0, fmt.Sprint(at))}, Group: p.group, Topic: p.in, Offset: at + 1})
}

func TestBusyCoordinatorsAreAskedAgain(t *testing.T) {
	for _, busy := range []*kerr.Error{
		kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator,
	} {
		bubble(t, busy.Message, func(t *testing.T, e *env) {
			p := newPublishing(t, e)
			for at, key := range transactionCalls {
				if key == kmsg.TxnOffsetCommit && busy == kerr.ConcurrentTransactions {
					key = kmsg.AddOffsetsToTxn
				}
				h := e.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: busy, Count: 3})
				x := open(t, e, p.c, p.id)
				require.NoError(t, p.publish(e.ctx(t), x, int64(at)), key)
				require.Equal(t, 3, h.Hits(), key)
			}
			require.Equal(t, []string{"0", "1", "2", "3", "4"}, e.all(t, p.c, p.out, 0))
		})
	}
	bubble(t, "bounded by the context", func(t *testing.T, e *env) {
		p := newPublishing(t, e)
		x := open(t, e, p.c, p.id)
		e.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ConcurrentTransactions, Count: -1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := p.publish(ctx, x, 0)
		require.ErrorIs(t, err, ErrReopen)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, CodeConcurrentTransactions)
	})
	bubble(t, "the question for the coordinator too", func(t *testing.T, e *env) {
		p := newPublishing(t, e)
		h := e.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable, Count: 4})
		require.NoError(t, p.publish(e.ctx(t), open(t, e, p.c, p.id), 0))
		require.Equal(t, 4, h.Hits())
	})
}

func TestOtherErrorsEndTheTransaction(t *testing.T) {
	for _, c := range []struct {
		err  *kerr.Error
		want error
		keys []kmsg.Key
	}{
		{kerr.ProducerFenced, ErrFenced, []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.EndTxn, kmsg.Produce}},
		{kerr.InvalidProducerEpoch, ErrFenced, []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.TxnOffsetCommit, kmsg.Produce}},
		{kerr.IllegalGeneration, ErrFenced, []kmsg.Key{kmsg.TxnOffsetCommit}},
		{kerr.UnknownMemberID, ErrFenced, []kmsg.Key{kmsg.TxnOffsetCommit}},
		{kerr.InvalidProducerIDMapping, ErrReopen, []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn}},
		{kerr.InvalidTxnState, ErrReopen, []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.EndTxn}},
		{kerr.NotEnoughReplicas, ErrReopen, []kmsg.Key{kmsg.Produce}},
		{kerr.NotEnoughReplicasAfterAppend, ErrReopen, []kmsg.Key{kmsg.Produce}},
		{kerr.NotLeaderForPartition, ErrReopen, []kmsg.Key{kmsg.Produce}},
		{kerr.RequestTimedOut, ErrReopen, []kmsg.Key{kmsg.Produce, kmsg.TxnOffsetCommit}},
		{kerr.OperationNotAttempted, ErrReopen, []kmsg.Key{kmsg.AddPartitionsToTxn}},
		{kerr.UnknownServerError, ErrReopen, []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.EndTxn}},
	} {
		bubble(t, c.err.Message, func(t *testing.T, e *env) {
			p := newPublishing(t, e)
			for at, key := range c.keys {
				x := open(t, e, p.c, p.id)
				h := e.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: c.err})
				err := p.publish(e.ctx(t), x, int64(at))
				require.ErrorIs(t, err, c.want, key)
				require.ErrorIs(t, err, Code(c.err.Code), key)
				require.False(t, errors.Is(err, ErrFenced) && errors.Is(err, ErrReopen), "one or the other")
				require.Equal(t, 1, h.Hits(), "not repeated")
				require.Equal(t, err, p.publish(e.ctx(t), x, int64(at)), "dead")
				require.NoError(t, p.publish(e.ctx(t), open(t, e, p.c, p.id), int64(at)))
			}
			require.Len(t, e.all(t, p.c, p.out, 0), len(c.keys), "what was refused never shows")
		})
	}
}

func TestProducerRepeatsOnlyWhatWasAnswered(t *testing.T) {
	for _, again := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut,
		kerr.LeaderNotAvailable, kerr.UnknownTopicOrPartition, kerr.FencedLeaderEpoch, kerr.KafkaStorageError,
	} {
		bubble(t, again.Message, func(t *testing.T, e *env) {
			c, _ := e.client(t)
			topic := e.topic(t, c, 3)
			p, err := c.NewProducer(e.ctx(t))
			require.NoError(t, err)
			for n := range 3 {
				h := e.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{1}, Err: again, Count: 3})
				acks, err := p.Produce(e.ctx(t), []*Batch{batch(topic, 0, "a"), batch(topic, 1, "b", "c"), batch(topic, 1, "d"), batch(topic, 2, "e")})
				require.NoError(t, err)
				require.Equal(t, 3, h.Hits())
				require.Equal(t, int64(3*n), acks[1].BaseOffset)
				require.Equal(t, int64(3*n+2), acks[2].BaseOffset)
			}
			require.Equal(t, []string{"b", "c", "d", "b", "c", "d", "b", "c", "d"}, e.all(t, c, topic, 1))
			require.Len(t, e.all(t, c, topic, 0), 3)
		})
	}
	for _, deadly := range []*kerr.Error{
		kerr.OutOfOrderSequenceNumber, kerr.InvalidProducerEpoch, kerr.UnknownServerError, kerr.CorruptMessage,
	} {
		bubble(t, deadly.Message, func(t *testing.T, e *env) {
			c, _ := e.client(t)
			topic := e.topic(t, c, 1)
			p, err := c.NewProducer(e.ctx(t))
			require.NoError(t, err)
			e.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: deadly})
			_, err = p.Produce(e.ctx(t), []*Batch{batch(topic, 0, "a")})
			require.ErrorIs(t, err, ErrReopen)
			require.ErrorIs(t, err, Code(deadly.Code))
			_, err = p.Produce(e.ctx(t), []*Batch{batch(topic, 0, "a")})
			require.ErrorIs(t, err, ErrReopen)
			require.Empty(t, e.all(t, c, topic, 0))
		})
	}
}

func TestFetchGoesOnAroundTrouble(t *testing.T) {
	for _, code := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.OffsetNotAvailable,
		kerr.KafkaStorageError, kerr.UnknownTopicOrPartition, kerr.ReplicaNotAvailable,
	} {
		bubble(t, code.Message, func(t *testing.T, e *env) {
			c, a := e.client(t)
			topic := e.topic(t, c, 2)
			p, err := c.NewProducer(e.ctx(t))
			require.NoError(t, err)
			f := c.NewFetcher(FetcherConfig{})
			f.Assign(topic, 0, 0)
			_, err = p.Produce(e.ctx(t), []*Batch{batch(topic, 0, "a", "b"), batch(topic, 1, "x")})
			require.NoError(t, err)
			asked := a.count("Metadata")
			h := e.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Partitions: []int32{0}, Err: code, Count: 3})
			got, err := f.Fetch(e.ctx(t), 100*time.Millisecond, 1)
			require.NoError(t, err)
			require.Len(t, got, 1)
			require.Len(t, got[0].Records, 2)
			require.Equal(t, 3, h.Hits())
			require.GreaterOrEqual(t, a.count("Metadata"), asked+3, "leaders are looked up again")

			// Other partitions are not delayed, and an error that persists is returned.
			h = e.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Partitions: []int32{0}, Err: code, Count: -1})
			f.Assign(topic, 1, 0)
			got, err = f.Fetch(e.ctx(t), 100*time.Millisecond, 1)
			require.NoError(t, err)
			require.Len(t, got, 1)
			require.Equal(t, "x", string(got[0].Records[0].Value))
			got, err = f.Fetch(e.ctx(t), 100*time.Millisecond, 1)
			require.NoError(t, err)
			require.Len(t, got, 2)
			for _, x := range got {
				if x.Partition == 0 {
					require.ErrorIs(t, x.Err, Code(code.Code))
					require.Equal(t, code != kerr.UnknownTopicOrPartition, Retriable(x.Err))
				}
			}
			require.Equal(t, int64(2), f.Position(topic, 0))
			h.Remove()
		})
	}
	bubble(t, "not authorized", func(t *testing.T, e *env) {
		c, _ := e.client(t)
		topic := e.topic(t, c, 1)
		e.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.TopicAuthorizationFailed})
		f := c.NewFetcher(FetcherConfig{})
		f.Assign(topic, 0, 0)
		got, err := f.Fetch(e.ctx(t), time.Second, 1)
		require.NoError(t, err)
		require.ErrorIs(t, got[0].Err, ErrAuthorization)
		require.False(t, Retriable(got[0].Err))
	})
}

func TestLeadersAndCoordinatorsMove(t *testing.T) {
	bubble(t, "leaders", func(t *testing.T, e *env) {
		p := newPublishing(t, e)
		x := open(t, e, p.c, p.id)
		w, err := p.c.NewProducer(e.ctx(t))
		require.NoError(t, err)
		f := p.c.NewFetcher(FetcherConfig{})
		f.Assign(p.out, 0, 0)
		read := 0
		for at := range int64(30) {
			require.NoError(t, e.fake.MoveTopicPartition(p.out, 0, int32(at%3)))
			_, err := w.Produce(e.ctx(t), []*Batch{batch(p.out, 0, "plain")})
			require.NoError(t, err)
			require.NoError(t, e.fake.MoveTopicPartition(p.out, 0, int32(at+1)%3))
			if err := p.publish(e.ctx(t), x, at); err != nil { // 6
				require.ErrorIs(t, err, ErrReopen)
				x = open(t, e, p.c, p.id)
				require.NoError(t, p.publish(e.ctx(t), x, at))
			}
			require.NoError(t, e.fake.MoveTopicPartition(p.out, 0, int32(at+2)%3))
			ends, err := p.c.ListOffsets(e.ctx(t), p.out, []int32{0})
			require.NoError(t, err)
			for f.Position(p.out, 0) < ends[0].HighWatermark {
				got, err := f.Fetch(e.ctx(t), 100*time.Millisecond, 1)
				require.NoError(t, err)
				for _, g := range got {
					require.NoError(t, g.Err)
					read += len(g.Records)
				}
			}
		}
		require.Equal(t, 60, read)
	})
	bubble(t, "coordinators", func(t *testing.T, e *env) {
		p := newPublishing(t, e)
		x := open(t, e, p.c, p.id)
		for at := range int64(10) {
			e.fake.Fault(
				kfake.Fault{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.NotCoordinator},
				kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.NotCoordinator},
				kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.NotCoordinator},
			)
			require.NoError(t, p.publish(e.ctx(t), x, at))
			offset, _, err := p.c.CommittedOffset(e.ctx(t), p.group, p.in, 0)
			require.NoError(t, err)
			require.Equal(t, at+1, offset)
		}
		require.Greater(t, p.a.count("FindCoordinator"), 20)
	})
}

// A broker that is cut off from the others goes on to name a coordinator, and is asked like any other broker.
func TestOneBrokerNamesAFormerCoordinator(t *testing.T) {
	for stale := range int32(3) {
		bubble(t, fmt.Sprint("broker ", stale), func(t *testing.T, e *env) {
			c, _ := e.client(t)
			topic := e.topic(t, c, 1)
			e.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Nodes: []int32{stale}, Err: kerr.CoordinatorNotAvailable, Count: -1})
			g, err := c.NewGroup(GroupConfig{ID: name("group"), Topics: []string{topic}})
			require.NoError(t, err)
			_, err = g.Next(e.ctx(t))
			require.NoError(t, err)
			require.NoError(t, g.Close(e.ctx(t)))
		})
	}
}

func TestWithoutABroker(t *testing.T) {
	bubble(t, "and with one again", func(t *testing.T, e *env) {
		var down atomic.Bool
		dial := e.dial
		e.dial = func(ctx context.Context, nw, address string) (net.Conn, error) {
			if down.Load() {
				return nil, errors.New("connection refused")
			}
			return dial(ctx, nw, address)
		}
		p := newPublishing(t, e)
		x := open(t, e, p.c, p.id)
		require.NoError(t, p.publish(e.ctx(t), x, 0))
		g, err := p.c.NewGroup(GroupConfig{ID: name("group"), Topics: []string{p.in}})
		require.NoError(t, err)
		gen, err := g.Next(e.ctx(t))
		require.NoError(t, err)

		down.Store(true)
		p.c.dialer.cut()
		g.dialer.cut()
		require.ErrorIs(t, p.publish(e.ctx(t), x, 1), ErrReopen)
		f := p.c.NewFetcher(FetcherConfig{})
		f.Assign(p.out, 0, 0)
		got, err := f.Fetch(e.ctx(t), 10*time.Millisecond, 1)
		require.NoError(t, err)
		require.True(t, Retriable(got[0].Err), got[0].Err)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = p.c.OpenTransactional(short, p.id, time.Second)
		require.ErrorIs(t, err, ErrReopen)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = p.c.ListOffsets(short, p.out, []int32{0})
		require.Error(t, err)
		<-gen.Context().Done()

		time.AfterFunc(5*time.Second, func() { down.Store(false) })
		gen, err = g.Next(e.ctx(t))
		require.NoError(t, err)
		require.NoError(t, gen.Heartbeat(e.ctx(t)))
		require.NoError(t, g.Close(e.ctx(t)))
		x = open(t, e, p.c, p.id)
		require.NoError(t, p.publish(e.ctx(t), x, 1))
		require.Equal(t, []string{"0", "1"}, e.all(t, p.c, p.out, 0))
	})
	bubble(t, "a group is closed while it cannot join", func(t *testing.T, e *env) {
		e.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		c, _ := e.client(t)
		g, err := c.NewGroup(GroupConfig{ID: "g", Topics: []string{"t"}})
		require.NoError(t, err)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = g.Next(short)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Error(t, g.Close(short))
	})
}

// cut ends every connection, and lets new ones be made.
func (n *trackingDialer) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for t := range n.conns {
		_ = t.Conn.Close()
	}
}

func TestAuthentication(t *testing.T) {
	const user, secret = "shop,a=b", "not to be printed"
	for mechanism, wire := range map[string]string{"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := fake(t, 1, kfake.EnableSASL(), kfake.Superuser(wire, user, secret))
				with := func(password string) func(*Config) {
					return func(cfg *Config) {
						cfg.SASL = SASL{Mechanism: mechanism, User: user, Password: func(context.Context) (string, error) { return password, nil }}
					}
				}
				c, _ := e.client(t, with(secret))
				require.NoError(t, c.Ping(e.ctx(t)))
				topic := e.topic(t, c, 1)
				g, err := c.NewGroup(GroupConfig{ID: "g", Topics: []string{topic}})
				require.NoError(t, err)
				_, err = g.Next(e.ctx(t))
				require.NoError(t, err)
				require.NoError(t, g.Close(e.ctx(t)))

				c, _ = e.client(t, with("wrong"))
				err = c.Ping(e.ctx(t)) // kfake just hangs up; a real broker says 58
				require.Error(t, err)
				require.NotContains(t, fmt.Sprintf("%v %+v %#v %v", c.cfg.SASL, c.cfg, c.cfg.SASL, err), secret)
				require.NotContains(t, fmt.Sprintf("%+v", c.cfg), user)
			})
		})
	}
}

func TestRefusedPasswordsAreNotTriedAgain(t *testing.T) {
	for _, err := range []error{kafka.SASLAuthenticationFailed, &tls.CertificateVerificationError{Err: errors.New("expired")}} {
		err = classify(t.Context(), fmt.Errorf("dial: %w", err))
		require.ErrorIs(t, err, ErrAuthorization)
		require.False(t, Retriable(err))
	}
	m, err := SASL{Mechanism: "scram-sha-256", User: "user", Password: func(context.Context) (string, error) { return "pencil", nil }}.mechanism()
	require.NoError(t, err)
	for _, first := range []string{"", "r=other,s=QSXCR+Q6sek8bf92,i=4096", "e=unknown-user", "r=%s,s=x!,i=1", "r=%sx,s=QUFB,i=99999999"} {
		conversation, hello, err := m.Start(t.Context())
		require.NoError(t, err)
		nonce := strings.Split(string(hello), "r=")[1]
		_, _, err = conversation.Next(t.Context(), []byte(strings.ReplaceAll(first, "%s", nonce)))
		require.Error(t, err, first)
	}
	conversation, hello, err := m.Start(t.Context())
	require.NoError(t, err)
	nonce := strings.Split(string(hello), "r=")[1]
	done, proof, err := conversation.Next(t.Context(), []byte("r="+nonce+"x,s=QSXCR+Q6sek8bf92,i=4096"))
	require.NoError(t, err)
	require.False(t, done)
	require.Contains(t, string(proof), "c=biws,r="+nonce+"x,p=")
	_, _, err = conversation.Next(t.Context(), []byte("v=AAAA"))
	require.ErrorIs(t, err, ErrAuthorization, "the server must know the password too")
}

func TestConfigNamesTheField(t *testing.T) {
	for want, cfg := range map[string]Config{
		"brokers":     {},
		"host:port":   {Brokers: []string{"localhost"}},
		"compression": {Brokers: []string{"a:1"}, Compression: "gzip"},
		"timeout":     {Brokers: []string{"a:1"}, Timeout: -1},
		"mechanism":   {Brokers: []string{"a:1"}, SASL: SASL{Mechanism: "oauth", Password: func(context.Context) (string, error) { return "", nil }}},
		"password":    {Brokers: []string{"a:1"}, SASL: SASL{Mechanism: "plain"}},
	} {
		_, err := New(cfg)
		require.ErrorContains(t, err, want)
	}
}
