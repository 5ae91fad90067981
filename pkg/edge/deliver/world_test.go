package deliver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mainstay/mainstay/pkg/edge/deliver"
	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/output"
)

const (
	namespace  = "shop"
	partitions = 4
	secret     = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// world is an embedded Kafka with the output topics, and what is needed to deliver from it.
type world struct {
	outputs  *encoded.Outputs // nil: they are in JSON
	t        *testing.T
	servers  *embedded.Embedded
	kafka    *kafka.Client
	registry *prometheus.Registry
	metrics  *telemetry.Deliver
	logs     *observer.ObservedLogs
	log      *zap.Logger
	secret   string // its file
}

func newWorld(t *testing.T, names ...string) *world {
	t.Helper()
	topics := []embedded.Topic{
		{Name: deliver.ControlTopic(namespace), Partitions: 1, Configs: map[string]string{"cleanup.policy": "compact"}},
		{Name: deliver.ReplayTopic(namespace), Partitions: 1},
	}
	for _, topic := range destination.OutputTopics() {
		topics = append(topics, embedded.Topic{Name: topic.Name(namespace), Partitions: partitions})
	}
	for _, name := range names {
		topics = append(topics, embedded.Topic{Name: deliver.DeadLetterTopic(namespace, name), Partitions: 1})
	}
	servers, err := embedded.Start(t.Context(), embedded.Options{Kafka: true, Topics: topics})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	w := &world{t: t, servers: servers, registry: prometheus.NewRegistry(), secret: filepath.Join(t.TempDir(), "secret")}
	require.NoError(t, os.WriteFile(w.secret, []byte(secret), 0o600))
	w.metrics = telemetry.NewDeliver(w.registry, names, deliver.Outcomes(), deliver.Results())
	core, logs := observer.New(zapcore.DebugLevel)
	w.logs, w.log = logs, zap.New(core)
	w.kafka = w.client()
	return w
}

func (w *world) client() *kafka.Client {
	w.t.Helper()
	k, err := kafka.New(kafka.Config{Brokers: []string{w.servers.KafkaAddress()}, ClientID: "test"})
	require.NoError(w.t, err)
	w.t.Cleanup(k.Close)
	return k
}

// destination is the YAML of a destination with fast retries.
func (w *world) destination(name, address, more string) string {
	return fmt.Sprintf("  - {name: %s, url: %q, secret_files: [%s], allow_private: true, start: earliest, timeout: 200ms, rate_per_second: 10000, retry: {first: 10ms, longest: 40ms}, %s}\n", name, address, w.secret, more)
}

func (w *world) deliver(yaml string) *deliver.Deliver {
	w.t.Helper()
	all, err := destination.Parse("destinations.yml", []byte("destinations:\n"+yaml))
	require.NoError(w.t, err)
	d, err := deliver.New(deliver.Config{
		Namespace: namespace, Outputs: w.outputs, Destinations: all, SessionTimeout: 6 * time.Second, HeartbeatInterval: 50 * time.Millisecond, RebalanceTimeout: 2 * time.Second,
		CommitInterval: 5 * time.Millisecond, Customers: telemetry.NewCustomerHasher("0123456789abcdef"), Now: time.Now, Random: rand.Uint64,
	}, w.kafka, w.metrics, w.log)
	require.NoError(w.t, err)
	return d
}

// start runs a deliverer until the test ends, or stop is called, which drains it.
func (w *world) start(yaml string) (stop func()) {
	w.t.Helper()
	d := w.deliver(yaml)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(context.WithoutCancel(w.t.Context())) }()
	stop = sync.OnceFunc(func() {
		d.Drain()
		require.NoError(w.t, <-ended)
	})
	w.t.Cleanup(stop)
	return stop
}

// published is an output that a test has published.
type published struct {
	topic    string
	customer string
	n        int // among those of the customer and topic
}

func value(p published) []byte {
	return fmt.Appendf(nil, `{"event_id":"%s-%s-%d","event_type":"mainstay.customer.clv.updated.v1","customer_id":%q,"as_of":"2026-01-02T03:04:05.000Z","n":%d,"previous":null}`, p.topic, p.customer, p.n, p.customer, p.n)
}

func (w *world) publish(all []published) {
	w.t.Helper()
	w.produce(func(batches *kafka.Batches) {
		for _, p := range all {
			key := []byte(p.customer)
			batches.BatchFor(p.topic, murmur2.PartitionFor(key, partitions), 1000).Append(time.Now().UnixMilli(), key, value(p), kafka.EncodeHeaders(nil, []kafka.Header{{Key: output.HeaderLedgerID, Value: []byte("ledger")}}))
		}
	})
}

// received is a request that the receiver got and did not lose.
type received struct {
	id, customer string
	topic        string
	n            int
}

// receiver is a receiver by the contract of Standard Webhooks.
type receiver struct {
	*httptest.Server

	mu    sync.Mutex
	all   []received
	bad   []string // what broke the contract
	tries int

	retryAfter string // header of all answers; set before the first
}

