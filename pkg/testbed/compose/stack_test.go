//go:build compose

package compose

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stack is a compose project with its own name and ports.
type stack struct {
	project, version string
	ports            map[string]int // by variable
	client           http.Client
}

const root = "../../.."

// startStack builds the image, starts all services except Grafana, and waits until they are healthy. The end of the test removes
// everything, including volumes and the image.
func startStack(t *testing.T) *stack {
	t.Helper()
	name := strings.ToLower(rand.Text()[:8])
	s := &stack{project: "mainstay-test-" + name, version: "test-" + name, ports: map[string]int{}, client: http.Client{Timeout: 30 * time.Second}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if t.Failed() {
			t.Log(s.output(ctx, "logs", "--tail", "30"))
		}
		t.Log(s.output(ctx, "down", "--volumes", "--timeout", "20"))
		left, err := s.command(ctx, "ps", "--all", "--quiet").Output()
		require.NoError(t, err)
		require.Empty(t, string(left), "containers are left")
		require.NoError(t, exec.CommandContext(ctx, "docker", "image", "rm", "mainstay:"+s.version).Run())
	})
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	out, err := s.command(ctx, "build").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for attempt := 1; ; attempt++ { // another process may take a port before its container does
		const most = 3
		s.choosePorts(t)
		out, err := s.command(ctx, "up", "--wait", "--wait-timeout", "300").CombinedOutput()
		if err == nil || attempt == most || !strings.Contains(string(out), "port is already allocated") && !strings.Contains(string(out), "address already in use") {
			require.NoError(t, err, "%s", out)
			return s
		}
		t.Log(s.output(ctx, "down", "--volumes", "--timeout", "20"))
	}
}

// choosePorts chooses ports that are free now.
func (s *stack) choosePorts(t *testing.T) {
	t.Helper()
	for _, variable := range []string{"KAFKA_PORT", "REDIS_PORT", "HTTP_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		s.ports[variable] = l.Addr().(*net.TCPAddr).Port
		require.NoError(t, l.Close())
	}
}

// command returns docker compose on the file of the repository and that of the test.
func (s *stack) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "docker", append([]string{
		"compose", "--profile", "demo", "--project-name", s.project, "--file", "docker-compose.yml", "--file", "pkg/testbed/compose/testdata/test.yml",
	}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "VERSION="+s.version, "SHOP_CUSTOMERS=400", "SHOP_RATE=400")
	for variable, port := range s.ports {
		cmd.Env = append(cmd.Env, variable+"="+strconv.Itoa(port))
	}
	return cmd
}

// output runs a command and returns its output and error, for the log of the test.
func (s *stack) output(ctx context.Context, args ...string) string {
	out, err := s.command(ctx, args...).CombinedOutput()
	return fmt.Sprintf("docker compose %s: %v\n%s", args[0], err, out)
}

func (s *stack) address(variable string) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.ports[variable]))
}

// queryResult is the response of Prometheus to a query.
type queryResult struct {
	Result []struct {
		Value  []any   `json:"value"`  // time, text
		Values [][]any `json:"values"` // of a range
	} `json:"result"`
	warnings []string
}

// numbers returns the samples that are not NaN.
func (a *queryResult) numbers() (all []float64) {
	add := func(sample []any) {
		if len(sample) == 2 && sample[1] != "NaN" {
			if v, err := strconv.ParseFloat(sample[1].(string), 64); err == nil {
				all = append(all, v)
			}
		}
	}
	for _, r := range a.Result {
		add(r.Value)
		for _, v := range r.Values {
			add(v)
		}
	}
	return all
}

// get sends a request to the API of Prometheus and decodes the data of the response.
func (s *stack) get(ctx context.Context, path string, values url.Values, into any) (warnings []string, err error) {
	at := "http://" + s.address("PROMETHEUS_PORT") + "/api/v1/" + path + "?" + values.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("query Prometheus: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	var body struct {
		Status   string          `json:"status"`
		Error    string          `json:"error"`
		Data     json.RawMessage `json:"data"`
		Warnings []string        `json:"warnings"`
		Infos    []string        `json:"infos"`
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return nil, fmt.Errorf("query Prometheus: %w", err)
	}
	if body.Status != "success" {
		return nil, fmt.Errorf("Prometheus refused %s: %s", path, body.Error)
	}
	return append(body.Warnings, body.Infos...), json.Unmarshal(body.Data, into)
}

func (s *stack) query(ctx context.Context, promql string) (*queryResult, error) {
	var a queryResult
	warnings, err := s.get(ctx, "query", url.Values{"query": {promql}}, &a)
	a.warnings = warnings
	return &a, err
}

func (s *stack) queryRange(ctx context.Context, promql string, from, to time.Time) (*queryResult, error) {
	var a queryResult
	warnings, err := s.get(ctx, "query_range", url.Values{
		"query": {promql}, "start": {from.Format(time.RFC3339)}, "end": {to.Format(time.RFC3339)}, "step": {"5"},
	}, &a)
	a.warnings = warnings
	return &a, err
}

// await repeats a query until one of its samples is at least a number.
func (s *stack) await(t *testing.T, promql string, least float64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for {
		a, err := s.query(ctx, promql)
		if err == nil {
			for _, v := range a.numbers() {
				if v >= least {
					return
				}
			}
		}
		select {
		case <-ctx.Done():
			require.FailNow(t, "the query does not reach the expected value", "%s >= %v: %+v %v", promql, least, a, err)
		case <-time.After(time.Second):
		}
	}
}
