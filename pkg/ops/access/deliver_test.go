package access_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/edge/deliver"
	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/ops/access"
	"github.com/mainstay/mainstay/pkg/ops/deadletters"
	"github.com/mainstay/mainstay/pkg/ops/deliveries"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/output"
)

// Webhooks work with what is granted: the process delivers and writes dead letters, the operator pauses, resumes, looks and replays.
func TestWebhooksWorkWithWhatIsGranted(t *testing.T) {
	var heals atomic.Bool
	var delivered atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !heals.Load() {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		delivered.Add(1)
	}))
	defer receiver.Close()
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), 0o600))
	c := config.Default()
	var err error
	c.Deliver.Destinations, err = destination.Parse("d.yml", []byte("destinations:\n  - {name: crm, url: '"+receiver.URL+"', allow_private: true, start: earliest, secret_files: ["+secret+"], topics: [clv]}\n"))
	require.NoError(t, err)
	process, operator := sharedCluster(t, c)

	topic := output.CLV.Name(c.Namespace)
	producer, err := process.NewProducer(t.Context())
	require.NoError(t, err)
	batch := kafka.NewBatch(topic, 0)
	batch.Append(time.Now().UnixMilli(), []byte("ada"), []byte(`{"event_type":"mainstay.customer.clv.updated.v1","customer_id":"ada"}`), nil)
	_, err = producer.Produce(t.Context(), []*kafka.Batch{batch})
	require.NoError(t, err)

	d, err := deliver.New(deliver.Config{
		Namespace: c.Namespace, Destinations: c.Deliver.Destinations, CommitInterval: 10 * time.Millisecond,
		Customers: telemetry.NewCustomerHasher(""), Now: time.Now, Random: rand.Uint64,
	}, process, telemetry.NewDeliver(prometheus.NewRegistry(), []string{"crm"}, deliver.Outcomes(), deliver.Results()), zap.NewNop())
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(context.WithoutCancel(t.Context())) }()

	require.NoError(t, deliveries.SetPaused(t.Context(), operator, c.Namespace, "crm", false, time.Now()))
	require.Eventually(t, func() bool {
		all, err := deliveries.ReadStatus(t.Context(), operator, c.Namespace, c.Deliver.Destinations)
		require.NoError(t, err)
		return all[0].DeadLetters == 1 && all[0].Undelivered == 0 && all[0].Members == 1
	}, time.Minute, 20*time.Millisecond)
	heals.Store(true)
	replay := deliveries.Replay{Destination: "crm", Max: 10, Apply: true, Each: func(l *deadletters.DeadLetter) {
		require.Equal(t, deadletters.Origin{Topic: topic}, l.Origin)
		require.Equal(t, "http_400", l.Reason)
		require.True(t, strings.HasPrefix(l.Message, "the receiver answered 400"))
	}}
	done, err := replay.Run(t.Context(), operator, c.Namespace)
	require.NoError(t, err)
	require.EqualValues(t, 1, done.Replayed)
	require.Eventually(t, func() bool { return delivered.Load() == 1 }, time.Minute, 20*time.Millisecond)
	d.Drain()
	require.NoError(t, <-ended)
}

// sharedCluster is a broker on which each user may do what the table says.
func sharedCluster(t *testing.T, c config.Config) (process, operator *kafka.Client) {
	t.Helper()
	var names []string
	for _, w := range app.Topics(c).All() {
		names = append(names, w.Name)
	}
	options := []kfake.Opt{kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.SeedTopics(1, names...)}
	for _, user := range access.Users() {
		var acls []kfake.ACL
		for _, p := range access.Kafka(c, user) {
			for _, o := range p.Operations {
				a := kfake.ACL{Resource: types[p.Resource], Name: p.Name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperation(o), Allow: true}
				if p.Prefixed {
					a.Pattern = kmsg.ACLResourcePatternTypePrefixed
				}
				acls = append(acls, a)
			}
		}
		options = append(options, kfake.User("PLAIN", string(user), "secret", acls...))
	}
	broker, err := kfake.NewCluster(options...)
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	client := func(user access.User) *kafka.Client {
		k, err := kafka.New(kafka.Config{Brokers: broker.ListenAddrs(), SASL: kafka.SASL{
			Mechanism: "plain", User: string(user), Password: func(context.Context) (string, error) { return "secret", nil },
		}})
		require.NoError(t, err)
		t.Cleanup(k.Close)
		return k
	}
	return client(access.Process), client(access.Operator)
}
