package fold

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/stream/failure"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// observed is what the metrics already show, so that a series is set when its value changes and looked up once.
type observed struct {
	late       prometheus.Counter // of late records of the topic lateTopic
	lateTopic  string
	inputsAt   time.Time            // when the inputs were observed last
	portfolio  *ledger.Contribution // the customer base's totals
	thresholds *ledger.Thresholds   // the bounds of the value tiers
	final      *ledger.Contribution // the totals of the last close
}

// clearHalted deletes the partition's series of halts.
func (o *owner) clearHalted() {
	o.metrics.Consumer.Halted.DeletePartialMatch(prometheus.Labels{"partition": o.label})
}

// countVerdict counts what Step did with an entry.
func (c *claim) countVerdict(v processors.Verdict) {
	switch v.Result {
	case processors.DuplicateOrigin, processors.Gap, processors.DuplicateEvent:
		c.metrics.Duplicates.WithLabelValues(v.Result.String()).Inc()
	case processors.Rejected:
		c.metrics.Rejections.WithLabelValues(v.Reason).Inc()
	case processors.SettingsRefused:
		refused := c.state.RefusedSettings()
		c.metrics.SettingsRefused.Inc()
		c.log.Warn("settings skipped: a value in them is out of bounds; the settings before them stay in force",
			zap.Uint64("refused_revision", refused.Revision), zap.Int64("offset", refused.Offset), zap.Error(refused.Reason))
	case processors.Applied, processors.Ignored, processors.Forwarded:
	}
	for _, a := range v.Alerts {
		c.metrics.Alerts.WithLabelValues(a.Rule, a.State).Inc()
	}
	if v.Late {
		o := &c.observed
		if topic := c.entry.GetOrigin().GetTopic(); o.late == nil || o.lateTopic != topic {
			o.lateTopic = strings.Clone(topic) // the entry's memory is used again
			o.late = c.metrics.LateRecords.WithLabelValues(o.lateTopic)
		}
		o.late.Inc()
	}
}

// observePublished counts the outputs of a transaction, and observes the age of its oldest event.
func (c *claim) observePublished(took time.Duration) {
	c.metrics.PublishDuration.Observe(took.Seconds())
	for t := range output.Topics {
		for trigger, n := range c.pending.counts[t] {
			if n > 0 {
				c.metrics.Outputs.WithLabelValues(t.String(), output.Trigger(trigger).String()).Add(float64(n))
			}
		}
	}
	if c.pending.oldestEvent > 0 && c.cfg.Genesis.GetClock() == ledger.Clock_CLOCK_LIVE {
		c.metrics.EventAge.Observe(max(0, float64(c.cfg.Now().UnixMilli()-c.pending.oldestEvent)/1000))
	}
}

// reportPositions sets the partition's status.
func (c *claim) reportPositions() {
	base, _ := c.state.BaseTime()
	c.status = Status{
		Partition: c.partition, Folded: c.folded, Published: max(c.published, 0), Committed: c.committed, LagRecords: max(c.lag, 0),
		Commit: c.committedAt, BaseTime: base, Halted: c.kept.halted, Failing: c.kept.failing, Cause: cmp.Or(c.kept.cause, c.kept.failure),
	}
	c.setStatus(c.status)
}

// observe sets the partition's status and series.
func (c *claim) observe() {
	c.reportPositions()
	c.observeFuses()
	if c.lag <= 0 && c.folded == c.committed {
		c.progressed()
		c.resolved()
	}
	c.gauges.lag.Set(float64(max(c.lag, 0)))
	behind := 0.0
	if c.lag > 0 && c.appendTime > 0 {
		behind = max(0, float64(c.cfg.Now().UnixMilli()-c.appendTime)/1000)
	}
	c.gauges.lagSeconds.Set(behind)
	c.observePortfolio()
	c.observeNewCustomers()
	c.observeSegments()
	c.observeInputs()
	if n, oldest := c.state.Erasures(); n > 0 {
		c.metrics.OldestErasure.Set(telemetry.ByFold, c.topic, c.label, time.Duration(c.cfg.Now().UnixMilli()-oldest)*time.Millisecond)
	}
}

// observeInputs sets how far each input partition is behind the ledger, as its ticks say: a partition that no intake reads
// shows here. Partition 0 does it for all, since ticks go to every partition.
func (c *claim) observeInputs() {
	now := c.cfg.Now()
	if c.partition != 0 || c.cfg.Genesis.GetClock() != ledger.Clock_CLOCK_LIVE || now.Sub(c.observed.inputsAt) < time.Second {
		return
	}
	c.observed.inputsAt = now
	if c.state.Copying() { // no input is read: the copy's progress is the copying command's
		return
	}
	for _, in := range c.state.Inputs() {
		if in.Reported && c.appendTime > 0 { // while nothing is appended, only the clock of this machine shows that time passes
			behind := max(0, time.Duration(max(c.appendTime, now.UnixMilli())-in.Time)*time.Millisecond)
			c.metrics.TimeBehind.Set(telemetry.ByFold, in.Topic, strconv.Itoa(int(in.Partition)), behind)
		}
	}
}

// observeCalibration sets how many predicted orders came, as of what is committed.
func (c *claim) observeCalibration() {
	calibration := c.state.Calibration()
	for tenth, n := range calibration.Promises {
		c.metrics.SetDecile(c.partition, tenth, n, calibration.Promised(tenth), calibration.Kept[tenth])
	}
	c.metrics.SetOrderDays(c.partition, calibration.PredictedOrders(), calibration.Observed)
}

// observeFuses shows the rules whose alerts are suppressed in some partition of this process.
func (c *claim) observeFuses() {
	open := map[string]bool{}
	c.state.TrippedFuses(func(rule string) { open[rule] = true })
	c.setFuses(c.partition, open)
}

// setFuses replaces the rules that a partition holds back, and sets the gauge of each rule that was or is among them.
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
			anywhere := 0.0
			for _, partition := range f.fuses {
				if partition[rule] {
					anywhere = 1
				}
			}
			f.metrics.AlertFuseOpen.WithLabelValues(rule).Set(anywhere)
		}
	}
}

// beginSeries begins the series of the partition that must not be born with their first event: the increase from nothing to the first
// value is invisible to Prometheus.
func (o *owner) beginSeries() {
	o.metrics.Stalled.Begin(telemetry.ByFold, o.topic, o.label)
	for _, cause := range failure.All() {
		o.metrics.ClaimsFailed.WithLabelValues(o.label, string(cause))
	}
}

// gauges are the series of one partition, looked up once.
type gauges struct{ lag, lagSeconds prometheus.Gauge }

func (f *Fold) gaugesOf(topic string, partition int32) gauges {
	p := strconv.Itoa(int(partition))
	return gauges{f.metrics.LagRecords.WithLabelValues(topic, p), f.metrics.LagSeconds.WithLabelValues(topic, p)}
}
