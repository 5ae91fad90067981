// Package redis owns the state that Mainstay keeps in Redis: for each ledger partition a meta hash with the ledger offset of the state,
// the blobs of its customers, and their timers. It is the only importer of go-redis.
//
// # Layout
//
// All keys of a partition share one hash tag, so that a commit is one MULTI on one node, in a cluster as well
// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/, "Hash tags"):
//
//	<namespace>:{<tag>}:meta                     hash: token, commit, ledger, snapshot, offset, state ...
//	<namespace>:{<tag>}:<snapshot>:customers     hash: customer id -> blob
//	<namespace>:{<tag>}:<snapshot>:timers        sorted set: group number, with a lower bound of its deadlines as score
//	<namespace>:{<tag>}:<snapshot>:timers:<n>    hash: customer id -> deadline or 0, of the customers of group n
//
// The alternative of one key per customer was rejected: a key costs 32 bytes more in Redis 7, and more still with a long prefix. Timers
// are in small hashes, which Redis packs: 30 bytes per customer, against 112 in a single sorted set (see timers.go).
//
// # What it promises
//
// A [Partition] is the claim of one owner. Every read checks in the same MULTI that the token and the commit id in meta are those that
// this claim wrote or loaded last; every commit checks them under WATCH. A Redis that was restored to an earlier state or emptied, or a
// partition that another owner has claimed, is therefore detected before anything computed from the state is published
// ([ErrClaimLost]). Redis does not roll back a transaction: an error among the replies of an EXEC is [ErrTorn], and the caller begins a
// new snapshot, under whose name no old key is ever read.
//
// It refuses Lua scripts (no rollback either, and twice the CPU time in Redis), retries that the caller did not request (only exactly the
// same commit may be repeated), clocks and randomness (tokens, ids and times are arguments), and to interpret blobs.
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

// Mode is the kind of Redis installation.
type Mode string

// The supported modes.
const (
	ModeSingle   Mode = "single"   // one server; the default
	ModeCluster  Mode = "cluster"  // Redis Cluster; the addresses are seeds
	ModeSentinel Mode = "sentinel" // the addresses are sentinels, MasterName names the master
)

// Config is the configuration of a Client. Only Addresses is required.
type Config struct {
	Addresses  []string // host:port
	Mode       Mode     // empty: Single
	MasterName string   // Sentinel only
	Username   string
	Password   func() (string, error) // called for each new connection, so that the password can be rotated; nil: none
	DB         int                    // must be 0 in a cluster

	// SentinelUsername and SentinelPassword are those of the sentinels themselves; ModeSentinel only. go-redis takes them once, at New.
	SentinelUsername, SentinelPassword string

	// TLS, when set, encrypts every connection, also to sentinels. It is called for each one, so that certificates can be rotated; the
	// result is not changed. An empty ServerName stands for the host of the address.
	TLS func() (*tls.Config, error)

	Dialer   func(ctx context.Context, network, address string) (net.Conn, error) // nil: TCP
	Timeout  time.Duration                                                        // of dialling, reading and writing, each; 0: 3 s
	PoolSize int                                                                  // connections per node; 0: go-redis's own choice

	// Around wraps every command and pipeline, for metrics and fault injection. call is a name such as "commit.exec": the method of
	// this package and the command. Around must call do at most once and may return another error. nil: do is called directly.
	Around func(ctx context.Context, call string, do func(context.Context) error) error

	// Embedded makes Check accept a server without INFO and CONFIG (miniredis). For demonstrations and tests only.
	Embedded bool
}

// Client is a connection pool, shared by all partitions. It is safe for concurrent use.
type Client struct {
	single    *redis.Client // Single and Sentinel
	master    string        // ModeSentinel: name of the master; otherwise empty
	cluster   *redis.ClusterClient
	embedded  bool
	gathering sync.Mutex // guards results collected from several masters concurrently
}

