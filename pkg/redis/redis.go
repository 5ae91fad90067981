// Package redis owns what Mainstay keeps in Redis: for each ledger partition one meta hash that says which ledger offset
// the state stands at, the blobs of its customers, and their timers. It is the only importer of go-redis.
//
// # Layout
//
// All keys of a partition share one hash tag, so that a commit is one MULTI on one node, also in a cluster:
//
//	<namespace>:{<tag>}:meta                     hash: token, commit, ledger, snapshot, offset, state ...
//	<namespace>:{<tag>}:<snapshot>:customers     hash: customer id -> blob
//	<namespace>:{<tag>}:<snapshot>:timers        sorted set: group number, scored by a lower bound of its deadlines
//	<namespace>:{<tag>}:<snapshot>:timers:<n>    hash: customer id -> deadline or 0, of the customers of group n
//
// One hash for the blobs rather than a key each: a key costs 32 bytes more in Redis 7 and far more when the prefix is
// long. Timers stand in small hashes, which Redis packs, because a sorted set of all of them costs 112 bytes a customer and
// these cost 30 (see timers.go).
//
// # What it promises
//
// A [Partition] is the claim of one owner. Every read checks in the same MULTI that the token and the commit id in meta are
// the ones that this claim wrote or loaded last; every commit checks them under WATCH. So a Redis that went back in time, was
// emptied, or has another owner is noticed before anything computed from it leaves ([ErrClaimLost]). Redis does not roll a
// transaction back: an error among the replies of an EXEC is [ErrTorn], and the caller begins a new snapshot, under whose
// name none of the old keys are ever read.
//
// It refuses: Lua (no roll-back either, and twice Redis's CPU), retries that the caller did not ask for (a commit may be
// repeated only as the same attempt), clocks and randomness (tokens, ids and times are arguments), and what blobs mean.
package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Mode is the kind of installation that the addresses lead to.
type Mode string

// The kinds of installation that are known.
const (
	ModeSingle   Mode = "single"   // one server; the default
	ModeCluster  Mode = "cluster"  // Redis Cluster; the addresses are seeds
	ModeSentinel Mode = "sentinel" // the addresses are sentinels, MasterName names the master
)

// Config says how to reach Redis.
type Config struct {
	Addresses  []string // host:port
	Mode       Mode     // empty: Single
	MasterName string   // Sentinel only
	Username   string
	Password   func() (string, error) // asked for at every new connection, so that it may rotate; nil: none
	DB         int                    // must be 0 in a cluster
	TLS        *tls.Config            // nil: plain text

	SentinelUsername string
	SentinelPassword func() (string, error) // nil: none

	Dialer   func(ctx context.Context, network, address string) (net.Conn, error) // nil: TCP, with TLS when set
	Timeout  time.Duration                                                        // of dialling, reading and writing; 0: 3 s
	PoolSize int                                                                  // connections per node; 0: go-redis's own choice

	// Around is called around everything that is sent, with a name such as "commit.exec" that says what it is for; it must
	// call do at most once and may return another error. The place of metrics and of injected faults. nil: do is called.
	Around func(ctx context.Context, call string, do func(context.Context) error) error

	// Embedded tolerates a server that cannot answer for its policies (miniredis). For demonstrations and tests only.
	Embedded bool
}

// Client is a pool of connections, safe for concurrent use. Partitions share it.
type Client struct {
	single   *redis.Client // Single and Sentinel
	master   string        // the name of the sentinels' master
	cluster  *redis.ClusterClient
	embedded bool
	mu       sync.Mutex // guards what is gathered from several masters at once
}

