package access_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/ops/access"
	"github.com/mainstay/mainstay/pkg/redis"
)

var update = flag.Bool("update", false, "write the page")

// table renders the permissions as docs/security.md has them.
func table(c config.Config) string {
	var b strings.Builder
	b.WriteString("| resource of Kafka | processes | operator |\n|---|---|---|\n")
	operations := map[string]map[access.User]string{}
	var order []string
	for _, user := range access.Users() {
		for _, p := range access.Kafka(c, user) {
			name := strings.ReplaceAll(string(p.Resource), "-", " ") + " `" + p.Name + "`"
			if p.Prefixed {
				name += ", and all that begin so"
			}
			if operations[name] == nil {
				operations[name] = map[access.User]string{}
				order = append(order, name)
			}
			operations[name][user] = strings.Trim(fmt.Sprint(p.Operations), "[]")
		}
	}
	for _, name := range order {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, operations[name][access.Process], operations[name][access.Operator])
	}
	b.WriteString("\nRead and Write include Describe.\n\n| command of Redis | for |\n|---|---|\n")
	for _, command := range redis.Commands() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(command.Name, "|", `\|`), command.For)
	}
	fmt.Fprintf(&b, "\nAs one user, on the keys of the namespace (a cluster needs `+cluster|slots` besides, a database other than 0 `+select`):\n\n```\n%s\n```\n", access.RedisCommand(c, "mainstay"))
	return b.String()
}

func TestPageHoldsTheTable(t *testing.T) {
	const path, begin, end = "../../../docs/security.md", "-update -->\n", "<!-- end -->"
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	head, rest, ok := strings.Cut(string(page), begin)
	require.True(t, ok)
	_, tail, ok := strings.Cut(rest, end)
	require.True(t, ok)
	want := head + begin + "\n" + table(config.Default()) + "\n" + end + tail
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
		return
	}
	require.Equal(t, want, string(page), "run go test ./pkg/ops/access -update")
}

// A user is granted each resource once, and something on it.
func TestEveryResourceIsGrantedOnce(t *testing.T) {
	for _, user := range access.Users() {
		seen := map[string]bool{}
		for _, p := range access.Kafka(config.Default(), user) {
			name := string(p.Resource) + p.Name
			require.False(t, seen[name], name)
			seen[name] = true
			require.NotEmpty(t, p.Operations, name)
		}
	}
}

func TestGrantsFollowTheConfiguration(t *testing.T) {
	c := config.Default()
	c.Namespace, c.Kafka.Brokers = "shop", []string{"a:1", "b:2"}
	c.Kafka.Topics[0] = []string{"orders", "pos.orders"}
	script := strings.Join(access.KafkaCommands(c, access.Process, "User:CN=it's"), "\n")
	require.Contains(t, script, `kafka-acls.sh --bootstrap-server 'a:1,b:2' --command-config admin.properties --add --allow-principal 'User:CN=it'\''s' --operation Read --operation DescribeConfigs --topic 'pos.orders'`)
	require.Contains(t, script, `--operation Write --transactional-id 'shop-' --resource-pattern-type prefixed`)
	require.NotContains(t, script, "'purchases'")
	require.NotContains(t, script, "--operation DescribeConfigs --operation Write --topic 'orders'", "only who takes events by HTTP writes them")
	c.Roles = append(c.Roles, "ingest")
	script = strings.Join(access.KafkaCommands(c, access.Process, "User:p"), "\n")
	require.Contains(t, script, "--operation Read --operation DescribeConfigs --operation Write --topic 'orders'")
	require.Contains(t, access.RedisCommand(c, "u"), "ACL SETUSER u reset on '>PASSWORD' '~shop:*' +exec")
	require.NotContains(t, access.RedisCommand(c, "u"), "+select")
	c.Redis.Mode, c.Redis.DB = "cluster", 3
	require.Contains(t, access.RedisCommand(c, "u"), "+cluster|slots +select")
}
