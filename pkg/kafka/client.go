package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/sasl"
)

// Client speaks to one cluster. It is safe for concurrent use; what it makes (Fetcher, Producer, Transactional) is not.
type Client struct {
	cfg         Config
	addr        net.Addr
	transport   *kafka.Transport
	mechanism   sasl.Mechanism
	net         *dialer
	correlation atomic.Int32
	layout      layout
	coords      coordinators

	mu      sync.Mutex
	rebuilt time.Time // when the transport last forgot its brokers
}

// New checks the configuration; it does not connect. Close must be called.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	mechanism, err := cfg.SASL.mechanism()
	if err != nil {
		return nil, fmt.Errorf("kafka: sasl: %w", err)
	}
	c := &Client{cfg: cfg, addr: kafka.TCP(cfg.Brokers...), mechanism: mechanism, net: newDialer(cfg.Dial)}
	c.transport = &kafka.Transport{
		Dial: c.net.dial, ClientID: cfg.ClientID, TLS: cfg.TLS, SASL: mechanism, MetadataTTL: cfg.MetadataTTL,
		// No topics: Transport only has to know the brokers' addresses. Leaders are remembered in layout, which can be
		// refreshed at the moment a broker contradicts.
		MetadataTopics: []string{},
	}
	return c, nil
}

// Close ends every connection; requests under way fail. It leaves no goroutines behind, but groups must be closed by
// themselves.
func (c *Client) Close() {
	c.net.close()
	c.transport.CloseIdleConnections()
}

// send is the one way out: it sends a request to the broker that the message itself names, waits at most the configured timeout plus extra
// for the answer, and gives errors their sort. The codes inside the answer are the caller's.
func (c *Client) send(ctx context.Context, call Call, extra time.Duration, m protocol.Message) (protocol.Message, error) {
	var res protocol.Message
	do := func(ctx context.Context) error {
		if c.net.isClosed() {
			return ErrClosed
		}
		ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout+extra)
		defer cancel()
		r, err := c.transport.RoundTrip(ctx, c.addr, m)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, errVersion) {
				c.forgetBrokers()
			}
			return err
		}
		res = r
		return nil
	}
	var err error
	if c.cfg.Around != nil {
		err = c.cfg.Around(ctx, call, do)
	} else {
		err = do(ctx)
	}
	if err != nil {
		if c.net.isClosed() {
			err = fmt.Errorf("%w: %w", ErrClosed, err)
		}
		return nil, fmt.Errorf("%s: %w", call.API, sorted(ctx, err))
	}
	if res == nil {
		return nil, fmt.Errorf("%s: %w", call.API, &transportError{errors.New("no answer")})
	}
	return res, nil
}

// ask sends one of kafka-go's messages and returns its answer.
func ask[T protocol.Message](ctx context.Context, c *Client, call Call, broker int32, m protocol.Message) (res T, err error) {
	r, err := c.send(ctx, call, 0, &aimed{
		Message: m, broker: broker, correlation: c.correlation.Add(1), clientID: c.cfg.ClientID,
	})
	if err != nil {
		return res, err
	}
	a, ok := r.(*answer)
	if !ok {
		return res, fmt.Errorf("%s: unexpected answer %T", call.API, r)
	}
	res, ok = a.Message.(T)
	if !ok {
		return res, fmt.Errorf("%s: unexpected answer %T", call.API, a.Message)
	}
	return res, nil
}

// forgetBrokers makes Transport look up the brokers' addresses anew and dial anew. By itself it looks them up only once per
// MetadataTTL, and cannot reach a broker id that it has not heard of until then; and when a broker has died, every idle
// connection to it would cost one more request its answer. Requests under way are not disturbed.
func (c *Client) forgetBrokers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.rebuilt) >= 100*time.Millisecond {
		c.rebuilt = now
		c.transport.CloseIdleConnections()
	}
}

// pause waits between attempts, or until the context ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// dialer dials, and remembers what it dialed, because kafka-go lets connections that wait for an answer live on after
// Close.
type dialer struct {
	base func(context.Context, string, string) (net.Conn, error)
	life context.Context //nolint:containedctx // ends with close, and the dialing under way with it
	end  context.CancelFunc

	mu    sync.Mutex
	conns map[*tracked]struct{}
}

type tracked struct {
	net.Conn
	of *dialer
}

func newDialer(base func(context.Context, string, string) (net.Conn, error)) *dialer {
	life, end := context.WithCancel(context.Background())
	return &dialer{base: base, life: life, end: end, conns: map[*tracked]struct{}{}}
}

func (n *dialer) dial(ctx context.Context, nw, address string) (net.Conn, error) {
	if n.isClosed() {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.life, cancel)() //nolint:contextcheck // two lives: whichever ends first
	conn, err := n.base(ctx, nw, address)
	if err != nil {
		return nil, err
	}
	t := &tracked{Conn: conn, of: n}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isClosed() {
		return nil, errors.Join(ErrClosed, conn.Close())
	}
	n.conns[t] = struct{}{}
	return t, nil
}

func (n *dialer) isClosed() bool { return n.life.Err() != nil }

// close ends every connection and refuses new ones.
func (n *dialer) close() {
	n.end()
	n.mu.Lock()
	conns := n.conns
	n.conns = map[*tracked]struct{}{}
	n.mu.Unlock()
	for t := range conns {
		_ = t.Conn.Close() // whoever reads from it gets the error
	}
}

// Close ends the connection and forgets it.
func (t *tracked) Close() error {
	t.of.mu.Lock()
	delete(t.of.conns, t)
	t.of.mu.Unlock()
	return t.Conn.Close()
}
