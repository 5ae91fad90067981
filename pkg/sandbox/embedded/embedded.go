// Package embedded owns a Kafka and a Redis inside this process: for the demo, for examples and for tests. Both speak the real
// protocols and keep their data in memory only.
//
// Start listens on free loopback ports, so that other programs can connect. StartVirtual and Virtual use no network, so they work
// in a testing/synctest bubble; clients connect through DialKafka and DialRedis.
//
// It refuses production use: Kafka answers as brokers that never fail by themselves.
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

// Topic is a topic that Start creates.
type Topic struct {
	Name       string
	Partitions int32
	Configs    map[string]string // such as message.timestamp.type: LogAppendTime
}

// Options select the servers. The zero value starts none.
type Options struct {
	Kafka   bool
	Redis   bool
	Topics  []Topic
	Brokers int // of Kafka; 0: 1
}

// Embedded holds the servers.
type Embedded struct {
	cluster   *kfake.Cluster
	miniredis *miniredis.Miniredis
	network   *kfake.VirtualNetwork // nil: loopback
	times     appendTimes
	kafka     connections
	redis     connections
}

// Start starts the selected servers on free ports of 127.0.0.1.
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

// loopback listens on 127.0.0.1, whatever host kfake asks for, so that no other machine can connect.
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
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		e.Close()
		return fmt.Errorf("start the embedded Kafka: %w", err)
	}
	e.cluster = cluster
	e.times.setCluster(cluster)
	for _, t := range o.Topics {
		if err := cluster.CreateTopic(t.Name, t.Partitions, t.Configs); err != nil {
			e.Close()
			return fmt.Errorf("create topic %s in the embedded Kafka: %w", t.Name, err)
		}
	}
	return nil
}

// firstPort is the port of the first broker in a virtual network. The other brokers have the next ports.
const firstPort = 9092

// tester has the methods of testing.TB that StartVirtual needs.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// StartVirtual is Virtual for a test, which closes the servers when it ends.
func StartVirtual(t tester, o Options) *Embedded {
	t.Helper()
	e, err := Virtual(o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(e.Close)
	return e
}

// Virtual starts Kafka and Redis without a network. In a synctest bubble it must be called inside of it.
func Virtual(o Options) (*Embedded, error) {
	o.Kafka, o.Redis = true, true
	e := &Embedded{miniredis: miniredis.NewMiniRedis(), network: &kfake.VirtualNetwork{}}
	ports := make([]int, max(1, o.Brokers))
	for i := range ports {
		ports[i] = firstPort + i
	}
	// The first Dial starts miniredis without a listener.
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

// RedisAddress returns host:port; empty without Redis. In a virtual network nothing listens there.
func (e *Embedded) RedisAddress() string {
	switch {
	case e.miniredis == nil:
		return ""
	case e.network != nil:
		return "127.0.0.1:6379"
	}
	return e.miniredis.Addr()
}

// Cluster is Kafka, for faults and control functions.
func (e *Embedded) Cluster() *kfake.Cluster { return e.cluster }

// Miniredis is Redis, for inspection. Use Copy, Restore and Empty to replace all its keys.
func (e *Embedded) Miniredis() *miniredis.Miniredis { return e.miniredis }

// DialKafka connects to a broker, also in a virtual network. Its signature is that of a net.Dialer.
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

// CutKafka closes the connections that DialKafka has made.
func (e *Embedded) CutKafka() { e.kafka.cut() }

// CutRedis closes the connections that DialRedis has made.
func (e *Embedded) CutRedis() { e.redis.cut() }

// Close stops the servers and drops their data.
func (e *Embedded) Close() {
	e.CutKafka()
	e.CutRedis()
	e.times.setCluster(nil)
	if e.cluster != nil {
		e.cluster.Close()
	}
	if e.miniredis != nil {
		e.miniredis.Close()
	}
}

// connections holds the open connections, so that they can be cut.
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
	counted := &connection{conn, c}
	c.open[counted] = struct{}{}
	return counted, nil
}

func (c *connections) cut() {
	c.mu.Lock()
	open := c.open
	c.open = nil
	c.mu.Unlock()
	for conn := range open {
		_ = conn.Conn.Close() // its error changes nothing
	}
}

func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

var errNoRedis = errors.New("no embedded Redis was started")
