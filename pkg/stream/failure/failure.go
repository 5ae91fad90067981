// Package failure owns the named causes for which work is repeated: of claims and runs that failed, of probes of Kafka and Redis, and of
// requests to the schema registry. A cause says which server is at fault and what an operator looks at first.
//
// It refuses what needs an operator's decision about the data, which is a halt (pkg/stream/halt).
package failure

import (
	"errors"
	"slices"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/stream/halt"
)

// Cause is a stable name: it is the value of a metric's label, and stands in runbooks.
type Cause string

// The causes.
const (
	KafkaUnreachable    Cause = "kafka_unreachable"    // no answer, or no leader or coordinator
	KafkaDenied         Cause = "kafka_denied"         // credentials or permissions
	RedisUnreachable    Cause = "redis_unreachable"    // no answer
	RedisDenied         Cause = "redis_denied"         // credentials or permissions
	RedisFull           Cause = "redis_full"           // maxmemory is reached
	RedisRefuses        Cause = "redis_refuses_write"  // a replica, or a server that cannot persist (MISCONF)
	RedisLosesState     Cause = "redis_loses_state"    // an eviction policy, or another setting that check refuses
	RegistryUnreachable Cause = "registry_unreachable" // no answer, or none of a schema registry
	RegistryDenied      Cause = "registry_denied"      // credentials
	ClaimLost           Cause = "claim_lost"           // another process, or a Redis that went back in time
	StateTorn           Cause = "state_torn"           // the state in Redis is incomplete and is folded again
	Halted              Cause = "halted"               // mainstay_partition_halted has the reason
	Other               Cause = "other"                // the log has the error
)

// ErrLosesState is the error of a Redis whose settings would lose state.
var ErrLosesState = errors.New("refuse Redis")

// Kafka lists the causes of failed probes of Kafka.
func Kafka() []Cause { return []Cause{KafkaUnreachable, KafkaDenied} }

// Redis lists the causes of failed probes of Redis.
func Redis() []Cause {
	return []Cause{RedisUnreachable, RedisDenied, RedisFull, RedisRefuses, RedisLosesState}
}

// Registry lists the causes of failed requests to the schema registry.
func Registry() []Cause { return []Cause{RegistryUnreachable, RegistryDenied} }

// All lists the causes of failed claims and runs.
func All() []Cause {
	return slices.Concat(Kafka(), Redis(), Registry(), []Cause{ClaimLost, StateTorn, Halted, Other})
}

// Of returns the cause of an error.
func Of(err error) Cause {
	if _, ok := halt.ReasonOf(err); ok {
		return Halted
	}
	for _, class := range []struct {
		err   error
		cause Cause
	}{
		{ErrLosesState, RedisLosesState},
		{redis.ErrFull, RedisFull},
		{redis.ErrRefusesWrites, RedisRefuses},
		{redis.ErrDenied, RedisDenied},
		{redis.ErrUnavailable, RedisUnreachable},
		{redis.ErrTorn, StateTorn},
		{redis.ErrClaimLost, ClaimLost},
		{registry.ErrUnreachable, RegistryUnreachable},
		{registry.ErrDenied, RegistryDenied},
		{kafka.ErrAuthorization, KafkaDenied},
		{kafka.ErrFenced, ClaimLost},
	} {
		if errors.Is(err, class.err) {
			return class.cause
		}
	}
	if kafka.Retriable(err) || errors.Is(err, kafka.ErrReopen) {
		return KafkaUnreachable
	}
	return Other
}

// OfKafka returns the cause of a failed request to Kafka, whatever its error.
func OfKafka(err error) Cause {
	if cause := Of(err); cause == KafkaDenied {
		return cause
	}
	return KafkaUnreachable
}

// OfRedis returns the cause of a failed request to Redis, whatever its error.
func OfRedis(err error) Cause {
	for _, cause := range Redis() {
		if Of(err) == cause {
			return cause
		}
	}
	return RedisUnreachable
}

// Names returns the causes as texts, for labels of metrics.
func Names(causes []Cause) []string {
	names := make([]string, len(causes))
	for i, c := range causes {
		names[i] = string(c)
	}
	return names
}
