// Package embedded owns a Kafka and a Redis that live inside this process: for the demonstration, for examples, and for
// tests. Both speak the real protocols; neither is meant to keep anything that matters.
//
// It comes in two kinds. Start listens on free loopback ports, so that other programs can connect. StartVirtual touches no
// network at all and so runs inside a testing/synctest bubble, where it is reached through dial functions, which can be cut.
//
// It refuses production: Redis is kept in memory only, and Kafka answers as one machine that never fails by itself.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Topic is one that exists from the start.
type Topic struct {
	Name       string
	Partitions int32
	Configs    map[string]string // such as message.timestamp.type: LogAppendTime
}

// Options say what to start. The zero value starts nothing.
type Options struct {
	Kafka   bool
	Redis   bool
	Topics  []Topic
	Brokers int // of Kafka; 0: 1

	// DataDir keeps Kafka's logs on disk, where they survive this process. Empty: all that is appended stays in memory until
	// Close. Redis is always in memory: its state is folded again from the ledger.
	DataDir string
}

// Embedded is what was started.
type Embedded struct {
	cluster   *kfake.Cluster
	miniredis *miniredis.Miniredis
	network   *kfake.VirtualNetwork // nil: real loopback
	times     appendTimes
	kafka     connections
	redis     connections
}

// Start starts what the options ask for on free ports of 127.0.0.1.
func Start(ctx context.Context, o Options) (*Embedded, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start embedded servers: %w", err)
	}
	e := &Embedded{}
	if o.Redis {
		e.miniredis = miniredis.NewMiniRedis()
		if err := e.miniredis.Start(); err != nil {
			return nil, fmt.Errorf("start the embedded Redis: %w", err)
		}
	}
	return e, e.startKafka(o, loopback)
}

// loopback listens on 127.0.0.1 whatever host kfake asks for: a demonstration is nobody else's business.
func loopback(network, address string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	return (&net.ListenConfig{}).Listen(context.Background(), network, net.JoinHostPort("127.0.0.1", port))
}

func (e *Embedded) startKafka(o Options, listen func(network, address string) (net.Listener, error), more ...kfake.Opt) error {
	if !o.Kafka {
		return nil
	}
	options := append([]kfake.Opt{kfake.NumBrokers(max(1, o.Brokers)), e.times.listening(listen)}, more...)
	if o.DataDir != "" {
		options = append(options, kfake.DataDir(o.DataDir))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		e.Close()
		return fmt.Errorf("start the embedded Kafka: %w", err)
	}
	e.cluster = cluster
	e.times.of(cluster)
	for _, t := range o.Topics {
		if cluster.TopicInfo(t.Name) != nil {
			continue // kept in DataDir
		}
		if err := cluster.CreateTopic(t.Name, t.Partitions, t.Configs); err != nil {
			e.Close()
			return fmt.Errorf("create topic %s in the embedded Kafka: %w", t.Name, err)
		}
	}
	return nil
}

// firstPort is the first broker's in a virtual network; others follow.
const firstPort = 9092

// tester is what StartVirtual needs of a testing.TB.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// StartVirtual starts both without a network, and closes them when the test ends. Topics come from the options; Kafka and
// Redis need not be asked for, and DataDir must be empty inside a bubble.
func StartVirtual(t tester, o Options) *Embedded {
	t.Helper()
	e, err := Virtual(o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(e.Close)
	return e
}

// Virtual is StartVirtual outside a test. Call it inside the bubble.
func Virtual(o Options) (*Embedded, error) {
	o.Kafka, o.Redis = true, true
	e := &Embedded{miniredis: miniredis.NewMiniRedis(), network: &kfake.VirtualNetwork{}}
	ports := make([]int, max(1, o.Brokers))
	for i := range ports {
		ports[i] = firstPort + i
	}
	// Dial starts miniredis without a listener; the first connection is there only for that.
	first, err := e.miniredis.Dial()
	if err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	if err := first.Close(); err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	return e, e.startKafka(o, e.network.Listen, kfake.Ports(ports...))
}

// KafkaAddress returns host:port of the first broker; empty without Kafka.
func (e *Embedded) KafkaAddress() string {
	switch {
	case e.cluster == nil:
		return ""
	case e.network != nil:
		return "127.0.0.1:" + strconv.Itoa(firstPort)
	}
	return e.cluster.ListenAddrs()[0]
}

// RedisAddress returns host:port; empty without Redis. In a virtual network it is a name only.
func (e *Embedded) RedisAddress() string {
	switch {
	case e.miniredis == nil:
		return ""
	case e.network != nil:
		return "127.0.0.1:6379"
	}
	return e.miniredis.Addr()
}

// Cluster is the Kafka, for faults and control functions.
func (e *Embedded) Cluster() *kfake.Cluster { return e.cluster }

// Miniredis is the Redis, for looking into it. Change whole states by Copy, Restore and Empty.
func (e *Embedded) Miniredis() *miniredis.Miniredis { return e.miniredis }

// DialKafka connects to a broker, also in a virtual network. It has the form that Kafka clients ask for.
func (e *Embedded) DialKafka(ctx context.Context, network, address string) (net.Conn, error) {
	return e.kafka.dial(func() (net.Conn, error) {
		if e.network != nil {
			return e.network.DialContext(ctx, network, address)
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	})
}

// DialRedis connects to Redis, also in a virtual network.
func (e *Embedded) DialRedis(ctx context.Context, network, address string) (net.Conn, error) {
	return e.redis.dial(func() (net.Conn, error) {
		if e.network != nil {
			conn, err := e.miniredis.Dial()
			if err != nil {
				return nil, err
			}
			return relay(conn), nil
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	})
}

// CutKafka breaks the connections that were made by DialKafka. New ones can be made at once.
func (e *Embedded) CutKafka() { e.kafka.cut() }

// CutRedis breaks the connections that were made by DialRedis. New ones can be made at once.
func (e *Embedded) CutRedis() { e.redis.cut() }

// Close stops both and forgets what they held in memory.
func (e *Embedded) Close() {
	e.CutKafka()
	e.CutRedis()
	e.times.of(nil)
	if e.cluster != nil {
		e.cluster.Close()
	}
	if e.miniredis != nil {
		e.miniredis.Close()
	}
}

// connections remembers what is open, so that it can be cut.
type connections struct {
	mu   sync.Mutex
	open map[*connection]struct{}
}

type connection struct {
	net.Conn
	of *connections
}

func (c *connections) dial(connect func() (net.Conn, error)) (net.Conn, error) {
	conn, err := connect()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[*connection]struct{})
	}
	kept := &connection{conn, c}
	c.open[kept] = struct{}{}
	return kept, nil
}

func (c *connections) cut() {
	c.mu.Lock()
	open := c.open
	c.open = nil
	c.mu.Unlock()
	for conn := range open {
		_ = conn.Conn.Close() // broken is what it shall be
	}
}

func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

var errNoRedis = errors.New("no embedded Redis was started")
