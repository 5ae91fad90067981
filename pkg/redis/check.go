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

// Severities.
const (
	SeverityRefuse Severity = "refuse" // a process must not start: state would be lost
	SeverityWarn   Severity = "warn"
	SeverityNote   Severity = "note"
)

// Finding is a property of a server that an operator should know, with the next step.
type Finding struct {
	Severity Severity
	Server   string // host:port, or the master's name with sentinels
	Code     string // a stable identifier for tools
	Text     string
}

// Check examines the role, version, eviction policy, persistence and memory of each master. The error is that of a server that does not
// answer; a property that cannot be read is a finding with SeverityWarn. With Config.Embedded only the connection is checked.
func (c *Client) Check(ctx context.Context) ([]Finding, error) {
	ctx = withCallName(ctx, "check")
	if c.cluster == nil {
		return c.check(ctx, c.single)
	}
	var all []Finding
	err := c.cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		findings, err := c.check(ctx, node)
		c.gathering.Lock()
		defer c.gathering.Unlock()
		all = append(all, findings...)
		return err
	})
	if err != nil {
		return nil, wrapClass(err, "check the masters of the cluster")
	}
	return all, nil
}

func (c *Client) check(ctx context.Context, node *redis.Client) ([]Finding, error) {
	server := c.nameOf(node)
	// A user who may not run PING gets a finding of CheckPermissions, together with all else that is missing.
	if err := node.Ping(ctx).Err(); err != nil && !isDenied(err) {
		return nil, wrapClass(err, "ping Redis at %s", server)
	}
	if c.embedded {
		return nil, nil
	}
	var findings []Finding
	add := func(severity Severity, code, text string, args ...any) {
		findings = append(findings, Finding{severity, server, code, fmt.Sprintf(text, args...)})
	}
	facts, err := serverInfo(ctx, node)
	if err != nil {
		if errors.Is(errorClass(err), ErrUnavailable) {
			return nil, wrapClass(err, "read INFO of Redis at %s", server)
		}
		add(SeverityWarn, "info_unreadable", "INFO is refused (%v): role, version and memory are unknown; allow the user +info", err)
	}

	// INFO has the policy even where CONFIG is not permitted or renamed, as with many hosted services.
	policy := facts["maxmemory_policy"]
	if policy == "" {
		policy, err = configValue(ctx, node, "maxmemory-policy")
		if err != nil {
			add(SeverityWarn, "policy_unknown", "the eviction policy cannot be read (%v): make sure that maxmemory-policy is noeviction", err)
		}
	}
	if policy != "" && policy != "noeviction" {
		add(SeverityRefuse, "policy_evicts", "maxmemory-policy is %s: under memory pressure Redis would evict state; set it to noeviction", policy)
	}

	if role := facts["role"]; role != "" && role != "master" {
		add(SeverityRefuse, "not_master", "this server is a %s: give the address of the master, or use mode sentinel or cluster", role)
	}
	if version := facts["redis_version"]; version != "" && olderThan(version, 6, 2) {
		add(SeverityRefuse, "version", "Redis %s is too old: 6.2 or later is needed, since a commit lowers the bounds of timers with ZADD LT", version)
	} else if version != "" {
		add(SeverityNote, "version", "Redis %s", version)
	}

	if facts["aof_enabled"] == "0" {
		save, err := configValue(ctx, node, "save")
		switch {
		case err != nil:
			add(SeverityWarn, "persistence_unknown", "append-only file is off and the snapshot rules cannot be read (%v)", err)
		case save == "":
			add(SeverityWarn, "persistence_off", "neither appendonly nor save is set: after a restart of Redis all partitions fold the ledger from its start")
		default:
			add(SeverityNote, "persistence_snapshots", "appendonly is off: after a restart of Redis, folds continue from its last snapshot (save %s)", save)
		}
	}

	used, most := parseUint(facts["used_memory"]), parseUint(facts["maxmemory"])
	switch {
	case most == 0 && used > 0:
		add(SeverityNote, "memory_unbounded", "maxmemory is not set; %d bytes in use", used)
	case most > 0 && used*10 >= most*9:
		add(SeverityWarn, "memory_nearly_full", "%d of %d bytes in use: when full, commits fail and processing halts", used, most)
	}
	return findings, nil
}

// MemoryRatio returns used_memory / maxmemory, the highest of all masters; 0 where no maximum is set.
func (c *Client) MemoryRatio(ctx context.Context) (float64, error) {
	ctx = withCallName(ctx, "memory")
	highest := 0.0
	each := func(ctx context.Context, node *redis.Client) error {
		facts, err := serverInfo(ctx, node)
		if err != nil {
			return err
		}
		c.gathering.Lock()
		defer c.gathering.Unlock()
		if most := parseUint(facts["maxmemory"]); most > 0 {
			highest = max(highest, float64(parseUint(facts["used_memory"]))/float64(most))
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
		return 0, wrapClass(err, "read the memory use of Redis")
	}
	return highest, nil
}

// serverInfo returns the fields of INFO.
func serverInfo(ctx context.Context, node *redis.Client) (map[string]string, error) {
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

func configValue(ctx context.Context, node *redis.Client, name string) (string, error) {
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

func parseUint(s string) uint64 { n, _ := strconv.ParseUint(s, 10, 64); return n }

// olderThan reports whether a version, such as 6.0.16 or 8.0-rc1, is older than major.minor. A part that is no number counts as 0.
func olderThan(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	x, _ := strconv.Atoi(first)
	second, _, _ = strings.Cut(second, "-")
	y, _ := strconv.Atoi(second)
	return x < major || x == major && y < minor
}
