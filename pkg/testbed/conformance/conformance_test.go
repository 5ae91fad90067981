//go:build real

package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/testbed/containers"
	"github.com/mainstay/mainstay/pkg/testbed/schemaregistry"
)

const (
	// patience is for what is not scaled: probes and pauses inside a process (5 s), scrapes and evaluations, and a busy machine.
	patience = 25 * time.Second
	quiet    = 10 * time.Second // without a fault, so that rates have a past
)

// expected is an alert that a runbook names for a fault.
type expected struct {
	alert  string
	labels map[string]string // those that tell the fault
	within time.Duration     // from the fault on, as the runbook and the rule say
}

// fault is a fault with a process of its own, in a namespace of its own.
type fault struct {
	name    string
	broken  map[string]string              // settings that are wrong from the start: the process does not start
	says    string                         // what its error says then
	kafka   func(t *testing.T, s *subject) // starts its Kafka; nil: one in this process
	redis   func(t *testing.T, s *subject) // starts its Redis; nil: the one that is shared
	schemas bool                           // it has a schema registry
	inject  func(ctx context.Context, t *testing.T, s *subject)
	expect  []expected
	also    []string // critical alerts that are consequences, and that the runbook names
}

// subject is what a fault hits.
type subject struct {
	namespace string
	embedded  *embedded.Embedded // nil: the broker is real
	broker    string
	small     *containers.SmallKafka
	redis     *containers.Redis
	schemas   *schemaregistry.Server // nil: none
	program   containers.Program
	process   *containers.Process // nil: it did not start
	target    string
}

