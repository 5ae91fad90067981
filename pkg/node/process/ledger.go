package process

import (
	"context"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// watchLedger asks how large the partitions are that this process folds. Nothing depends on it, so an error leaves the
// figures as they are.
func (p *Process) watchLedger(ctx context.Context) {
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
		var held []int32
		for _, s := range p.fold.Status() {
			held = append(held, s.Partition)
		}
		sizes, err := p.app.Kafka.PartitionBytes(ctx, topic, held)
		if err != nil && ctx.Err() == nil {
			p.log.Debug("the ledger's size is not known", zap.Error(err))
		}
		for partition, size := range sizes {
			p.ledger.WithLabelValues(strconv.Itoa(int(partition))).Set(float64(size))
		}
	}
}
