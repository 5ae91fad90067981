package containers

import (
	"bytes"
	"context"
	"strconv"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const prometheusImage = "prom/prometheus:v2.53.3"

// StartPrometheus starts a Prometheus that can scrape loopback addresses of this machine. rules are files by name; the configuration refers
// to them as /tmp/rules/NAME.
func StartPrometheus(ctx context.Context, config []byte, rules map[string][]byte) (*Server, error) {
	free, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	file := func(path string, content []byte) testcontainers.ContainerFile {
		const readable = 0o644
		return testcontainers.ContainerFile{Reader: bytes.NewReader(content), ContainerFilePath: path, FileMode: readable}
	}
	files := []testcontainers.ContainerFile{file("/tmp/prometheus.yml", config)}
	for name, content := range rules {
		files = append(files, file("/tmp/rules/"+name, content))
	}
	c, err := startBound(ctx, nil, testcontainers.ContainerRequest{
		Image: prometheusImage, Files: files,
		Cmd: []string{
			"--config.file=/tmp/prometheus.yml", "--storage.tsdb.path=/tmp/data", "--web.listen-address=127.0.0.1:" + strconv.Itoa(free[0]),
		},
		HostConfigModifier: func(h *container.HostConfig) { h.NetworkMode = "host" },
		WaitingFor:         wait.ForLog("Server is ready to receive web requests").WithStartupTimeout(startTimeout),
	})
	if err != nil {
		return nil, err
	}
	return &Server{Address: loopback(free[0]), container: c}, nil
}
