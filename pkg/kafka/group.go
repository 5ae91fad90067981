package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// GroupConfig is the configuration of a group membership. ID and Topics are required.
type GroupConfig struct {
	ID     string
	Topics []string
	// SessionTimeout is the time without a heartbeat after which the broker reassigns the partitions; 6 s, the default minimum of
	// brokers, when 0. It is short, because after a broker's restart a group waits for one session: kafka-go joins as a new member,
	// and the broker waits for the old one.
	SessionTimeout time.Duration
	// HeartbeatInterval is also the delay with which a member learns of a rebalance; 300 ms when 0.
	HeartbeatInterval time.Duration
	// RebalanceTimeout is how long the broker waits for members to join again; SessionTimeout when 0. A function of the generation
	// must nevertheless stop within SessionTimeout, because heartbeats end with the generation.
	RebalanceTimeout time.Duration
	// WatchInterval is how often each member compares the assignment with the topics' partitions; a difference ends the generation.
	// 5 s when 0.
	WatchInterval time.Duration
	// Retrying is called with every retriable error while Next waits for a generation; nil: no calls.
	Retrying func(error)
}

func (g GroupConfig) withDefaults() GroupConfig {
	or := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	or(&g.SessionTimeout, 6*time.Second)
	or(&g.HeartbeatInterval, 300*time.Millisecond)
	or(&g.RebalanceTimeout, g.SessionTimeout)
	or(&g.WatchInterval, 5*time.Second)
	return g
}

// Group is a membership in a consumer group (classic protocol, eager rebalancing). Only Close may be called concurrently with Next.
type Group struct {
	client *Client
	id     string
	cfg    GroupConfig
	inner  *kafka.ConsumerGroup
	dialer *trackingDialer
	cancel context.CancelFunc
	asked  atomic.Uint32 // how often a broker was asked for the coordinator
}

// anyBrokerAddress stands for all of Config.Brokers. kafka-go asks the first of its brokers that it can reach for the coordinator. A
// broker that is cut off from the others, but not from clients, names a former coordinator for as long as that lasts, so each attempt
// must begin with another broker.
const anyBrokerAddress = "any-broker.invalid:9092"

// NewGroup joins the group in the background; Next returns its generations. Close must be called.
func (c *Client) NewGroup(cfg GroupConfig) (*Group, error) {
	cfg = cfg.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	g := &Group{client: c, id: cfg.ID, cfg: cfg, dialer: newDialer(c.cfg.Dial), cancel: cancel}
	inner, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: cfg.ID, Brokers: []string{anyBrokerAddress}, Topics: cfg.Topics,
		Dialer: &kafka.Dialer{
			ClientID: c.cfg.ClientID, Timeout: c.cfg.Timeout,
			DialFunc: func(dctx context.Context, nw, address string) (net.Conn, error) {
				return g.dial(ctx, dctx, nw, address)
			},
		},
		HeartbeatInterval: cfg.HeartbeatInterval, SessionTimeout: cfg.SessionTimeout, RebalanceTimeout: cfg.RebalanceTimeout,
		JoinGroupBackoff: maxBackoff,
		// A heartbeat without a response must end the generation before the broker ends the session.
		Timeout: min(c.cfg.Timeout, cfg.SessionTimeout/2),
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("join group: %w", err)
	}
	g.inner = inner
	return g, nil
}

