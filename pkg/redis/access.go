package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Command is a command of Redis that this package, or go-redis for it, sends.
type Command struct {
	Name string // as an access control list names it: config|get
	For  string // what it is for
	// arguments try it, on a key of the namespace that does not exist; nil: it is tried otherwise.
	arguments func(key string) []any
}

// Commands returns every command that a user of Redis must be permitted to run on the keys of the namespace. A cluster needs
// cluster|slots, and a database other than 0 needs select, besides. AUTH and HELLO are permitted to every user.
func Commands() []Command {
	key := func(more ...any) func(string) []any {
		return func(key string) []any { return append([]any{key}, more...) }
	}
	none := func(more ...any) func(string) []any {
		return func(string) []any { return more }
	}
	const commits, loads = "commits of state", "loading state"
	return []Command{
		{"exec", "transactions", nil},
		{"multi", "transactions", nil},
		{"watch", "transactions", key()},
		{"unwatch", "transactions", none()},
		{"hset", commits, key("field", "value")},
		{"zadd", commits, key(1, "member")},
		{"zrem", commits, key("member")},
		{"del", commits, key()},
		{"hdel", "removing former state", key("field")},
		{"unlink", "removing former state", key()},
		{"hmget", loads, key("field")},
		{"hlen", loads, key()},
		{"hkeys", loads, key()},
		{"hgetall", loads, key()},
		{"zrangebyscore", loads, key("-inf", 0)},
		{"hscan", "audits", key(0)},
		{"scan", "removing former state", none(0, "count", 1)},
		{"set", "readiness, and the time of the last audit", key("value")},
		{"get", "the time of the last audit", key()},
		{"ping", "readiness", none()},
		{"info", "version, role, memory and eviction policy", none("server")},
		{"config|get", "persistence, and the eviction policy of a server whose INFO lacks it", none("maxmemory-policy")},
	}
}

// CheckPermissions returns a finding for each command, and for the keys of the namespace, that the user may not use, on each master. It
// changes nothing: the commands are queued in a transaction that the server must abort. With Config.Embedded nothing is checked.
func (c *Client) CheckPermissions(ctx context.Context, namespace string) ([]Finding, error) {
	ctx = withCallName(ctx, "permissions")
	if c.embedded {
		return nil, nil
	}
	if c.cluster == nil {
		return c.checkPermissions(ctx, c.single, namespace)
	}
	var all []Finding
	err := c.cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		findings, err := c.checkPermissions(ctx, node, namespace)
		c.gathering.Lock()
		defer c.gathering.Unlock()
		all = append(all, findings...)
		return err
	})
	return all, err
}

func (c *Client) checkPermissions(ctx context.Context, node *redis.Client, namespace string) (findings []Finding, err error) {
	server := c.nameOf(node)
	var commands, keys []string
	judge := func(name string, err error) {
		switch denied, text := deniedBy(err); {
		case !denied:
		case strings.Contains(text, "to access"):
			keys = append(keys, name)
		default:
			commands = append(commands, name)
		}
	}
	conn := node.Conn()
	defer func() { _ = conn.Close() }() // its last command has succeeded, or the error is returned

	// Outside of a transaction EXEC fails without effect. It is tried first, because MULTI without it would leave the transaction open.
	err = conn.Do(ctx, "exec").Err()
	judge("exec", err)
	if err != nil && !isReply(err) {
		return nil, wrapClass(err, "check the permissions of the user at %s", server)
	}
	if len(commands) == 0 {
		err = conn.Do(ctx, "multi").Err()
		judge("multi", err)
		if err != nil && !isReply(err) {
			return nil, wrapClass(err, "check the permissions of the user at %s", server)
		}
	}
	if len(commands) == 0 {
		tried := map[string]*redis.Cmd{}
		_, err = conn.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Do(ctx, "get") // has too few arguments, so the transaction cannot be executed
			for _, command := range Commands() {
				if command.arguments != nil {
					name, sub, _ := strings.Cut(command.Name, "|")
					words := []any{name}
					if sub != "" {
						words = append(words, sub)
					}
					tried[command.Name] = pipe.Do(ctx, append(words, command.arguments(namespace+":check")...)...)
				}
			}
			pipe.Do(ctx, "exec")
			return nil
		})
		if err != nil && !isReply(err) {
			return nil, wrapClass(err, "check the permissions of the user at %s", server)
		}
		for _, command := range Commands() {
			if cmd := tried[command.Name]; cmd != nil {
				judge(command.Name, cmd.Err())
			}
		}
	}
	for _, command := range Commands() {
		if slices.Contains(commands, command.Name) {
			severity := SeverityRefuse
			if command.Name == "config|get" {
				severity = SeverityWarn
			}
			findings = append(findings, Finding{severity, server, "command_denied", fmt.Sprintf(
				"the user may not run %s, which is needed for %s: permit +%s", strings.ToUpper(strings.ReplaceAll(command.Name, "|", " ")), command.For, command.Name)})
		}
	}
	if len(keys) > 0 {
		findings = append(findings, Finding{SeverityRefuse, server, "keys_denied", fmt.Sprintf(
			"the user may not use the keys of the namespace with %s: permit ~%s:*", strings.ToUpper(strings.Join(keys, ", ")), namespace)})
	}
	return findings, nil
}

func deniedBy(err error) (denied bool, text string) {
	if !isDenied(err) {
		return false, ""
	}
	return true, err.Error()
}

// isDenied reports whether the server answers that the user lacks a permission. EXEC answers EXECABORT, with NOPERM as its cause.
func isDenied(err error) bool {
	return err != nil && isReply(err) && strings.Contains(err.Error(), "NOPERM ")
}
