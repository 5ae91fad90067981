package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/testbed/containers"
)

// RedisCluster is a Redis Cluster of three masters with a replica each, beside one Kafka broker.
func RedisCluster() Set {
	return Set{Name: "cluster", Start: func(ctx context.Context) (*Servers, error) {
		set, err := containers.StartRedisCluster(ctx)
		if err != nil {
			return nil, err
		}
		c := &cluster{set}
		s := &Servers{Redis: redis.Config{Mode: redis.ModeCluster}, Healed: c.healed, Close: set.Close, Faults: []Fault{
			{Name: "Redis Cluster: a master is killed and comes back as a replica", Do: c.kill},
			{Name: "Redis Cluster: a master is paused, replaced, and goes on", Do: c.pause},
			{Name: "Redis Cluster: a replica that lags takes over", Do: withLoss(c.takeOver)},
			{Name: "Redis Cluster: a master is lost with its data, and its replica takes over", Do: c.lose},
			{Name: "Redis Cluster: a master comes back empty before it is replaced", Do: c.comeBackEmpty},
			{Name: "Redis Cluster: a slot with state moves to another master", Do: c.moveSlot},
			{Name: "Redis Cluster: a planned failover", Do: c.failover},
		}}
		for _, p := range set.Servers {
			s.Redis.Addresses = append(s.Redis.Addresses, p.Address)
		}
		_, err = withBroker(ctx, s)
		return s, err
	}}
}

// withBroker starts a broker beside the servers, which are closed if it does not start.
func withBroker(ctx context.Context, s *Servers) (*containers.Server, error) {
	broker, err := containers.StartKafka(ctx)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Brokers = []string{broker.Address}
	closeOthers := s.Close
	s.Close = func() error { return errors.Join(closeOthers(), broker.Close()) }
	return broker, nil
}

type cluster struct{ *containers.RedisSet }

// node is a node as CLUSTER NODES lists it.
type node struct {
	*containers.RedisProcess
	id, master string // master: of a replica
	failing    bool
}

// nodes asks the servers, in turn, which nodes there are.
func (c *cluster) nodes(ctx context.Context) (masters, replicas []node, err error) {
	for _, p := range c.Servers {
		text, failure := p.Ask(ctx, "CLUSTER NODES")
		if failure != nil {
			err = failure
			continue
		}
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			if len(f) < 8 {
				return nil, nil, fmt.Errorf("CLUSTER NODES: %q", line)
			}
			address, _, _ := strings.Cut(f[1], "@")
			port, err := strconv.Atoi(address[strings.LastIndex(address, ":")+1:])
			if err != nil {
				return nil, nil, fmt.Errorf("CLUSTER NODES: %q: %w", line, err)
			}
			n := node{RedisProcess: c.ByPort(port), id: f[0], master: f[3], failing: strings.Contains(f[2], "fail") || f[7] != "connected"}
			if n.RedisProcess == nil {
				continue // forgotten by nobody else
			}
			if strings.Contains(f[2], "master") {
				masters = append(masters, n)
			} else {
				replicas = append(replicas, n)
			}
		}
		return masters, replicas, nil
	}
	return nil, nil, err
}

// healed reports whether all nodes agree that all slots are served, and every master has a replica that follows it.
func (c *cluster) healed(ctx context.Context) (bool, error) {
	masters, replicas, err := c.nodes(ctx)
	if err != nil || len(masters) != 3 || len(replicas) != 3 {
		return false, err
	}
	for _, p := range c.Servers {
		info, err := p.Ask(ctx, "CLUSTER INFO")
		if err != nil || !strings.Contains(info, "cluster_state:ok") {
			return false, err
		}
	}
	for _, m := range masters {
		info, err := m.Ask(ctx, "INFO replication")
		if err != nil || m.failing || strings.Count(info, "state=online") != 1 {
			return false, err
		}
	}
	return true, nil
}

// pair returns a master and its replica.
func (c *cluster) pair(ctx context.Context, rng *rand.Rand) (master, replica node, err error) {
	masters, replicas, err := c.nodes(ctx)
	if err != nil {
		return node{}, node{}, err
	}
	master = masters[rng.IntN(len(masters))]
	for _, r := range replicas {
		if r.master == master.id {
			return master, r, nil
		}
	}
	return node{}, node{}, fmt.Errorf("master %s has no replica", master.Address)
}

// promoted waits until a replica has become a master.
func (c *cluster) promoted(ctx context.Context, replica node) error {
	return until(ctx, healTimeout, "the replica is promoted", func(ctx context.Context) (bool, error) {
		info, err := replica.Ask(ctx, "INFO replication")
		return strings.Contains(info, "role:master"), err
	})
}

func (c *cluster) kill(ctx context.Context, r *run) error {
	return c.replace(ctx, r, kill, start)
}

func (c *cluster) pause(ctx context.Context, r *run) error {
	return c.replace(ctx, r, pause, resume)
}

func (c *cluster) lose(ctx context.Context, r *run) error {
	return c.replace(ctx, r, kill, startEmpty)
}

// replace takes a master away, and gives it back when its replica is promoted.
func (c *cluster) replace(ctx context.Context, r *run, remove, restore toProcess) error {
	master, replica, err := c.pair(ctx, r.rng)
	if err != nil {
		return err
	}
	if err := remove(ctx, master.RedisProcess); err != nil {
		return err
	}
	if err := c.promoted(ctx, replica); err != nil {
		return err
	}
	return restore(ctx, master.RedisProcess)
}