// dial encrypts and authenticates here and not in kafka.Dialer, so that Around sees the group's requests, unencrypted, and no others.
func (g *Group) dial(life, ctx context.Context, nw, address string) (net.Conn, error) {
	addresses := []string{address}
	if brokers := g.client.cfg.Brokers; address == anyBrokerAddress {
		first := int(g.asked.Add(1)-1) % len(brokers)
		addresses = slices.Concat(brokers[first:], brokers[:first])
	}
	var conn net.Conn
	var err error
	for _, a := range addresses {
		if conn, err = g.client.connect(ctx, g.dialer, nw, a); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if g.client.cfg.Around == nil {
		return conn, nil
	}
	return &observedConn{Conn: conn, ctx: life, group: g.id, around: g.client.cfg.Around}, nil
}

// Next waits for the next generation. The previous one must have ended, which is when all its functions have returned. Retriable errors
// are retried until the context ends. The error is that of the context, ErrClosed, or permanent (ErrAuthorization, a wrong
// configuration).
func (g *Group) Next(ctx context.Context) (*Generation, error) {
	var last error
	for {
		inner, err := g.inner.Next(ctx)
		switch {
		case err == nil:
			return newGeneration(g, inner), nil
		case errors.Is(err, kafka.ErrGroupClosed):
			return nil, fmt.Errorf("next generation of %s: %w", g.id, ErrClosed)
		case ctx.Err() != nil:
			return nil, errors.Join(fmt.Errorf("next generation of %s: %w", g.id, context.Cause(ctx)), last)
		}
		if last = classify(ctx, err); !Retriable(last) && !errors.Is(last, ErrFenced) { // 25: kafka-go joins as a new member
			return nil, fmt.Errorf("next generation of %s: %w", g.id, last)
		}
		if g.cfg.Retrying != nil {
			g.cfg.Retrying(last)
		}
	}
}

// Close ends the generation, waits for its functions, leaves the group and releases its resources. If the context ends first, it closes the
// connections and returns an error: a function of the generation is still running, or the group was not left, and its partitions are
// reassigned only when the session ends.
func (g *Group) Close(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- g.inner.Close() }()
	defer g.cancel()
	defer g.dialer.close()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("close group %s: %w", g.id, context.Cause(ctx))
	}
}

// Generation is a generation of the group: the partitions that this member owns until the next rebalance.
type Generation struct {
	ID          int32
	Member      string
	Assignments map[string][]int32 // partitions by topic; CommittedOffset returns where to start

	client *Client
	inner  *kafka.Generation
	ctx    context.Context //nolint:containedctx // Context returns it
}

