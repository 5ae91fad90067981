package shopfeed

import (
	"context"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// sender repeats whole batches under a new producer where an answer was lost: what arrives twice is known by its identity.
type sender struct {
	kafka    *kafka.Client
	producer *kafka.Producer
}

// send returns once every batch is acknowledged, or with the last error after five attempts.
func (s *sender) send(ctx context.Context, batches []*kafka.Batch) error {
	const tries = 5
	var err error
	for range tries {
		if s.producer == nil {
			if s.producer, err = s.kafka.NewProducer(ctx); err != nil {
				return err
			}
		}
		if _, err = s.producer.Produce(ctx, batches); err == nil {
			return nil
		}
		s.producer = nil
		if ctx.Err() != nil || !kafka.Retriable(err) {
			break
		}
	}
	return err
}