// toProcess is what is done to a server.
type toProcess func(context.Context, *containers.RedisProcess) error

func kill(ctx context.Context, p *containers.RedisProcess) error   { return p.Kill(ctx) }
func start(ctx context.Context, p *containers.RedisProcess) error  { return p.Start(ctx) }
func pause(ctx context.Context, p *containers.RedisProcess) error  { return p.Pause(ctx) }
func resume(ctx context.Context, p *containers.RedisProcess) error { return p.Resume(ctx) }

func startEmpty(ctx context.Context, p *containers.RedisProcess) error {
	if err := p.LoseData(ctx); err != nil {
		return err
	}
	return p.Start(ctx)
}

// takeOver promotes a replica that lacks the last second of acknowledged writes.
func (c *cluster) takeOver(ctx context.Context, r *run) error {
	master, replica, err := c.pair(ctx, r.rng)
	if err != nil {
		return err
	}
	var acknowledged int64
	err = replica.PauseBehind(ctx, "CLUSTER FAILOVER TAKEOVER", func() error {
		if err := sleep(ctx, lagging); err != nil {
			return err
		}
		acknowledged, err = master.ReplicationField(ctx, "master_repl_offset")
		return err
	})
	if err != nil {
		return err
	}
	return r.requireLost(ctx, replica.RedisProcess, acknowledged)
}

// lagging is how long writes do not reach a replica that is promoted afterwards.
const lagging = 1400 * time.Millisecond

var errNothingLost = errors.New("no write was lost")

// withLoss repeats a fault that is meant to lose writes until it does: on a busy machine a replica may catch up before it is promoted.
func withLoss(do func(context.Context, *run) error) func(context.Context, *run) error {
	const tries = 3
	return func(ctx context.Context, r *run) error {
		for try := 1; ; try++ {
			err := do(ctx, r)
			if !errors.Is(err, errNothingLost) || try == tries {
				return err
			}
			r.Log("           %v: the fault is repeated", err)
			if err := until(ctx, healTimeout, "the servers are as before the fault", r.servers.Healed); err != nil {
				return err
			}
		}
	}
}

// requireLost returns errNothingLost if a replica that was promoted has all that its former master had: the fault had no effect then.
func (r *run) requireLost(ctx context.Context, promoted *containers.RedisProcess, acknowledged int64) error {
	after, err := promoted.ReplicationField(ctx, "second_repl_offset") // the first offset that is not of the former master
	if err != nil {
		return err
	}
	lost := acknowledged - (after - 1)
	if lost <= 0 {
		return fmt.Errorf("%w: %s was promoted at %d, its master was at %d", errNothingLost, promoted.Address, after-1, acknowledged)
	}
	r.Log("           %d bytes of acknowledged writes are lost", lost)
	return nil
}

// comeBackEmpty is what a supervisor does that restarts a master whose disk is new: its replica then copies the empty data.
func (c *cluster) comeBackEmpty(ctx context.Context, r *run) error {
	master, _, err := c.pair(ctx, r.rng)
	if err != nil {
		return err
	}
	if err := master.Kill(ctx); err != nil {
		return err
	}
	return startEmpty(ctx, master.RedisProcess)
}

func (c *cluster) failover(ctx context.Context, r *run) error {
	_, replica, err := c.pair(ctx, r.rng)
	if err != nil {
		return err
	}
	if _, err := replica.Ask(ctx, "CLUSTER FAILOVER"); err != nil {
		return err
	}
	return c.promoted(ctx, replica)
}

// moveSlot moves the slot of a ledger partition's state, key by key and slowly, so that many commits and reads find it half moved.
func (c *cluster) moveSlot(ctx context.Context, r *run) error {
	masters, _, err := c.nodes(ctx)
	if err != nil {
		return err
	}
	r.rng.Shuffle(len(masters), func(i, j int) { masters[i], masters[j] = masters[j], masters[i] })
	for _, from := range masters {
		slot, err := c.Execute(ctx, fmt.Sprintf(`key=$(redis-cli -p %d --scan --pattern '%s:*:meta' | head -n 1); [ -z "$key" ] || redis-cli -p %[1]d cluster keyslot "$key"`,
			from.Port(), r.namespace))
		if err != nil {
			return err
		}
		if slot = strings.TrimSpace(slot); slot == "" {
			continue // it serves none of the partitions
		}
		to := masters[0]
		if to.id == from.id {
			to = masters[1]
		}
		_, err = c.Execute(ctx, fmt.Sprintf(`set -e
redis-cli -e -p %[3]d cluster setslot %[1]s importing %[4]s
redis-cli -e -p %[2]d cluster setslot %[1]s migrating %[5]s
while key=$(redis-cli -e -p %[2]d cluster getkeysinslot %[1]s 1); [ -n "$key" ]; do
  redis-cli -e -p %[2]d migrate 127.0.0.1 %[3]d "$key" 0 5000
  sleep .03
done
redis-cli -e -p %[3]d cluster setslot %[1]s node %[5]s
for port in %[6]s; do redis-cli -e -p $port cluster setslot %[1]s node %[5]s; done
`, slot, from.Port(), to.Port(), from.id, to.id, ports(masters)))
		return err
	}
	return errors.New("no master holds state")
}

func ports(nodes []node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, strconv.Itoa(n.Port()))
	}
	return strings.Join(all, " ")
}