func newGeneration(g *Group, inner *kafka.Generation) *Generation {
	gen := &Generation{ID: inner.ID, Member: inner.MemberID, Assignments: map[string][]int32{}, client: g.client, inner: inner}
	for topic, parts := range inner.Assignments {
		for _, p := range parts {
			gen.Assignments[topic] = append(gen.Assignments[topic], int32(p.ID))
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	gen.ctx = ctx
	inner.Start(func(ended context.Context) {
		<-ended.Done()
		cancel(ErrGenerationEnded)
	})
	inner.Start(func(context.Context) { gen.watchPartitions(g.cfg.Topics, g.cfg.WatchInterval) })
	return gen
}

// watchPartitions returns, which ends the generation, when the partitions of the topics differ from those assigned to the members.
// kafka-go's own watch compares with the partitions that it sees first, so it misses partitions created between the assignment and its
// first request.
func (gen *Generation) watchPartitions(topics []string, interval time.Duration) {
	for pause(gen.ctx, interval) == nil {
		members, state, err := gen.client.GroupMembers(gen.ctx, gen.inner.GroupID)
		if err != nil || state != "Stable" {
			continue
		}
		now, err := gen.client.Topics(gen.ctx, topics)
		if err != nil {
			continue
		}
		for _, t := range now {
			assigned := 0
			for _, m := range members {
				assigned += len(m.Assignments[t.Name])
			}
			if t.Exists && len(t.Leaders) > 0 && assigned != len(t.Leaders) {
				return
			}
		}
	}
}

// Context returns a context that ends with the generation; its cause is ErrGenerationEnded.
func (gen *Generation) Context() context.Context { return gen.ctx }

// Start runs fn in a goroutine for the duration of the generation. fn must return when its context ends, within SessionTimeout: the next
// generation waits for it, the broker does not. If fn returns earlier, the generation ends for all its functions, and the group joins
// again.
func (gen *Generation) Start(fn func(ctx context.Context)) {
	gen.inner.Start(func(context.Context) { fn(gen.ctx) }) //nolint:contextcheck // ends with the generation, and has its cause
}

// Heartbeat asks the coordinator whether this generation and member are current, in addition to the periodic heartbeats. The error is
// ErrFenced if they are not, or if a rebalance has begun. Retriable errors are retried until the context or the generation ends.
func (gen *Generation) Heartbeat(ctx context.Context) error {
	if gen.ctx.Err() != nil {
		return gen.endedError("heartbeat")
	}
	group := gen.inner.GroupID
	ctx, cancel := gen.withGeneration(ctx)
	defer cancel()
	err := gen.client.withGroupCoordinator(ctx, group, func(broker int32) error {
		return gen.client.heartbeat(ctx, broker, group, gen.ID, gen.Member)
	})
	return gen.fencedError("heartbeat", err)
}

// heartbeat encodes the request itself, because kafka-go's message has the fields of the response in the wrong order and reports every
// error as a success.
func (c *Client) heartbeat(ctx context.Context, broker int32, group string, generation int32, member string) error {
	const version = 3 // the last version without tagged fields (KIP-345)
	m := &rawRequest{key: protocol.Heartbeat, version: version, broker: broker, correlation: c.correlation.Add(1)}
	b := appendHeader(nil, protocol.Heartbeat, version, m.correlation, c.cfg.ClientID)
	b = appendString(b, group)
	b = binary.BigEndian.AppendUint32(b, uint32(generation))
	b = appendString(b, member)
	b = binary.BigEndian.AppendUint16(b, math.MaxUint16) // group instance id: null
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	m.pieces = [][]byte{b}
	if _, err := c.send(ctx, Call{API: "Heartbeat", Group: group}, 0, m); err != nil {
		return err
	}
	r := responseReader{rest: m.response}
	r.next(8) // correlation id, throttle time
	code := r.i16()
	if r.short {
		return fmt.Errorf("Heartbeat: %w", &transportError{errShortResponse})
	}
	return apiError("Heartbeat", code)
}

// CommitOffsets commits offsets as this member and generation. The error is ErrFenced if the generation is over, locally or at the broker.
// A commit that is in flight when the generation ends may still take effect, so that the next owner must not rely on it.
func (gen *Generation) CommitOffsets(ctx context.Context, at []TopicPartitionOffset) error {
	if gen.ctx.Err() != nil {
		return gen.endedError("commit offsets")
	}
	if len(at) == 0 {
		return nil
	}
	ctx, cancel := gen.withGeneration(ctx)
	defer cancel()
	return gen.fencedError("commit offsets", gen.client.commitOffsets(ctx, gen.inner.GroupID, gen.ID, gen.Member, at))
}

// withGeneration returns ctx, which also ends with the generation.
func (gen *Generation) withGeneration(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(gen.ctx, func() { cancel(ErrGenerationEnded) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

func (gen *Generation) endedError(what string) error {
	return fmt.Errorf("%s in generation %d of %s: %w: %w", what, gen.ID, gen.inner.GroupID, ErrFenced, ErrGenerationEnded)
}

func (gen *Generation) fencedError(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, CodeRebalanceInProgress), errors.Is(err, ErrGenerationEnded):
		return fmt.Errorf("%s in generation %d of %s: %w: %w", what, gen.ID, gen.inner.GroupID, ErrFenced, err)
	default:
		return fmt.Errorf("%s in generation %d of %s: %w", what, gen.ID, gen.inner.GroupID, err)
	}
}

// observedConn passes the requests of a membership through Around. kafka-go opens its own connections for groups, so a request can be
// recognised only by its header in the bytes written; one request is written at a time.
type observedConn struct {
	net.Conn
	ctx       context.Context //nolint:containedctx // ends with the group, as the connection does
	group     string
	around    func(context.Context, Call, func(context.Context) error) error
	remaining int // bytes of the current request that are not yet written
}

// Write writes the bytes, through Around if a request starts. An error of Around counts as a lost connection.
func (t *observedConn) Write(p []byte) (n int, err error) {
	const header = 4 + 2 // size, api key
	if t.remaining > 0 || len(p) < header {
		t.remaining = max(0, t.remaining-len(p))
		return t.Conn.Write(p)
	}
	call := Call{API: protocol.ApiKey(binary.BigEndian.Uint16(p[4:])).String(), Group: t.group}
	t.remaining = max(0, int(binary.BigEndian.Uint32(p))+4-len(p))
	err = t.around(t.ctx, call, func(context.Context) (err error) {
		n, err = t.Conn.Write(p)
		return err
	})
	if err != nil {
		return n, errors.Join(err, t.Conn.Close())
	}
	return n, nil
}
