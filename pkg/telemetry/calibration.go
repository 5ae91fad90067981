package telemetry

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Calibration compares forecasts with what happened: sums since the genesis of the ledger, by partition. The observed share of a decile is
// promises_kept / promises, the forecast one promises_expected / promises. The owner of a partition sets its series.
type Calibration struct {
	promises, expected, kept *prometheus.GaugeVec // partition, decile
	orders                   *prometheus.GaugeVec // partition, what: predicted or observed
}

func newCalibration(reg prometheus.Registerer) Calibration {
	return Calibration{
		promises: gauges(reg, "calibration_promises",
			"Forecasts of an order within the purchase horizon whose horizon has passed, for one customer in eight; by decile of the probability, 1 is the lowest.", "partition", "decile"),
		expected: gauges(reg, "calibration_promises_expected", "Sum of the probabilities of these forecasts: the expected number of customers with an order.", "partition", "decile"),
		kept:     gauges(reg, "calibration_promises_kept", "Number of these forecasts after which the customer ordered within the horizon.", "partition", "decile"),
		orders: gauges(reg, "calibration_order_days",
			"Purchase days within these horizons, predicted and observed; a growing difference is model drift.", "partition", "what"),
	}
}

// SetDecile sets the sums of a decile (from 0) of a partition.
func (c *Calibration) SetDecile(partition int32, decile int, promises int64, expected float64, kept int64) {
	p, d := strconv.Itoa(int(partition)), strconv.Itoa(decile+1)
	c.promises.WithLabelValues(p, d).Set(float64(promises))
	c.expected.WithLabelValues(p, d).Set(expected)
	c.kept.WithLabelValues(p, d).Set(float64(kept))
}

// SetOrderDays sets the sums of predicted and observed purchase days of a partition.
func (c *Calibration) SetOrderDays(partition int32, predicted float64, observed int64) {
	p := strconv.Itoa(int(partition))
	c.orders.WithLabelValues(p, "predicted").Set(predicted)
	c.orders.WithLabelValues(p, "observed").Set(float64(observed))
}

// DeletePartition deletes the series of a partition that this process no longer owns.
func (c *Calibration) DeletePartition(partition int32) {
	label := prometheus.Labels{"partition": strconv.Itoa(int(partition))}
	for _, v := range []*prometheus.GaugeVec{c.promises, c.expected, c.kept, c.orders} {
		v.DeletePartialMatch(label)
	}
}
