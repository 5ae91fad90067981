package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/edge/ingest"
	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/event"
)

const partitions = 4

// world is an intake over HTTP with an embedded Kafka, in virtual time if it is made in a bubble.
type world struct {
	t        testing.TB
	servers  *embedded.Embedded
	kafka    *kafka.Client
	client   *http.Client
	registry *prometheus.Registry
	away     atomic.Bool // Kafka is known to fail
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// options are what a test may change.
type options struct {
	topics         [event.Kinds][]ingest.Topic
	body, inFlight int64
	server         server.Options
	secrets        map[string]func() (string, error)
}

func newWorld(t testing.TB, change ...func(*options)) *world {
	t.Helper()
	servers, err := embedded.Start(t.Context(), embedded.Options{Kafka: true, Topics: []embedded.Topic{
		{Name: "purchases", Partitions: partitions},
		{Name: "orders", Partitions: partitions},
		{Name: "surveys", Partitions: 1},
		{Name: "small", Partitions: 1, Configs: map[string]string{"max.message.bytes": "2000"}},
	}})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	return worldOn(t, servers, change...)
}

func worldOn(t testing.TB, servers *embedded.Embedded, change ...func(*options)) *world {
	t.Helper()
	w := &world{t: t, servers: servers, registry: prometheus.NewRegistry(), dial: new(net.Dialer).DialContext}
	o := options{body: 64 << 10, inFlight: 1 << 20, server: server.Options{Listen: "127.0.0.1:0"}}
	o.topics[event.Purchase] = []ingest.Topic{{Name: "purchases"}}
	o.topics[event.Cancellation] = []ingest.Topic{{Name: "missing"}}
	o.topics[event.Survey] = []ingest.Topic{{Name: "surveys"}}
	for _, c := range change {
		c(&o)
	}
	var err error
	w.kafka, err = kafka.New(kafka.Config{Brokers: []string{servers.KafkaAddress()}, Dial: servers.DialKafka, Timeout: 2 * time.Second})
	require.NoError(t, err)
	t.Cleanup(w.kafka.Close)
	in, err := ingest.New(ingest.Config{
		Topics: o.topics, Secrets: o.secrets, BodyMaxBytes: o.body, InFlightBytes: o.inFlight, Now: time.Now,
		Decoder: func() (*event.Decoder, error) { return event.NewDecoder(event.DefaultOptions()) },
		KafkaProblem: func() error {
			if w.away.Load() {
				return errors.New("away")
			}
			return nil
		},
		Listen: func(routes []server.Route) (*server.Server, error) {
			o.server.Setting, o.server.Routes, o.server.Log, o.server.Metrics, o.server.Deadline = "ingest.listen", routes, zap.NewNop(), w.registry, 5*time.Second
			return server.Listen(t.Context(), o.server)
		},
	}, w.kafka, telemetry.NewIngest(w.registry, ingest.Outcomes(), append(event.KindNames(), ingest.Mixed), ingest.Results()), zap.NewNop())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	w.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return w.dial(ctx, network, in.Address())
	}}}
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		stop()
		require.NoError(t, <-ended)
	})
	return w
}

// response is an answer of either kind.
type response struct {
	status     int
	retryAfter string
	Accepted   int                `json:"accepted"`
	Skipped    []map[string]any   `json:"skipped"`
	Type       string             `json:"type"`
	Detail     string             `json:"detail"`
	Errors     []server.ItemError `json:"errors"`
}

func (w *world) do(method, path string, body []byte, headers ...string) response {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, "http://localhost"+path, bytes.NewReader(body))
	require.NoError(w.t, err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return w.send(request)
}

func (w *world) send(request *http.Request) response {
	w.t.Helper()
	answer, err := w.client.Do(request)
	require.NoError(w.t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(w.t, err)
	require.NoError(w.t, answer.Body.Close())
	w.described(answer.StatusCode, answer.Header.Get("Content-Type"), text)
	r := response{status: answer.StatusCode, retryAfter: answer.Header.Get("Retry-After")}
	require.NoError(w.t, json.Unmarshal(text, &r), "%s", text)
	return r
}

func (w *world) post(path, body string, headers ...string) response {
	w.t.Helper()
	return w.do(http.MethodPost, path, []byte(body), headers...)
}

// problem is the name of the problem that a response is.
func (r response) problem() string { return strings.TrimPrefix(r.Type, "urn:mainstay:problem:") }

// written are the records of a topic, by key, each as value@partition.
func (w *world) written(topic string) map[string][]string {
	w.t.Helper()
	found, err := w.kafka.Topics(w.t.Context(), []string{topic})
	require.NoError(w.t, err)
	all := map[string][]string{}
	for p := range found[0].Leaders {
		ends, err := w.kafka.ListOffsets(w.t.Context(), topic, []int32{int32(p)})
		require.NoError(w.t, err)
		_, err = w.kafka.ReadCommitted(w.t.Context(), topic, int32(p), 0, ends[int32(p)].HighWatermark, func(r kafka.Record) error {
			all[string(r.Key)] = append(all[string(r.Key)], string(r.Value))
			return nil
		})
		require.NoError(w.t, err)
	}
	return all
}

func shippedFormat(t testing.TB, name string) *format.Format {
	t.Helper()
	f, err := format.Open(name)
	require.NoError(t, err)
	return f
}

func purchase(customer, order, total string) string {
	return `{"customer_id":"` + customer + `", "order_id":"` + order + `","total":` + total + `,"currency":"EUR"}`
}

func compress(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

// metric is the value of a series with these values of labels.
func (w *world) metric(name string, labels ...string) float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	require.NoError(w.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if f.GetName() == name && slices.Equal(values, labels) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	w.t.Fatalf("there is no %s of %v", name, labels)
	return 0
}
