package telemetry

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Calibration is how far promises to customers were kept: sums since the ledger's beginning, by partition, as its owner has
// them. The share kept of a decile is promises_kept / promises, what was promised is promises_expected / promises.
type Calibration struct {
	promises, expected, kept *prometheus.GaugeVec // partition, decile
	orders                   *prometheus.GaugeVec // partition, what: predicted or observed
}

func newCalibration(reg prometheus.Registerer) Calibration {
	return Calibration{
		promises: gauges(reg, "calibration_promises",
			"Promised probabilities of an order within the purchase horizon, of one customer in eight, whose horizon has passed; by tenth of the probability, 1 is the lowest.", "partition", "decile"),
		expected: gauges(reg, "calibration_promises_expected", "Sum of those probabilities: how many should have been kept.", "partition", "decile"),
		kept:     gauges(reg, "calibration_promises_kept", "How many of them were kept: there was an order.", "partition", "decile"),
		orders: gauges(reg, "calibration_order_days",
			"Purchase days within those horizons, as predicted and as observed: their distance is the model's drift.", "partition", "what"),
	}
}

// SetDecile says where a decile (from 0) of a partition stands.
func (c *Calibration) SetDecile(partition int32, decile int, promises int64, expected float64, kept int64) {
	p, d := strconv.Itoa(int(partition)), strconv.Itoa(decile+1)
	c.promises.WithLabelValues(p, d).Set(float64(promises))
	c.expected.WithLabelValues(p, d).Set(expected)
	c.kept.WithLabelValues(p, d).Set(float64(kept))
}

// SetOrderDays says how many purchase days were predicted and observed.
func (c *Calibration) SetOrderDays(partition int32, predicted float64, observed int64) {
	p := strconv.Itoa(int(partition))
	c.orders.WithLabelValues(p, "predicted").Set(predicted)
	c.orders.WithLabelValues(p, "observed").Set(float64(observed))
}

// DeletePartition drops the series of a partition that another process has now.
func (c *Calibration) DeletePartition(partition int32) {
	label := prometheus.Labels{"partition": strconv.Itoa(int(partition))}
	for _, v := range []*prometheus.GaugeVec{c.promises, c.expected, c.kept, c.orders} {
		v.DeletePartialMatch(label)
	}
}
