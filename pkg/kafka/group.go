package kafka

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// GroupConfig says which group to be a member of.
type GroupConfig struct {
	ID     string
	Topics []string
	// SessionTimeout is after how long without a heartbeat the broker gives our partitions to others; 6 s, the broker's
	// default minimum, when 0. After a broker's restart a group stands still for one session (kafka-go joins as a new member,
	// and the broker waits for the old one), hence short.
	SessionTimeout time.Duration
	// HeartbeatInterval is how often the member reports, and so how soon it hears of a rebalance; 300 ms when 0.
	HeartbeatInterval time.Duration
	// RebalanceTimeout is how long the broker waits for members to join again; SessionTimeout when 0. A worker must stop
	// within SessionTimeout all the same: heartbeats end with the generation.
	RebalanceTimeout time.Duration
	// WatchInterval is how often each member compares what is assigned with the topics' partitions; a difference ends the
	// generation. 5 s when 0.
	WatchInterval time.Duration
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

// Group is a membership in a consumer group (classic protocol, eager rebalancing). Only Close may be called beside Next.
type Group struct {
	c      *Client
	id     string
	cfg    GroupConfig
	inner  *kafka.ConsumerGroup
	net    *dialer
	cancel context.CancelFunc
}

// NewGroup joins in the background; Next hands out the generations. Close must be called.
func (c *Client) NewGroup(cfg GroupConfig) (*Group, error) {
	cfg = cfg.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	g := &Group{c: c, id: cfg.ID, cfg: cfg, net: newDialer(c.cfg.Dial), cancel: cancel}
	inner, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: cfg.ID, Brokers: c.cfg.Brokers, Topics: cfg.Topics,
		Dialer: &kafka.Dialer{
			ClientID: c.cfg.ClientID, SASLMechanism: c.mechanism, Timeout: c.cfg.Timeout,
			DialFunc: func(dctx context.Context, nw, address string) (net.Conn, error) {
				return g.dial(ctx, dctx, nw, address)
			},
		},
		HeartbeatInterval: cfg.HeartbeatInterval, SessionTimeout: cfg.SessionTimeout, RebalanceTimeout: cfg.RebalanceTimeout,
		JoinGroupBackoff: lastPause,
		// A heartbeat that gets no answer must end the generation before the broker ends the session.
		Timeout: min(c.cfg.Timeout, cfg.SessionTimeout/2),
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("join group: %w", err)
	}
	g.inner = inner
	return g, nil
}

// dial encrypts here, and not in kafka.Dialer, so that Around can see the requests.
func (g *Group) dial(life, ctx context.Context, nw, address string) (net.Conn, error) {
	conn, err := g.net.dial(ctx, nw, address)
	if err != nil {
		return nil, err
	}
	if g.c.cfg.TLS != nil {
		cfg := g.c.cfg.TLS
		if cfg.ServerName == "" {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			cfg = cfg.Clone()
			cfg.ServerName = host
		}
		t := tls.Client(conn, cfg)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("tls handshake: %w", err), conn.Close())
		}
		conn = t
	}
	if g.c.cfg.Around == nil {
		return conn, nil
	}
	return &tapped{Conn: conn, life: life, group: g.id, around: g.c.cfg.Around}, nil
}

// Next waits for the next generation; the last one must have ended, which is when all its functions have returned. It waits
// out infrastructure trouble. The error is the context's end, ErrClosed, or one that waiting does not mend
// (ErrAuthorization, a wrong configuration).
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
		if last = sorted(ctx, err); !Retriable(last) && !errors.Is(last, ErrFenced) { // 25: it joins as a new member
			return nil, fmt.Errorf("next generation of %s: %w", g.id, last)
		}
	}
}

// Close ends the generation, waits for its functions, leaves the group and frees everything. When the context ends first, it
// cuts the connections and returns an error: a function of the generation is then still running, or the group has not been
// left and its partitions wait for the session's end.
func (g *Group) Close(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- g.inner.Close() }()
	defer g.cancel()
	defer g.net.close()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("close group %s: %w", g.id, context.Cause(ctx))
	}
}

// Generation is one term of the group: what this member owns until the next rebalance.
type Generation struct {
	ID          int32
	Member      string
	Assignments map[string][]int32 // partitions by topic; where to begin is CommittedOffset's to say

	c     *Client
	inner *kafka.Generation
	ctx   context.Context //nolint:containedctx // the generation's life, as Context gives it out
}

func newGeneration(g *Group, inner *kafka.Generation) *Generation {
	gen := &Generation{ID: inner.ID, Member: inner.MemberID, Assignments: map[string][]int32{}, c: g.c, inner: inner}
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
	inner.Start(func(context.Context) { gen.watch(g.cfg.Topics, g.cfg.WatchInterval) })
	return gen
}

