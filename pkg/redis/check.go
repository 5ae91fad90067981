package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Severity of a Finding.
type Severity string

// What a Finding asks for.
const (
	SeverityRefuse Severity = "refuse" // do not start: state would be lost
	SeverityWarn   Severity = "warn"
	SeverityNote   Severity = "note"
)

// Finding is something about the servers that an operator should know, and what to do about it.
type Finding struct {
	Severity Severity
	Server   string // host:port, or the master that sentinels name
	Code     string // stable, for tools
	Text     string
}

// Check looks at each master's role, version, eviction policy, persistence and memory. The error is that of a server that
// could not be asked at all; what could not be found out about one that answers is a Warn. With Config.Embedded only the
// connection is tried.
func (c *Client) Check(ctx context.Context) ([]Finding, error) {
	ctx = named(ctx, "check")
	if c.cluster == nil {
		return c.check(ctx, c.single)
	}
	var all []Finding
	err := c.cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		findings, err := c.check(ctx, node)
		c.mu.Lock()
		defer c.mu.Unlock()
		all = append(all, findings...)
		return err
	})
	if err != nil {
		return nil, failed(err, "check the masters of the cluster")
	}
	return all, nil
}

func (c *Client) check(ctx context.Context, node *redis.Client) ([]Finding, error) {
	server := node.Options().Addr
	if c.master != "" {
		server = "master " + c.master
	}
	if err := node.Ping(ctx).Err(); err != nil {
		return nil, failed(err, "ping Redis at %s", server)
	}
	if c.embedded {
		return nil, nil
	}
	var found []Finding
	say := func(severity Severity, code, text string, args ...any) {
		found = append(found, Finding{severity, server, code, fmt.Sprintf(text, args...)})
	}
	facts, err := info(ctx, node)
	if err != nil {
		if errors.Is(classOf(err), ErrUnavailable) {
			return nil, failed(err, "ask Redis at %s for INFO", server)
		}
		say(SeverityWarn, "info_unreadable", "INFO is refused (%v): role, version and memory are unknown; allow the user +info", err)
	}

	// INFO tells the policy too, where CONFIG is not permitted or has been renamed, as in many a hosted Redis.
	policy := facts["maxmemory_policy"]
	if policy == "" {
		policy, err = setting(ctx, node, "maxmemory-policy")
		if err != nil {
			say(SeverityWarn, "policy_unknown", "the eviction policy cannot be read (%v): make sure that maxmemory-policy is noeviction", err)
		}
	}
	if policy != "" && policy != "noeviction" {
		say(SeverityRefuse, "policy_evicts", "maxmemory-policy is %s: under memory pressure Redis would drop state; set it to noeviction", policy)
	}

	if role := facts["role"]; role != "" && role != "master" {
		say(SeverityRefuse, "not_master", "this server is a %s: give the address of the master, or use mode sentinel or cluster", role)
	}
	if version := facts["redis_version"]; version != "" && major(version) < 6 {
		say(SeverityRefuse, "version", "Redis %s is too old: 6.2 or later is needed", version)
	} else if version != "" {
		say(SeverityNote, "version", "Redis %s", version)
	}

	if facts["aof_enabled"] == "0" {
		save, err := setting(ctx, node, "save")
		switch {
		case err != nil:
			say(SeverityWarn, "persistence_unknown", "append-only file is off and the snapshot rules cannot be read (%v)", err)
		case save == "":
			say(SeverityWarn, "persistence_off", "neither appendonly nor save is on: after a restart of Redis all partitions fold the ledger again from its start")
		default:
			say(SeverityNote, "persistence_snapshots", "appendonly is off: a restart of Redis goes back to the last snapshot (save %s), and folds go on from there", save)
		}
	}

	used, most := number(facts["used_memory"]), number(facts["maxmemory"])
	switch {
	case most == 0 && used > 0:
		say(SeverityNote, "memory_unbounded", "maxmemory is not set; %d bytes in use", used)
	case most > 0 && used*10 >= most*9:
		say(SeverityWarn, "memory_nearly_full", "%d of %d bytes in use: when full, commits fail and processing halts", used, most)
	}
	return found, nil
}

// MemoryRatio returns used memory over maxmemory, the highest of the masters; 0 where no maximum is set.
func (c *Client) MemoryRatio(ctx context.Context) (float64, error) {
	ctx = named(ctx, "memory")
	highest := 0.0
	each := func(ctx context.Context, node *redis.Client) error {
		facts, err := info(ctx, node)
		if err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if most := number(facts["maxmemory"]); most > 0 {
			highest = max(highest, float64(number(facts["used_memory"]))/float64(most))
		}
		return nil
	}
	var err error
	switch {
	case c.embedded:
	case c.cluster != nil:
		err = c.cluster.ForEachMaster(ctx, each)
	default:
		err = each(ctx, c.single)
	}
	if err != nil {
		return 0, failed(err, "ask Redis for its memory")
	}
	return highest, nil
}

// info returns the fields of INFO.
func info(ctx context.Context, node *redis.Client) (map[string]string, error) {
	text, err := node.Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	facts := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			facts[name] = value
		}
	}
	return facts, nil
}

func setting(ctx context.Context, node *redis.Client, name string) (string, error) {
	values, err := node.ConfigGet(ctx, name).Result()
	if err != nil {
		return "", err
	}
	value, ok := values[name]
	if !ok {
		return "", errors.New("CONFIG GET does not know " + name)
	}
	return value, nil
}

func number(s string) uint64 { n, _ := strconv.ParseUint(s, 10, 64); return n }

func major(version string) int {
	s, _, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(s)
	return n
}
