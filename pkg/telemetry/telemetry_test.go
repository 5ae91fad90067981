package telemetry

import (
	"bytes"
	"encoding/json"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// names are fixed: dashboards and alert rules rely on them.
const names = `
mainstay_alert_fuse_open{rule}
mainstay_alerts_total{rule,state}
mainstay_assigned_partitions{group}
mainstay_audit_last_success_timestamp_seconds{}
mainstay_build_info{goversion,revision,version}
mainstay_cancellations{cancel_reason,kind}
mainstay_claims_failed_total{cause,partition}
mainstay_commit_duration_seconds{}
mainstay_config_info{clock,roles,settings_revision}
mainstay_consumer_lag_records{group,partition,topic}
mainstay_consumer_lag_seconds{group,partition,topic}
mainstay_customer_equity{currency}
mainstay_customers{}
mainstay_customers_active{}
mainstay_customers_by_churn_risk{churn_risk}
mainstay_customers_by_nps_category{nps_category}
mainstay_customers_by_value_tier{value_tier}
mainstay_dlq_records_total{reason,topic}
mainstay_duplicates_total{kind}
mainstay_event_age_seconds{}
mainstay_future_value{currency}
mainstay_historic_revenue{currency}
mainstay_intake_runs_failed_total{cause}
mainstay_kafka_errors_total{cause}
mainstay_kafka_up{}
mainstay_late_records_total{topic}
mainstay_ledger_bytes{partition}
mainstay_nps{}
mainstay_nps_standard_error{}
mainstay_outputs_total{topic,trigger}
mainstay_partition_halted{group,partition,reason}
mainstay_partition_stalled_seconds{group,partition,topic}
mainstay_prospects{}
mainstay_publish_duration_seconds{}
mainstay_rebalances_total{group}
mainstay_records_consumed_total{result,topic}
mainstay_records_skipped_total{reason}
mainstay_redis_errors_total{cause}
mainstay_redis_memory_ratio{}
mainstay_redis_pool_connections{}
mainstay_redis_pool_hits_total{}
mainstay_redis_pool_idle_connections{}
mainstay_redis_pool_misses_total{}
mainstay_redis_pool_stale_connections_total{}
mainstay_redis_pool_timeouts_total{}
mainstay_redis_up{}
mainstay_registry_errors_total{cause}
mainstay_registry_up{}
mainstay_rejections_total{reason}
mainstay_segment_customer_equity{currency,dimension,segment}
mainstay_segment_customers{dimension,segment}
mainstay_settings_refused_total{}
mainstay_time_behind_seconds{input_partition,input_topic}
mainstay_unstable_records{group,partition,topic}
`

// everything is a registry in which every family has a series.
func everything() *prometheus.Registry {
	reg := prometheus.NewPedanticRegistry()
	p := NewProcess(reg, Build{Version: "v1", Revision: "abc", Go: "go1"}, ConfigInfo{"live", "intake,fold", 7})
	p.SetAuditLastSuccess(time.UnixMilli(1500))
	NewRedis(reg, func() PoolStats { return PoolStats{Hits: 1, Misses: 2, Timeouts: 3, Stale: 4, Total: 5, Idle: 6} }, "c").MemoryRatio.Set(.5)
	NewKafka(reg, "c").Up.Set(1)
	NewSchemaRegistry(reg, "c")
	in, fold := NewIntake(reg), NewFold(reg)
	for _, c := range []Consumer{in.Consumer, fold.Consumer} {
		c.LagRecords.WithLabelValues("t", "0").Set(1)
		c.LagSeconds.WithLabelValues("t", "0").Set(1)
		c.UnstableRecords.WithLabelValues("t", "0").Set(1)
		c.Halted.WithLabelValues("0", "r").Set(1)
		c.Rebalances.Inc()
	}
	in.RecordsConsumed.WithLabelValues("t", "accepted").Inc()
	in.RecordsSkipped.WithLabelValues("r").Inc()
	in.DLQRecords.WithLabelValues("t", "r").Inc()
	still := func() time.Time { return time.UnixMilli(0) }
	in.TimeBehind.now, in.Stalled.now, fold.Stalled.now = still, still, still
	in.TimeBehind.Set(ByIntake, "t", "0", time.Second)
	fold.TimeBehind.Set(ByFold, "t", "0", 2*time.Second)
	in.Stalled.Begin(ByIntake, "t", "0")
	fold.Stalled.Begin(ByFold, "t", "0")
	in.RunsFailed.WithLabelValues("c").Inc()
	fold.ClaimsFailed.WithLabelValues("0", "c").Inc()
	fold.EventAge.Observe(1)
	fold.LateRecords.WithLabelValues("t").Inc()
	fold.Duplicates.WithLabelValues("origin").Inc()
	fold.CommitDuration.Observe(1)
	fold.PublishDuration.Observe(1)
	fold.Outputs.WithLabelValues("t", "event").Inc()
	fold.Rejections.WithLabelValues("r").Inc()
	fold.Alerts.WithLabelValues("r", "raised").Inc()
	fold.AlertFuseOpen.WithLabelValues("r").Set(1)
	fold.LedgerBytes.WithLabelValues("0").Set(1)
	setAll(fold.Portfolio)
	return reg
}

func setAll(p *Portfolio) {
	for _, g := range []*prometheus.GaugeVec{p.Customers, p.Prospects, p.Active, p.NPS, p.NPSError} {
		g.WithLabelValues().Set(1)
	}
	for _, g := range []*prometheus.GaugeVec{p.ByChurnRisk, p.ByValueTier, p.ByNPSCategory, p.HistoricRevenue, p.FutureValue, p.CustomerEquity} {
		g.WithLabelValues("l").Set(1)
	}
	p.Cancellations.WithLabelValues("order", "price").Set(1)
	p.BySegment.WithLabelValues("referred", "yes").Set(1)
	p.SegmentEquity.WithLabelValues("referred", "yes", "EUR").Set(1)
}

func TestResetDeletesAllPortfolioSeries(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	p := NewPortfolio(reg)
	setAll(p)
	n, err := testutil.GatherAndCount(reg)
	require.NoError(t, err)
	require.Equal(t, 14, n)
	p.Reset()
	n, err = testutil.GatherAndCount(reg)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestNamesAndLabelsAreFixed(t *testing.T) {
	families, err := everything().Gather()
	require.NoError(t, err)
	var got []string
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		got = append(got, f.GetName()+"{"+strings.Join(labels, ",")+"}")
		require.NotEmpty(t, f.GetHelp())
	}
	require.Equal(t, strings.Fields(names), got)
}

func TestMetricsFollowTheConventions(t *testing.T) {
	problems, err := testutil.GatherAndLint(everything())
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestValues(t *testing.T) {
	const want = `
# HELP mainstay_audit_last_success_timestamp_seconds Unix time of the last audit without differences; 0 if there was none.
# TYPE mainstay_audit_last_success_timestamp_seconds gauge
mainstay_audit_last_success_timestamp_seconds 1.5
# HELP mainstay_config_info 1; the labels are settings of this process.
# TYPE mainstay_config_info gauge
mainstay_config_info{clock="live",roles="intake,fold",settings_revision="7"} 1
# HELP mainstay_rebalances_total Generations of the consumer group that this process has joined.
# TYPE mainstay_rebalances_total counter
mainstay_rebalances_total{group="fold"} 1
mainstay_rebalances_total{group="intake"} 1
# HELP mainstay_redis_pool_timeouts_total Requests that timed out waiting for a connection.
# TYPE mainstay_redis_pool_timeouts_total counter
mainstay_redis_pool_timeouts_total 3
# HELP mainstay_time_behind_seconds Seconds between the time up to which an input partition is read and the ledger's clock.
# TYPE mainstay_time_behind_seconds gauge
mainstay_time_behind_seconds{input_partition="0",input_topic="t"} 2
`
	require.NoError(t, testutil.GatherAndCompare(everything(), strings.NewReader(want), "mainstay_audit_last_success_timestamp_seconds",
		"mainstay_config_info", "mainstay_rebalances_total", "mainstay_redis_pool_timeouts_total", "mainstay_time_behind_seconds"))
}

// An age grows at every scrape, whether or not somebody still reports it, and the greatest of several reports is exported.
func TestAgesGrowByThemselves(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	now := time.UnixMilli(0)
	ages := NewIntake(reg).TimeBehind
	ages.now = func() time.Time { return now }
	require.Same(t, ages, NewFold(reg).TimeBehind, "one metric for both")
	read := func() map[string]float64 {
		families, err := reg.Gather()
		require.NoError(t, err)
		all := map[string]float64{}
		for _, f := range families {
			if f.GetName() == "mainstay_time_behind_seconds" {
				for _, m := range f.GetMetric() {
					all[m.GetLabel()[1].GetValue()+"/"+m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
				}
			}
		}
		return all
	}
	ages.Set(ByIntake, "t", "0", 2*time.Second)
	ages.Set(ByFold, "t", "0", 5*time.Second)
	ages.Begin(ByFold, "t", "1")
	require.Equal(t, map[string]float64{"t/0": 5, "t/1": 0}, read())
	now = now.Add(time.Hour)
	require.Equal(t, map[string]float64{"t/0": 3605, "t/1": 3600}, read())
	ages.Begin(ByFold, "t", "1")
	ages.Set(ByIntake, "t", "0", 0)
	ages.DeleteSource(ByFold)
	require.Equal(t, map[string]float64{"t/0": 0}, read())
	_, ok := ages.Age(ByFold, "t", "1")
	require.False(t, ok)
	ages.Delete(ByIntake, "t", "0")
	require.Empty(t, read())
}

func TestNamespaceIsALabelOfEverySeries(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	wrapped := WithNamespace(reg, "till")
	first := NewFold(wrapped).Stalled
	require.Same(t, first, NewFold(wrapped).Stalled, "built twice, registered once")
	NewFold(wrapped).Stalled.Begin(ByFold, "t", "0")
	NewKafka(wrapped, "c")
	families, err := reg.Gather()
	require.NoError(t, err)
	require.NotEmpty(t, families)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			require.Equal(t, "till", labels["namespace"], f.GetName())
		}
	}
}

func TestStructsOfOneRegistryShareTheirSeries(t *testing.T) {
	reg := prometheus.NewRegistry()
	NewFold(reg).Rejections.WithLabelValues("r").Inc()
	second := NewFold(reg)
	second.Rejections.WithLabelValues("r").Inc()
	require.InDelta(t, 2, testutil.ToFloat64(second.Rejections), 0)
}

func TestLogLines(t *testing.T) {
	var out bytes.Buffer
	log, level, err := NewLogger(&out, "json", "info")
	require.NoError(t, err)
	log = log.WithOptions(zap.WithClock(still{}))
	customers := NewCustomerHasher("a key of some length")
	log.Debug("not yet")
	log.Info("stopped", zap.String("topic", "orders"), zap.Int32("partition", 3), customers.Field("ada@example.com"))
	level.SetLevel(zapcore.DebugLevel)
	log.Debug("now")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 2)
	require.JSONEq(t, `{"ts":"2026-03-01T11:00:00.250Z","level":"info","msg":"stopped","topic":"orders","partition":3,"customer":"`+
		customers.Hash("ada@example.com")+`"}`, lines[0])
	require.NotContains(t, out.String(), "ada")
	require.Contains(t, lines[1], `"level":"debug"`)

	out.Reset()
	log, _, err = NewLogger(&out, "console", "warn")
	require.NoError(t, err)
	log.Warn("for eyes")
	require.Contains(t, out.String(), "\twarn\tfor eyes")
	require.False(t, json.Valid(out.Bytes()))

	_, _, err = NewLogger(&out, "xml", "info")
	require.ErrorContains(t, err, "log.format")
	_, _, err = NewLogger(&out, "json", "loud")
	require.ErrorContains(t, err, "log.level")
}

