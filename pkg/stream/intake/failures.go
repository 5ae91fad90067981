package intake

import (
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/stream/failure"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

// countFailure counts and logs a run that failed, and notes the cause in the status of each partition that it reads.
func (in *Intake) countFailure(err error, pause time.Duration) {
	cause := failure.Of(err)
	in.metrics.RunsFailed.WithLabelValues(string(cause)).Inc()
	level := in.complaints.Failed(string(cause), in.cfg.Now())
	in.log.Log(level, "starting again from the committed offsets", zap.String("cause", string(cause)), zap.Int("failed", in.complaints.Failures()),
		zap.Error(err), zap.Duration("in", pause))
	in.mu.Lock()
	defer in.mu.Unlock()
	for i := range in.status {
		if s := &in.status[i]; s.Halted == "" {
			s.Failing, s.Cause = cause, err.Error()
		}
	}
}

// progressed resets the time since the last progress of an input partition: what was read of it is acknowledged.
func (in *Intake) progressed(topic string, partition int32) {
	in.metrics.Stalled.Set(telemetry.ByIntake, topic, strconv.Itoa(int(partition)), 0)
	if lasted, failed := in.complaints.Over(in.cfg.Now()); failed > 0 {
		in.log.Info("the inputs are read again", zap.Int("failed", failed), zap.Duration("after", lasted))
	}
}

// forgetAllBut deletes the status and the series of input partitions that are not assigned any more, and begins those of the ones that
// are. It is called with the partitions of a new generation and not when one ends: in an outage none follows, and then the last lag and
// the time since the last progress are what an operator needs.
func (in *Intake) forgetAllBut(assigned map[string][]int32) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.status = slices.DeleteFunc(in.status, func(s Status) bool {
		if slices.Contains(assigned[s.Topic], s.Partition) {
			return false
		}
		in.deleteSeries(s.Topic, s.Partition)
		return true
	})
	for topic, partitions := range assigned {
		for _, p := range partitions {
			in.metrics.Stalled.Begin(telemetry.ByIntake, topic, strconv.Itoa(int(p)))
			known := func(s Status) bool { return s.Topic == topic && s.Partition == p }
			if !slices.ContainsFunc(in.status, known) {
				in.status = append(in.status, Status{Topic: topic, Partition: p})
			}
		}
	}
}
