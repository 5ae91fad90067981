package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
)

var logTopic = embedded.Topic{Name: "log", Partitions: 2, Configs: map[string]string{"message.timestamp.type": "LogAppendTime"}}

// appended produces two records with times of their own, and returns the time that both were stored with.
func appended(t *testing.T, e *embedded.Embedded) time.Time {
	t.Helper()
	client, err := kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}, Dial: e.DialKafka})
	require.NoError(t, err)
	defer client.Close()
	producer, err := client.NewProducer(t.Context())
	require.NoError(t, err)
	batch := kafka.NewBatch("log", 1)
	batch.Append(5, nil, []byte("v"), nil)
	batch.Append(987654321, nil, []byte("w"), nil)
	acks, err := producer.Produce(t.Context(), []*kafka.Batch{batch})
	require.NoError(t, err)
	require.Positive(t, acks[0].AppendTime, "the response contains the append time")
	for i, value := range []string{"v", "w"} {
		r, ok, err := client.ReadAtOrBelow(t.Context(), "log", 1, int64(i))
		require.NoError(t, err, "the batch's checksum is right")
		require.True(t, ok)
		require.Equal(t, value, string(r.Value))
		require.Equal(t, acks[0].AppendTime, r.Timestamp)
	}
	return time.UnixMilli(acks[0].AppendTime)
}

func TestServesOnLoopback(t *testing.T) {
	e, err := embedded.Start(t.Context(), embedded.Options{Kafka: true, Redis: true, Topics: []embedded.Topic{logTopic}})
	require.NoError(t, err)
	defer e.Close()
	require.Contains(t, e.KafkaAddress(), "127.0.0.1:")
	require.Equal(t, "PONG", ping(t, e))
	require.WithinDuration(t, time.Now(), appended(t, e), time.Hour, "the ledger's clock is the append time")
}

func TestRunsInsideABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := embedded.StartVirtual(t, embedded.Options{Topics: []embedded.Topic{logTopic}})
		start := time.Now()
		require.Equal(t, "PONG", ping(t, e))
		time.Sleep(time.Hour)
		require.Equal(t, start.Add(time.Hour), appended(t, e).In(start.Location()))
	})
}

func TestCopyRestoreEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := embedded.StartVirtual(t, embedded.Options{})
		m := e.Miniredis()
		binary := "\x00\xff\r\n$5"
		m.HSet("h", "f", binary)
		_, err := m.ZAdd("z", 1.7e12, "a")
		require.NoError(t, err)
		require.NoError(t, m.Set("s", ""))
		before, err := e.Copy()
		require.NoError(t, err)

		m.HSet("h", "f", "later", "g", "later")
		m.HSet("new", "f", "later")
		conn, err := e.DialRedis(t.Context(), "tcp", e.RedisAddress())
		require.NoError(t, err)
		require.NoError(t, e.Restore(before))
		_, err = conn.Write(request("PING"))
		require.Error(t, err, "connections break with the server behind them")
		require.Equal(t, []string{"h", "s", "z"}, m.Keys())
		require.Equal(t, binary, m.HGet("h", "f"))
		require.Empty(t, m.HGet("h", "g"))
		score, err := m.ZScore("z", "a")
		require.NoError(t, err)
		require.InDelta(t, 1.7e12, score, 0)

		require.NoError(t, e.Empty())
		require.Empty(t, m.Keys())
	})
}

// A restore must be seen by a transaction that watches what it changes, or tests would let commits through that a real
// failover stops.
func TestRestoreIsSeenByWatchers(t *testing.T) {
	for name, change := range map[string]func(*embedded.Embedded, embedded.Copy) error{
		"restored": (*embedded.Embedded).Restore,
		"emptied":  func(e *embedded.Embedded, _ embedded.Copy) error { return e.Empty() },
	} {
		t.Run(name, func(t *testing.T) {
			e, err := embedded.Start(t.Context(), embedded.Options{Redis: true})
			require.NoError(t, err)
			defer e.Close()
			e.Miniredis().HSet("h", "f", "v")
			before, err := e.Copy()
			require.NoError(t, err)
			conn, err := e.Miniredis().Dial() // one that Restore does not cut
			require.NoError(t, err)
			defer func() { require.NoError(t, conn.Close()) }()
			answers := bufio.NewReader(conn)
			do := func(command string) string {
				_, err := conn.Write(request(strings.Fields(command)...))
				require.NoError(t, err)
				line, err := answers.ReadString('\n')
				require.NoError(t, err)
				return line
			}
			require.Equal(t, "+OK\r\n", do("WATCH h"))
			require.NoError(t, change(e, before))
			do("MULTI")
			do("HSET h f w")
			require.Contains(t, do("EXEC"), "-1")
		})
	}
}

func ping(t *testing.T, e *embedded.Embedded) string {
	t.Helper()
	conn, err := e.DialRedis(context.Background(), "tcp", e.RedisAddress())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	_, err = conn.Write(request("PING"))
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	return line[1 : len(line)-2]
}

func request(args ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b
}
