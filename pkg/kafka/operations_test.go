package kafka

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The brokers tell what a user may do with a topic, without it being done.
func TestAuthorizedOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := func(name string, op kmsg.ACLOperation) kfake.ACL {
			return kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true}
		}
		e := fake(t, 1, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "root", "secret"),
			kfake.User("PLAIN", "shop", "secret", topic("both", kmsg.ACLOperationRead), topic("both", kmsg.ACLOperationWrite), topic("read", kmsg.ACLOperationRead)))
		as := func(user string) *Client {
			c, _ := e.client(t, func(cfg *Config) {
				cfg.SASL = SASL{Mechanism: "plain", User: user, Password: func(context.Context) (string, error) { return "secret", nil }}
			})
			return c
		}
		root := as("root")
		require.NoError(t, root.CreateTopics(e.ctx(t), []TopicSpec{{Name: "both", Partitions: 1}, {Name: "read", Partitions: 1}, {Name: "none", Partitions: 1}}))
		may, err := as("shop").AuthorizedOperations(e.ctx(t), []string{"both", "read", "none"})
		require.NoError(t, err)
		got := map[string][]bool{}
		for name, o := range may {
			got[name] = []bool{o.Allows(OperationRead), o.Allows(OperationWrite)}
		}
		require.Equal(t, map[string][]bool{"both": {true, true}, "read": {true, false}, "none": {false, false}}, got)
		may, err = root.AuthorizedOperations(e.ctx(t), []string{"none", "missing"})
		require.NoError(t, err)
		require.Len(t, may, 1)
		require.True(t, may["none"].Allows(OperationWrite))
	})
}
