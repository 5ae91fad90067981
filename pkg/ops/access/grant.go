package access

import (
	"fmt"
	"strings"

	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/redis"
)

// Names are the names that the users have in Kafka and Redis.
type Names struct {
	Principals map[User]string // User:mainstay
	Redis      string
}

// KafkaCommands returns the commands of a shell that grant a user what it needs, one for each resource. admin.properties is the file with
// the administrator's own credentials.
func KafkaCommands(c config.Config, user User, principal string) []string {
	var all []string
	for _, p := range Kafka(c, user) {
		words := []string{
			"kafka-acls.sh", "--bootstrap-server", quote(strings.Join(c.Kafka.Brokers, ",")), "--command-config", "admin.properties",
			"--add", "--allow-principal", quote(principal),
		}
		for _, o := range p.Operations {
			words = append(words, "--operation", o.String())
		}
		words = append(words, "--"+string(p.Resource), quote(p.Name))
		if p.Prefixed {
			words = append(words, "--resource-pattern-type", "prefixed")
		}
		all = append(all, strings.Join(words, " "))
	}
	return all
}

// RedisCommand returns the command of Redis that makes the user; the password stands in for one that the operator chooses. It is one user
// for processes and operators: what an operator does with Redis is a part of what a process does.
func RedisCommand(c config.Config, name string) string {
	words := []string{"ACL", "SETUSER", name, "reset", "on", "'>PASSWORD'", fmt.Sprintf("'~%s:*'", c.Namespace)}
	for _, command := range redis.Commands() {
		words = append(words, "+"+command.Name)
	}
	if c.Redis.Mode == string(redis.ModeCluster) {
		words = append(words, "+cluster|slots")
	}
	if c.Redis.DB != 0 {
		words = append(words, "+select")
	}
	return strings.Join(words, " ")
}

// quote quotes a word for a POSIX shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