func faults() []fault {
	const minute = time.Minute
	return []fault{
		{name: "none", inject: func(context.Context, *testing.T, *subject) {}},
		{
			name:   "Kafka is gone",
			inject: func(_ context.Context, _ *testing.T, s *subject) { s.embedded.Close() },
			expect: []expected{{"MainstayKafkaDown", map[string]string{"cause": "kafka_unreachable"}, minute}},
		},
		{
			name: "the broker's disk is full", kafka: smallKafka,
			inject: func(ctx context.Context, t *testing.T, s *subject) { require.NoError(t, s.small.FillDisk(ctx)) },
			expect: []expected{{"MainstayKafkaDown", map[string]string{"cause": "kafka_unreachable"}, minute}},
		},
		{
			name: "Redis is gone", redis: ownRedis(containers.StartRedis),
			inject: func(ctx context.Context, t *testing.T, s *subject) { require.NoError(t, s.redis.Kill(ctx)) },
			expect: []expected{{"MainstayRedisErrors", map[string]string{"cause": "redis_unreachable"}, minute}},
		},
		{
			name: "Redis is full", redis: ownRedis(containers.StartRedis),
			inject: func(ctx context.Context, t *testing.T, s *subject) { ask(ctx, t, s, "CONFIG SET maxmemory 1000000") },
			expect: []expected{
				{"MainstayRedisErrors", map[string]string{"cause": "redis_full"}, minute},
				{"MainstayRedisMemoryFull", nil, 2 * minute},
			},
		},
		{
			name: "Redis cannot persist (MISCONF)", redis: ownRedis(containers.StartSnapshotRedis),
			inject: func(ctx context.Context, t *testing.T, s *subject) { require.NoError(t, s.redis.LoseDirectory(ctx)) },
			expect: []expected{{"MainstayRedisErrors", map[string]string{"cause": "redis_refuses_write"}, minute}},
		},
		{
			name: "Redis denies", redis: ownRedis(containers.StartRedis),
			inject: func(ctx context.Context, t *testing.T, s *subject) {
				ask(ctx, t, s, "ACL SETUSER default -@write")
			},
			expect: []expected{{"MainstayRedisErrors", map[string]string{"cause": "redis_denied"}, minute}},
		},
		{
			name: "the schema registry is gone", schemas: true,
			inject: func(ctx context.Context, t *testing.T, s *subject) {
				s.schemas.Close()
				s.send(ctx, t, 0, "\x00\x00\x00\x00\x07\x02a") // no process knows the schema
			},
			expect: []expected{{"MainstayRegistryDown", map[string]string{"cause": "registry_unreachable"}, minute}},
		},
		{
			name: "one partition is claimed for ever",
			inject: func(_ context.Context, _ *testing.T, s *subject) {
				s.embedded.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TxnID: s.namespace + "-fold-1", Err: kerr.InvalidTxnState, Count: -1})
			},
			expect: []expected{
				{"MainstayClaimsFailing", map[string]string{"partition": "1", "cause": "kafka_unreachable"}, 2 * minute},
				{"MainstayCommitsStalled", map[string]string{"partition": "1"}, 6 * minute},
			},
		},
		{
			name: "an output topic refuses",
			inject: func(_ context.Context, _ *testing.T, s *subject) {
				s.embedded.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.namespace + ".clv.v1", Err: kerr.MessageTooLarge, Count: -1})
			},
			expect: []expected{{"MainstayPartitionHalted", map[string]string{"group": "fold", "reason": "output_refused"}, minute}},
			also:   []string{"MainstayOutputsSilent"},
		},
		{
			name: "an input is halted",
			inject: func(ctx context.Context, t *testing.T, s *subject) {
				s.embedded.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.namespace + ".purchases.dlq", Err: kerr.TopicAuthorizationFailed, Count: -1})
				s.send(ctx, t, 0, "not json")
			},
			expect: []expected{{"MainstayPartitionHalted", map[string]string{"group": "intake", "reason": "not_authorized"}, minute}},
			also:   []string{"MainstayTimeBehind"},
		},
		{
			name: "1,000 bad records",
			inject: func(ctx context.Context, t *testing.T, s *subject) {
				s.send(ctx, t, 0, slices.Repeat([]string{"not json"}, 1000)...)
			},
			expect: []expected{
				{"MainstayDeadLetterRatio", map[string]string{"topic": "purchases"}, 5 * minute},
				{"MainstayDeadLetterReasonNew", map[string]string{"reason": "malformed"}, 0},
			},
		},
		{
			name: "a shop's clock is three days ahead",
			inject: func(ctx context.Context, t *testing.T, s *subject) {
				s.send(ctx, t, 72*time.Hour, slices.Repeat([]string{`{"customer_id":"c","order_id":"o","total":1,"currency":"USD"}`}, 100)...)
			},
			expect: []expected{
				{"MainstayDeadLetterRatio", map[string]string{"topic": "purchases"}, 5 * minute},
				{"MainstayDeadLetterReasonNew", map[string]string{"reason": "too_late"}, 0},
			},
		},
		{
			name: "DNS is gone at the start", broken: map[string]string{"KAFKA_BROKERS": "kafka.invalid:9092"}, says: "kafka.brokers",
			expect: []expected{{"MainstayInstanceDown", nil, 5 * minute}},
		},
		{
			name: "the credentials are wrong at the start", redis: ownRedis(containers.StartRedis),
			broken: map[string]string{"REDIS_USERNAME": "mainstay", "REDIS_PASSWORD": "wrong"}, says: "redis.password",
			expect: []expected{{"MainstayInstanceDown", nil, 5 * minute}},
		},
	}
}

func smallKafka(t *testing.T, s *subject) {
	t.Helper()
	k, err := containers.StartSmallKafka(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, k.Close()) })
	s.small, s.broker = k, k.Address
}

func ownRedis(start func(context.Context) (*containers.Redis, error)) func(*testing.T, *subject) {
	return func(t *testing.T, s *subject) {
		t.Helper()
		r, err := start(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, r.Close()) })
		s.redis = r
	}
}

func ask(ctx context.Context, t *testing.T, s *subject, command string) {
	t.Helper()
	answer, err := containers.AskRedis(ctx, s.redis.Address, command)
	require.NoError(t, err)
	require.Equal(t, "OK", answer)
}

// send produces records to partition 0 of purchases, stamped ahead of now.
func (s *subject) send(ctx context.Context, t *testing.T, ahead time.Duration, values ...string) {
	t.Helper()
	require.NoError(t, s.produce(ctx, ahead, values...))
}

