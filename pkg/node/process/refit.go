package process

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/stream/refit"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

// refitOnSchedule refits while this process owns ledger partition 0, so that one process does at a time. If two refit at once
// during a rebalance, the ledger accepts each version once.
func (p *Process) refitOnSchedule(ctx context.Context, every time.Duration, metrics *telemetry.Refit) {
	const first = 5 * time.Minute
	t := time.NewTimer(min(first, every/10))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		t.Reset(every)
		if p.fold.Holds(0) {
			p.refitOnce(ctx, metrics)
		}
	}
}

func (p *Process) refitOnce(ctx context.Context, metrics *telemetry.Refit) {
	result, err := p.app.Refit(ctx, p.genesis, false)
	if err != nil {
		metrics.Refits.WithLabelValues(string(refit.Failed)).Inc()
		p.log.Warn("refit failed", zap.Error(err))
		return
	}
	metrics.Refits.WithLabelValues(string(result.Outcome)).Inc()
	log := p.log.With(zap.String("outcome", string(result.Outcome)), zap.Uint64("in_force", result.InForce.Version),
		zap.Int("customers", result.Customers), zap.Int("repeat_buyers", result.RepeatBuyers),
		zap.Float64("holdout_loss", result.Holdout.Candidate), zap.Float64("holdout_loss_in_force", result.Holdout.InForce))
	switch result.Outcome {
	case refit.NotConverged, refit.Worse:
		log.Warn("refit refused: the current parameters stay", zap.String("reason", result.Reason))
	case refit.Appended, refit.Unchanged:
		metrics.LastSuccess.SetToCurrentTime()
		log.Info("refitted the models", zap.Uint64("version", result.Fitted.Version), zap.String("reason", result.Reason))
	default:
		log.Info("refit skipped", zap.String("reason", result.Reason))
	}
}
