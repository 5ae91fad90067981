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

// Config is the configuration of a Client. Only Brokers is required.
type Config struct {
	// Brokers are bootstrap addresses, host:port; any one of them suffices to find the others.
	Brokers []string
	// ClientID identifies this process in the brokers' logs and quotas; "mainstay" when empty.
	ClientID string
	// TLS, when set, encrypts every connection. It is called for each one, so that certificates can be rotated; the result is not
	// changed. An empty ServerName stands for the broker's host name.
	TLS func() (*tls.Config, error)
	// SASL, when its Mechanism is set, authenticates every connection.
	SASL SASL
	// Dial opens connections; nil means a net.Dialer. Tests use an in-memory network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Compression of produced batches: "", "none", "lz4" or "zstd". Fetching supports all codecs of Kafka.
	Compression string
	// Timeout bounds one request, including opening its connection; DefaultTimeout when 0. For a fetch, its maximum wait is added.
	Timeout time.Duration
	// MetadataTTL is how long a cached leader is used without being refreshed; DefaultMetadataTTL when 0. Brokers' addresses are
	// refreshed at about the same interval. It may be long, because an error refreshes both immediately.
	MetadataTTL time.Duration
	// Around wraps every request, for metrics and fault injection. It must call do, and may delay it or return an error of its
	// own before or after it. It is called concurrently. An error that is not of this package counts as a lost connection: the
	// outcome of the request is unknown. For the requests of a group's membership (JoinGroup, SyncGroup, Heartbeat, LeaveGroup)
	// do covers only sending. Requests that belong to a connection (ApiVersions, SASL, broker addresses) are not wrapped.
	Around func(ctx context.Context, c Call, do func(context.Context) error) error
}

// Call describes a request to Around. API is its name in the protocol guide ("Fetch", "EndTxn"); Topic, Group and TxnID are set if the
// request has exactly one of them.
type Call struct {
	API, Topic, Group, TxnID string
}

// SASL holds the credentials. Password and Token are called for each authentication, so that they can be rotated, and their results are
// not stored.
type SASL struct {
	// Mechanism is the name of one of Mechanisms, or "" for none. It determines which of the other fields are needed.
	Mechanism string
	User      string
	Password  func(ctx context.Context) (string, error)
	Token     func(ctx context.Context) (string, error)
	// Extensions accompany a token (KIP-342).
	Extensions map[string]string
}

// String returns the mechanism only, so that formatting with %v never logs a user or password.
func (s SASL) String() string { return "sasl(" + s.Mechanism + ")" }

// GoString returns String, for %#v.
func (s SASL) GoString() string { return s.String() }

// withDefaults returns the configuration with defaults filled in, or an error that names the field that is wrong.
func (c Config) withDefaults() (Config, error) {
	if len(c.Brokers) == 0 {
		return c, errors.New("brokers: at least one address is required")
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
		return c, fmt.Errorf("compression: %q is not one of none, lz4, zstd", c.Compression)
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	}
	return c, nil
}
