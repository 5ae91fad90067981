package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/stream/refit"
	"github.com/mainstay/mainstay/processors"
)

// fit fits the models to the simulated time, as `mainstay refit` does on a live system, and waits until all customers are rescored.
// Before that the answers are those of the prior.
func (d *demo) fit(ctx context.Context) (Model, error) {
	r, err := d.app.Refit(ctx, d.genesis, false)
	if err != nil {
		return Model{}, fmt.Errorf("fit the models to the simulated time: %w", err)
	}
	m := Model{Outcome: r.Outcome, Reason: r.Reason, InForce: r.InForce}
	if r.Outcome != refit.Appended {
		return m, nil
	}
	m.InForce = r.Fitted
	if err := d.waitParameters(ctx, r.Fitted.Version); err != nil {
		return Model{}, err
	}
	return m, d.waitCaughtUp(ctx)
}

// waitParameters waits until the state of every partition in Redis has the parameters of a version.
func (d *demo) waitParameters(ctx context.Context, version uint64) error {
	const pause = 20 * time.Millisecond
	for p := int32(0); p < d.genesis.GetPartitions(); {
		meta, err := d.app.Redis.Partition(d.app.Config.Namespace, p, d.genesis.GetPartitions()).ReadMeta(ctx)
		if err != nil {
			return fmt.Errorf("wait for the fitted parameters: %w", err)
		}
		state, err := processors.DecodePartition(meta.State)
		if err != nil {
			return fmt.Errorf("wait for the fitted parameters: %w", err)
		}
		if state.Parameters().GetVersion() >= version {
			p++
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
	return nil
}