// watch returns, which ends the generation, when the topics have other partitions than the members have been assigned.
// kafka-go's own watch compares with what it sees first, and so never notices partitions that came between the assignment
// and that look.
func (gen *Generation) watch(topics []string, interval time.Duration) {
	for pause(gen.ctx, interval) == nil {
		members, state, err := gen.c.GroupMembers(gen.ctx, gen.inner.GroupID)
		if err != nil || state != "Stable" {
			continue
		}
		now, err := gen.c.Topics(gen.ctx, topics)
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

// Context ends, with the cause ErrGenerationEnded, when the generation does.
func (gen *Generation) Context() context.Context { return gen.ctx }

// Start runs a function for as long as the generation lasts. It must return soon after its context has ended, and within
// SessionTimeout at the latest: the next generation waits for it, the broker does not. When it returns by itself, the
// generation ends for all, and the group joins again.
func (gen *Generation) Start(fn func(ctx context.Context)) {
	gen.inner.Start(func(context.Context) { fn(gen.ctx) }) //nolint:contextcheck // lives as long, and says why it ended
}

// Heartbeat asks the coordinator whether this generation and member are still the group's, beside the heartbeats that are
// sent anyway. ErrFenced when not, or when a rebalance has begun. Infrastructure trouble is waited out until the context or
// the generation ends.
func (gen *Generation) Heartbeat(ctx context.Context) error {
	if gen.ctx.Err() != nil {
		return gen.over("heartbeat")
	}
	group := gen.inner.GroupID
	ctx, cancel := gen.within(ctx)
	defer cancel()
	err := gen.c.asked(ctx, ofGroup, group, func(broker int32) error {
		return gen.c.heartbeat(ctx, broker, group, gen.ID, gen.Member)
	})
	return gen.fenced("heartbeat", err)
}

// heartbeat is written by hand: kafka-go's message has the fields of the answer in the wrong order, and so takes every error
// for a success.
func (c *Client) heartbeat(ctx context.Context, broker int32, group string, generation int32, member string) error {
	const version = 3 // the last without tagged fields (KIP-345)
	m := &raw{key: protocol.Heartbeat, version: version, broker: broker, mine: c.correlation.Add(1)}
	b := appendHeader(nil, protocol.Heartbeat, version, m.mine, c.cfg.ClientID)
	b = appendString(b, group)
	b = binary.BigEndian.AppendUint32(b, uint32(generation))
	b = appendString(b, member)
	b = binary.BigEndian.AppendUint16(b, math.MaxUint16) // group instance id: null
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	m.out = [][]byte{b}
	if _, err := c.send(ctx, Call{API: "Heartbeat", Group: group}, 0, m); err != nil {
		return err
	}
	r := cursor{b: m.in}
	r.take(8) // correlation id, throttle time
	code := r.i16()
	if r.bad {
		return fmt.Errorf("Heartbeat: %w", &transportError{errShort})
	}
	return named("Heartbeat", code)
}

// CommitOffsets writes the group's positions under this generation and member. ErrFenced when the generation is over, here
// or at the broker. Committed offsets are a hint: a commit that is under way when the generation ends may still arrive.
func (gen *Generation) CommitOffsets(ctx context.Context, at []TopicPartitionOffset) error {
	if gen.ctx.Err() != nil {
		return gen.over("commit offsets")
	}
	if len(at) == 0 {
		return nil
	}
	ctx, cancel := gen.within(ctx)
	defer cancel()
	return gen.fenced("commit offsets", gen.c.commitOffsets(ctx, gen.inner.GroupID, gen.ID, gen.Member, at))
}

// within is the context for as long as the generation lasts.
func (gen *Generation) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(gen.ctx, func() { cancel(ErrGenerationEnded) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

func (gen *Generation) over(what string) error {
	return fmt.Errorf("%s in generation %d of %s: %w: %w", what, gen.ID, gen.inner.GroupID, ErrFenced, ErrGenerationEnded)
}

func (gen *Generation) fenced(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, CodeRebalanceInProgress), errors.Is(err, ErrGenerationEnded):
		return fmt.Errorf("%s in generation %d of %s: %w: %w", what, gen.ID, gen.inner.GroupID, ErrFenced, err)
	default:
		return fmt.Errorf("%s in generation %d of %s: %w", what, gen.ID, gen.inner.GroupID, err)
	}
}

// tapped shows the requests of a membership to Around. kafka-go builds its own connections for groups, so that a request
// can only be recognised by its header in what is written; one request is written at a time.
type tapped struct {
	net.Conn
	life   context.Context //nolint:containedctx // the group's life, which is the connection's
	group  string
	around func(context.Context, Call, func(context.Context) error) error
	rest   int // bytes of the current request that are still to be written
}

// Write passes on the bytes, through Around where a request begins. An error there counts as a lost connection.
func (t *tapped) Write(p []byte) (n int, err error) {
	const header = 4 + 2 // size, api key
	if t.rest > 0 || len(p) < header {
		t.rest = max(0, t.rest-len(p))
		return t.Conn.Write(p)
	}
	call := Call{API: protocol.ApiKey(binary.BigEndian.Uint16(p[4:])).String(), Group: t.group}
	t.rest = max(0, int(binary.BigEndian.Uint32(p))+4-len(p))
	err = t.around(t.life, call, func(context.Context) (err error) {
		n, err = t.Conn.Write(p)
		return err
	})
	if err != nil {
		return n, errors.Join(err, t.Conn.Close())
	}
	return n, nil
}
