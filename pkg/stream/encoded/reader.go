package encoded

import (
	"context"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// Reader reads output topics as JSON, whatever their records are encoded in.
type Reader struct {
	*kafka.Client

	Outputs *Outputs
}

// ReadCommitted is that of the client, with each record opened.
func (r Reader) ReadCommitted(ctx context.Context, topic string, partition int32, from, to int64, each func(kafka.Record) error) (int64, error) {
	return r.Client.ReadCommitted(ctx, topic, partition, from, to, func(record kafka.Record) (err error) { //nolint:wrapcheck // it is that of the client
		if record.Value, err = r.Outputs.Open(ctx, record.Value); err != nil {
			return err
		}
		return each(record)
	})
}
