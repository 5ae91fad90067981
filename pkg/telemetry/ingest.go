package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Ingest is the metrics of the intake of events over HTTP (pkg/edge/ingest).
type Ingest struct {
	Requests        *prometheus.CounterVec // outcome: accepted, or the name of the problem
	Events          *prometheus.CounterVec // kind, result: accepted, skipped or refused
	RequestDuration prometheus.Histogram
	InFlightBytes   prometheus.Gauge
}

// NewIngest returns the metrics of the intake over HTTP, with a series for each outcome of a request and each kind of event.
func NewIngest(reg prometheus.Registerer, outcomes, kinds, results []string) *Ingest {
	m := &Ingest{
		Requests: counters(reg, "ingest_requests_total",
			"Requests with events, by outcome: accepted, or the name of the problem that was answered. Requests without a valid token are not counted.", "outcome"),
		Events: counters(reg, "ingest_events_total", "Events in requests, by result: accepted, skipped or refused.", "kind", "result"),
		RequestDuration: histogram(reg, "ingest_request_duration_seconds",
			"Duration of a request with events in seconds, until its answer: for accepted ones that is after Kafka has acknowledged them.", roundTripBuckets()...),
		InFlightBytes: gauges(reg, "ingest_in_flight_bytes", "Memory in bytes that is taken by requests with events that are not answered yet.").WithLabelValues(),
	}
	for _, o := range outcomes {
		m.Requests.WithLabelValues(o)
	}
	for _, kind := range kinds {
		for _, result := range results {
			m.Events.WithLabelValues(kind, result)
		}
	}
	return m
}
