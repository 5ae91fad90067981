package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// Defaults of Config.
const (
	DefaultTimeout     = 10 * time.Second
	DefaultMetadataTTL = 6 * time.Second
)

// Config says how to reach a cluster. Only Brokers is required.
type Config struct {
	// Brokers are host:port addresses, any of which can be asked for the others.
	Brokers []string
	// ClientID names this process in the broker's logs and quotas; "mainstay" when empty.
	ClientID string
	// TLS, when set, encrypts every connection; ServerName is filled in per broker when empty.
	TLS *tls.Config
	// SASL, when its Mechanism is set, authenticates every connection.
	SASL SASL
	// Dial opens connections; nil means a net.Dialer. Tests put a network in memory here.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Compression of the batches that this package builds: "", "none", "lz4" or "zstd". Reading understands all five of Kafka.
	Compression string
	// Timeout bounds one request, its connection included; DefaultTimeout when 0. A fetch may take its wait longer.
	Timeout time.Duration
	// MetadataTTL is how long a remembered leader is believed when no broker contradicts; DefaultMetadataTTL when 0. Brokers
	// are polled for addresses at about that interval; it may be long, because trouble refreshes both at once.
	MetadataTTL time.Duration
	// Around wraps every request: it must call do, and may delay it, count it, or answer with an error of its own before or
	// after. It is called from several goroutines at once. An error that is none of this package's counts as a lost
	// connection: the outcome is unknown. For the messages of a group's membership (JoinGroup, SyncGroup, Heartbeat,
	// LeaveGroup) do covers the sending only. What belongs to connections (ApiVersions, SASL, looking up addresses) is not
	// shown.
	Around func(ctx context.Context, c Call, do func(context.Context) error) error
}

// Call tells Around what is being asked. API is the protocol guide's name ("Fetch", "EndTxn"); the others are set where
// the request has exactly one of them.
type Call struct {
	API, Topic, Group, TxnID string
}

// SASL says who we are. The password is asked for at each connection, so that it can be rotated, and is never kept.
type SASL struct {
	// Mechanism is "plain", "scram-sha-256", "scram-sha-512", or "" for none.
	Mechanism string
	User      string
	Password  func(ctx context.Context) (string, error)
}

// String names the mechanism only, so that no user or password gets into a log by way of %v.
func (s SASL) String() string { return "sasl(" + s.Mechanism + ")" }

// GoString is String, for %#v.
func (s SASL) GoString() string { return s.String() }

// withDefaults returns the configuration with nothing left open, or names the field that is wrong.
func (c Config) withDefaults() (Config, error) {
	if len(c.Brokers) == 0 {
		return c, errors.New("brokers: at least one address is needed")
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return c, fmt.Errorf("brokers: %q is not host:port: %w", b, err)
		}
	}
	if c.ClientID == "" {
		c.ClientID = "mainstay"
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MetadataTTL == 0 {
		c.MetadataTTL = DefaultMetadataTTL
	}
	if c.Timeout < 0 || c.MetadataTTL < 0 {
		return c, errors.New("timeout, metadata ttl: must be positive")
	}
	if _, ok := codecNamed(c.Compression); !ok {
		return c, fmt.Errorf("compression: %q is none of none, lz4, zstd", c.Compression)
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	}
	return c, nil
}
