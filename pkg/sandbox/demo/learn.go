package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/stream/refit"
	"github.com/mainstay/mainstay/processors"
)

// learn fits the models to the year that has passed, as `mainstay refit` does beside any live system, and waits until all
// customers are scored anew. Until then the answers are the prior's.
func (d *demo) learn(ctx context.Context) (Model, error) {
	r, err := d.app.Refit(ctx, d.genesis, false)
	if err != nil {
		return Model{}, fmt.Errorf("fit the models to the simulated time: %w", err)
	}
	m := Model{Outcome: r.Outcome, Reason: r.Reason, InForce: r.InForce}
	if r.Outcome != refit.Appended {
		return m, nil
	}
	m.InForce = r.Fitted
	if err := d.inForce(ctx, r.Fitted.Version); err != nil {
		return Model{}, err
	}
	return m, d.settle(ctx)
}

// inForce waits until all partitions have folded parameters, and stored what they were the first to change.
func (d *demo) inForce(ctx context.Context, version uint64) error {
	const pause = 20 * time.Millisecond
	for p := int32(0); p < d.genesis.GetPartitions(); {
		meta, err := d.app.Redis.Partition(d.app.Config.Namespace, p, d.genesis.GetPartitions()).ReadMeta(ctx)
		if err != nil {
			return fmt.Errorf("look whether the models are in force: %w", err)
		}
		state, err := processors.DecodePartition(meta.State)
		if err != nil {
			return fmt.Errorf("look whether the models are in force: %w", err)
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