// New makes a client. It does not connect; a wrong Config is the only error.
func New(c Config) (*Client, error) {
	if len(c.Addresses) == 0 {
		return nil, errors.New("redis: no addresses: set redis.addresses to host:port of a server")
	}
	if c.Timeout == 0 {
		c.Timeout = 3 * time.Second
	}
	// Retries are off everywhere: what may be repeated, and as what, is for Partition and its caller to say. go-redis
	// would replay a write whose answer was lost.
	const retries = -1
	pushes := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled} // a feature of Redis Cloud, with goroutines of its own
	credentials := credentialsFrom(c.Username, c.Password)
	hook := around{call: c.Around}

	switch c.Mode {
	case ModeSingle, "":
		if len(c.Addresses) != 1 {
			return nil, fmt.Errorf("redis: %d addresses for a single server: give one, or set redis.mode to %q or %q", len(c.Addresses), ModeCluster, ModeSentinel)
		}
		client := redis.NewClient(&redis.Options{
			Addr: c.Addresses[0], DB: c.DB, TLSConfig: c.TLS, Dialer: c.Dialer, CredentialsProviderContext: credentials,
			Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true, MaxRetries: retries, MaintNotificationsConfig: pushes,
			DialTimeout: c.Timeout, ReadTimeout: c.Timeout, WriteTimeout: c.Timeout, PoolSize: c.PoolSize, DialerRetries: 1,
		})
		client.AddHook(hook)
		return &Client{single: client, embedded: c.Embedded}, nil
	case ModeSentinel:
		if c.MasterName == "" {
			return nil, errors.New("redis: mode sentinel needs redis.master_name")
		}
		options := &redis.FailoverOptions{
			MasterName: c.MasterName, SentinelAddrs: c.Addresses, SentinelUsername: c.SentinelUsername,
			DB: c.DB, TLSConfig: c.TLS, Dialer: c.Dialer, CredentialsProviderContext: credentials,
			Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true, MaxRetries: retries,
			DialTimeout: c.Timeout, ReadTimeout: c.Timeout, WriteTimeout: c.Timeout, PoolSize: c.PoolSize, DialerRetries: 1,
		}
		if c.SentinelPassword != nil {
			password, err := c.SentinelPassword()
			if err != nil {
				return nil, fmt.Errorf("redis: read the sentinels' password: %w", err)
			}
			options.SentinelPassword = password
		}
		client := redis.NewFailoverClient(options)
		client.AddHook(hook)
		return &Client{single: client, master: c.MasterName, embedded: c.Embedded}, nil
	case ModeCluster:
		if c.DB != 0 {
			return nil, fmt.Errorf("redis: database %d in a cluster: a cluster has only database 0 (redis.db)", c.DB)
		}
		client := redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: c.Addresses, TLSConfig: c.TLS, Dialer: c.Dialer, CredentialsProviderContext: credentials,
			Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true, MaxRetries: retries, MaintNotificationsConfig: pushes,
			DialTimeout: c.Timeout, ReadTimeout: c.Timeout, WriteTimeout: c.Timeout, PoolSize: c.PoolSize, DialerRetries: 1,
		})
		client.OnNewNode(func(node *redis.Client) { node.AddHook(hook) })
		return &Client{cluster: client, embedded: c.Embedded}, nil
	default:
		return nil, fmt.Errorf("redis: unknown mode %q: redis.mode is one of %s, %s, %s", c.Mode, ModeSingle, ModeCluster, ModeSentinel)
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
			return "", "", fmt.Errorf("read the password of Redis: %w", err)
		}
		return username, secret, nil
	}
}

// Close closes all connections. Calls under way fail.
func (c *Client) Close() error {
	if c.cluster != nil {
		return c.cluster.Close()
	}
	return c.single.Close()
}

// PoolStats is the state of the connection pools, for metrics.
type PoolStats = redis.PoolStats

// Pool returns the state of the connection pools, summed over the nodes.
func (c *Client) Pool() *PoolStats {
	if c.cluster != nil {
		return c.cluster.PoolStats()
	}
	return c.single.PoolStats()
}

// node returns the master that holds a key. All keys of a partition lie on one node, so everything beyond this line is the
// same with and without a cluster.
func (c *Client) node(ctx context.Context, key string) (*redis.Client, error) {
	if c.cluster == nil {
		return c.single, nil
	}
	node, err := c.cluster.MasterForKey(ctx, key)
	if err != nil {
		return nil, failed(err, "find the master of %s", key)
	}
	return node, nil
}

// moved asks for a fresh map of the cluster after trouble: the master of a slot may be another one by now.
func (c *Client) moved(ctx context.Context) {
	if c.cluster != nil {
		c.cluster.ReloadState(ctx)
	}
}

type callName struct{}

// named says what the commands sent under the returned context are for.
func named(ctx context.Context, call string) context.Context {
	return context.WithValue(ctx, callName{}, call)
}

// around hands everything that leaves to Config.Around.
type around struct {
	call func(ctx context.Context, call string, do func(context.Context) error) error
}

func (a around) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a around) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	if a.call == nil {
		return next
	}
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := a.call(ctx, a.name(ctx, strings.ToLower(cmd.Name())), func(ctx context.Context) error { return next(ctx, cmd) })
		if err != nil {
			cmd.SetErr(err) // an injected error is the command's error too
		}
		return err
	}
}

func (a around) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	if a.call == nil {
		return next
	}
	return func(ctx context.Context, cmds []redis.Cmder) error {
		what := "read"
		if len(cmds) > 0 && cmds[0].Name() == "multi" {
			what = "exec"
		}
		return a.call(ctx, a.name(ctx, what), func(ctx context.Context) error { return next(ctx, cmds) })
	}
}

func (around) name(ctx context.Context, what string) string {
	if call, ok := ctx.Value(callName{}).(string); ok {
		return call + "." + what
	}
	return "connection." + what
}

// silent is go-redis's logger, which is one for the whole process and writes to standard error. All that it tells comes back
// as an error too, and is logged by whoever handles that.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(silent{}) } //nolint:gochecknoinits // it may not be set while a client runs