// New returns a client and does not connect. The error names the setting that is wrong.
func New(c Config) (*Client, error) {
	if len(c.Addresses) == 0 {
		return nil, errors.New("redis: no addresses: set redis.addresses to the host:port of a server")
	}
	if c.Timeout == 0 {
		c.Timeout = 3 * time.Second
	}
	// Retries are disabled: go-redis would repeat a write whose reply was lost. Partition and its caller decide what may be repeated.
	const retries = -1
	pushes := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled} // a feature of Redis Cloud that starts goroutines
	credentials := credentialsFrom(c.Username, c.Password)
	hook := aroundHook{call: c.Around}
	dial := c.dialer()

	switch c.Mode {
	case ModeSingle, "":
		if len(c.Addresses) != 1 {
			return nil, fmt.Errorf("redis: %d addresses for a single server: give one, or set redis.mode to %q or %q", len(c.Addresses), ModeCluster, ModeSentinel)
		}
		client := redis.NewClient(&redis.Options{
			Addr: c.Addresses[0], DB: c.DB, Dialer: dial, CredentialsProviderContext: credentials,
			Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true, MaxRetries: retries, MaintNotificationsConfig: pushes,
			DialTimeout: c.Timeout, ReadTimeout: c.Timeout, WriteTimeout: c.Timeout, PoolSize: c.PoolSize, DialerRetries: 1,
		})
		client.AddHook(hook)
		return &Client{single: client, embedded: c.Embedded}, nil
	case ModeSentinel:
		if c.MasterName == "" {
			return nil, errors.New("redis: mode sentinel needs redis.master_name")
		}
		client := redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: c.MasterName, SentinelAddrs: c.Addresses, SentinelUsername: c.SentinelUsername, SentinelPassword: c.SentinelPassword,
			DB: c.DB, Dialer: dial, CredentialsProviderContext: credentials,
			Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true, MaxRetries: retries,
			DialTimeout: c.Timeout, ReadTimeout: c.Timeout, WriteTimeout: c.Timeout, PoolSize: c.PoolSize, DialerRetries: 1,
		})
		client.AddHook(hook)
		return &Client{single: client, master: c.MasterName, embedded: c.Embedded}, nil
	case ModeCluster:
		if c.DB != 0 {
			return nil, fmt.Errorf("redis: database %d in a cluster: a cluster has only database 0 (redis.db)", c.DB)
		}
		client := redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: c.Addresses, Dialer: dial, CredentialsProviderContext: credentials,
			Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true, MaxRetries: retries, MaintNotificationsConfig: pushes,
			DialTimeout: c.Timeout, ReadTimeout: c.Timeout, WriteTimeout: c.Timeout, PoolSize: c.PoolSize, DialerRetries: 1,
		})
		client.OnNewNode(func(node *redis.Client) { node.AddHook(hook) })
		return &Client{cluster: client, embedded: c.Embedded}, nil
	default:
		return nil, fmt.Errorf("redis: unknown mode %q: redis.mode is one of %s, %s, %s", c.Mode, ModeSingle, ModeCluster, ModeSentinel)
	}
}

// Close closes all connections. Calls in progress fail.
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

// node returns the master of a key. All keys of a partition are on one node, so the rest of this package does not depend on the mode.
func (c *Client) node(ctx context.Context, key string) (*redis.Client, error) {
	if c.cluster == nil {
		return c.single, nil
	}
	node, err := c.cluster.MasterForKey(ctx, key)
	if err != nil {
		return nil, wrapClass(err, "find the master of %s", key)
	}
	return node, nil
}

// reloadTopology refreshes the slot map of the cluster after an error: a slot may have another master now.
func (c *Client) reloadTopology(ctx context.Context) {
	if c.cluster != nil {
		c.cluster.ReloadState(ctx)
	}
}

type callNameKey struct{}

// withCallName sets the method name that Config.Around gets for commands sent with the returned context.
func withCallName(ctx context.Context, call string) context.Context {
	return context.WithValue(ctx, callNameKey{}, call)
}

// aroundHook passes every command and pipeline to Config.Around.
type aroundHook struct {
	call func(ctx context.Context, call string, do func(context.Context) error) error
}

func (a aroundHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a aroundHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	if a.call == nil {
		return next
	}
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := a.call(ctx, a.name(ctx, strings.ToLower(cmd.Name())), func(ctx context.Context) error { return next(ctx, cmd) })
		if err != nil {
			cmd.SetErr(err) // go-redis reads an injected error from the command
		}
		return err
	}
}

func (a aroundHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
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

func (aroundHook) name(ctx context.Context, what string) string {
	if call, ok := ctx.Value(callNameKey{}).(string); ok {
		return call + "." + what
	}
	return "connection." + what
}

// discardLogger replaces go-redis's logger, which is global and writes to standard error. All that it logs is returned as an error as
// well, and the caller logs that.
type discardLogger struct{}

func (discardLogger) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(discardLogger{}) } //nolint:gochecknoinits // it must be set before a client runs
