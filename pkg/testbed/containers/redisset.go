package containers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
)

// RedisSet is a set of Redis servers, of a cluster or under sentinels. They are processes of one container, so that all of them find
// each other at 127.0.0.1, under the ports at which this machine reaches them too.
type RedisSet struct {
	Servers   []*RedisProcess // that hold data
	Sentinels []*RedisProcess // that watch them; empty in a cluster

	container testcontainers.Container
}

// RedisProcess is a server that can be killed or paused alone.
type RedisProcess struct {
	Address string

	set       *RedisSet
	port      int
	arguments string // of redis-server
}

// MasterName is the name of the master under sentinels.
const MasterName = "nemesis"

// newRedisSet starts a container in which servers can be started.
func newRedisSet(ctx context.Context, servers, sentinels int) (*RedisSet, error) {
	ports, err := freePorts(servers + sentinels)
	if err != nil {
		return nil, err
	}
	bound := map[string]int{}
	for _, port := range ports {
		bound[strconv.Itoa(port)+"/tcp"] = port
	}
	set := &RedisSet{}
	// A killed server leaves its port for a while, and no outgoing connection of another server may take it: outgoing connections
	// get ports that the free ports of this machine are not among.
	set.container, err = startBound(ctx, bound, testcontainers.ContainerRequest{
		Image:      redisImage,
		Entrypoint: []string{"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"},
		HostConfigModifier: func(h *container.HostConfig) {
			h.Sysctls = map[string]string{"net.ipv4.ip_local_port_range": "10000 20000"}
		},
	})
	if err != nil {
		return nil, err
	}
	for i, port := range ports {
		p := &RedisProcess{Address: loopback(port), set: set, port: port}
		if i < servers {
			set.Servers = append(set.Servers, p)
		} else {
			set.Sentinels = append(set.Sentinels, p)
		}
	}
	return set, nil
}

// StartRedisCluster starts a cluster of three masters with a replica each. A master that does not answer for two seconds is replaced.
func StartRedisCluster(ctx context.Context) (*RedisSet, error) {
	set, err := newRedisSet(ctx, 6, 0)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for i, p := range set.Servers {
		// The bus is used inside the container only. Its default port, 10,000 above, may not exist.
		p.arguments = fmt.Sprintf("--cluster-enabled yes --cluster-config-file nodes.conf --cluster-node-timeout 2000 --cluster-port %d", 7001+i)
		addresses = append(addresses, p.Address)
	}
	if err := set.startAll(ctx); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	create := append(append([]string{"redis-cli", "--cluster", "create"}, addresses...), "--cluster-replicas", "1", "--cluster-yes")
	if _, err := execute(ctx, set.container, create...); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	return set, nil
}

// StartSentinels starts a master with two replicas and three sentinels, which replace a master that does not answer for two seconds.
func StartSentinels(ctx context.Context) (*RedisSet, error) {
	set, err := newRedisSet(ctx, 3, 3)
	if err != nil {
		return nil, err
	}
	master := set.Servers[0]
	for _, p := range set.Servers {
		p.arguments = "--repl-diskless-sync-delay 0"
	}
	if err := set.startAll(ctx); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	for _, p := range set.Servers[1:] {
		if _, err := AskRedis(ctx, p.Address, fmt.Sprintf("REPLICAOF 127.0.0.1 %d", master.port)); err != nil {
			return nil, errors.Join(err, set.Close())
		}
	}
	for _, p := range set.Sentinels {
		conf := fmt.Sprintf(`port %d
bind 0.0.0.0
protected-mode no
daemonize yes
dir /data/%[1]d
pidfile /data/%[1]d/pid
logfile /data/%[1]d/log
sentinel announce-ip 127.0.0.1
sentinel monitor %s 127.0.0.1 %d 2
sentinel down-after-milliseconds %[2]s 2000
sentinel failover-timeout %[2]s 8000
sentinel parallel-syncs %[2]s 2
`, p.port, MasterName, master.port)
		p.arguments = "sentinel"
		if err := p.shell(ctx, fmt.Sprintf("mkdir -p /data/%d && cat > /data/%[1]d/conf << 'END'\n%sEND\n", p.port, conf)); err != nil {
			return nil, errors.Join(err, set.Close())
		}
		if err := p.Start(ctx); err != nil {
			return nil, errors.Join(err, set.Close())
		}
	}
	return set, nil
}

