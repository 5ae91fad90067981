package redis_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/redis"
)

// sent records the commands that are sent over connections, as they are on the wire, whoever sends them.
type sent struct {
	mu    sync.Mutex
	conns []*recordedConn
}

type recordedConn struct {
	net.Conn
	sent    *sent
	written bytes.Buffer
}

func (c *recordedConn) Write(b []byte) (int, error) {
	c.sent.mu.Lock()
	c.written.Write(b)
	c.sent.mu.Unlock()
	return c.Conn.Write(b)
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

func (s *sent) recording(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		recorded := &recordedConn{Conn: conn, sent: s}
		s.conns = append(s.conns, recorded)
		return recorded, nil
	}
}

// commands returns the names of what was sent, as an access control list names them.
func (s *sent) commands(t *testing.T) map[string]bool {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	names := map[string]bool{}
	for _, c := range s.conns {
		for r := bufio.NewReader(&c.written); ; {
			words, err := readCommand(r)
			if err != nil {
				break // the last command of a connection that was cut
			}
			name := strings.ToLower(words[0])
			if name == "config" {
				name += "|" + strings.ToLower(words[1])
			}
			names[name] = true
		}
	}
	return names
}

func readCommand(r *bufio.Reader) ([]string, error) {
	number := func() (int, error) {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	n, err := number()
	if err != nil {
		return nil, err
	}
	words := make([]string, n)
	for i := range words {
		size, err := number()
		if err != nil {
			return nil, err
		}
		word := make([]byte, size+len("\r\n"))
		if _, err := io.ReadFull(r, word); err != nil {
			return nil, err
		}
		words[i] = string(word[:size])
	}
	return words, nil
}

// The list of commands, of which access control lists are made, is exactly what is sent.
func TestCommandsAreThoseThatAreSent(t *testing.T) {
	var all sent
	conformance(t, func(t *testing.T, part func(*testing.T, world)) {
		synctest.Test(t, func(t *testing.T) {
			w := virtual(t)
			w.config.Dialer = all.recording(w.config.Dialer)
			part(t, w)
		})
	})
	synctest.Test(t, func(t *testing.T) {
		w := virtual(t)
		w.config.Dialer, w.config.Embedded = all.recording(w.config.Dialer), false
		client, err := redis.New(w.config)
		require.NoError(t, err)
		defer closed(t, client)
		_, err = client.Check(t.Context()) // INFO of this server has no eviction policy
		require.NoError(t, err)
		_, err = client.MemoryRatio(t.Context())
		require.NoError(t, err)
		require.NoError(t, client.Probe(t.Context(), namespace, 1))
		require.NoError(t, client.SetLastAudit(t.Context(), namespace, time.Now()))
		_, err = client.LastAudit(t.Context(), namespace)
		require.NoError(t, err)
	})
	listed := map[string]bool{}
	for _, c := range redis.Commands() {
		listed[c.Name] = true
	}
	found := all.commands(t)
	delete(found, "hello") // permitted to every user
	require.Equal(t, listed, found)
}