func (s *subject) produce(ctx context.Context, ahead time.Duration, values ...string) error {
	k, err := kafka.New(kafka.Config{Brokers: []string{s.broker}, Timeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer k.Close()
	p, err := k.NewProducer(ctx)
	if err != nil {
		return err
	}
	b := kafka.NewBatch("purchases", 0)
	for _, v := range values {
		b.Append(time.Now().Add(ahead).UnixMilli(), nil, []byte(v), nil)
	}
	_, err = p.Produce(ctx, []*kafka.Batch{b})
	return err
}

// shop sends purchases of many customers, until the context ends. It may fail: the fault may be that Kafka is gone.
func (s *subject) shop(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		sending, cancel := context.WithTimeout(ctx, 2*time.Second)
		_ = s.produce(sending, 0, fmt.Sprintf(`{"customer_id":"c%d","order_id":"o%d","total":10,"currency":"USD"}`, i%20, i))
		cancel()
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// TestFaultsRaiseTheirAlerts injects all faults side by side.
func TestFaultsRaiseTheirAlerts(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 8*time.Minute, fmt.Errorf("the faults and their alerts took longer than 8 minutes"))
	defer cancel()
	path, err := containers.Build(ctx, t.TempDir())
	require.NoError(t, err)
	shared, err := containers.StartRedis(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, shared.Close()) })

	all := faults()
	subjects := make([]*subject, len(all))
	var targets []string
	for i, f := range all {
		s := &subject{namespace: fmt.Sprintf("fault%d", i), redis: shared}
		start(ctx, t, &f, s, path)
		subjects[i] = s
		targets = append(targets, s.target)
		if s.process != nil {
			shopping, stop := context.WithCancel(ctx)
			var shop sync.WaitGroup
			shop.Go(func() { s.shop(shopping) })
			t.Cleanup(func() { stop(); shop.Wait() })
		}
	}
	prometheus := startPrometheus(ctx, t, targets)
	time.Sleep(quiet)
	critical := criticalAlerts(watch(ctx, t, prometheus)...)
	require.Empty(t, critical, "before any fault")

	began := time.Now()
	for i, f := range all {
		if f.inject != nil {
			f.inject(ctx, t, subjects[i])
		}
	}
	judge(ctx, t, prometheus, all, subjects, began)
}

// start starts the servers and the process of a fault. A process that is set up wrong must not start, and must say why.
func start(ctx context.Context, t *testing.T, f *fault, s *subject, path string) {
	t.Helper()
	if f.redis != nil {
		f.redis(t, s)
	}
	if f.kafka != nil {
		f.kafka(t, s)
	} else {
		e, err := embedded.Start(ctx, embedded.Options{Kafka: true})
		require.NoError(t, err)
		t.Cleanup(e.Close)
		s.embedded, s.broker = e, e.KafkaAddress()
	}
	s.program = containers.Program{Path: path, Settings: map[string]string{
		"KAFKA_BROKERS": s.broker, "REDIS_ADDRESSES": s.redis.Address, "NAMESPACE": s.namespace, "CLOCK": "live", "LEDGER_PARTITIONS": "2",
		"INTAKE_TICK_INTERVAL": "1s", "REFIT_INTERVAL": "0s",
	}}
	if f.schemas {
		s.schemas = schemaregistry.Start()
		t.Cleanup(s.schemas.Close)
		s.program.Settings["REGISTRY_URLS"] = s.schemas.URL
	}
	out, _, err := s.program.Do(ctx, "topics", "apply")
	require.NoError(t, err, "%s: %s", f.name, out)
	if f.broken == nil {
		s.process, err = s.program.Run(ctx)
		require.NoError(t, err, f.name)
		t.Cleanup(s.process.Kill)
		s.target = s.process.HTTP
		return
	}
	_, code, err := s.program.With(f.broken).Do(ctx, "run")
	require.Equal(t, 1, code, "%s: %v", f.name, err)
	require.ErrorContains(t, err, f.says, f.name)
	s.target = "127.0.0.1:9" // nothing listens there
}

