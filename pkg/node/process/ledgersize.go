package process

import (
	"context"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// watchLedgerSize updates the size metric of the partitions that this process folds. Nothing else depends on it, so an error leaves
// the metric unchanged.
func (p *Process) watchLedgerSize(ctx context.Context) {
	const every = 30 * time.Second
	topic := ledger.Topic(p.app.Config.Namespace)
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		var owned []int32
		for _, s := range p.fold.Status() {
			owned = append(owned, s.Partition)
		}
		sizes, err := p.app.Kafka.PartitionBytes(ctx, topic, owned)
		if err != nil && ctx.Err() == nil {
			p.log.Debug("read the ledger's size", zap.Error(err))
		}
		for partition, size := range sizes {
			p.ledger.WithLabelValues(strconv.Itoa(int(partition))).Set(float64(size))
		}
	}
}
