//go:build real

package kafka

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	dockernet "github.com/moby/moby/api/types/network"
	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// TestConformanceOnKafka runs against MAINSTAY_TEST_KAFKA (host:port[,host:port]) or a container of its own.
func TestConformanceOnKafka(t *testing.T) {
	e := realKafka(t)
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) { c.test(t, e) })
	}
	t.Run("a broker restarts", func(t *testing.T) {
		if e.restart == nil { // somebody else's
			e = ownKafka(t)
		}
		testRestart(t, e)
	})
}

func realKafka(t testing.TB) *env {
	t.Helper()
	if addrs := os.Getenv("MAINSTAY_TEST_KAFKA"); addrs != "" {
		return &env{brokers: strings.Split(addrs, ",")}
	}
	return ownKafka(t)
}

// ownKafka is a broker in a container, which may be killed.
func ownKafka(t testing.TB) *env {
	t.Helper()
	// Kafka advertises its own address to clients, so the port must be known before it starts.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	inside := dockernet.MustParsePort("9092/tcp")
	broker, err := testcontainers.GenericContainer(t.Context(), testcontainers.GenericContainerRequest{
		Started: true,
		ContainerRequest: testcontainers.ContainerRequest{
			Image:        "apache/kafka:4.1.0",
			Labels:       labels(),
			ExposedPorts: []string{"9092/tcp"},
			Env: map[string]string{
				"KAFKA_NODE_ID": "1", "KAFKA_PROCESS_ROLES": "broker,controller",
				// The broker asks itself whether a partition is in a transaction (otherwise 19), and writes markers to itself
				// (otherwise error 51 forever): it must reach itself by another address than the test does.
				"KAFKA_LISTENERS":                                "PLAINTEXT://:9092,INSIDE://:19092,CONTROLLER://:9093",
				"KAFKA_ADVERTISED_LISTENERS":                     "INSIDE://localhost:19092,PLAINTEXT://127.0.0.1:" + strconv.Itoa(port),
				"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":           "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
				"KAFKA_INTER_BROKER_LISTENER_NAME":               "INSIDE",
				"KAFKA_CONTROLLER_LISTENER_NAMES":                "CONTROLLER",
				"KAFKA_CONTROLLER_QUORUM_VOTERS":                 "1@localhost:9093",
				"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         "1",
				"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
				"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            "1",
				"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":         "0",
				"KAFKA_AUTO_CREATE_TOPICS_ENABLE":                "false",
			},
			HostConfigModifier: func(h *container.HostConfig) {
				h.PortBindings = dockernet.PortMap{inside: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(port)}}}
			},
			WaitingFor: wait.ForLog("Kafka Server started").WithStartupTimeout(2 * time.Minute),
		},
	})
	testcontainers.CleanupContainer(t, broker)
	require.NoError(t, err)
	return &env{
		brokers: []string{fmt.Sprintf("127.0.0.1:%d", port)},
		restart: func(t *testing.T) {
			now := time.Duration(0)
			require.NoError(t, broker.Stop(t.Context(), &now)) // killed, not asked
			require.NoError(t, broker.Start(t.Context()))
		},
	}
}

// labels are those by which what a killed test has left behind is known (see MAINSTAY_TEST_RUN in .ci/run).
func labels() map[string]string {
	if run := os.Getenv("MAINSTAY_TEST_RUN"); run != "" {
		return map[string]string{"mainstay.run": run}
	}
	return nil
}

// testRestart kills the broker under a transactional writer, a reader and a group, and counts afterwards.
func testRestart(t *testing.T, e *env) {
	c, _ := e.client(t, func(cfg *Config) { cfg.Timeout = 3 * time.Second })
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	in, out, group, id := e.topic(t, c, 1), e.topic(t, c, 2), name("group"), name("id")
	g, err := c.NewGroup(GroupConfig{ID: name("members"), Topics: []string{in}})
	require.NoError(t, err)
	gen, err := g.Next(ctx)
	require.NoError(t, err)

	x := open(t, e, c, id)
	f := c.NewFetcher(FetcherConfig{})
	f.Assign(out, 0, 0)
	read := 0
	restarted := make(chan struct{})
	const last = 400
	for at := int64(0); at < last; {
		if at == last/2 && restarted != nil {
			started := restarted
			restarted = nil
			go func() {
				defer close(started)
				e.restart(t)
			}()
			defer func() { <-started }()
		}
		if x == nil {
			if x, err = c.OpenTransactional(ctx, id, 10*time.Second); err != nil {
				x = nil
				require.NoError(t, ctx.Err(), "%v", err)
				continue
			}
			at, _, err = c.CommittedOffset(ctx, group, in, 0)
			if err != nil {
				require.True(t, Retriable(err), err)
				x = nil
				continue
			}
		}
		v := strconv.FormatInt(at, 10)
		err := x.Publish(ctx, Transaction{Batches: []*Batch{batch(out, 0, v), batch(out, 1, v)}, Group: group, Topic: in, Offset: at + 1})
		if err != nil {
			t.Logf("publish %d: %v", at, err)
			require.ErrorIs(t, err, ErrReopen)
			require.NotErrorIs(t, err, ErrFenced)
			x = nil
			continue
		}
		at++
		got, err := f.Fetch(ctx, 0, 1)
		require.NoError(t, err)
		for _, p := range got {
			if p.Err != nil {
				require.True(t, Retriable(p.Err), p.Err)
			}
			read += len(p.Records)
		}
	}
	for read < last {
		got, err := f.Fetch(ctx, time.Second, 1)
		require.NoError(t, err)
		for _, p := range got {
			read += len(p.Records)
		}
	}
	require.Equal(t, last, read)
	open(t, e, c, id)
	for part := range int32(2) {
		values := e.all(t, c, out, part)
		require.Len(t, values, last)
		for i, v := range values {
			require.Equal(t, strconv.Itoa(i), v)
		}
	}
	<-gen.Context().Done()
	gen, err = g.Next(ctx)
	require.NoError(t, err)
	require.NoError(t, gen.Heartbeat(ctx))
	require.NoError(t, g.Close(ctx))
}
