// Package telemetry owns the names of all metrics, the format of the log, and the identification of customers in it: by a keyed hash,
// never by id, and never in the label of a metric.
//
// It refuses to measure: each component has a struct of metrics, which it sets itself. A struct is built from a Registerer; building it
// twice on the same Registerer returns the same series.
package telemetry

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const namespace = "mainstay"

// NewRegistry returns a registry with the metrics of the Go runtime and of the process.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// Consumer is the metrics of a member of a consumer group: of the inputs in Intake, of the ledger in Fold.
type Consumer struct {
	LagRecords         *prometheus.GaugeVec // topic, partition: records up to the last stable offset, without control records
	LagSeconds         *prometheus.GaugeVec // topic, partition: age of the oldest record that is not processed
	UnstableRecords    *prometheus.GaugeVec // topic, partition: high watermark - last stable offset
	Halted             *prometheus.GaugeVec // partition (of an input: topic/partition), reason: 1; the series is deleted when the partition continues
	AssignedPartitions prometheus.Gauge
	Rebalances         prometheus.Counter
	Stalled            *PartitionAges // topic, partition: since the last progress
}

func newConsumer(reg prometheus.Registerer, group string) Consumer {
	label := prometheus.Labels{"group": group}
	where := []string{"group", "topic", "partition"}
	return Consumer{
		LagRecords: gauges(reg, "consumer_lag_records",
			"Records of a partition up to its last stable offset that are not processed yet.", where...).MustCurryWith(label),
		LagSeconds: gauges(reg, "consumer_lag_seconds",
			"Age in seconds of the oldest record of a partition that is not processed yet.", where...).MustCurryWith(label),
		UnstableRecords: gauges(reg, "unstable_records",
			"Offsets between the last stable offset and the high watermark of a partition, which an open transaction hides.", where...).MustCurryWith(label),
		Halted: gauges(reg, "partition_halted",
			"1 for a partition that has stopped until an operator removes the cause.", "group", "partition", "reason").MustCurryWith(label),
		AssignedPartitions: gauges(reg, "assigned_partitions", "Partitions assigned to this process.", "group").With(label),
		Rebalances:         counters(reg, "rebalances_total", "Generations of the consumer group that this process has joined.", "group").With(label),
		Stalled: newPartitionAges(reg, "partition_stalled_seconds",
			"Seconds since a partition last made progress, or had nothing left to do. A ledger partition makes progress when its state is committed, an input partition when what was read of it is acknowledged.",
			label, "topic", "partition"),
	}
}

// Intake is the metrics of pkg/stream/intake.
type Intake struct {
	Consumer

	RecordsConsumed *prometheus.CounterVec // topic, result: accepted, skipped or dead_letter
	RecordsSkipped  *prometheus.CounterVec // reason
	DLQRecords      *prometheus.CounterVec // topic, reason
	RunsFailed      *prometheus.CounterVec // cause
	TimeBehind      *PartitionAges         // input_topic, input_partition
}

// NewIntake returns the metrics of an intake.
func NewIntake(reg prometheus.Registerer) *Intake {
	return &Intake{
		Consumer: newConsumer(reg, "intake"),
		RecordsConsumed: counters(reg, "records_consumed_total",
			"Input records read, by result: accepted, skipped or dead_letter.", "topic", "result"),
		RecordsSkipped: counters(reg, "records_skipped_total", "Input records skipped on purpose: neither accepted nor dead letters. With reason zero_refund: refunds of 0 left out of orders that were accepted.", "reason"),
		DLQRecords:     counters(reg, "dlq_records_total", "Input records written to the dead-letter topic.", "topic", "reason"),
		RunsFailed: counters(reg, "intake_runs_failed_total",
			"Times that reading the inputs began again from the committed offsets after an error, by cause.", "cause"),
		TimeBehind: timeBehind(reg),
	}
}

