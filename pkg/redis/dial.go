package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// dialer opens the connections of all modes and encrypts them where configured. go-redis's own takes certificates once, at New.
func (c Config) dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	open := c.Dialer
	if open == nil {
		open = (&net.Dialer{Timeout: c.Timeout, KeepAlive: 15 * time.Second}).DialContext
	}
	if c.TLS == nil {
		return open
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		cfg, err := c.TLS()
		if err != nil {
			return nil, unreadable(err)
		}
		if cfg.ServerName == "" {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, fmt.Errorf("address of Redis: %w", err)
			}
			cfg = cfg.Clone()
			cfg.ServerName = host
		}
		conn, err := open(ctx, network, address)
		if err != nil {
			return nil, err
		}
		encrypted := tls.Client(conn, cfg)
		ctx, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("tls handshake with Redis at %s: %w", address, err), conn.Close())
		}
		return encrypted, nil
	}
}

func credentialsFrom(username string, password func() (string, error)) func(context.Context) (string, string, error) {
	if username == "" && password == nil {
		return nil
	}
	return func(context.Context) (string, string, error) {
		if password == nil {
			return username, "", nil
		}
		secret, err := password()
		if err != nil {
			return "", "", unreadable(fmt.Errorf("read the password of Redis: %w", err))
		}
		return username, secret, nil
	}
}

// unreadable classifies a password or certificate that cannot be read now: it may be just being replaced, so trying again can help.
func unreadable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