func (s *RedisSet) startAll(ctx context.Context) error {
	for _, p := range s.Servers {
		if err := p.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close removes the container.
func (s *RedisSet) Close() error {
	return (&Server{Address: "a set of Redis servers", container: s.container}).Close()
}

// Execute runs a shell script in the container and returns its output.
func (s *RedisSet) Execute(ctx context.Context, script string) (string, error) {
	return execute(ctx, s.container, "sh", "-c", script)
}

// ByPort returns the server with a port; nil if there is none.
func (s *RedisSet) ByPort(port int) *RedisProcess {
	for _, p := range slices.Concat(s.Servers, s.Sentinels) {
		if p.port == port {
			return p
		}
	}
	return nil
}

// Port is the port, inside and outside the container.
func (p *RedisProcess) Port() int { return p.port }

// Start starts the process, with what is on its disk, and waits until it answers, loading or not.
func (p *RedisProcess) Start(ctx context.Context) error {
	command := fmt.Sprintf("redis-server /data/%d/conf --sentinel", p.port)
	if p.arguments != "sentinel" {
		command = fmt.Sprintf("mkdir -p /data/%d && redis-server --port %[1]d --bind 0.0.0.0 --protected-mode no --daemonize yes --dir /data/%[1]d "+
			"--pidfile /data/%[1]d/pid --logfile /data/%[1]d/log --appendonly yes --appendfsync everysec --save '' --maxmemory-policy noeviction %s", p.port, p.arguments)
	}
	if err := p.shell(ctx, command); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if _, err := AskRedis(ctx, p.Address, "PING"); err == nil {
			return nil
		} else if ctx.Err() != nil {
			return fmt.Errorf("%s does not answer: %w", p.Address, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Kill ends the process with SIGKILL.
func (p *RedisProcess) Kill(ctx context.Context) error { return p.signal(ctx, "KILL") }

// Pause stops the process with SIGSTOP until Resume. Its kernel still accepts connections.
func (p *RedisProcess) Pause(ctx context.Context) error { return p.signal(ctx, "STOP") }

// Resume continues a paused process.
func (p *RedisProcess) Resume(ctx context.Context) error { return p.signal(ctx, "CONT") }

// LoseData removes what is on the disk of a process that was killed; a node of a cluster keeps its identity.
func (p *RedisProcess) LoseData(ctx context.Context) error {
	return p.shell(ctx, fmt.Sprintf("rm -rf /data/%d/appendonlydir /data/%[1]d/dump.rdb", p.port))
}

// Ask sends an inline command and returns the text of the answer. An error that the server answers is an error.
func (p *RedisProcess) Ask(ctx context.Context, command string) (string, error) {
	text, err := AskRedis(ctx, p.Address, command)
	if err == nil && (strings.HasPrefix(text, "ERR ") || strings.HasPrefix(text, "NOGOODSLAVE") || strings.HasPrefix(text, "INPROG")) {
		err = fmt.Errorf("%s: %s", command, text)
	}
	return text, err
}

// PauseBehind pauses the process, calls meanwhile, and lets the process execute a command before anything that it was sent in the
// meantime: a replica that is promoted this way has lost the writes of that time.
func (p *RedisProcess) PauseBehind(ctx context.Context, command string, meanwhile func() error) error {
	conn, err := dialRedis(ctx, p.Address)
	if err != nil {
		return err
	}
	defer conn.close()
	// The server must have accepted the connection, since it handles what is ready in the order in which it became ready.
	if _, err := conn.ask("PING"); err != nil {
		return err
	}
	if err := p.Pause(ctx); err != nil {
		return err
	}
	if err := errors.Join(conn.send(command), meanwhile(), p.Resume(ctx)); err != nil {
		return err
	}
	answer, err := conn.answer()
	if err == nil && answer != "OK" {
		err = fmt.Errorf("%s: %s", command, answer)
	}
	return err
}

// ReplicationField is a number that INFO replication states, such as master_repl_offset.
func (p *RedisProcess) ReplicationField(ctx context.Context, name string) (int64, error) {
	text, err := p.Ask(ctx, "INFO replication")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		}
	}
	return 0, fmt.Errorf("INFO replication of %s has no %s", p.Address, name)
}

func (p *RedisProcess) signal(ctx context.Context, name string) error {
	return p.shell(ctx, fmt.Sprintf("kill -%s $(cat /data/%d/pid)", name, p.port))
}

func (p *RedisProcess) shell(ctx context.Context, script string) error {
	if _, err := p.set.Execute(ctx, script); err != nil {
		return fmt.Errorf("redis at %s: %w", p.Address, err)
	}
	return nil
}
