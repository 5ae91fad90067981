package ingest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
)

// bubble is a world in virtual time, on a network in memory, and opens connections to it.
func bubble(t *testing.T, test func(t *testing.T, w *world, dial func() net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := new(kfake.VirtualNetwork)
		servers := embedded.StartVirtual(t, embedded.Options{Topics: []embedded.Topic{{Name: "purchases", Partitions: 1}, {Name: "surveys", Partitions: 1}}})
		w := worldOn(t, servers, func(o *options) {
			o.server.Listen, o.server.AllowAnonymous = "127.0.0.1:8081", true
			o.server.Network = func(_ context.Context, kind, address string) (net.Listener, error) {
				return network.Listen(kind, address)
			}
		})
		w.dial = func(ctx context.Context, kind, _ string) (net.Conn, error) {
			return network.DialContext(ctx, kind, "127.0.0.1:8081")
		}
		test(t, w, func() net.Conn {
			conn, err := w.dial(t.Context(), "tcp", "")
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			return conn
		})
	})
}

// Clients that are slow with their bodies are cut off, take no memory for what they have not sent, and hinder no one meanwhile: more
// of them than fit, by what they say that they will send.
func TestSlowBodiesHinderNoOne(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, dial func() net.Conn) {
		began := time.Now()
		var slow []net.Conn
		for range 40 {
			conn := dial()
			_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n{", purchases, 60<<10)
			require.NoError(t, err)
			slow = append(slow, conn)
		}
		synctest.Wait()
		require.Equal(t, 1, w.post(purchases, purchase("ada", "1", "1")).Accepted)
		for _, conn := range slow {
			_ = conn.SetReadDeadline(time.Now().Add(time.Hour))
			_, err := io.ReadAll(conn)
			require.NoError(t, err, "the server has not closed the connection")
		}
		require.Less(t, time.Since(began), time.Minute, "of virtual time")
		require.Zero(t, w.metric("mainstay_ingest_in_flight_bytes"))
	})
}

// More requests than memory: the others are refused with Retry-After, and all is well afterwards.
func TestMoreRequestsThanMemory(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, dial func() net.Conn) {
		var open []net.Conn
		for range 100 { // each counts 16 KiB of 1 MiB, and what it has sent
			conn := dial()
			_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{", purchases)
			require.NoError(t, err)
			open = append(open, conn)
		}
		synctest.Wait()
		r := w.post(purchases, purchase("ada", "1", "1"))
		require.Equal(t, "busy", r.problem())
		require.Equal(t, "1", r.retryAfter)
		for _, conn := range open {
			require.NoError(t, conn.Close())
		}
		synctest.Wait()
		require.Equal(t, 1, w.post(purchases, purchase("ada", "1", "1")).Accepted)
	})
}

func TestHeaderFloodsAreRefused(t *testing.T) {
	for name, header := range map[string]string{
		"a long signature": "Stripe-Signature: " + strings.Repeat("v1=00,", 16<<10) + "\r\n", "many headers": strings.Repeat("X: a\r\n", 16<<10),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world, dial func() net.Conn) {
				conn := dial()
				go func() {
					_, _ = io.WriteString(conn, "POST "+purchases+" HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\n")
				}()
				answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
				require.NoError(t, err)
				require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, answer.StatusCode)
				require.NoError(t, answer.Body.Close())
				require.Equal(t, 1, w.post(purchases, purchase("ada", "1", "1")).Accepted)
			})
		})
	}
}

// A Kafka that stops to answer holds a request no longer than the server gives an answer, and is used again when it is back.
func TestKafkaAway(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, _ func() net.Conn) {
		require.Equal(t, 1, w.post(purchases, purchase("ada", "1", "1")).Accepted)
		var away atomic.Bool
		away.Store(true)
		w.servers.Cluster().Control(func(kmsg.Request) (kmsg.Response, error, bool) {
			w.servers.Cluster().KeepControl()
			return nil, errors.New("closed"), away.Load()
		})
		began := time.Now()
		r := w.post(purchases, purchase("ada", "2", "1"))
		require.Equal(t, "unavailable", r.problem())
		require.NotEmpty(t, r.retryAfter)
		require.Less(t, time.Since(began), 20*time.Second, "of virtual time")
		away.Store(false)
		require.Equal(t, 1, w.post(purchases, purchase("ada", "2", "1")).Accepted)
		require.NotEmpty(t, w.written("purchases")["ada"])
	})
}
