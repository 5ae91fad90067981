package topics

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// ErrNoTopic is a topic that does not exist.
var ErrNoTopic = errors.New("the topic does not exist: create it with `mainstay topics apply`")

// Partitions returns the number of partitions of a topic, or ErrNoTopic if the topic does not exist.
func Partitions(ctx context.Context, k *kafka.Client, topic string) (int32, error) {
	found, err := k.Topics(ctx, []string{topic})
	if err != nil {
		return 0, fmt.Errorf("look up topic %s: %w", topic, err)
	}
	if !found[0].Exists || len(found[0].Leaders) == 0 {
		return 0, fmt.Errorf("topic %s: %w", topic, ErrNoTopic)
	}
	return int32(len(found[0].Leaders)), nil //nolint:gosec // a count
}
