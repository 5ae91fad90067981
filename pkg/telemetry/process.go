package telemetry

import (
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// version is set by the linker (-X github.com/mainstay/mainstay/pkg/telemetry.version=v1.2.3).
var version string

// Build says which program this is.
type Build struct {
	Version  string `json:"version"`  // as released, else the module's version, else "devel"
	Revision string `json:"revision"` // of the source, with "-dirty" when it was changed; empty if unknown
	Time     string `json:"time"`     // of the revision, RFC 3339; empty if unknown
	Go       string `json:"go"`
}

// ReadBuild asks the binary.
func ReadBuild() Build {
	info, _ := debug.ReadBuildInfo()
	return buildOf(version, info)
}

func buildOf(linked string, info *debug.BuildInfo) Build {
	b := Build{Version: linked}
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
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}

// ConfigInfo is what the metric config_info says of the configuration.
type ConfigInfo struct {
	Namespace        string
	Clock            string
	Roles            string // joined by commas
	SettingsRevision uint64
}

// Process is what the process as a whole says.
type Process struct {
	auditLastSuccess prometheus.Gauge
}

// NewProcess makes the metrics of the process; the two infos are set for good.
func NewProcess(reg prometheus.Registerer, b Build, c ConfigInfo) *Process {
	gauges(reg, "build_info", "1; which program this is.", "version", "revision", "goversion").
		WithLabelValues(b.Version, b.Revision, b.Go).Set(1)
	gauges(reg, "config_info", "1; what this process was told.", "namespace", "clock", "roles", "settings_revision").
		WithLabelValues(c.Namespace, c.Clock, c.Roles, strconv.FormatUint(c.SettingsRevision, 10)).Set(1)
	return &Process{
		auditLastSuccess: gauges(reg, "audit_last_success_timestamp_seconds",
			"When an audit last found nothing lost, doubled or differing; 0 if none ran.").WithLabelValues(),
	}
}

// SetAuditLastSuccess says that an audit found nothing wrong.
func (p *Process) SetAuditLastSuccess(at time.Time) { p.auditLastSuccess.Set(float64(at.UnixMilli()) / 1000) }

// PoolStats are a Redis client's connections. Counts rise from the client's start.
type PoolStats struct {
	Hits, Misses, Timeouts, Stale uint64
	Total, Idle                   uint64 // open now
}

// Redis is what a Redis client says.
type Redis struct {
	MemoryRatio prometheus.Gauge   // used_memory / maxmemory, or of the machine's memory where there is no maxmemory
	Errors      prometheus.Counter // looks at the servers that failed, or found what would lose state
}

// NewRedis makes the metrics of a Redis client; pool is asked at every scrape and must not block.
func NewRedis(reg prometheus.Registerer, pool func() PoolStats) *Redis {
	register(reg, poolCollector(pool))
	return &Redis{
		MemoryRatio: gauges(reg, "redis_memory_ratio", "Share of its memory that Redis uses.").WithLabelValues(),
		Errors: counters(reg, "redis_errors_total",
			"Looks at Redis, one every 15 s, that it did not answer, or in which it had settings that would lose state.").WithLabelValues(),
	}
}

// pooled reads the pool's own counters at a scrape, so that they are kept in one place only.
type pooled struct {
	pool                           func() PoolStats
	hits, misses, timeouts, stale  *prometheus.Desc
	connections, idleOfConnections *prometheus.Desc
}

func poolCollector(pool func() PoolStats) *pooled {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "redis_pool", name), help, nil, nil)
	}
	return &pooled{
		pool:              pool,
		hits:              desc("hits_total", "Times that a free connection was found."),
		misses:            desc("misses_total", "Times that none was free."),
		timeouts:          desc("timeouts_total", "Times that waiting for a connection took too long."),
		stale:             desc("stale_connections_total", "Connections closed since they were no longer good."),
		connections:       desc("connections", "Connections that are open."),
		idleOfConnections: desc("idle_connections", "Connections that are open and free."),
	}
}

// Describe implements prometheus.Collector.
func (p *pooled) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(p, to) }

// Collect implements prometheus.Collector.
func (p *pooled) Collect(to chan<- prometheus.Metric) {
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
