package telemetry

import (
	"cmp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The linker sets these, for builds outside a Git checkout (-X github.com/mainstay/mainstay/pkg/telemetry.version=v1.2.3).
var version, revision string //nolint:gochecknoglobals // set by the linker

// UnknownRevision is the revision of a binary that was built without version control data.
const UnknownRevision = "unknown"

// Build identifies the binary.
type Build struct {
	Version  string `json:"version"`  // of the release, otherwise the module's version, otherwise "devel"
	Revision string `json:"revision"` // VCS revision, with "-dirty" if the source was modified; UnknownRevision without version control data
	Time     string `json:"time"`     // of the revision, RFC 3339; empty if unknown
	Go       string `json:"go"`
}

// ReadBuild returns the build information of this binary.
func ReadBuild() Build {
	info, _ := debug.ReadBuildInfo()
	return buildOf(version, revision, info)
}

func buildOf(linkedVersion, linkedRevision string, info *debug.BuildInfo) Build {
	b := Build{Version: linkedVersion}
	if info != nil {
		b.Go = info.GoVersion
		if b.Version == "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
		dirty := false
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.time":
				b.Time = s.Value
			case "vcs.modified":
				dirty = s.Value == "true"
			}
		}
		if dirty && b.Revision != "" {
			b.Revision += "-dirty"
		}
	}
	b.Version = cmp.Or(b.Version, "devel")
	b.Revision = cmp.Or(b.Revision, linkedRevision, UnknownRevision)
	return b
}

// ConfigInfo is the labels of the metric config_info.
type ConfigInfo struct {
	Clock            string
	Roles            string // joined by commas
	SettingsRevision uint64
}

// Process is the metrics of the process as a whole.
type Process struct {
	auditLastSuccess prometheus.Gauge
}

// WithNamespace returns a registerer that adds the label namespace to every series, so that one Prometheus can watch several namespaces.
func WithNamespace(reg prometheus.Registerer, name string) prometheus.Registerer {
	return prometheus.WrapRegistererWith(prometheus.Labels{"namespace": name}, reg)
}

// NewProcess returns the metrics of the process and sets build_info and config_info.
func NewProcess(reg prometheus.Registerer, b Build, c ConfigInfo) *Process {
	gauges(reg, "build_info", "1; the labels identify the binary.", "version", "revision", "goversion").
		WithLabelValues(b.Version, b.Revision, b.Go).Set(1)
	gauges(reg, "config_info", "1; the labels are settings of this process.", "clock", "roles", "settings_revision").
		WithLabelValues(c.Clock, c.Roles, strconv.FormatUint(c.SettingsRevision, 10)).Set(1)
	return &Process{
		auditLastSuccess: gauges(reg, "audit_last_success_timestamp_seconds",
			"Unix time of the last audit without differences; 0 if there was none.").WithLabelValues(),
	}
}

// SetAuditLastSuccess sets the time of the last audit without differences.
func (p *Process) SetAuditLastSuccess(at time.Time) {
	p.auditLastSuccess.Set(float64(at.UnixMilli()) / 1000)
}

// PoolStats are the connections of a Redis client. The first four are counters since its start.
type PoolStats struct {
	Hits, Misses, Timeouts, Stale uint64
	Total, Idle                   uint64 // open now
}

// Reachability is the metrics of a server that is probed once a second, and of the schema registry, which is asked when a schema is needed.
type Reachability struct {
	Up     prometheus.Gauge       // 1: the last probe succeeded
	Errors *prometheus.CounterVec // cause: failed probes
}

// NewKafka returns the metrics of the probes of Kafka, with a series for each cause.
func NewKafka(reg prometheus.Registerer, causes ...string) *Reachability {
	return newReachability(reg, "kafka", "a broker answers", causes)
}

// NewSchemaRegistry returns the metrics of requests to the schema registry, with a series for each cause.
func NewSchemaRegistry(reg prometheus.Registerer, causes ...string) *Reachability {
	r := &Reachability{
		Up:     gauges(reg, "registry_up", "1 while the schema registry answers, 0 otherwise, as of the last request. One that failed is repeated until it is answered.").WithLabelValues(),
		Errors: counters(reg, "registry_errors_total", "Requests that the schema registry has not answered, by cause.", "cause"),
	}
	for _, cause := range causes {
		r.Errors.WithLabelValues(cause)
	}
	r.Up.Set(1)
	return r
}

func newReachability(reg prometheus.Registerer, server, healthy string, causes []string) *Reachability {
	r := &Reachability{
		Up: gauges(reg, server+"_up", "1 while "+healthy+", 0 otherwise, as of the last probe (one per second).").WithLabelValues(),
		Errors: counters(reg, server+"_errors_total",
			"Probes (one per second) after which it did not hold that "+healthy+", by cause.", "cause"),
	}
	for _, cause := range causes {
		r.Errors.WithLabelValues(cause)
	}
	return r
}

// Redis is the metrics of a Redis client.
type Redis struct {
	Reachability

	MemoryRatio prometheus.Gauge // used_memory / maxmemory; 0 without maxmemory
}

// NewRedis returns the metrics of a Redis client, with a series for each cause of errors; pool is called at every scrape and must not
// block.
func NewRedis(reg prometheus.Registerer, pool func() PoolStats, causes ...string) *Redis {
	register(reg, newPoolCollector(pool))
	return &Redis{
		Reachability: *newReachability(reg, "redis", "Redis answers, accepts writes and would not lose state", causes),
		MemoryRatio:  gauges(reg, "redis_memory_ratio", "used_memory / maxmemory of the fullest Redis server; 0 without maxmemory.").WithLabelValues(),
	}
}

// poolCollector reads the counters of the pool at each scrape instead of copying them.
type poolCollector struct {
	pool                           func() PoolStats
	hits, misses, timeouts, stale  *prometheus.Desc
	connections, idleOfConnections *prometheus.Desc
}

func newPoolCollector(pool func() PoolStats) *poolCollector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "redis_pool", name), help, nil, nil)
	}
	return &poolCollector{
		pool:              pool,
		hits:              desc("hits_total", "Requests that found a free connection."),
		misses:            desc("misses_total", "Requests that found no free connection."),
		timeouts:          desc("timeouts_total", "Requests that timed out waiting for a connection."),
		stale:             desc("stale_connections_total", "Connections closed because they were stale."),
		connections:       desc("connections", "Open connections."),
		idleOfConnections: desc("idle_connections", "Open connections that are not in use."),
	}
}

// Describe implements prometheus.Collector.
func (p *poolCollector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(p, to) }

// Collect implements prometheus.Collector.
func (p *poolCollector) Collect(to chan<- prometheus.Metric) {
	s := p.pool()
	for _, m := range []struct {
		desc *prometheus.Desc
		kind prometheus.ValueType
		now  uint64
	}{
		{p.hits, prometheus.CounterValue, s.Hits},
		{p.misses, prometheus.CounterValue, s.Misses},
		{p.timeouts, prometheus.CounterValue, s.Timeouts},
		{p.stale, prometheus.CounterValue, s.Stale},
		{p.connections, prometheus.GaugeValue, s.Total},
		{p.idleOfConnections, prometheus.GaugeValue, s.Idle},
	} {
		to <- prometheus.MustNewConstMetric(m.desc, m.kind, float64(m.now))
	}
}