type still struct{}

func (still) Now() time.Time                         { return time.Date(2026, 3, 1, 12, 0, 0, 250e6, time.FixedZone("", 3600)) }
func (still) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

func TestCustomerHash(t *testing.T) {
	// HMAC-SHA-256 test case 2 of RFC 4231.
	require.Equal(t, "5bdcc146bf60754e", NewCustomerHasher("Jefe").Hash("what do ya want for nothing?"))
	one, other := NewCustomerHasher(""), NewCustomerHasher("")
	require.NotEqual(t, one.Hash("ada"), other.Hash("ada"), "a random key per process")
	require.Equal(t, one.Hash("ada"), one.Field("ada").Interface.(interface{ String() string }).String())
}

func TestBuild(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-03-01T12:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}}
	require.Equal(t, Build{"v1.2.3", "abc-dirty", "2026-03-01T12:00:00Z", "go1.26.8"}, buildOf("", "def", info))
	require.Equal(t, "v2.0.0", buildOf("v2.0.0", "", info).Version)
	require.Equal(t, "devel", buildOf("", "", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}).Version)
	require.Equal(t, Build{Version: "devel", Revision: UnknownRevision}, buildOf("", "", nil))
	require.Equal(t, "def", buildOf("v2.0.0", "def", nil).Revision, "an image is built without the checkout's data")
	require.NotEmpty(t, ReadBuild().Go)
}

func TestNewRegistryHoldsTheRuntime(t *testing.T) {
	n, err := testutil.GatherAndCount(NewRegistry(), "go_goroutines", "process_start_time_seconds")
	require.NoError(t, err)
	require.Equal(t, 2, n)
}
