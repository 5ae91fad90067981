package nemesis

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mainstay/mainstay/pkg/testbed/containers"
)

// EventsPerKill is the number of events that a soak sends for each kill.
const EventsPerKill = 10_000

// Soak is a long run: three processes on one broker and a Redis under sentinels, with kills of the processes and the broker, a tenth as
// many failovers of Redis, and half as many rebalances. The faults of processes and those of servers happen beside each other, without
// waiting for a recovery: only after every 50 must everything be processed.
func Soak(kills int) Set {
	var broker *containers.Server
	start := func(ctx context.Context) (*Servers, error) {
		s, err := startSentinels(ctx)
		if err != nil {
			return nil, err
		}
		servers := s.servers()
		servers.Faults = s.failovers()
		// Ten million events and their answers take about 100 GB of the broker's disk without it.
		servers.Settings = map[string]string{"KAFKA_COMPRESSION": "zstd"}
		broker, err = withBroker(ctx, servers)
		return servers, err
	}
	plan := func(rng *rand.Rand, failovers []Fault) []Fault {
		restart := func(ctx context.Context, _ *run) error {
			if err := broker.Kill(ctx); err != nil {
				return err
			}
			return broker.Start(ctx)
		}
		var all []Fault
		add := func(f Fault, times int) {
			f.Do = withPause(f.Do)
			all = append(all, slices.Repeat([]Fault{f}, times)...)
		}
		const killsPerBroker = 50 // of the processes, for one of the broker
		ofBroker := kills / killsPerBroker
		add(Fault{Name: "mainstay: SIGKILL", Do: killProcess, OfProcess: true}, kills-ofBroker)
		add(Fault{Name: "Kafka: the broker is killed", Do: restart}, ofBroker)
		for i := range kills / 10 {
			f := failovers[i%len(failovers)]
			add(Fault{Name: f.Name, Do: whenHealed(withOrWithoutLoss(f.Do))}, 1)
		}
		add(Fault{Name: "mainstay: stopped and started: two rebalances", Do: restartProcess, OfProcess: true}, kills/4)
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return all
	}
	// At the end a lost snapshot means that ten million entries are folded again.
	return Set{Name: "soak", Start: start, Plan: plan, RecoverEvery: 50, RecoverWithin: 20 * time.Minute, Processes: 3, Busier: 20}
}

// withPause makes a fault begin at a random moment.
func withPause(do func(context.Context, *run) error) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		if err := r.pause(ctx, 1500*time.Millisecond); err != nil {
			return err
		}
		return do(ctx, r)
	}
}

// whenHealed makes a failover wait for the end of the one before.
func whenHealed(do func(context.Context, *run) error) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		if err := until(ctx, healTimeout, "the servers are as before the last fault", r.servers.Healed); err != nil {
			return err
		}
		return do(ctx, r)
	}
}

// withOrWithoutLoss accepts that nothing was lost: a process that was killed just before, or folds again, may have nothing to commit.
func withOrWithoutLoss(do func(context.Context, *run) error) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		err := do(ctx, r)
		if errors.Is(err, errNothingLost) {
			r.Log("           %v", err)
			return nil
		}
		return err
	}
}

func (r *run) pause(ctx context.Context, most time.Duration) error {
	return sleep(ctx, time.Duration(r.rng.Int64N(int64(most))))
}

func killProcess(ctx context.Context, r *run) error {
	victim := r.rng.IntN(len(r.processes))
	r.processes[victim].Kill()
	if err := r.pause(ctx, time.Second); err != nil {
		return err
	}
	return r.startProcess(ctx, victim)
}

// restartProcess stops a process as a rolling update does: the others take its partitions when it leaves, and give some back.
func restartProcess(ctx context.Context, r *run) error {
	victim := r.rng.IntN(len(r.processes))
	stopping, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := r.processes[victim].Stop(stopping); err != nil {
		r.Log("a process ended with an error after SIGTERM: %v", err) // it may fail to leave its group while a fault before is not healed
	}
	if err := r.pause(ctx, time.Second); err != nil {
		return err
	}
	return r.startProcess(ctx, victim)
}

// startProcess starts a process again. It may fail while a fault before is not healed, as it may under any supervisor, which tries
// again.
func (r *run) startProcess(ctx context.Context, at int) error {
	return until(ctx, healTimeout, "the process runs", func(context.Context) (bool, error) {
		p, err := r.program.Run(ctx)
		if err != nil {
			return false, err
		}
		r.processes[at] = p
		return true, nil
	})
}
