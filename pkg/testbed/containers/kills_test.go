//go:build real

package containers

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/sandbox/shop"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the shop and of the kills; 0: from the clock")

// kills are the faults under load, and how often each occurs.
var kills = []struct {
	name  string
	times int
	do    func(*victims, context.Context) error
}{
	{"mainstay: SIGKILL", 20, (*victims).killMainstay},
	{"redis: SIGKILL, with its append-only file", 2, (*victims).killRedis},
	{"redis: SIGKILL, without persistence (emptied)", 2, (*victims).emptyRedis},
	{"redis: SIGKILL, back on an append-only file that ended seconds before", 1, (*victims).rewindRedis},
	{"kafka: SIGKILL", 1, (*victims).killKafka},
}

// TestKills runs two processes on a year of a simulated shop, while they, Redis and the broker are killed at random moments.
// Afterwards every customer must equal an independent recount of what was sent, every output must exist once, and the
// audit must find nothing.
func TestKills(t *testing.T) {
	const partitions, customers, planned = 4, 4000, 110 * time.Second
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (repeat with -seed %d)", seed, seed)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 8*time.Minute, fmt.Errorf("TestKills took longer than 8 minutes"))
	defer cancel()
	namespace := "kills-" + strconv.FormatUint(seed, 36)
	s := &victims{t: t, rng: rand.New(rand.NewPCG(seed, 0)), program: program.With(InputTopics(namespace))}
	_, _, err := s.program.Do(ctx, "topics", "apply")
	require.NoError(t, err)
	l := &Load{
		Kafka: newClient(t), Namespace: namespace, Partitions: partitions,
		Shop: shop.Config{Seed: seed, Customers: customers, Days: 365, Currency: "USD", Mix: PlainMix()},
	}
	total := countEvents(t, l.Shop)
	l.SetRate(total / int64(planned.Seconds()))
	t.Logf("%d records to be sent", total)
	for i := range s.processes {
		s.processes[i], err = s.program.Run(ctx)
		require.NoError(t, err)
		defer func() { s.processes[i].Kill() }()
	}

	sending, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- l.Run(sending, nil) }()
	var order []int
	for i, kill := range kills {
		for range kill.times {
			order = append(order, i)
		}
	}
	s.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	began, underLoad := time.Now(), 0
	for _, i := range order {
		time.Sleep(time.Duration(s.rng.Int64N(int64(4500 * time.Millisecond))))
		sent := l.Sent()
		if sent < total {
			underLoad++
		}
		t.Logf("%6.1f s, %d sent: %s", time.Since(began).Seconds(), sent, kills[i].name)
		require.NoError(t, kills[i].do(s, ctx))
	}
	l.SetRate(0) // as fast as possible
	require.NoError(t, <-ended)
	require.Equal(t, total, l.Sent())
	require.Equal(t, len(order), underLoad, "kills while events were still being sent")
	t.Logf("%d kills under load in %.0f s; %d records were sent again", len(order), time.Since(began).Seconds(), l.Resent())

	waitDrained(ctx, t, s.program)
	t.Logf("drained %.1f s after the start of the kills", time.Since(began).Seconds())
	for _, p := range s.processes {
		require.NoError(t, p.Stop(ctx))
	}
	requireCleanAudit(ctx, t, s.program)
	counted, err := l.Recount()
	require.NoError(t, err)
	require.Len(t, counted.Tally(), 4, "kinds of events")
	requireEqualsRecount(t, counted, namespace, partitions)
}

func countEvents(t *testing.T, c shop.Config) (n int64) {
	t.Helper()
	s, err := shop.New(c)
	require.NoError(t, err)
	for range s.Events() {
		n++
	}
	return n
}

// victims are the processes that are killed, with the seeded random source.
type victims struct {
	t         *testing.T
	rng       *rand.Rand
	program   Program
	processes [2]*Process
}

func (s *victims) pause() { time.Sleep(time.Duration(s.rng.Int64N(int64(1500 * time.Millisecond)))) }

func (s *victims) killMainstay(ctx context.Context) (err error) {
	victim := s.rng.IntN(len(s.processes))
	s.processes[victim].Kill()
	s.pause()
	s.processes[victim], err = s.program.Run(ctx)
	return err
}

// restart kills a server and starts it again after a pause.
func (s *victims) restart(ctx context.Context, server *Server) error {
	if err := server.Kill(ctx); err != nil {
		return err
	}
	s.pause()
	began := time.Now()
	err := server.Start(ctx)
	s.t.Logf("         ready %.1f s after its start", time.Since(began).Seconds())
	return err
}

func (s *victims) killRedis(ctx context.Context) error { return s.restart(ctx, store.Server) }

func (s *victims) emptyRedis(ctx context.Context) error {
	if err := store.Persist(ctx, false, true); err != nil {
		return err
	}
	if err := s.restart(ctx, store.Server); err != nil {
		return err
	}
	return store.Persist(ctx, true, true)
}

func (s *victims) rewindRedis(ctx context.Context) error {
	if err := store.Persist(ctx, false, true); err != nil {
		return err
	}
	if err := store.Persist(ctx, true, false); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	return s.restart(ctx, store.Server)
}

func (s *victims) killKafka(ctx context.Context) error { return s.restart(ctx, broker) }
