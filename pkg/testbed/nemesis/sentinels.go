package nemesis

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/testbed/containers"
)

// Sentinels is a Redis master with two replicas and three sentinels, beside one Kafka broker.
func Sentinels() Set {
	return Set{Name: "sentinel", Start: func(ctx context.Context) (*Servers, error) {
		s, err := startSentinels(ctx)
		if err != nil {
			return nil, err
		}
		servers := s.servers()
		_, err = withBroker(ctx, servers)
		return servers, err
	}}
}

type sentinels struct{ *containers.RedisSet }

func startSentinels(ctx context.Context) (*sentinels, error) {
	set, err := containers.StartSentinels(ctx)
	if err != nil {
		return nil, err
	}
	return &sentinels{set}, nil
}

func (s *sentinels) servers() *Servers {
	servers := &Servers{Redis: redis.Config{Mode: redis.ModeSentinel, MasterName: containers.MasterName}, Healed: s.healed, Close: s.Close, Faults: s.faults()}
	for _, p := range s.Sentinels {
		servers.Redis.Addresses = append(servers.Redis.Addresses, p.Address)
	}
	return servers
}

func (s *sentinels) faults() []Fault {
	return append(s.failovers(), Fault{Name: "Sentinel: the master comes back empty before it is replaced", Do: s.comeBackEmpty})
}

// failovers are the faults after which another server is the master.
func (s *sentinels) failovers() []Fault {
	return []Fault{
		{Name: "Sentinel: the master is killed and comes back as a replica", Do: s.kill},
		{Name: "Sentinel: the master is paused, replaced, and goes on as if it were the master", Do: s.pause},
		{Name: "Sentinel: the master is killed when its replicas lag", Do: withLoss(s.lag)},
		{Name: "Sentinel: the master and a sentinel are killed", Do: s.killBoth},
		{Name: "Sentinel: a planned failover", Do: s.failover},
	}
}

// master asks the sentinels, in turn, for the master.
func (s *sentinels) master(ctx context.Context) (p *containers.RedisProcess, err error) {
	for _, sentinel := range s.Sentinels {
		text, failure := sentinel.Ask(ctx, "SENTINEL GET-MASTER-ADDR-BY-NAME "+containers.MasterName)
		if failure != nil {
			err = failure
			continue
		}
		_, port, _ := strings.Cut(text, "\n")
		n, err := strconv.Atoi(port)
		if p = s.ByPort(n); err != nil || p == nil {
			return nil, fmt.Errorf("the sentinel at %s names %q as the master", sentinel.Address, text)
		}
		return p, nil
	}
	return nil, err
}

// healed reports whether both replicas follow the master, and every sentinel sees all of them.
func (s *sentinels) healed(ctx context.Context) (bool, error) {
	master, err := s.master(ctx)
	if err != nil {
		return false, err
	}
	info, err := master.Ask(ctx, "INFO replication")
	if err != nil || !strings.Contains(info, "role:master") || strings.Count(info, "state=online") != 2 {
		return false, err
	}
	for _, sentinel := range s.Sentinels {
		info, err := sentinel.Ask(ctx, "INFO sentinel")
		if err != nil || !strings.Contains(info, fmt.Sprintf("status=ok,address=%s,slaves=2,sentinels=3", master.Address)) {
			return false, err
		}
	}
	return true, nil
}

// replaced waits until the sentinels have promoted another server.
func (s *sentinels) replaced(ctx context.Context, former *containers.RedisProcess) error {
	return until(ctx, healTimeout, "the sentinels have promoted a replica", func(ctx context.Context) (bool, error) {
		master, err := s.master(ctx)
		return err == nil && master != former, err
	})
}

func (s *sentinels) kill(ctx context.Context, _ *run) error {
	return s.replace(ctx, kill, start)
}

func (s *sentinels) pause(ctx context.Context, _ *run) error {
	return s.replace(ctx, pause, resume)
}

// replace takes the master away, and gives it back when a replica is promoted.
func (s *sentinels) replace(ctx context.Context, remove, restore toProcess) error {
	master, err := s.master(ctx)
	if err != nil {
		return err
	}
	if err := remove(ctx, master); err != nil {
		return err
	}
	if err := s.replaced(ctx, master); err != nil {
		return err
	}
	return restore(ctx, master)
}

// lag kills the master when its replicas have not received its last writes for a while.
func (s *sentinels) lag(ctx context.Context, r *run) error {
	master, err := s.master(ctx)
	if err != nil {
		return err
	}
	for _, p := range s.Servers {
		if p == master {
			continue
		}
		const nowhere = "REPLICAOF 127.0.0.1 1" // the sentinels correct it after ten seconds at the earliest
		if _, err := p.Ask(ctx, nowhere); err != nil {
			return err
		}
	}
	if err := sleep(ctx, lagging); err != nil {
		return err
	}
	acknowledged, err := master.ReplicationField(ctx, "master_repl_offset")
	if err != nil {
		return err
	}
	if err := s.kill(ctx, r); err != nil {
		return err
	}
	promoted, err := s.master(ctx)
	if err != nil {
		return err
	}
	return r.requireLost(ctx, promoted, acknowledged)
}

// comeBackEmpty is what a supervisor does that restarts the master without its disk: its replicas then copy the empty data.
func (s *sentinels) comeBackEmpty(ctx context.Context, _ *run) error {
	master, err := s.master(ctx)
	if err != nil {
		return err
	}
	if err := master.Kill(ctx); err != nil {
		return err
	}
	return startEmpty(ctx, master)
}

func (s *sentinels) killBoth(ctx context.Context, r *run) error {
	sentinel := s.Sentinels[r.rng.IntN(len(s.Sentinels))]
	if err := sentinel.Kill(ctx); err != nil {
		return err
	}
	if err := s.kill(ctx, r); err != nil {
		return err
	}
	return sentinel.Start(ctx)
}

func (s *sentinels) failover(ctx context.Context, _ *run) error {
	master, err := s.master(ctx)
	if err != nil {
		return err
	}
	// The sentinels refuse while one is under way, and give one up that finds no replica to promote, as for some seconds after a
	// resynchronisation. So they are asked until there is another master, as an operator would.
	return until(ctx, healTimeout, "the sentinels have promoted a replica", func(ctx context.Context) (bool, error) {
		now, err := s.master(ctx)
		if err != nil || now != master {
			return err == nil, err
		}
		_, err = s.Sentinels[0].Ask(ctx, "SENTINEL FAILOVER "+containers.MasterName)
		return false, err
	})
}
