package containers

import (
	"context"
	"maps"
	"strconv"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// SmallKafka is a broker whose disk can be filled.
type SmallKafka struct{ *Server }

const smallDisk = "/var/lib/small"

// StartSmallKafka starts a broker with a disk of a few MB.
func StartSmallKafka(ctx context.Context) (*SmallKafka, error) {
	s, err := start(ctx, "9092/tcp", func(port int) testcontainers.ContainerRequest {
		env := brokerEnvironment()
		maps.Copy(env, map[string]string{
			"KAFKA_LISTENERS":                            "PLAINTEXT://:9092,INSIDE://:19092,CONTROLLER://:9093",
			"KAFKA_ADVERTISED_LISTENERS":                 "INSIDE://localhost:19092,PLAINTEXT://127.0.0.1:" + strconv.Itoa(port),
			"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":       "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
			"KAFKA_LOG_DIRS":                             smallDisk,
			"KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS":         "1",
			"KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "1",
		})
		return testcontainers.ContainerRequest{
			Image: kafkaImage, Env: env,
			HostConfigModifier: func(h *container.HostConfig) { h.Tmpfs = map[string]string{smallDisk: "size=64m,mode=1777"} },
			WaitingFor:         wait.ForLog("Kafka Server started").WithStartupTimeout(startTimeout),
		}
	})
	if err != nil {
		return nil, err
	}
	s.answers = kafkaAnswers(s.Address)
	return &SmallKafka{s}, s.ready(ctx)
}

// FillDisk leaves no room on the broker's disk.
func (k *SmallKafka) FillDisk(ctx context.Context) error {
	_, err := execute(ctx, k.container, "sh", "-c", "dd if=/dev/zero of="+smallDisk+"/filler bs=64k 2>/dev/null; true")
	return err
}

// StartSnapshotRedis starts a server that writes snapshots, to a directory that LoseDirectory removes.
func StartSnapshotRedis(ctx context.Context) (*Redis, error) {
	return startRedis(ctx, `mkdir -p /tmp/snapshots && exec redis-server --dir /tmp/snapshots --bind 0.0.0.0 --protected-mode no --appendonly no --save "1 1"`)
}

// LoseDirectory removes the directory of a server's snapshots, so that none can be written.
func (r *Redis) LoseDirectory(ctx context.Context) error {
	return r.run(ctx, "rm", "-rf", "/tmp/snapshots")
}
