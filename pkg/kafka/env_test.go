package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// env is a cluster to be tested against: kfake inside a synctest bubble, or (build tag real) Apache Kafka.
type env struct {
	brokers []string
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	fake    *kfake.Cluster // nil on real Kafka
	restart func(t *testing.T)
}

var unique atomic.Int64

// name is new in each run, because a real cluster outlives it.
func name(what string) string {
	return fmt.Sprintf("%s-%d-%d", what, time.Now().UnixNano(), unique.Add(1))
}

// around is a hook that a test can change.
type around struct {
	mu sync.Mutex
	fn func(ctx context.Context, c Call, do func(context.Context) error) error
	n  map[string]int // calls by API
}

func (a *around) set(fn func(ctx context.Context, c Call, do func(context.Context) error) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fn = fn
}

func (a *around) count(api string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n[api]
}

func (a *around) call(ctx context.Context, c Call, do func(context.Context) error) error {
	a.mu.Lock()
	fn := a.fn
	if a.n == nil {
		a.n = map[string]int{}
	}
	a.n[c.API]++
	a.mu.Unlock()
	if fn == nil {
		return do(ctx)
	}
	return fn(ctx, c, do)
}

var errInjected = errors.New("injected")

// cut makes the next call of an API fail, after it has been carried out or instead.
func (a *around) cut(api string, after bool) {
	var once atomic.Bool
	a.set(func(ctx context.Context, c Call, do func(context.Context) error) error {
		if c.API != api || !once.CompareAndSwap(false, true) {
			return do(ctx)
		}
		if after {
			if err := do(ctx); err != nil {
				return err
			}
		}
		return errInjected
	})
}

func (e *env) client(t *testing.T, edit ...func(*Config)) (*Client, *around) {
	t.Helper()
	a := &around{}
	cfg := Config{Brokers: e.brokers, Dial: e.dial, Around: a.call, Timeout: 10 * time.Second, MetadataTTL: time.Second}
	for _, f := range edit {
		f(&cfg)
	}
	c, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, a
}

func (e *env) topic(t *testing.T, c *Client, partitions int32, configs ...string) string {
	t.Helper()
	prefix := "topic"
	if slices.Contains(configs, "LogAppendTime") {
		prefix = "stamped"
	}
	spec := TopicSpec{Name: name(prefix), Partitions: partitions, Replicas: 1, Configs: map[string]string{}}
	for i := 0; i+1 < len(configs); i += 2 {
		spec.Configs[configs[i]] = configs[i+1]
	}
	require.NoError(t, c.CreateTopics(e.ctx(t), []TopicSpec{spec}))
	return spec.Name
}

func (e *env) ctx(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func batch(topic string, partition int32, values ...string) *Batch {
	b := NewBatch(topic, partition)
	for _, v := range values {
		b.Append(time.Now().UnixMilli(), []byte("key of "+v), []byte(v), nil)
	}
	return b
}

// all reads a partition to its end, and waits for markers that are not written yet.
func (e *env) all(t *testing.T, c *Client, topic string, partition int32) []string {
	t.Helper()
	ctx := e.ctx(t)
	ends, err := c.ListOffsets(ctx, topic, []int32{partition})
	require.NoError(t, err)
	values := []string{}
	for next := ends[partition].Start; next < ends[partition].HighWatermark; {
		next, err = c.ReadCommitted(ctx, topic, partition, next, ends[partition].HighWatermark, func(r Record) error {
			values = append(values, string(r.Value))
			return nil
		})
		require.NoError(t, err)
		if next < ends[partition].HighWatermark {
			require.NoError(t, pause(ctx, time.Millisecond), "%d of %+v", next, ends[partition])
		}
	}
	return values
}

func open(t *testing.T, e *env, c *Client, id string) *Transactional {
	t.Helper()
	x, err := c.OpenTransactional(e.ctx(t), id, 10*time.Second)
	require.NoError(t, err)
	return x
}

// fake is a cluster in memory; in a bubble, anything that leaks makes the test fail.
func fake(t *testing.T, brokers int, opts ...kfake.Opt) *env {
	t.Helper()
	vn := new(kfake.VirtualNetwork)
	e := &env{dial: vn.DialContext}
	var ports []int
	for i := range brokers {
		ports = append(ports, 9092+i)
		e.brokers = append(e.brokers, fmt.Sprintf("localhost:%d", 9092+i))
	}
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(brokers), kfake.Ports(ports...), kfake.ListenFn(vn.Listen))...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	e.fake = cluster
	stampAppendTime(cluster)
	return e
}

// stampAppendTime makes kfake do what a real broker does for topics with LogAppendTime. It looks at the batch's attribute
// instead, which no client may set, and then writes its time into the batch without a new CRC, so that the same time must
// stand there already: in a bubble it does.
func stampAppendTime(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			if !strings.HasPrefix(topic.Topic, "stamped") {
				continue
			}
			for _, p := range topic.Partitions {
				p.Records[atAttributes+1] |= attrLogAppendTime
				binary.BigEndian.PutUint64(p.Records[atBaseTimestamp:], uint64(time.Now().UnixMilli()))
				binary.BigEndian.PutUint64(p.Records[atMaxTimestamp:], uint64(time.Now().UnixMilli()))
				binary.BigEndian.PutUint32(p.Records[atCRC:], checksum(p.Records[atAttributes:]))
			}
		}
		return nil, nil, false
	})
}
