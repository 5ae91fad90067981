package server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

// bubble serves on a network in memory, in virtual time, and opens connections to it.
func bubble(t *testing.T, test func(t *testing.T, dial func() net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		vn := new(kfake.VirtualNetwork)
		opts := options()
		opts.Listen, opts.AllowAnonymous = "127.0.0.1:8080", true
		opts.Network = func(_ context.Context, network, address string) (net.Listener, error) {
			return vn.Listen(network, address)
		}
		reg := prometheus.NewRegistry()
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "long", Help: strings.Repeat("x", 1<<20)}, func() float64 { return 1 }))
		opts.Metrics = reg
		serve(t, opts)
		test(t, func() net.Conn {
			conn, err := vn.DialContext(t.Context(), "tcp", "127.0.0.1:8080")
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			return conn
		})
	})
}

// closed waits until the server has closed a connection, and returns what it had sent before.
func closed(t *testing.T, conn net.Conn) string {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(time.Hour)) // fails if it is closed already
	response, err := io.ReadAll(conn)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the server has not closed the connection")
	return string(response)
}

func healthy(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.NoError(t, answer.Body.Close())
}

// Clients that hold a connection without finishing their request are cut off, and hinder no one meanwhile.
func TestSlowClientsAreCutOff(t *testing.T) {
	for name, sent := range map[string]string{
		"nothing":           "",
		"half a line":       "GET /li",
		"headers for ever":  "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"a body that lacks": "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, dial func() net.Conn) {
				var slow []net.Conn
				for range 50 {
					conn := dial()
					if sent != "" {
						_, err := io.WriteString(conn, sent)
						require.NoError(t, err)
					}
					slow = append(slow, conn)
				}
				healthy(t, dial())
				for _, conn := range slow {
					closed(t, conn)
				}
			})
		})
	}
}

// A byte now and then does not keep a connection alive.
func TestTricklingClientsAreCutOff(t *testing.T) {
	bubble(t, func(t *testing.T, dial func() net.Conn) {
		conn, done := dial(), make(chan struct{})
		go func() {
			defer close(done)
			for _, b := range []byte("GET /livez HTTP/1.1\r\nX: " + strings.Repeat("a", 10_000)) {
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		began := time.Now()
		closed(t, conn)
		<-done
		require.Less(t, time.Since(began), time.Minute, "of virtual time")
	})
}

// A client that does not read its answer is cut off as well.
func TestClientsThatDoNotReadAreCutOff(t *testing.T) {
	bubble(t, func(t *testing.T, dial func() net.Conn) {
		conn := dial()
		_, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		time.Sleep(2 * time.Minute)
		require.Less(t, len(closed(t, conn)), 1<<20)
		healthy(t, dial())
	})
}

func TestHeaderFloodsAreRefused(t *testing.T) {
	for name, header := range map[string]string{
		"one long header":     "X: " + strings.Repeat("a", 64<<10) + "\r\n",
		"a long token":        "Authorization: Bearer " + strings.Repeat("a", 64<<10) + "\r\n",
		"many headers":        strings.Repeat("X: a\r\n", 16<<10),
		"a line without end":  strings.Repeat("a", 64<<10),
		"a long path to come": "",
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, dial func() net.Conn) {
				conn := dial()
				request := "GET /metrics HTTP/1.1\r\nHost: x\r\n" + header + "\r\n"
				if header == "" {
					request = "GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n"
				}
				go func() { _, _ = io.WriteString(conn, request) }()
				answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
				require.NoError(t, err)
				require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, answer.StatusCode)
				require.NoError(t, answer.Body.Close())
				healthy(t, dial())
			})
		})
	}
}
