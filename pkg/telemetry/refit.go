package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Refit is the metrics of scheduled refits (pkg/stream/refit).
type Refit struct {
	Refits      *prometheus.CounterVec // outcome
	LastSuccess prometheus.Gauge
}

// NewRefit returns the metrics of refits, with a series for each outcome.
func NewRefit(reg prometheus.Registerer, outcomes ...string) *Refit {
	r := &Refit{
		Refits: counters(reg, "refits_total",
			"Scheduled refits of the models, by outcome: appended, unchanged, no_data, failed; after not_converged and worse the parameters were not replaced.", "outcome"),
		LastSuccess: gauges(reg, "refit_last_success_timestamp_seconds",
			"Unix time of the last successful refit of this process, with new or unchanged parameters; 0 if there was none.").WithLabelValues(),
	}
	for _, o := range outcomes {
		r.Refits.WithLabelValues(o)
	}
	return r
}
