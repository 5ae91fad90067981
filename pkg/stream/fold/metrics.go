package fold

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// running says that a partition is served: whatever halted it is over.
func (o *owner) running() {
	o.metrics.Consumer.Halted.DeletePartialMatch(prometheus.Labels{"partition": strconv.Itoa(int(o.partition))})
}

// count says what became of an entry.
func (o *owner) count(v processors.Verdict) {
	switch v.Result {
	case processors.DuplicateOrigin, processors.Gap, processors.DuplicateEvent:
		o.metrics.Duplicates.WithLabelValues(v.Result.String()).Inc()
	case processors.Rejected:
		o.metrics.Rejections.WithLabelValues(v.Reason).Inc()
	case processors.Applied, processors.Ignored:
	}
	for _, a := range v.Alerts {
		o.metrics.Alerts.WithLabelValues(a.Rule, a.State).Inc()
	}
	if v.Late {
		if topic := o.entry.GetOrigin().GetTopic(); o.late == nil || o.lateOf != topic {
			o.lateOf = strings.Clone(topic) // the entry's memory is used again
			o.late = o.metrics.LateRecords.WithLabelValues(o.lateOf)
		}
		o.late.Inc()
	}
}

// observePublished says what went out, and how old the oldest of it was.
func (o *owner) observePublished(took time.Duration) {
	o.metrics.PublishDuration.Observe(took.Seconds())
	for t := range output.Topics {
		for trigger, n := range o.counts.of[t] {
			if n > 0 {
				o.metrics.Outputs.WithLabelValues(t.String(), output.Trigger(trigger).String()).Add(float64(n))
			}
		}
	}
	if o.oldest > 0 && o.cfg.Genesis.GetClock() == ledger.Clock_CLOCK_LIVE {
		o.metrics.EventAge.Observe(max(0, float64(o.cfg.Now().UnixMilli()-o.oldest)/1000))
	}
	o.oldest = 0
}

// observe says where the partition stands.
func (o *owner) observe() {
	base, _ := o.state.BaseTime()
	o.setStatus(Status{
		Partition: o.partition, Folded: o.folded, Published: max(o.published, 0), Committed: o.committed, LagRecords: max(o.lag, 0),
		Commit: o.committedAt, BaseTime: base,
	})
	o.observeFuses()
	o.gauges.lag.Set(float64(max(o.lag, 0)))
	behind := 0.0
	if o.lag > 0 && o.appended > 0 {
		behind = max(0, float64(o.cfg.Now().UnixMilli()-o.appended)/1000)
	}
	o.gauges.lagSeconds.Set(behind)
	o.observeBase()
	o.observeInputs()
}

// observeInputs says how far the inputs lie behind the ledger, as ticks have told: one that no intake reads any more shows
// here. One partition speaks for all, since ticks go to every one.
func (o *owner) observeInputs() {
	now := o.cfg.Now()
	if o.partition != 0 || o.cfg.Genesis.GetClock() != ledger.Clock_CLOCK_LIVE || now.Sub(o.inputsAt) < time.Second {
		return
	}
	o.inputsAt = now
	for _, in := range o.state.Inputs() {
		if in.Heard && o.appended > 0 { // where nothing is appended any more, our own clock must do
			o.metrics.TimeBehind.WithLabelValues(in.Topic, strconv.Itoa(int(in.Partition))).Set(max(0, float64(max(o.appended, now.UnixMilli())-in.Time)/1000))
		}
	}
}

// observeCalibration says how far promises were kept, as of what is committed.
func (o *owner) observeCalibration() {
	c := o.state.Calibration()
	for tenth, n := range c.Promises {
		o.metrics.SetDecile(o.partition, tenth, n, float64(c.Probability[tenth])/10_000, c.Kept[tenth])
	}
	o.metrics.SetOrderDays(o.partition, float64(c.Predicted)/1000, c.Observed)
}

// observeFuses shows the rules whose alerts are held back in some partition of this process.
func (o *owner) observeFuses() {
	open := map[string]bool{}
	o.state.Fuses(func(rule string) { open[rule] = true })
	o.setFuses(o.partition, open)
}

// setFuses sets the gauge of every rule of which a partition has something to say, or had.
func (f *Fold) setFuses(partition int32, open map[string]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.fuses[partition]
	if len(before) == 0 && len(open) == 0 {
		return
	}
	f.fuses[partition] = open
	for _, rules := range []map[string]bool{before, open} {
		for rule := range rules {
			held := 0.0
			for _, of := range f.fuses {
				if of[rule] {
					held = 1
				}
			}
			f.metrics.AlertFuseOpen.WithLabelValues(rule).Set(held)
		}
	}
}

// gauges are the series of one partition, looked up once.
type gauges struct{ lag, lagSeconds prometheus.Gauge }

func (f *Fold) gaugesOf(topic string, partition int32) gauges {
	p := strconv.Itoa(int(partition))
	return gauges{f.metrics.LagRecords.WithLabelValues(topic, p), f.metrics.LagSeconds.WithLabelValues(topic, p)}
}
