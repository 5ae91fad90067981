package kafka

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/sasl"
)

// connect opens a connection, encrypts it and authenticates it, each where configured. It does so here and not in kafka-go's Transport and
// Dialer, because these take certificates once, at start, and ignore the lifetime of a session (KIP-368): a broker with
// connections.max.reauth.ms would close each of their connections under a request.
func (c *Client) connect(ctx context.Context, dialer *trackingDialer, nw, address string) (net.Conn, error) {
	conn, err := dialer.dial(ctx, nw, address)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if c.cfg.TLS != nil {
		cfg, err := c.cfg.TLS()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("tls: %w", err), conn.Close())
		}
		if cfg.ServerName == "" {
			cfg = cfg.Clone()
			cfg.ServerName = host
		}
		t := tls.Client(conn, cfg)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("tls handshake: %w", err), conn.Close())
		}
		conn = t
	}
	if c.mechanism == nil {
		return conn, nil
	}
	s := &session{Conn: conn, mechanism: c.mechanism, clientID: c.cfg.ClientID, timeout: c.cfg.Timeout}
	if deadline, ok := ctx.Deadline(); ok {
		_ = s.SetDeadline(deadline) // fails only on a closed connection, as the exchange then does
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if err := s.authenticate(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, s.SetDeadline(time.Time{})
}

// session is an authenticated connection. If the broker limits the lifetime of the authentication, the session authenticates again on the
// same connection before that lifetime ends, between two requests. An idle connection does so before its next request: a broker closes
// an expired session only when a request other than a handshake arrives on it.
type session struct {
	net.Conn
	mechanism sasl.Mechanism
	clientID  string
	timeout   time.Duration // of authenticating again

	mu              sync.Mutex
	written, read   frames
	renewAt         time.Time // zero: the authentication does not expire
	correlation     int32
	readBy, writeBy time.Time // the deadlines that the owner of the connection has set
}

// frames counts the messages in one direction of a connection: each is a length of 4 bytes and that many bytes.
type frames struct {
	prefix [4]byte
	have   int // bytes of the prefix
	rest   int // bytes of the message that are still to come
	begun  int
	ended  int
}

func (f *frames) follow(p []byte) {
	for len(p) > 0 {
		if f.rest > 0 {
			n := min(f.rest, len(p))
			f.rest -= n
			p = p[n:]
		} else {
			if f.have == 0 {
				f.begun++
			}
			n := copy(f.prefix[f.have:], p)
			f.have += n
			p = p[n:]
			if f.have < len(f.prefix) {
				return
			}
			f.have, f.rest = 0, int(binary.BigEndian.Uint32(f.prefix[:]))
		}
		if f.rest == 0 && f.have == 0 {
			f.ended++
		}
	}
}

// Write authenticates again first if it is time to and no request is in flight.
func (s *session) Write(p []byte) (int, error) {
	s.mu.Lock()
	quiet := s.written.begun == s.written.ended && s.written.ended == s.read.ended
	due := !s.renewAt.IsZero() && !time.Now().Before(s.renewAt)
	readBy, writeBy := s.readBy, s.writeBy
	s.mu.Unlock()
	//mutant:session-not-renewed if false && $
	//mutant:session-renewed-in-flight if (quiet || true) && due
	if quiet && due {
		if err := s.renew(); err != nil {
			return 0, errors.Join(err, s.Conn.Close())
		}
		if err := errors.Join(s.Conn.SetReadDeadline(readBy), s.Conn.SetWriteDeadline(writeBy)); err != nil {
			return 0, err
		}
	}
	s.mu.Lock()
	s.written.follow(p) // before the write, since the response may arrive before it returns
	s.mu.Unlock()
	return s.Conn.Write(p)
}

// Read counts the responses.
func (s *session) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.mu.Lock()
	s.read.follow(p[:n])
	s.mu.Unlock()
	return n, err
}

// SetDeadline is remembered, because authenticating again has a deadline of its own.
func (s *session) SetDeadline(t time.Time) error {
	s.mu.Lock()
	s.readBy, s.writeBy = t, t
	s.mu.Unlock()
	return s.Conn.SetDeadline(t)
}

// SetReadDeadline is remembered likewise.
func (s *session) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	s.readBy = t
	s.mu.Unlock()
	return s.Conn.SetReadDeadline(t)
}

