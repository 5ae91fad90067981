package containers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/exec"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/mainstay/mainstay/pkg/kafka"
)

const (
	kafkaImage   = "apache/kafka:4.1.0"
	redisImage   = "redis:8.0"
	startTimeout = 2 * time.Minute // of a container, on a busy machine
)

// Server is a container whose address stays the same when it is killed and started again.
type Server struct {
	Address   string // host:port
	container testcontainers.Container
	answers   func(ctx context.Context) error
}

// testcontainers has one global logger; its errors are returned as well.
func init() { log.SetDefault(log.NewNoopLogger()) } //nolint:gochecknoinits // it has no other way

// start runs an image with one of its ports bound to a free port of this machine. The port is chosen here, since it must stay the
// same after a restart, and Kafka must be configured with it.
func start(ctx context.Context, port string, request func(bound int) testcontainers.ContainerRequest) (*Server, error) {
	free, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	bound := free[0]
	c, err := startBound(ctx, map[string]int{port: bound}, request(bound))
	if err != nil {
		return nil, err
	}
	return &Server{Address: loopback(bound), container: c}, nil
}

// startBound runs an image with ports such as "6379/tcp" bound to ports of this machine. It removes a container that does not start.
func startBound(ctx context.Context, ports map[string]int, r testcontainers.ContainerRequest) (testcontainers.Container, error) {
	bindings := network.PortMap{}
	for port, bound := range ports {
		inside, err := network.ParsePort(port)
		if err != nil {
			return nil, fmt.Errorf("port %s: %w", port, err)
		}
		bindings[inside] = []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(bound)}}
		r.ExposedPorts = append(r.ExposedPorts, port)
	}
	also := r.HostConfigModifier
	r.HostConfigModifier = func(h *container.HostConfig) {
		h.PortBindings = bindings
		if also != nil {
			also(h)
		}
	}
	// What a killed test has left behind is found by this label.
	if run := os.Getenv("MAINSTAY_TEST_RUN"); run != "" {
		r.Labels = map[string]string{"mainstay.run": run}
	}
	c, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{Started: true, ContainerRequest: r})
	if err != nil {
		err = fmt.Errorf("start %s: %w", r.Image, err)
		if c != nil {
			err = errors.Join(err, testcontainers.TerminateContainer(c))
		}
		return nil, err
	}
	return c, nil
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill(ctx context.Context) error {
	now := time.Duration(0)
	if err := s.container.Stop(ctx, &now); err != nil {
		return fmt.Errorf("kill %s: %w", s.Address, err)
	}
	return nil
}

// Start starts a killed server again, with its disk, and waits until it answers.
func (s *Server) Start(ctx context.Context) error {
	if err := s.container.Start(ctx); err != nil {
		return fmt.Errorf("start %s again: %w", s.Address, err)
	}
	return s.await(ctx)
}

func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := s.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", s.Address, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ready waits until a server that was just started answers, and removes it if it does not.
func (s *Server) ready(ctx context.Context) error {
	err := s.await(ctx)
	if err != nil {
		err = errors.Join(err, s.Close())
	}
	return err
}

// Close removes the container with its volumes.
func (s *Server) Close() error {
	if err := testcontainers.TerminateContainer(s.container); err != nil {
		return fmt.Errorf("remove the container of %s: %w", s.Address, err)
	}
	return nil
}

// kafkaAnswers checks that a broker answers.
func kafkaAnswers(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		k, err := kafka.New(kafka.Config{Brokers: []string{address}, Timeout: 2 * time.Second})
		if err != nil {
			return err
		}
		defer k.Close()
		return k.Ping(ctx)
	}
}

// StartKafka starts a broker with the default configuration, but for the replication that one broker can have.
func StartKafka(ctx context.Context) (*Server, error) {
	s, err := start(ctx, "9092/tcp", func(port int) testcontainers.ContainerRequest {
		env := brokerEnvironment()
		env["KAFKA_LISTENERS"] = "PLAINTEXT://:9092,INSIDE://:19092,CONTROLLER://:9093"
		env["KAFKA_ADVERTISED_LISTENERS"] = "INSIDE://localhost:19092,PLAINTEXT://127.0.0.1:" + strconv.Itoa(port)
		env["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"] = "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT"
		return testcontainers.ContainerRequest{
			Image: kafkaImage, Env: env, WaitingFor: wait.ForLog("Kafka Server started").WithStartupTimeout(startTimeout),
		}
	})
	if err != nil {
		return nil, err
	}
	s.answers = kafkaAnswers(s.Address)
	return s, s.ready(ctx)
}

// brokerEnvironment is the configuration of a single broker but for its listeners. The broker also connects to itself (to verify
// transactions and to write their markers), and cannot use the address outside the container: it needs a listener of its own.
func brokerEnvironment() map[string]string {
	return map[string]string{
		"KAFKA_NODE_ID": "1", "KAFKA_PROCESS_ROLES": "broker,controller",
		"KAFKA_INTER_BROKER_LISTENER_NAME":               "INSIDE",
		"KAFKA_CONTROLLER_LISTENER_NAMES":                "CONTROLLER",
		"KAFKA_CONTROLLER_QUORUM_VOTERS":                 "1@localhost:9093",
		"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         "1",
		"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
		"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            "1",
		"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":         "0",
		"KAFKA_AUTO_CREATE_TOPICS_ENABLE":                "false",
	}
}

