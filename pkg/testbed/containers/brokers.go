package containers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	dockernetwork "github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Brokers is a Kafka cluster: three brokers and one controller, each in a container. Topics have three replicas, of which two must
// acknowledge. The brokers talk to each other on a network of their own, from which one can be cut off while clients reach it still.
type Brokers struct {
	Brokers    []*Broker // node ids 1, 2, 3
	Controller *Broker

	network *testcontainers.DockerNetwork
	subnet  netip.Addr // of 24 bits
	docker  *testcontainers.DockerClient
	admin   *kgo.Client
}

// Broker is a node of a Kafka cluster.
type Broker struct {
	*Server

	ID    int32
	name  string // in the network of the brokers
	among *Brokers
}

// Timing of the cluster. Kafka's defaults are slower (9 s, 30 s, 30 s); they would make each fault of a run longer, not different.
const (
	brokerSessionTimeout = "4000"  // ms after which the controller moves the leaders of a broker that is silent
	replicaLagTimeout    = "5000"  // ms after which a replica that does not follow is no longer in sync
	brokerRequestTimeout = "10000" // ms after which a broker gives up a request to another one, as over a connection that is dead
)

// StartBrokers starts a cluster. It takes about as long as one broker on an idle machine, since the nodes start at the same time.
func StartBrokers(ctx context.Context) (*Brokers, error) {
	b := &Brokers{}
	if err := b.start(ctx); err != nil {
		return nil, errors.Join(err, b.Close()) //nolint:contextcheck // it also cleans up after ctx has ended
	}
	return b, nil
}

