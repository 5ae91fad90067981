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
)

var seedFlag = flag.Uint64("seed", 0, "of the shop and of the kills; 0 takes one from the clock")

// strikes are what happens to the parts under load: what, how often.
var strikes = []struct {
	name  string
	times int
	do    func(*struck, context.Context) error
}{
	{"mainstay: SIGKILL", 20, (*struck).killMainstay},
	{"redis: SIGKILL, with its append-only file", 2, (*struck).killRedis},
	{"redis: SIGKILL, without persistence (emptied)", 2, (*struck).emptyRedis},
	{"redis: SIGKILL, back on an append-only file that ended seconds before", 1, (*struck).rewindRedis},
	{"kafka: SIGKILL", 1, (*struck).killKafka},
}

// TestKills lets two processes share the work of a shop's year while they, Redis and the broker are killed at random moments.
// Afterwards every customer must equal an independent recount of what was sent, every output must be there once, and the
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
	s := &struck{t: t, rng: rand.New(rand.NewPCG(seed, 0)), program: program.With(inputs(namespace))}
	_, _, err := s.program.Do(ctx, "topics", "apply")
	require.NoError(t, err)
	l, err := newLoad(client(t), namespace, seed, customers)
	require.NoError(t, err)
	kinds := map[string]int{}
	for _, f := range l.facts {
		kinds[f.Type]++
	}
	require.Len(t, kinds, 4)
	t.Logf("%d records of %d events to be sent: %v", len(l.events), len(l.facts), kinds)
	for i := range s.both {
		s.both[i], err = s.program.Run(ctx)
		require.NoError(t, err)
		defer func() { s.both[i].Kill() }()
	}

	sending, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- l.run(sending, int(float64(len(l.events))/planned.Seconds())) }()
	var order []int
	for i, strike := range strikes {
		for range strike.times {
			order = append(order, i)
		}
	}
	s.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	began, underLoad := time.Now(), 0
	for _, i := range order {
		time.Sleep(time.Duration(s.rng.Int64N(int64(4500 * time.Millisecond))))
		sent := l.sent.Load()
		if sent < int64(len(l.events)) {
			underLoad++
		}
		t.Logf("%6.1f s, %d sent: %s", time.Since(began).Seconds(), sent, strikes[i].name)
		require.NoError(t, strikes[i].do(s, ctx))
	}
	close(l.hurry)
	require.NoError(t, <-ended)
	require.Equal(t, len(order), underLoad, "strikes while events were still coming")
	t.Logf("%d strikes under load in %.0f s; %d records were sent again", len(order), time.Since(began).Seconds(), l.again)

	drained(ctx, t, s.program)
	t.Logf("drained %.1f s after the start of the kills", time.Since(began).Seconds())
	for _, p := range s.both {
		require.NoError(t, p.Stop(ctx))
	}
	audited(ctx, t, s.program)
	said(t, namespace, partitions, l.facts)
	agree(t, l.facts, everybody(t, namespace, partitions), lastOf(l.facts))
}

// struck is what is killed.
type struck struct {
	t       *testing.T
	rng     *rand.Rand
	program Program
	both    [2]*Process
}

func (s *struck) moment() { time.Sleep(time.Duration(s.rng.Int64N(int64(1500 * time.Millisecond)))) }

func (s *struck) killMainstay(ctx context.Context) (err error) {
	victim := s.rng.IntN(len(s.both))
	s.both[victim].Kill()
	s.moment()
	s.both[victim], err = s.program.Run(ctx)
	return err
}

func (s *struck) again(ctx context.Context, server *Server) error {
	if err := server.Kill(ctx); err != nil {
		return err
	}
	s.moment()
	began := time.Now()
	err := server.Start(ctx)
	s.t.Logf("         answered again %.1f s after its start", time.Since(began).Seconds())
	return err
}

func (s *struck) killRedis(ctx context.Context) error { return s.again(ctx, store.Server) }

func (s *struck) emptyRedis(ctx context.Context) error {
	if err := store.Persist(ctx, false, true); err != nil {
		return err
	}
	if err := s.again(ctx, store.Server); err != nil {
		return err
	}
	return store.Persist(ctx, true, true)
}

func (s *struck) rewindRedis(ctx context.Context) error {
	if err := store.Persist(ctx, false, true); err != nil {
		return err
	}
	if err := store.Persist(ctx, true, false); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	return s.again(ctx, store.Server)
}

func (s *struck) killKafka(ctx context.Context) error { return s.again(ctx, broker) }