func startPrometheus(ctx context.Context, t *testing.T, targets []string) string {
	t.Helper()
	files, err := filepath.Glob("../../../deploy/prometheus/rules/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	rules := map[string][]byte{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		rules[filepath.Base(path)] = []byte(Shorten(string(text)))
	}
	slices.Sort(targets)
	config := fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [/tmp/rules/*.yml]
scrape_configs:
  - job_name: mainstay
    static_configs: [{targets: ["%s"]}]
`, strings.Join(slices.Compact(targets), `", "`))
	p, err := containers.StartPrometheus(ctx, []byte(config), rules)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p.Address
}

// active is an alert as Prometheus lists it.
type active struct {
	Labels map[string]string `json:"labels"`
	State  string            `json:"state"`
}

// watch returns the alerts that fire.
func watch(ctx context.Context, t *testing.T, prometheus string) []active {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+prometheus+"/api/v1/alerts", nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	var body struct {
		Data struct {
			Alerts []active `json:"alerts"`
		} `json:"data"`
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&body))
	return slices.DeleteFunc(body.Data.Alerts, func(a active) bool { return a.State != "firing" })
}

func criticalAlerts(all ...active) []active {
	return slices.DeleteFunc(slices.Clone(all), func(a active) bool { return a.Labels["severity"] != "critical" })
}

// concerns reports whether an alert is about a subject.
func (a active) concerns(s *subject) bool {
	return a.Labels["namespace"] == s.namespace || a.Labels["namespace"] == "" && a.Labels["instance"] == s.target
}

// judge waits until each fault has raised its alerts, each in its time, and then until any other critical alert would have been raised.
func judge(ctx context.Context, t *testing.T, prometheus string, all []fault, subjects []*subject, began time.Time) {
	t.Helper()
	type wait struct {
		fault int
		expected
	}
	var waiting []wait
	longest := time.Duration(0)
	for i, f := range all {
		for _, e := range f.expect {
			waiting = append(waiting, wait{i, e})
			longest = max(longest, e.within)
		}
	}
	var late []string
	unrelated := map[string]bool{}
	for since := time.Duration(0); since < longest/Scale+patience; since = time.Since(began) {
		firing := watch(ctx, t, prometheus)
		waiting = slices.DeleteFunc(waiting, func(w wait) bool {
			raised := slices.ContainsFunc(firing, func(a active) bool { return a.concerns(subjects[w.fault]) && w.matches(a) })
			switch what := fmt.Sprintf("%s: %s %v", all[w.fault].name, w.alert, w.labels); {
			case raised:
				t.Logf("%6.1f s (%s, scaled %.1f s) %s", since.Seconds(), w.within, (w.within / Scale).Seconds(), what)
				return true
			case since > w.within/Scale+patience:
				late = append(late, what)
				return true
			}
			return false
		})
		for _, a := range criticalAlerts(firing...) {
			i := slices.IndexFunc(subjects, a.concerns)
			if i < 0 || !all[i].allows(a) {
				name := "no fault"
				if i >= 0 {
					name = all[i].name
				}
				unrelated[fmt.Sprintf("%s: %v", name, a.Labels)] = true
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
	for _, w := range waiting {
		late = append(late, fmt.Sprintf("%s: %s %v", all[w.fault].name, w.alert, w.labels))
	}
	if len(late) > 0 {
		for i, s := range subjects {
			if s.process != nil && slices.ContainsFunc(late, func(l string) bool { return strings.HasPrefix(l, all[i].name+":") }) {
				t.Logf("%s:\n%s", all[i].name, s.process.Tail(15))
			}
		}
	}
	require.Empty(t, late, "alerts that were not raised in time")
	require.Empty(t, slices.Sorted(maps.Keys(unrelated)), "critical alerts that the runbook does not name")
}

func (e expected) matches(a active) bool {
	for name, value := range e.labels {
		if a.Labels[name] != value {
			return false
		}
	}
	return a.Labels["alertname"] == e.alert
}

// allows reports whether a critical alert belongs to the fault.
func (f fault) allows(a active) bool {
	return slices.Contains(f.also, a.Labels["alertname"]) || slices.ContainsFunc(f.expect, func(e expected) bool { return e.matches(a) })
}
