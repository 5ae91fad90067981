package intake

import (
	"math"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mainstay/mainstay/pkg/telemetry"
)

// gauges are the series of one assigned input partition, looked up once.
type gauges struct {
	accepted                          prometheus.Counter
	lag, unstable, behind, lagSeconds prometheus.Gauge
}

func newGauges(m *telemetry.Intake, topic string, partition int32) gauges {
	p := strconv.Itoa(int(partition))
	return gauges{
		accepted:   m.RecordsConsumed.WithLabelValues(topic, "accepted"),
		lag:        m.LagRecords.WithLabelValues(topic, p),
		unstable:   m.UnstableRecords.WithLabelValues(topic, p),
		behind:     m.TimeBehind.WithLabelValues(topic, p),
		lagSeconds: m.LagSeconds.WithLabelValues(topic, p),
	}
}

// set sets the series from the state of the input partition; clock is the ledger's time in ms.
func (g gauges) set(in *inputPartition, clock int64) {
	g.lag.Set(float64(in.lag))
	g.unstable.Set(float64(in.unstable))
	behind := max(0, float64(clock-in.read.time)/1000)
	if in.read.time == 0 || clock == 0 {
		behind = 0
	}
	g.behind.Set(behind)
	if in.lag == 0 {
		behind = 0
	}
	g.lagSeconds.Set(behind)
}

// deleteSeries deletes the series of an input partition that another process may read now. The time behind is a series of the
// fold as well, so it is not deleted but set to NaN, which a maximum ignores.
func (in *Intake) deleteSeries(topic string, partition int32) {
	p := strconv.Itoa(int(partition))
	in.metrics.LagRecords.DeleteLabelValues(topic, p)
	in.metrics.LagSeconds.DeleteLabelValues(topic, p)
	in.metrics.UnstableRecords.DeleteLabelValues(topic, p)
	in.metrics.TimeBehind.WithLabelValues(topic, p).Set(math.NaN())
	in.metrics.Consumer.Halted.DeletePartialMatch(prometheus.Labels{"partition": haltedPartition(topic, partition)})
}

func (in *Intake) countSkipped(topic, reason string) {
	in.metrics.RecordsConsumed.WithLabelValues(topic, "skipped").Inc()
	in.metrics.RecordsSkipped.WithLabelValues(reason).Inc()
}

func (in *Intake) countDeadLetter(topic, reason string) {
	in.metrics.RecordsConsumed.WithLabelValues(topic, "dead_letter").Inc()
	in.metrics.DLQRecords.WithLabelValues(topic, reason).Inc()
}

func haltedPartition(topic string, partition int32) string {
	return topic + "/" + strconv.Itoa(int(partition))
}