// newReceiver answers by decide, which says whether the request is kept, and with which status; 0 cuts the connection, -1 does not answer.
func newReceiver(t *testing.T, decide func(received) (kept bool, status int)) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		var parsed struct {
			Data struct {
				EventID  string `json:"event_id"`
				Customer string `json:"customer_id"`
				N        int    `json:"n"`
			} `json:"data"`
		}
		got := received{id: request.Header.Get("webhook-id")}
		seconds, err1 := strconv.ParseInt(request.Header.Get("webhook-timestamp"), 10, 64)
		err2 := json.Unmarshal(body, &parsed)
		key, err3 := destination.ParseSecret(secret)
		signed := ""
		if err3 == nil {
			signed = destination.Sign([][]byte{key}, got.id, time.Unix(seconds, 0), body)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tries++
		if err1 != nil || err2 != nil || signed != request.Header.Get("webhook-signature") || got.id == "" || strings.Contains(got.id, ".") {
			r.bad = append(r.bad, string(body))
		}
		got.customer, got.n = parsed.Data.Customer, parsed.Data.N
		got.topic, _, _ = strings.Cut(parsed.Data.EventID, "-"+got.customer+"-")
		kept, status := true, http.StatusOK
		if decide != nil {
			kept, status = decide(got)
		}
		if kept {
			r.all = append(r.all, got)
		}
		switch status {
		case 0:
			panic(http.ErrAbortHandler)
		case -1:
			r.mu.Unlock()
			<-request.Context().Done()
			r.mu.Lock()
		default:
			if r.retryAfter != "" {
				w.Header().Set("Retry-After", r.retryAfter)
			}
			w.WriteHeader(status)
		}
	}))
	r.Config.ErrorLog = nil
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) attempts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries
}

// firsts returns what was received, each id once, and fails if an id had two contents.
func (r *receiver) firsts(t *testing.T) []received {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Empty(t, r.bad)
	seen := map[string]received{}
	var all []received
	for _, got := range r.all {
		if before, ok := seen[got.id]; ok {
			require.Equal(t, before, got, "one id, two contents")
			continue
		}
		seen[got.id] = got
		all = append(all, got)
	}
	return all
}

// requireSame makes sure that the receiver got what was published, each once, in the order of its customer and topic.
func (r *receiver) requireSame(t *testing.T, all []published) {
	t.Helper()
	want, got := map[string][]int{}, map[string][]int{}
	for _, p := range all {
		want[p.topic+" "+p.customer] = append(want[p.topic+" "+p.customer], p.n)
	}
	for _, g := range r.firsts(t) {
		got[g.topic+" "+g.customer] = append(got[g.topic+" "+g.customer], g.n)
	}
	require.Equal(t, want, got)
}

func (r *receiver) count(t *testing.T) int {
	t.Helper()
	return len(r.firsts(t))
}

// eventually waits with patience; no test asserts how long something takes.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	for !ok() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			w.t.Fatal("in vain: " + what)
		}
	}
}

func (w *world) outcome(outcome string) float64 {
	return testutil.ToFloat64(w.metrics.Outputs.WithLabelValues("crm", outcome))
}

// outputs of customers, in a random order that keeps each customer's own.
func outputs(seed uint64, topics []output.Topic, customers, each int) (all []published) {
	r := rand.New(rand.NewPCG(seed, seed))
	next := map[string]int{}
	for range len(topics) * customers * each {
		p := published{topic: topics[r.IntN(len(topics))].Name(namespace), customer: fmt.Sprint("c", r.IntN(customers))}
		next[p.topic+p.customer]++
		p.n = next[p.topic+p.customer]
		all = append(all, p)
	}
	return all
}

// letters reads the dead letters of the destination crm: the customers, and the reasons.
func (w *world) letters() (customers, reasons []string) {
	w.t.Helper()
	topic := deliver.DeadLetterTopic(namespace, "crm")
	bounds, err := w.kafka.ListOffsets(w.t.Context(), topic, []int32{0})
	require.NoError(w.t, err)
	_, err = w.kafka.ReadCommitted(w.t.Context(), topic, 0, 0, bounds[0].LastStable, func(r kafka.Record) error {
		reason, _ := r.Header("__connect.errors.exception.class.name")
		customers, reasons = append(customers, string(r.Key)), append(reasons, string(reason))
		return nil
	})
	require.NoError(w.t, err)
	return customers, reasons
}

func (w *world) produce(fill func(*kafka.Batches)) {
	w.t.Helper()
	producer, err := w.kafka.NewProducer(w.t.Context())
	require.NoError(w.t, err)
	batches := kafka.NewBatches()
	fill(batches)
	_, err = producer.Produce(w.t.Context(), slices.Clone(batches.All()))
	require.NoError(w.t, err)
}