// Fold is the metrics of pkg/stream/fold.
type Fold struct {
	Consumer
	Calibration

	EventAge        prometheus.Histogram   // from the event's own time to the publication of its outputs
	LateRecords     *prometheus.CounterVec // topic: of the input
	Duplicates      *prometheus.CounterVec // kind: origin or event
	ClaimsFailed    *prometheus.CounterVec // partition, cause
	CommitDuration  prometheus.Histogram
	PublishDuration prometheus.Histogram
	TimeBehind      *PartitionAges         // input_topic, input_partition: as known from the ledger, so that a dead intake is visible
	Outputs         *prometheus.CounterVec // topic, trigger
	Rejections      *prometheus.CounterVec // reason
	SettingsRefused prometheus.Counter
	Alerts          *prometheus.CounterVec // rule, state
	AlertFuseOpen   *prometheus.GaugeVec   // rule
	LedgerBytes     *prometheus.GaugeVec   // partition
	OldestErasure   *PartitionAges         // topic, partition: of the ledger
	Portfolio       *Portfolio             // set by the process that folds partition 0
}

// NewFold returns the metrics of a fold.
func NewFold(reg prometheus.Registerer) *Fold {
	return &Fold{
		Consumer: newConsumer(reg, "fold"), Calibration: newCalibration(reg),
		EventAge: histogram(reg, "event_age_seconds", "Age of an event in seconds, from its own time to the publication of its outputs.",
			.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 6*3600, 24*3600, 7*24*3600, 30*24*3600),
		LateRecords: counters(reg, "late_records_total", "Events that were older than base time when they were folded.", "topic"),
		Duplicates:  counters(reg, "duplicates_total", "Ledger entries dropped as duplicates: origin or gap (resent by an intake), or event (known event_id).", "kind"),
		ClaimsFailed: counters(reg, "claims_failed_total",
			"Claims of a ledger partition that ended with an error, by cause; the partition is claimed again.", "partition", "cause"),
		CommitDuration: histogram(reg, "commit_duration_seconds", "Duration of a commit of state to Redis in seconds.", roundTripBuckets()...),
		PublishDuration: histogram(reg, "publish_duration_seconds",
			"Duration of a Kafka transaction in seconds, from its first request to its end.", roundTripBuckets()...),
		TimeBehind: timeBehind(reg),
		Outputs:    counters(reg, "outputs_total", "Outputs published.", "topic", "trigger"),
		SettingsRefused: counters(reg, "settings_refused_total",
			"Settings entries of the ledger that were skipped, since a value in them is out of bounds.").WithLabelValues(),
		Rejections:    counters(reg, "rejections_total", "Valid events that contradict what is known and are not applied.", "reason"),
		Alerts:        counters(reg, "alerts_total", "State changes of customer alerts.", "rule", "state"),
		AlertFuseOpen: gauges(reg, "alert_fuse_open", "1 while alerts of a rule are suppressed because it raised too many within an hour.", "rule"),
		LedgerBytes:   gauges(reg, "ledger_bytes", "Size of a ledger partition on the disk of its leader in bytes.", "partition"),
		OldestErasure: newPartitionAges(reg, "oldest_erasure_seconds",
			"Seconds since the oldest request to forget a customer of whom a ledger partition still holds entries; only a copy of the ledger is without them.", nil, "topic", "partition"),
		Portfolio: NewPortfolio(reg),
	}
}

// The sources of the time behind, and of the time since the last progress.
const (
	ByIntake = "intake"
	ByFold   = "fold"
)

// timeBehind is one metric for intake and fold. A single input partition that is stuck delays every deadline, so it must be visible even
// if its intake is dead.
func timeBehind(reg prometheus.Registerer) *PartitionAges {
	return newPartitionAges(reg, "time_behind_seconds",
		"Seconds between the time up to which an input partition is read and the ledger's clock.", nil, "input_topic", "input_partition")
}

// roundTripBuckets returns histogram buckets for one or a few round trips, in seconds.
func roundTripBuckets() []float64 {
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

// register returns the collector that is registered under this name, if any. Any other error is a defect of this package.
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
