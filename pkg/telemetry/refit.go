package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Refit is what pkg/stream/refit's schedule says.
type Refit struct {
	Refits      *prometheus.CounterVec // outcome
	LastSuccess prometheus.Gauge
}

// NewRefit makes the metrics of refits; each outcome is there from the start.
func NewRefit(reg prometheus.Registerer, outcomes ...string) *Refit {
	r := &Refit{
		Refits: counters(reg, "refits_total",
			"Refits of the models on schedule, by outcome: appended, unchanged, no_data; not_converged and worse were refused; failed.", "outcome"),
		LastSuccess: gauges(reg, "refit_last_success_timestamp_seconds",
			"When a refit of this process last came to parameters that are good, new or unchanged; 0: never.").WithLabelValues(),
	}
	for _, o := range outcomes {
		r.Refits.WithLabelValues(o)
	}
	return r
}
