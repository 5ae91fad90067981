package failure_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/stream/failure"
	"github.com/mainstay/mainstay/pkg/stream/halt"
)

func TestCauseOfAnError(t *testing.T) {
	for _, c := range []struct {
		err  error
		want failure.Cause
	}{
		{kafka.CodeCoordinatorNotAvailable, failure.KafkaUnreachable},
		{kafka.ErrReopen, failure.KafkaUnreachable},
		{kafka.CodeTopicAuthorizationFailed, failure.KafkaDenied},
		{kafka.ErrFenced, failure.ClaimLost},
		{redis.ErrUnavailable, failure.RedisUnreachable},
		{redis.ErrFull, failure.RedisFull},
		{redis.ErrRefusesWrites, failure.RedisRefuses},
		{redis.ErrDenied, failure.RedisDenied},
		{redis.ErrClaimLost, failure.ClaimLost},
		{redis.ErrTorn, failure.StateTorn},
		{registry.ErrUnreachable, failure.RegistryUnreachable},
		{registry.ErrDenied, failure.RegistryDenied},
		{failure.ErrLosesState, failure.RedisLosesState},
		{halt.New(halt.EntryRefused, "no"), failure.Halted},
		{errors.New("x"), failure.Other},
	} {
		require.Equal(t, c.want, failure.Of(fmt.Errorf("claim: %w", c.err)), "%v", c.err)
		require.Contains(t, failure.All(), c.want)
	}
}

// A probe of one server never blames the other.
func TestAProbeBlamesItsServer(t *testing.T) {
	for _, err := range []error{errors.New("x"), context.DeadlineExceeded, redis.ErrFull, kafka.ErrAuthorization, redis.ErrDenied} {
		require.Contains(t, failure.Kafka(), failure.OfKafka(err), "%v", err)
		require.Contains(t, failure.Redis(), failure.OfRedis(err), "%v", err)
	}
	require.Equal(t, failure.RedisFull, failure.OfRedis(redis.ErrFull))
	require.Equal(t, failure.KafkaDenied, failure.OfKafka(kafka.ErrAuthorization))
}

func TestCausesAreDistinct(t *testing.T) {
	names := failure.Names(failure.All())
	slices.Sort(names)
	require.Len(t, slices.Compact(slices.Clone(names)), len(names))
}
