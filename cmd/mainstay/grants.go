package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/ops/access"
)

// printGrants prints what grants Mainstay its permissions: a shell script, whose comments hold the command of Redis.
func (p *program) printGrants(cmd *cobra.Command, machine bool) error {
	c, err := p.config(cmd)
	if err != nil {
		return err
	}
	flag := func(name string) string { return cmd.Flag(name).Value.String() }
	principals := []struct {
		user            access.User
		principal, does string
	}{
		{access.Process, flag("principal"), "the processes: run, check, status, audit, customer, alerts"},
		{access.Operator, flag("operator"), "the operator: topics apply, send, import, simulate, tail, dlq, refit, advance"},
	}
	for _, one := range principals {
		if kind, name, ok := strings.Cut(one.principal, ":"); !ok || kind == "" || name == "" {
			return usage("a principal is like User:mainstay; it is %q", one.principal)
		}
	}
	if user := flag("redis-user"); user == "" || strings.ContainsAny(user, " \t\n'\"") {
		return usage("--redis-user must be one word; it is %q", user)
	}
	inRedis := access.RedisCommand(c, flag("redis-user"))
	if machine {
		type grant struct {
			User       access.User     `json:"user"`
			Principal  string          `json:"principal"`
			Resource   access.Resource `json:"resource"`
			Name       string          `json:"name"`
			Prefixed   bool            `json:"prefixed"`
			Operations []string        `json:"operations"`
		}
		grants := []grant{}
		for _, one := range principals {
			for _, permission := range access.Kafka(c, one.user) {
				g := grant{one.user, one.principal, permission.Resource, permission.Name, permission.Prefixed, nil}
				for _, o := range permission.Operations {
					g.Operations = append(g.Operations, o.String())
				}
				grants = append(grants, g)
			}
		}
		return p.json(map[string]any{"kafka": grants, "redis": inRedis})
	}
	var script strings.Builder
	script.WriteString("# admin.properties holds the credentials of an administrator of Kafka.\n")
	for _, one := range principals {
		fmt.Fprintf(&script, "\n# %s\n", one.does)
		for _, command := range access.KafkaCommands(c, one.user, one.principal) {
			script.WriteString(command + "\n")
		}
	}
	fmt.Fprintf(&script, "\n# In Redis, with a password of your own, on every server (redis-cli), or as a line of an aclfile without \"ACL SET\":\n# %s\n", inRedis)
	return p.printf("%s", script.String())
}