// SetWriteDeadline is remembered likewise.
func (s *session) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	s.writeBy = t
	s.mu.Unlock()
	return s.Conn.SetWriteDeadline(t)
}

func (s *session) renew() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	if err := s.Conn.SetDeadline(time.Now().Add(s.timeout)); err != nil {
		return err
	}
	if err := s.authenticate(ctx); err != nil {
		return fmt.Errorf("authenticate again: %w", err)
	}
	return nil
}

// The versions below are the last without tagged fields; SaslAuthenticate has the session's lifetime since version 1.
const (
	saslHandshakeVersion    = 1
	saslAuthenticateVersion = 1
)

// authenticate performs the exchange of the mechanism and notes when it must be repeated.
func (s *session) authenticate(ctx context.Context) error {
	began := time.Now()
	if err := s.handshake(); err != nil {
		return err
	}
	machine, message, err := s.mechanism.Start(ctx)
	if err != nil {
		return fmt.Errorf("sasl: %w", err)
	}
	for done := false; !done; {
		var challenge []byte
		var lifetime time.Duration
		if challenge, lifetime, err = s.exchange(message); err != nil {
			return err
		}
		if done, message, err = machine.Next(ctx, challenge); err != nil {
			return err
		}
		s.mu.Lock()
		s.renewAt = time.Time{}
		if lifetime > 0 {
			// The Java client takes a random share from 85% to 95%. Connections that begin together are no herd here: each waits for
			// its own next request.
			s.renewAt = began.Add(lifetime * 85 / 100)
		}
		s.mu.Unlock()
	}
	return nil
}

// handshake names the mechanism. The error lists those of the broker if it does not support it.
func (s *session) handshake() error {
	r, err := s.roundTrip(protocol.SaslHandshake, saslHandshakeVersion, func(b []byte) []byte {
		return appendString(b, s.mechanism.Name())
	})
	if err != nil {
		return err
	}
	code := r.i16()
	var offered []string
	for range r.count() {
		offered = append(offered, string(r.str()))
	}
	switch {
	case r.short:
		return fmt.Errorf("SaslHandshake: %w", errShortResponse)
	case code != 0:
		return fmt.Errorf("%w: sasl mechanism %s: the broker offers %q", Code(code), s.mechanism.Name(), offered)
	}
	return nil
}

func (s *session) exchange(message []byte) (challenge []byte, lifetime time.Duration, err error) {
	r, err := s.roundTrip(protocol.SaslAuthenticate, saslAuthenticateVersion, func(b []byte) []byte {
		b = binary.BigEndian.AppendUint32(b, uint32(len(message)))
		return append(b, message...)
	})
	if err != nil {
		return nil, 0, err
	}
	code, reason := r.i16(), string(r.str())
	challenge, lifetime = r.bytes(), time.Duration(r.i64())*time.Millisecond
	switch {
	case r.short:
		return nil, 0, fmt.Errorf("SaslAuthenticate: %w", errShortResponse)
	case code != 0:
		return nil, 0, fmt.Errorf("%w: sasl %s: %s", Code(code), s.mechanism.Name(), reason)
	}
	return challenge, lifetime, nil
}

// roundTrip bypasses the counters: it runs only while no request is in flight.
func (s *session) roundTrip(key protocol.ApiKey, version int16, body func([]byte) []byte) (*responseReader, error) {
	const most = 1 << 20
	s.correlation++
	b := body(appendHeader(nil, key, version, s.correlation, s.clientID))
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	if _, err := s.Conn.Write(b); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	var size [4]byte
	if _, err := io.ReadFull(s.Conn, size[:]); err != nil {
		if errors.Is(err, io.EOF) { // how brokers reject a client that speaks neither their protocol nor their encryption
			err = fmt.Errorf("the broker closed the connection during authentication: %w", err)
		}
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 4 || n > most {
		return nil, fmt.Errorf("%s: response of %d bytes", key, n)
	}
	response := make([]byte, n)
	if _, err := io.ReadFull(s.Conn, response); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	r := &responseReader{rest: response}
	if got := r.i32(); got != s.correlation {
		return nil, fmt.Errorf("%s: response to request %d, want %d", key, got, s.correlation)
	}
	return r, nil
}
