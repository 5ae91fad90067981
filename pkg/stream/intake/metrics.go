package intake

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mainstay/mainstay/pkg/stream/failure"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/event"
)

// gauges are the series of one assigned input partition, looked up once.
type gauges struct {
	accepted                  prometheus.Counter
	lag, unstable, lagSeconds prometheus.Gauge
	behind                    func(time.Duration)
}

func newGauges(m *telemetry.Intake, topic string, partition int32) gauges {
	p := strconv.Itoa(int(partition))
	return gauges{
		accepted:   m.RecordsConsumed.WithLabelValues(topic, "accepted"),
		lag:        m.LagRecords.WithLabelValues(topic, p),
		unstable:   m.UnstableRecords.WithLabelValues(topic, p),
		behind:     func(age time.Duration) { m.TimeBehind.Set(telemetry.ByIntake, topic, p, age) },
		lagSeconds: m.LagSeconds.WithLabelValues(topic, p),
	}
}

// set sets the series from the state of the input partition; clock is the ledger's time in ms.
func (g gauges) set(in *inputPartition, clock int64) {
	g.lag.Set(float64(in.lag))
	g.unstable.Set(float64(in.unstable))
	behind := max(0, time.Duration(clock-in.read.time)*time.Millisecond)
	if in.read.time == 0 || clock == 0 {
		behind = 0
	}
	g.behind(behind)
	if in.lag == 0 {
		behind = 0
	}
	g.lagSeconds.Set(behind.Seconds())
}

// deleteSeries deletes the series of an input partition that another process may read now.
func (in *Intake) deleteSeries(topic string, partition int32) {
	p := strconv.Itoa(int(partition))
	in.metrics.LagRecords.DeleteLabelValues(topic, p)
	in.metrics.LagSeconds.DeleteLabelValues(topic, p)
	in.metrics.UnstableRecords.DeleteLabelValues(topic, p)
	in.metrics.TimeBehind.Delete(telemetry.ByIntake, topic, p)
	in.metrics.Stalled.Delete(telemetry.ByIntake, topic, p)
	in.metrics.Consumer.Halted.DeletePartialMatch(prometheus.Labels{"partition": haltedPartition(topic, partition)})
}

// beginSeries begins every series of what is done with records, and of failed runs. One that is born with its first value has no
// increase that Prometheus could see, and the first burst of dead letters would raise no alert.
func (in *Intake) beginSeries() {
	for topic := range in.cfg.Topics {
		for _, result := range []string{"accepted", "skipped", "dead_letter"} {
			in.metrics.RecordsConsumed.WithLabelValues(topic, result)
		}
		for _, reason := range event.Reasons() {
			in.metrics.DLQRecords.WithLabelValues(topic, string(reason))
		}
	}
	for _, reason := range event.Skips() {
		in.metrics.RecordsSkipped.WithLabelValues(reason)
	}
	for _, cause := range failure.All() {
		in.metrics.RunsFailed.WithLabelValues(string(cause))
	}
}

func (in *Intake) countDeadLetter(topic, reason string) {
	in.metrics.RecordsConsumed.WithLabelValues(topic, "dead_letter").Inc()
	in.metrics.DLQRecords.WithLabelValues(topic, reason).Inc()
}

func haltedPartition(topic string, partition int32) string {
	return topic + "/" + strconv.Itoa(int(partition))
}
