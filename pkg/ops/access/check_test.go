package access_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/ops/access"
)

var types = map[access.Resource]kmsg.ACLResourceType{
	access.Topic: kmsg.ACLResourceTypeTopic, access.Group: kmsg.ACLResourceTypeGroup, access.TransactionalID: kmsg.ACLResourceTypeTransactionalId,
}

// cluster is a broker that permits the user what the table says, but for one operation; it has all topics.
func cluster(t *testing.T, c config.Config, user access.User, without func(access.Permission, kafka.Operation) bool) *kafka.Client {
	t.Helper()
	var acls []kfake.ACL
	for _, p := range access.Kafka(c, user) {
		for _, o := range p.Operations {
			if without(p, o) {
				continue
			}
			a := kfake.ACL{Resource: types[p.Resource], Name: p.Name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperation(o), Allow: true}
			if p.Prefixed {
				a.Pattern = kmsg.ACLResourcePatternTypePrefixed
			}
			acls = append(acls, a)
		}
	}
	var topics []string
	for _, w := range app.Topics(c).All() {
		topics = append(topics, w.Name)
	}
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.SeedTopics(1, topics...), kfake.User("PLAIN", "mainstay", "secret", acls...))
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	k, err := kafka.New(kafka.Config{Brokers: broker.ListenAddrs(), SASL: kafka.SASL{
		Mechanism: "plain", User: "mainstay", Password: func(context.Context) (string, error) { return "secret", nil },
	}})
	require.NoError(t, err)
	t.Cleanup(k.Close)
	return k
}

// Whatever a user lacks is named, and nothing else.
func TestCheckNamesWhatIsMissing(t *testing.T) {
	c := config.Default()
	c.Deliver.Destinations = []destination.Destination{{Name: "crm"}}
	for _, user := range access.Users() {
		none := func(access.Permission, kafka.Operation) bool { return false }
		denied, _, err := access.Check(t.Context(), cluster(t, c, user, none), c, user)
		require.NoError(t, err)
		require.Empty(t, denied)
		for _, p := range access.Kafka(c, user) {
			for _, o := range p.Operations {
				t.Run(fmt.Sprint(user, " without ", o, " on ", p.Name), func(t *testing.T) {
					k := cluster(t, c, user, func(q access.Permission, r kafka.Operation) bool {
						return q.Name == p.Name && q.Resource == p.Resource && r == o
					})
					denied, _, err := access.Check(t.Context(), k, c, user)
					require.NoError(t, err)
					require.Len(t, denied, 1)
					require.Equal(t, p.Name, denied[0].Name)
					require.Contains(t, denied[0].String(), o.String())
				})
			}
		}
	}
}