func (b *Brokers) start(ctx context.Context) (err error) {
	if b.docker, err = testcontainers.NewDockerClientWithOpts(ctx); err != nil {
		return fmt.Errorf("connect to Docker: %w", err)
	}
	if err := b.createNetwork(ctx); err != nil {
		return err
	}
	var wg sync.WaitGroup
	nodes := make([]*Broker, 4)
	errs := make([]error, len(nodes))
	for i := range nodes {
		wg.Go(func() { nodes[i], errs[i] = b.startNode(ctx, int32(i)) })
	}
	wg.Wait()
	for i, n := range nodes {
		switch {
		case n == nil:
		case i == 0:
			b.Controller = n
		default:
			b.Brokers = append(b.Brokers, n)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, n := range b.Brokers {
		if err := n.await(ctx); err != nil {
			return err
		}
	}
	if b.admin, err = kgo.NewClient(kgo.SeedBrokers(b.Addresses()...), kgo.MetadataMinAge(100*time.Millisecond)); err != nil {
		return fmt.Errorf("connect to the brokers: %w", err)
	}
	return nil
}

// createNetwork creates the network of the brokers. Each node keeps its address there for good. If addresses were given by the engine, a
// broker that comes back could get that of another one which is away, and a connection that is being opened to that one would end at it:
// Kafka does not notice, and sends requests to the wrong broker for ever.
func (b *Brokers) createNetwork(ctx context.Context) (err error) {
	const tries = 10
	for range tries {
		b.subnet = netip.AddrFrom4([4]byte{10, 213, byte(rand.UintN(256)), 0})
		b.network, err = dockernetwork.New(ctx, dockernetwork.WithIPAM(&network.IPAM{Config: []network.IPAMConfig{{Subnet: netip.PrefixFrom(b.subnet, 24)}}}))
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("create a network, at the last of %d tries: %w", tries, err)
}

// connect connects a node to the network of the brokers, under its name and its address.
func (b *Brokers) connect(ctx context.Context, container string, id int32, name string) error {
	address := b.subnet.As4()
	address[3] = byte(10 + id)
	_, err := b.docker.NetworkConnect(ctx, b.network.ID, client.NetworkConnectOptions{Container: container, EndpointConfig: &network.EndpointSettings{
		Aliases: []string{name}, IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: netip.AddrFrom4(address)},
	}})
	if err != nil {
		return fmt.Errorf("connect %s to the network of the brokers: %w", name, err)
	}
	return nil
}

// startNode starts node 0, the controller, or a broker.
func (b *Brokers) startNode(ctx context.Context, id int32) (*Broker, error) {
	const controllerID = "100"
	name, env := "broker-"+strconv.Itoa(int(id)), map[string]string{
		"KAFKA_NODE_ID": strconv.Itoa(int(id)), "KAFKA_PROCESS_ROLES": "broker",
		"KAFKA_LISTENERS": "PLAINTEXT://:9092,INSIDE://:19092", "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",
	}
	if id == 0 {
		name = "controller"
		env = map[string]string{"KAFKA_NODE_ID": controllerID, "KAFKA_PROCESS_ROLES": "controller", "KAFKA_LISTENERS": "CONTROLLER://:9093"}
	}
	maps.Copy(env, map[string]string{
		"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":           "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"KAFKA_CONTROLLER_LISTENER_NAMES":                "CONTROLLER",
		"KAFKA_CONTROLLER_QUORUM_VOTERS":                 controllerID + "@controller:9093",
		"KAFKA_MIN_INSYNC_REPLICAS":                      "2",
		"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         "3",
		"KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS":             "8",
		"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "3",
		"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            "2",
		"KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS":     "8",
		"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":         "0",
		"KAFKA_AUTO_CREATE_TOPICS_ENABLE":                "false",
		"KAFKA_BROKER_SESSION_TIMEOUT_MS":                brokerSessionTimeout,
		"KAFKA_BROKER_HEARTBEAT_INTERVAL_MS":             "1000",
		"KAFKA_REPLICA_LAG_TIME_MAX_MS":                  replicaLagTimeout,
		"KAFKA_REQUEST_TIMEOUT_MS":                       brokerRequestTimeout,
		"KAFKA_REPLICA_SOCKET_TIMEOUT_MS":                brokerRequestTimeout,
		"KAFKA_HEAP_OPTS":                                "-Xms192m -Xmx512m",
		// A name is not known while its node is away. The quick compiler alone: four nodes spend most of their processor time on
		// starting.
		"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -Dsun.net.inetaddr.ttl=1 -Dsun.net.inetaddr.negative.ttl=1",
	})
	port := "9092/tcp"
	if id == 0 {
		port = "9093/tcp"
	}
	s, err := start(ctx, port, func(bound int) testcontainers.ContainerRequest {
		if id > 0 {
			env["KAFKA_ADVERTISED_LISTENERS"] = fmt.Sprintf("INSIDE://%s:19092,PLAINTEXT://%s", name, loopback(bound))
		}
		return testcontainers.ContainerRequest{
			Image: kafkaImage, Env: env,
			// The first network is the one of the bound port. It stays when the broker is cut off from the others.
			Networks: []string{"bridge"},
			LifecycleHooks: []testcontainers.ContainerLifecycleHooks{{PostCreates: []testcontainers.ContainerHook{
				func(ctx context.Context, c testcontainers.Container) error {
					return b.connect(ctx, c.GetContainerID(), id, name)
				},
			}}},
			WaitingFor: wait.ForLog("Kafka Server started").WithStartupTimeout(2 * startTimeout),
		}
	})
	if err != nil {
		return nil, err
	}
	s.answers = func(context.Context) error { return nil }
	if id > 0 {
		s.answers = kafkaAnswers(s.Address)
	}
	return &Broker{Server: s, ID: id, name: name, among: b}, nil
}

// Addresses are those of the brokers.
func (b *Brokers) Addresses() []string {
	var all []string
	for _, n := range b.Brokers {
		all = append(all, n.Address)
	}
	return all
}

// Close removes the containers and their network.
func (b *Brokers) Close() (err error) {
	if b.admin != nil {
		b.admin.Close()
	}
	for _, n := range append(slices.Clone(b.Brokers), b.Controller) {
		if n != nil {
			err = errors.Join(err, n.Close())
		}
	}
	if b.network != nil {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		err = errors.Join(err, b.network.Remove(ctx))
	}
	if b.docker != nil {
		err = errors.Join(err, b.docker.Close())
	}
	return err
}

// Kill ends a node with SIGKILL, and returns when it has ended.
func (n *Broker) Kill(ctx context.Context) error {
	if _, err := n.among.docker.ContainerKill(ctx, n.container.GetContainerID(), client.ContainerKillOptions{Signal: "KILL"}); err != nil {
		return fmt.Errorf("kill %s: %w", n.name, err)
	}
	return n.Server.Kill(ctx)
}

// Pause stops the process of a node until Resume, by signals: the engine's own pause fails now and then, where the kernel does not freeze
// the container in time.
func (n *Broker) Pause(ctx context.Context) error { return n.signal(ctx, "SIGSTOP") }

// Resume continues a paused node.
func (n *Broker) Resume(ctx context.Context) error { return n.signal(ctx, "SIGCONT") }

func (n *Broker) signal(ctx context.Context, signal string) error {
	if _, err := n.among.docker.ContainerKill(ctx, n.container.GetContainerID(), client.ContainerKillOptions{Signal: signal}); err != nil {
		return fmt.Errorf("send %s to %s: %w", signal, n.name, err)
	}
	return nil
}

// CutOff takes a broker off the network of the brokers until Reconnect. It still serves clients, and believes to lead what it led.
func (n *Broker) CutOff(ctx context.Context) error {
	_, err := n.among.docker.NetworkDisconnect(ctx, n.among.network.ID, client.NetworkDisconnectOptions{Container: n.container.GetContainerID()})
	if err != nil {
		return fmt.Errorf("cut %s off: %w", n.name, err)
	}
	return nil
}

// Reconnect ends CutOff.
func (n *Broker) Reconnect(ctx context.Context) error {
	return n.among.connect(ctx, n.container.GetContainerID(), n.ID, n.name)
}

// PartitionState is what a broker says of a partition.
type PartitionState struct {
	Topic     string
	Partition int32
	Leader    int32 // node id; -1: none
	Replicas  []int32
	InSync    []int32
}

const adminTimeout = 15 * time.Second

// Partitions returns the state of all partitions, of internal topics too, as this broker knows it: one that is cut off knows the past.
func (n *Broker) Partitions(ctx context.Context) ([]PartitionState, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = nil // all
	res, err := ask[*kmsg.MetadataResponse](ctx, n, req)
	if err != nil {
		return nil, fmt.Errorf("ask %s for the state of the partitions: %w", n.name, err)
	}
	var all []PartitionState
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			all = append(all, PartitionState{*t.Topic, p.Partition, p.Leader, p.Replicas, p.ISR})
		}
	}
	return all, nil
}

