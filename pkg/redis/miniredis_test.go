package redis_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
)

// In a bubble: a goroutine that outlives Close fails the test.
func TestMiniredis(t *testing.T) {
	conformance(t, func(t *testing.T, part func(*testing.T, world)) {
		synctest.Test(t, func(t *testing.T) { part(t, virtual(t)) })
	})
}

func virtual(t *testing.T) world {
	e := embedded.StartVirtual(t, embedded.Options{})
	return world{
		config: redis.Config{Addresses: []string{e.RedisAddress()}, Dialer: e.DialRedis, Embedded: true},
		copy: func(t *testing.T) func() {
			c, err := e.Copy()
			require.NoError(t, err)
			return func() { require.NoError(t, e.Restore(c)) }
		},
		empty: func(t *testing.T) { require.NoError(t, e.Empty()) },
		keys:  func(*testing.T) []string { return e.Miniredis().Keys() },
		spoil: func(t *testing.T, key string) {
			e.Miniredis().Del(key)
			require.NoError(t, e.Miniredis().Set(key, "of another type"))
		},
		outside: func(t *testing.T, command ...string) {
			switch command[0] {
			case "SET":
				require.NoError(t, e.Miniredis().Set(command[1], command[2]))
			case "DEL":
				e.Miniredis().Del(command[1])
			case "HDEL":
				e.Miniredis().HDel(command[1], command[2])
			case "HSET":
				e.Miniredis().HSet(command[1], command[2:]...)
			default:
				require.FailNow(t, "unknown command", command[0])
			}
		},
		swap: func(_ *testing.T, key, first, second string) {
			one, two := e.Miniredis().HGet(key, first), e.Miniredis().HGet(key, second)
			e.Miniredis().HSet(key, first, two, second, one)
		},
	}
}