// Redis is a Redis server whose persistence can be switched.
type Redis struct{ *Server }

// StartRedis starts a server with an append-only file.
func StartRedis(ctx context.Context) (*Redis, error) {
	// The next start reads what Persist has written.
	return startRedis(ctx, `mkdir -p /data && exec redis-server --dir /data --bind 0.0.0.0 --protected-mode no --save "" --appendonly "$(cat /data/appendonly 2>/dev/null || echo yes)"`)
}

func startRedis(ctx context.Context, script string) (*Redis, error) {
	s, err := start(ctx, "6379/tcp", func(int) testcontainers.ContainerRequest {
		return testcontainers.ContainerRequest{
			Image: redisImage, Entrypoint: []string{"sh", "-c", script},
			WaitingFor: wait.ForListeningPort("6379/tcp").WithStartupTimeout(startTimeout),
		}
	})
	if err != nil {
		return nil, err
	}
	r := &Redis{s}
	s.answers = func(ctx context.Context) error {
		answer, err := AskRedis(ctx, s.Address, "PING")
		if err == nil && answer != "PONG" { // LOADING at first
			err = fmt.Errorf("PING: %s", answer)
		}
		return err
	}
	return r, s.ready(ctx)
}

// Persist turns the append-only file on or off, now or from the next start on. A start with it loads the file, however old it is;
// a start without it begins empty.
func (r *Redis) Persist(ctx context.Context, on, now bool) error {
	word := map[bool]string{true: "yes", false: "no"}[on]
	if now {
		if answer, err := AskRedis(ctx, r.Address, "CONFIG SET appendonly "+word); err != nil || answer != "OK" {
			return fmt.Errorf("CONFIG SET appendonly %s: %s: %w", word, answer, err)
		}
	}
	return r.run(ctx, "sh", "-c", "echo "+word+" > /data/appendonly")
}

func (r *Redis) run(ctx context.Context, command ...string) error {
	_, err := execute(ctx, r.container, command...)
	return err
}

// execute runs a command in a container and returns its output.
func execute(ctx context.Context, c testcontainers.Container, command ...string) (string, error) {
	code, out, err := c.Exec(ctx, command, exec.Multiplexed())
	if err != nil {
		return "", fmt.Errorf("run %s in a container: %w", command[0], err)
	}
	text, err := io.ReadAll(out)
	if err != nil || code != 0 {
		return "", errors.Join(fmt.Errorf("run %s in a container: exit code %d: %s", strings.Join(command, " "), code, text), err)
	}
	return string(text), nil
}

// AskRedis sends one inline command to a server without a password and returns the text of its answer or of its error.
func AskRedis(ctx context.Context, address, command string) (string, error) {
	conn, err := dialRedis(ctx, address)
	if err != nil {
		return "", err
	}
	defer conn.close()
	return conn.ask(command)
}

// redisConn is a connection without a password, for inline commands.
type redisConn struct {
	net.Conn
	answers *bufio.Reader
}

const redisPatience = 5 * time.Second // with one server, however many commands

func dialRedis(ctx context.Context, address string) (*redisConn, error) {
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("ask Redis: %w", err)
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline) // cannot fail on an open connection
	return &redisConn{Conn: conn, answers: bufio.NewReader(conn)}, nil
}

func (c *redisConn) close() { _ = c.Conn.Close() } // answers were read

func (c *redisConn) send(command string) error {
	if _, err := io.WriteString(c.Conn, command+"\r\n"); err != nil {
		return fmt.Errorf("ask Redis: %w", err)
	}
	return nil
}

func (c *redisConn) ask(command string) (string, error) {
	if err := c.send(command); err != nil {
		return "", err
	}
	return c.answer()
}

// answer reads the text of a simple string, an error, a number or a bulk string; of an array, each on a line.
func (c *redisConn) answer() (string, error) {
	line, err := c.answers.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("ask Redis: %w", err)
	}
	line = strings.TrimSpace(line)
	if line == "" {
		return "", errors.New("ask Redis: an empty answer")
	}
	switch line[0] {
	case '$':
		size, err := strconv.Atoi(line[1:])
		if err != nil || size < 0 {
			return "", fmt.Errorf("ask Redis: bulk of %q", line[1:])
		}
		text := make([]byte, size+len("\r\n"))
		if _, err := io.ReadFull(c.answers, text); err != nil {
			return "", fmt.Errorf("ask Redis: %w", err)
		}
		return string(text[:size]), nil
	case '*':
		n, err := strconv.Atoi(line[1:])
		if err != nil {
			return "", fmt.Errorf("ask Redis: array of %q", line[1:])
		}
		var lines []string
		for range n {
			one, err := c.answer()
			if err != nil {
				return "", err
			}
			lines = append(lines, one)
		}
		return strings.Join(lines, "\n"), nil
	}
	return line[1:], nil
}

// UsedMemory is used_memory of a Redis server, in bytes.
func UsedMemory(ctx context.Context, address string) (int64, error) {
	text, err := AskRedis(ctx, address, "INFO memory")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "used_memory:"); ok {
			return strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		}
	}
	return 0, errors.New("INFO memory: no used_memory")
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// freePorts finds different free ports of this machine.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }()                    // only after the last was found, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // of a tcp listener
	}
	return ports, nil
}
