//go:build real

package redis_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	own "github.com/mainstay/mainstay/pkg/redis"
)

const customers = 100_000

// BenchmarkCommit commits 5,000 changed customers of 150 bytes at a time, out of 100,000, each with a new deadline.
// own-s/1M and redis-s/1M are CPU-seconds of this process and of Redis per million changed customers.
func BenchmarkCommit(b *testing.B) {
	at := address(b)
	direct := redis.NewClient(&redis.Options{Addr: at})
	defer closed(b, direct)
	require.NoError(b, direct.FlushAll(b.Context()).Err())
	client, err := own.New(own.Config{Addresses: []string{at}})
	require.NoError(b, err)
	defer closed(b, client)
	p := client.Partition("bench", 0, 1)
	_, err = p.Claim(b.Context(), "token")
	require.NoError(b, err)
	require.NoError(b, p.BeginSnapshot(b.Context(), "ledger", "s1", "begin", 0))
	const changed = 5000
	commits := make([]own.Commit, customers/changed)
	random := rand.New(rand.NewPCG(1, 2))
	order := random.Perm(customers)
	for i := range commits {
		c := own.Commit{State: make([]byte, 2000)}
		for _, n := range order[i*changed : (i+1)*changed] {
			blob := own.Blob{ID: fmt.Sprintf("c%08d", n), Value: make([]byte, 150)}
			c.Customers = append(c.Customers, blob)
			c.Timers = append(c.Timers, own.Timer{ID: blob.ID})
		}
		commits[i] = c
	}
	n := 0
	commit := func() {
		c := &commits[n%len(commits)]
		c.Offset, c.CommitID = int64(n), strconv.Itoa(n)
		for i := range c.Timers {
			c.Timers[i].Deadline = 1_780_000_000_000 + random.Int64N(90*86_400_000)
		}
		n++
		require.NoError(b, p.Commit(b.Context(), *c))
		for i := range c.Customers {
			c.Customers[i].Known = true
		}
	}
	for range commits {
		commit()
	}
	ours, theirs := ownCPU(b), redisCPU(b, direct)
	b.ReportAllocs()
	for b.Loop() {
		commit()
	}
	million := float64(b.N) * changed / 1e6
	b.ReportMetric((ownCPU(b)-ours)/million, "own-s/1M")
	b.ReportMetric((redisCPU(b, direct)-theirs)/million, "redis-s/1M")
	b.ReportMetric(float64(changed*b.N)/b.Elapsed().Seconds(), "customers/s")
}

// BenchmarkMemory reports what Redis holds per customer, everything included, with 100,000 of them in 16 partitions.
func BenchmarkMemory(b *testing.B) {
	at := address(b)
	direct := redis.NewClient(&redis.Options{Addr: at})
	defer closed(b, direct)
	client, err := own.New(own.Config{Addresses: []string{at}})
	require.NoError(b, err)
	defer closed(b, client)
	for _, ids := range []string{"short", "uuid"} {
		for _, size := range []int{120, 150} {
			b.Run(fmt.Sprintf("%s/%d", ids, size), func(b *testing.B) {
				for b.Loop() {
					require.NoError(b, direct.FlushAll(b.Context()).Err())
					before := field(b, direct, "memory", "used_memory")
					fill(b, client, ids, size)
					b.ReportMetric((field(b, direct, "memory", "used_memory")-before)/customers, "B/customer")
				}
			})
		}
	}
}

func fill(b *testing.B, client *own.Client, ids string, size int) {
	const partitions, each = 16, customers / 16
	random := rand.New(rand.NewPCG(1, 2))
	for part := range int32(partitions) {
		p := client.Partition("mainstay", part, partitions)
		_, err := p.Claim(b.Context(), "token")
		require.NoError(b, err)
		require.NoError(b, p.BeginSnapshot(b.Context(), "ledger", "1a2b3c4d5e6f", "begin", 0))
		for first := 0; first < each; first += 500 {
			c := own.Commit{Offset: int64(first), CommitID: strconv.Itoa(first), State: make([]byte, 2000)}
			for n := first; n < min(first+500, each); n++ {
				id := fmt.Sprintf("c%08d", int(part)*each+n)
				if ids == "uuid" {
					id = fmt.Sprintf("%08x-1234-4567-89ab-%012x", random.Uint32(), n)
				}
				value := make([]byte, size)
				for i := range value {
					value[i] = byte(random.Uint32())
				}
				c.Customers = append(c.Customers, own.Blob{ID: id, Value: value})
				c.Timers = append(c.Timers, own.Timer{ID: id, Deadline: 1_780_000_000_000 + random.Int64N(90*86_400_000)})
			}
			require.NoError(b, p.Commit(b.Context(), c))
		}
	}
}

func ownCPU(b *testing.B) float64 {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime)
}

func redisCPU(b *testing.B, direct *redis.Client) float64 {
	return field(b, direct, "cpu", "used_cpu_user") + field(b, direct, "cpu", "used_cpu_sys")
}

func field(b *testing.B, direct *redis.Client, section, name string) float64 {
	text, err := direct.Info(b.Context(), section).Result()
	require.NoError(b, err)
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			f, err := strconv.ParseFloat(value, 64)
			require.NoError(b, err)
			return f
		}
	}
	require.FailNow(b, "INFO has no field", name)
	return 0
}
