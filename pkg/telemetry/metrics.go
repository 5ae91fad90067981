// Package telemetry owns what Mainstay says of itself to its operators: the names of all metrics, the log's form, and how
// a customer may be named there (by a keyed hash, never by id, and never in a metric's label).
//
// It refuses to measure: whoever does the work sets the metrics of its own struct. Structs are built from a Registerer;
// building one twice on the same Registerer gives the same series.
package telemetry

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const namespace = "mainstay"

// NewRegistry returns a registry that already holds the Go runtime's and the process's own metrics.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// Consumer is what every member of a consumer group says: Intake of the inputs, Fold of the ledger.
type Consumer struct {
	LagRecords         *prometheus.GaugeVec // topic, partition: records up to the last stable offset, markers left out; caught up is 0
	LagSeconds         *prometheus.GaugeVec // topic, partition: age of the oldest record that is not yet done
	UnstableRecords    *prometheus.GaugeVec // topic, partition: high watermark - last stable offset
	Halted             *prometheus.GaugeVec // partition (of an input: topic/partition), reason: 1; delete the series when it goes on
	AssignedPartitions prometheus.Gauge
	Rebalances         prometheus.Counter
}

func newConsumer(reg prometheus.Registerer, group string) Consumer {
	label := prometheus.Labels{"group": group}
	where := []string{"group", "topic", "partition"}
	return Consumer{
		LagRecords: gauges(reg, "consumer_lag_records",
			"Records of a partition that are not yet done, up to its last stable offset.", where...).MustCurryWith(label),
		LagSeconds: gauges(reg, "consumer_lag_seconds",
			"Age of the oldest record of a partition that is not yet done.", where...).MustCurryWith(label),
		UnstableRecords: gauges(reg, "unstable_records",
			"Offsets between a partition's last stable offset and its high watermark: somebody's transaction is open.", where...).MustCurryWith(label),
		Halted: gauges(reg, "partition_halted",
			"1 for a partition that stopped for a reason that a person must cure.", "group", "partition", "reason").MustCurryWith(label),
		AssignedPartitions: gauges(reg, "assigned_partitions", "Partitions that this process holds.", "group").With(label),
		Rebalances:         counters(reg, "rebalances_total", "Generations of the group that this process has joined.", "group").With(label),
	}
}

// Intake is what pkg/stream/intake says.
type Intake struct {
	Consumer

	RecordsConsumed *prometheus.CounterVec // topic, result: accepted, skipped or dead_letter
	RecordsSkipped  *prometheus.CounterVec // reason
	DLQRecords      *prometheus.CounterVec // topic, reason
	TimeBehind      *prometheus.GaugeVec   // input_topic, input_partition
}

// NewIntake makes the metrics of an intake.
func NewIntake(reg prometheus.Registerer) *Intake {
	return &Intake{
		Consumer: newConsumer(reg, "intake"),
		RecordsConsumed: counters(reg, "records_consumed_total",
			"Input records read, by what became of them: accepted, skipped, dead_letter.", "topic", "result"),
		RecordsSkipped: counters(reg, "records_skipped_total", "Input records that were neither taken nor refused.", "reason"),
		DLQRecords:     counters(reg, "dlq_records_total", "Input records written to the dead letters.", "topic", "reason"),
		TimeBehind:     timeBehind(reg),
	}
}

// Fold is what pkg/stream/fold says.
type Fold struct {
	Consumer
	Calibration

	EventAge        prometheus.Histogram   // from the event's own time to its outputs being published
	LateRecords     *prometheus.CounterVec // topic: of the input
	Duplicates      *prometheus.CounterVec // kind: origin or event
	CommitDuration  prometheus.Histogram
	PublishDuration prometheus.Histogram
	TimeBehind      *prometheus.GaugeVec   // input_topic, input_partition: as the ledger has it, so that a dead intake shows
	Outputs         *prometheus.CounterVec // topic, trigger
	Rejections      *prometheus.CounterVec // reason
	Alerts          *prometheus.CounterVec // rule, state
	AlertFuseOpen   *prometheus.GaugeVec   // rule
	LedgerBytes     *prometheus.GaugeVec   // partition
	Portfolio       *Portfolio             // of whoever folds partition 0
}

// NewFold makes the metrics of a fold.
func NewFold(reg prometheus.Registerer) *Fold {
	return &Fold{
		Consumer: newConsumer(reg, "fold"), Calibration: newCalibration(reg),
		EventAge: histogram(reg, "event_age_seconds", "Age of an event, by its own time, when its outputs are published.",
			.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 6*3600, 24*3600, 7*24*3600, 30*24*3600),
		LateRecords:    counters(reg, "late_records_total", "Events older than the customer base's time when they were folded.", "topic"),
		Duplicates:     counters(reg, "duplicates_total", "Entries dropped since they were known: by origin, or by event_id.", "kind"),
		CommitDuration: histogram(reg, "commit_duration_seconds", "Time that a commit of state to Redis took.", short()...),
		PublishDuration: histogram(reg, "publish_duration_seconds",
			"Time that a Kafka transaction took, from its first request to its end.", short()...),
		TimeBehind:    timeBehind(reg),
		Outputs:       counters(reg, "outputs_total", "Outputs published.", "topic", "trigger"),
		Rejections:    counters(reg, "rejections_total", "Events that were understood and not applied.", "reason"),
		Alerts:        counters(reg, "alerts_total", "Alert episodes that changed state.", "rule", "state"),
		AlertFuseOpen: gauges(reg, "alert_fuse_open", "1 while a rule's alerts are held back, since there are too many.", "rule"),
		LedgerBytes:   gauges(reg, "ledger_bytes", "Size of a partition of the ledger on a broker's disk.", "partition"),
		Portfolio:     NewPortfolio(reg),
	}
}

// timeBehind is one family whoever sets it: one stuck input partition freezes every deadline, so it must be seen.
func timeBehind(reg prometheus.Registerer) *prometheus.GaugeVec {
	return gauges(reg, "time_behind_seconds",
		"How far the time up to which an input partition is known to be read lies behind the ledger's clock.", "input_topic", "input_partition")
}

// short are bounds for a round trip or a few, in seconds.
func short() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

func counters(reg prometheus.Registerer, name, help string, labels ...string) *prometheus.CounterVec {
	return register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels))
}

func gauges(reg prometheus.Registerer, name, help string, labels ...string) *prometheus.GaugeVec {
	return register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels))
}

func histogram(reg prometheus.Registerer, name, help string, buckets ...float64) prometheus.Histogram {
	return register(reg, prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}))
}

// register returns the series that already stand under this name, if there are any. Anything else that can go wrong is a
// mistake in this package.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	err := reg.Register(c)
	if before, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		return before.ExistingCollector.(C) //nolint:forcetypeassert // one name, one type: all are made in this package
	}
	if err != nil {
		panic(err)
	}
	return c
}