// End is the high watermark of a partition that this broker leads.
func (n *Broker) End(ctx context.Context, topic string, partition int32) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	one := kmsg.NewListOffsetsRequestTopicPartition()
	one.Partition, one.Timestamp = partition, -1
	req.ReplicaID, req.Topics = -1, []kmsg.ListOffsetsRequestTopic{{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{one}}}
	res, err := ask[*kmsg.ListOffsetsResponse](ctx, n, req)
	if err != nil {
		return 0, fmt.Errorf("ask %s for the end of %s/%d: %w", n.name, topic, partition, err)
	}
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			return p.Offset, kerr.ErrorForCode(p.ErrorCode)
		}
	}
	return 0, fmt.Errorf("ask %s for the end of %s/%d: no answer", n.name, topic, partition)
}

// ask sends a request to one broker, which passes on to the controller what only that may decide.
func ask[R kmsg.Response](ctx context.Context, n *Broker, req kmsg.Request) (answer R, err error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	res, err := n.among.admin.Broker(int(n.ID)).RetriableRequest(ctx, req)
	if err != nil {
		return answer, err
	}
	answer, ok := res.(R)
	if !ok {
		return answer, fmt.Errorf("answer %T", res)
	}
	return answer, nil
}

// Whole reports whether every broker says that every partition has a leader and all its replicas are in sync.
func (b *Brokers) Whole(ctx context.Context) (bool, error) {
	for _, n := range b.Brokers {
		all, err := n.Partitions(ctx)
		if err != nil || len(all) == 0 {
			return false, err
		}
		for _, p := range all {
			if p.Leader < 0 || len(p.InSync) < len(p.Replicas) {
				return false, nil
			}
		}
	}
	return true, nil
}

// MoveLeaders makes the next replica of every partition its leader.
func (b *Brokers) MoveLeaders(ctx context.Context) error {
	by := b.Brokers[0]
	all, err := by.Partitions(ctx)
	if err != nil {
		return err
	}
	req, topics := kmsg.NewPtrAlterPartitionAssignmentsRequest(), map[string]*kmsg.AlterPartitionAssignmentsRequestTopic{}
	req.TimeoutMillis = 10_000
	for _, p := range all {
		t := topics[p.Topic]
		if t == nil {
			t = &kmsg.AlterPartitionAssignmentsRequestTopic{Topic: p.Topic}
			topics[p.Topic] = t
		}
		// The first replica is the preferred leader.
		at := (slices.Index(p.Replicas, p.Leader) + 1) % len(p.Replicas)
		to := slices.Concat(p.Replicas[at:], p.Replicas[:at])
		t.Partitions = append(t.Partitions, kmsg.AlterPartitionAssignmentsRequestTopicPartition{Partition: p.Partition, Replicas: to})
	}
	for _, t := range topics {
		req.Topics = append(req.Topics, *t)
	}
	res, err := ask[*kmsg.AlterPartitionAssignmentsResponse](ctx, by, req)
	if err == nil {
		err = kerr.ErrorForCode(res.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("reorder replicas: %w", err)
	}
	return by.elect(ctx, preferredElection, nil)
}

// ElectUnclean makes any live replica the leader of a partition that has none, although it lacks acknowledged records. The broker
// must not be cut off.
func (n *Broker) ElectUnclean(ctx context.Context, topic string, partition int32) error {
	return n.elect(ctx, uncleanElection, []kmsg.ElectLeadersRequestTopic{{Topic: topic, Partitions: []int32{partition}}})
}

const preferredElection, uncleanElection = 0, 1

func (n *Broker) elect(ctx context.Context, kind int8, topics []kmsg.ElectLeadersRequestTopic) error {
	req := kmsg.NewPtrElectLeadersRequest()
	req.ElectionType, req.Topics, req.TimeoutMillis = kind, topics, 10_000
	res, err := ask[*kmsg.ElectLeadersResponse](ctx, n, req)
	if err == nil {
		err = kerr.ErrorForCode(res.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("elect leaders: %w", err)
	}
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil && !errors.Is(err, kerr.ElectionNotNeeded) {
				return fmt.Errorf("elect a leader of %s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}
