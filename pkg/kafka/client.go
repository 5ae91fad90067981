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

// Client is a client of one cluster. It is safe for concurrent use; the Fetcher, Producer and Transactional that it creates are not.
type Client struct {
	cfg          Config
	addr         net.Addr
	transport    *kafka.Transport
	mechanism    sasl.Mechanism
	dialer       *trackingDialer
	correlation  atomic.Int32
	leaders      leaderCache
	coordinators coordinatorCache

	mu               sync.Mutex
	brokersForgotten time.Time // when forgetBrokers last took effect
}

// New returns a client and does not connect. The error names the field of cfg that is wrong. Close must be called.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	mechanism, err := cfg.SASL.mechanism()
	if err != nil {
		return nil, fmt.Errorf("kafka: sasl: %w", err)
	}
	c := &Client{cfg: cfg, addr: kafka.TCP(cfg.Brokers...), mechanism: mechanism, dialer: newDialer(cfg.Dial)}
	c.transport = &kafka.Transport{
		ClientID: cfg.ClientID, MetadataTTL: cfg.MetadataTTL,
		Dial: func(ctx context.Context, nw, address string) (net.Conn, error) {
			return c.connect(ctx, c.dialer, nw, address)
		},
		// No topics: Transport needs the brokers' addresses only. Leaders are cached in the client, which can refresh them as
		// soon as a broker answers that it is not the leader.
		MetadataTopics: []string{},
	}
	return c, nil
}

// Close closes every connection; requests in flight fail with ErrClosed. It leaves no goroutines behind, but each Group must be closed
// separately.
func (c *Client) Close() {
	c.dialer.close()
	c.transport.CloseIdleConnections()
}

// send sends every request of this package, to the broker that the message names. It waits at most Config.Timeout plus extra for the
// response and classifies the error. Error codes inside the response are left to the caller.
func (c *Client) send(ctx context.Context, call Call, extra time.Duration, m protocol.Message) (protocol.Message, error) {
	var res protocol.Message
	do := func(ctx context.Context) error {
		if c.dialer.isClosed() {
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
		if c.dialer.isClosed() {
			err = fmt.Errorf("%w: %w", ErrClosed, err)
		}
		return nil, fmt.Errorf("%s: %w", call.API, classify(ctx, err))
	}
	if res == nil {
		return nil, fmt.Errorf("%s: %w", call.API, &transportError{errors.New("no response")})
	}
	return res, nil
}

// request sends one of kafka-go's messages to a broker and returns the response.
func request[T protocol.Message](ctx context.Context, c *Client, call Call, broker int32, m protocol.Message) (res T, err error) {
	r, err := c.send(ctx, call, 0, &brokerRequest{
		Message: m, broker: broker, correlation: c.correlation.Add(1), clientID: c.cfg.ClientID,
	})
	if err != nil {
		return res, err
	}
	a, ok := r.(*brokerResponse)
	if !ok {
		return res, fmt.Errorf("%s: unexpected response %T", call.API, r)
	}
	res, ok = a.Message.(T)
	if !ok {
		return res, fmt.Errorf("%s: unexpected response %T", call.API, a.Message)
	}
	return res, nil
}

// forgetBrokers makes Transport look up the brokers' addresses again and open new connections. Transport looks them up only once per
// MetadataTTL, so until then it cannot reach a broker whose id is new; and after a broker died, each idle connection to it would make
// one more request fail. Requests in flight are not affected.
func (c *Client) forgetBrokers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.brokersForgotten) >= 100*time.Millisecond {
		c.brokersForgotten = now
		c.transport.CloseIdleConnections()
	}
}

// pause waits for d, or returns the context's cause when it ends first.
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

// trackingDialer records the connections that it opened, because kafka-go keeps connections that wait for a response open after Close.
type trackingDialer struct {
	base   func(context.Context, string, string) (net.Conn, error)
	ctx    context.Context //nolint:containedctx // close ends it, and thereby the dialing in progress
	cancel context.CancelFunc

	mu    sync.Mutex
	conns map[*trackedConn]struct{}
}

type trackedConn struct {
	net.Conn
	dialer *trackingDialer
}

func newDialer(base func(context.Context, string, string) (net.Conn, error)) *trackingDialer {
	life, end := context.WithCancel(context.Background())
	return &trackingDialer{base: base, ctx: life, cancel: end, conns: map[*trackedConn]struct{}{}}
}

func (n *trackingDialer) dial(ctx context.Context, nw, address string) (net.Conn, error) {
	if n.isClosed() {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.ctx, cancel)() //nolint:contextcheck // the earlier end of the two contexts counts
	conn, err := n.base(ctx, nw, address)
	if err != nil {
		return nil, err
	}
	t := &trackedConn{Conn: conn, dialer: n}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isClosed() {
		return nil, errors.Join(ErrClosed, conn.Close())
	}
	n.conns[t] = struct{}{}
	return t, nil
}

func (n *trackingDialer) isClosed() bool { return n.ctx.Err() != nil }

// close closes every connection and refuses new ones.
func (n *trackingDialer) close() {
	n.cancel()
	n.mu.Lock()
	conns := n.conns
	n.conns = map[*trackedConn]struct{}{}
	n.mu.Unlock()
	for t := range conns {
		_ = t.Conn.Close() // the reader of the connection gets the error
	}
}

// Close closes the connection and removes it from the dialer.
func (t *trackedConn) Close() error {
	t.dialer.mu.Lock()
	delete(t.dialer.conns, t)
	t.dialer.mu.Unlock()
	return t.Conn.Close()
}
