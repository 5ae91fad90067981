package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Deliver is the metrics of webhooks (pkg/edge/deliver).
type Deliver struct {
	Outputs     *prometheus.CounterVec // destination, outcome
	Attempts    *prometheus.CounterVec // destination, result
	Duration    prometheus.Histogram
	Undelivered *prometheus.GaugeVec // destination, topic, partition
	Oldest      *PartitionAges       // destination, topic
	Paused      *prometheus.GaugeVec // destination

	reg prometheus.Registerer
}

// NewDeliver returns the metrics of webhooks, with a series for each destination, outcome of an output, and result of an attempt.
func NewDeliver(reg prometheus.Registerer, destinations, outcomes, results []string) *Deliver {
	m := &Deliver{
		Outputs: counters(reg, "deliver_outputs_total",
			"Outputs of which a destination's position has passed, by outcome: delivered, filtered, dead_letter or lost (retention deleted them before they were read; counted as offsets).", "destination", "outcome"),
		Attempts: counters(reg, "deliver_attempts_total", "Requests to a destination, by result: ok, or why they failed.", "destination", "result"),
		Duration: histogram(reg, "deliver_request_duration_seconds", "Duration of a request to a destination in seconds.", roundTripBuckets()...),
		Undelivered: gauges(reg, "deliver_undelivered_records",
			"Offsets of a topic's partition between the position of a destination and the last stable offset.", "destination", "topic", "partition"),
		Oldest: newPartitionAges(reg, "deliver_oldest_undelivered_seconds",
			"Age in seconds of the oldest output of a topic that a destination has not got and that is no dead letter either.", nil, "destination", "topic"),
		Paused: gauges(reg, "deliver_paused", "1 for a destination that an operator has paused (`mainstay deliver pause`).", "destination"),
		reg:    reg,
	}
	for _, d := range destinations {
		for _, o := range outcomes {
			m.Outputs.WithLabelValues(d, o)
		}
		for _, r := range results {
			m.Attempts.WithLabelValues(d, r)
		}
		m.Paused.WithLabelValues(d)
	}
	return m
}

// Consumer returns the metrics of a destination's membership in its consumer group.
func (m *Deliver) Consumer(destination string) *Consumer {
	c := newConsumer(m.reg, "deliver-"+destination)
	return &c
}
